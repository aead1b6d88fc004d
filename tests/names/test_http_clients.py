"""requests and httpx over pools: elements that refuse, die in mid-request or in mid-answer; no pool, no registrar."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import requests
from twisted.internet import reactor
from twisted.internet.endpoints import SSL4ServerEndpoint, TCP4ServerEndpoint
from twisted.internet.task import deferLater
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

from rserpool.core import TcpTransport
from rserpool.names import PoolHosts
from rserpool.names.httpx import AsyncPoolTransport, PoolTransport
from rserpool.names.requests import PoolAdapter
from tests.names.loopback import HOST, ROOT, LoopbackCase, free_port
from tests.web.certificates import Authority

NAME = "shop.example"


class Page(Resource):
    """Says its name, and what it was asked; or fails as it is told to."""

    isLeaf = True

    def __init__(self, name, fails=""):
        super().__init__()
        self.name, self.fails = name, fails
        self.hosts = []
        self.asked = 0

    def render(self, request):
        self.asked += 1
        self.hosts.append(request.getHeader("host"))
        body = f"{self.name} {request.path.decode()} {request.content.read().decode()}".strip().encode()
        if self.fails == "reset":
            request.transport.abortConnection()
        elif self.fails == "closes":
            request.transport.loseConnection()
        elif self.fails == "half":
            request.setHeader(b"content-length", b"%d" % (len(body) + 1))
            request.write(body)
            request.transport.loseConnection()
        else:
            request.setHeader(b"set-cookie", b"by=" + self.name.encode())
            return body
        return NOT_DONE_YET


class Clients(LoopbackCase):
    """What each client has to do. Its errors: C{unserved}, C{wrong} for a wrong URL, and C{lost} in a POST."""

    unserved: Any
    wrong: Any
    lost: Any

    def ask(self, where, method, url, timeout, verify="", **options):
        """Block until there is an answer: its text, its URL and its cookies."""
        raise NotImplementedError

    async def page(self, name, fails="", certificate=""):
        """An element."""
        page: Any = Page(name, fails)
        endpoint: Any = TCP4ServerEndpoint(reactor, 0, interface=HOST)
        if certificate:
            endpoint = SSL4ServerEndpoint(reactor, 0, self.authority.server(certificate).options(), interface=HOST)
        page.port = await endpoint.listen(Site(page))
        self.addCleanup(page.port.stopListening)
        self.addCleanup(self.hang_up, page.port)
        await self.register(TcpTransport(page.port.getHost().port, HOST))
        return page

    async def hang_up(self, port):
        """Clients may have closed a connection that the server has not heard of yet."""
        while here := [each for each in reactor.getReaders() if getattr(each, "server", None) is port]:
            for each in here:
                connection: Any = each
                connection.abortConnection()
            await deferLater(reactor, 0.01)

    def asked(self, url="http://pool/", method="GET", timeout=2.0, **options):
        where = options.pop("where", self.where)
        return self.in_thread(self.ask, where, method, url, timeout, **options)

    async def names(self, count):
        """Who has answered."""
        return [(await self.asked())[0].split()[0] for _ in range(count)]

    async def test_policy(self):
        """Each in its turn, with one client; the answer is that of the URL that was asked for."""
        pages = [await self.page("a"), await self.page("b")]
        self.assertEqual({"a", "b"}, set(await self.names(2)))
        text, url, cookies = await self.asked("http://pool/x?y=1")
        self.assertEqual("http://pool/x?y=1", url)
        self.assertIn(" /x", text)
        self.assertEqual({"by": text[0]}, cookies)
        self.assertEqual({"pool"}, {*pages[0].hosts, *pages[1].hosts})

    async def test_dead(self):
        """One that does not accept is passed over, whatever the method, and reported."""
        page = await self.page("a")
        await self.dead()
        for method in ("POST", "GET", "POST"):
            self.assertEqual("a", (await self.asked(method=method))[0][0])
        self.assertEqual(3, page.asked)

    async def test_lost(self):
        """One that is lost before it has answered: another one, for what may be repeated."""
        for fails in ("reset", "closes", "half"):
            bad = await self.page("bad", fails)
            good = await self.page("good")
            while not bad.asked:
                self.assertEqual("good", (await self.asked(data=b"body", method="PUT"))[0].split()[0])
            self.assertTrue(good.asked)
            for page, service in zip((bad, good), self.services, strict=True):
                await service.stopService()
                await page.port.stopListening()
            self.services.clear()

    async def test_not_repeated(self):
        """A POST that was given to one that is lost fails, as it does without a pool."""
        bad = await self.page("bad", "reset")
        with self.assertRaises(self.lost):
            await self.asked(method="POST", data=b"body")
        self.assertEqual(1, bad.asked)

    async def test_not_for_ever(self):
        """A request that kills whoever is given it is given to three."""
        bad = [await self.page("bad", "reset") for _ in range(4)]
        with self.assertRaises(self.lost):
            await self.asked(timeout=5.0)
        self.assertEqual(3, sum(page.asked for page in bad))

    async def test_unserved(self):
        """No such pool, nobody who accepts, no registrar: one kind of error, with a sentence."""
        with self.assertRaises(self.unserved) as raised:
            await self.asked("http://other/", timeout=0.5)
        self.assertIn("other", str(raised.exception))
        port = await self.dead()
        with self.assertRaises(self.unserved) as raised:
            await self.asked(timeout=0.5)
        self.assertIn(f"127.0.0.1:{port}", str(raised.exception))
        nowhere = f"127.0.0.1:{free_port()}"
        with self.assertRaises(self.unserved) as raised:
            await self.asked(where=nowhere, timeout=0.5)
        self.assertIn(nowhere, str(raised.exception))

    async def test_later(self):
        """A pool that appears while it is asked for is waited for."""
        answer = self.asked(timeout=10.0)
        await deferLater(reactor, 0.3)
        await self.page("late")
        self.assertEqual("late /", (await answer)[0])

    async def test_wrong_urls(self):
        for url in ("http://pool:81/", "http://127.0.0.1/", "https://pool/"):
            with self.assertRaises(self.wrong):
                await self.asked(url)

    async def test_tls(self):
        """The certificate's name is that which the table gives; who shows another one is passed over."""
        self.authority = Authority()
        await self.page("wrong", certificate="wrong.example")
        await self.page("right", certificate=NAME)
        path = Path(self.mktemp())
        path.write_bytes(self.authority.pem)
        hosts = PoolHosts(certificates={"pool": NAME})
        for _ in range(2):
            self.assertEqual("right /", (await self.asked("https://pool/", verify=str(path), hosts=hosts))[0])
        with self.assertRaises(self.unserved) as raised:
            await self.asked("https://pool/", verify=str(path), hosts=PoolHosts(certificate="no.example"), timeout=0.5)
        self.assertIn("its certificate is not good", str(raised.exception))


class RequestsTests(Clients):
    """The adapter of requests."""

    unserved = lost = requests.ConnectionError
    wrong = requests.exceptions.InvalidURL

    def ask(self, where, method, url, timeout, verify="", data=None, **options):
        with requests.Session() as session:
            adapter = PoolAdapter(registrars=[where], profile="fast", timeout=timeout, **options)
            session.mount("http://", adapter)
            session.mount("https://", adapter)
            response = session.request(method, url, data=data, verify=verify or True)
            return response.text, response.url, dict(response.cookies) and dict(session.cookies)


class HttpxTests(Clients):
    """The transport of httpx that blocks."""

    unserved, wrong = httpx.ConnectError, httpx.UnsupportedProtocol
    lost = (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError)

    def ask(self, where, method, url, timeout, verify="", data=None, **options):
        if verify:
            options["transport"] = httpx.HTTPTransport(verify=httpx.create_ssl_context(verify))
        transport = PoolTransport(registrars=[where], profile="fast", timeout=timeout, **options)
        with httpx.Client(transport=transport) as client:
            response = client.request(method, url, content=data)
            return response.text, str(response.url), dict(client.cookies)


class AsyncHttpxTests(HttpxTests):
    """The one for asyncio."""

    def ask(self, where, method, url, timeout, verify="", data=None, **options):
        async def main():
            if verify:
                options["transport"] = httpx.AsyncHTTPTransport(verify=httpx.create_ssl_context(verify))
            transport = AsyncPoolTransport(registrars=[where], profile="fast", timeout=timeout, **options)
            async with httpx.AsyncClient(transport=transport) as client:
                response = await client.request(method, url, content=data)
                return response.text, str(response.url), dict(client.cookies)

        return asyncio.run(main())


class MissingTests(SynchronousTestCase):
    """Where the client is not installed."""

    def test_sentence(self) -> None:
        """A sentence says what to install."""
        for name in ("requests", "httpx"):
            program = f"import sys; sys.modules[{name!r}] = None; import rserpool.names.{name}"
            done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
            self.assertIn(f"rserpool.names.{name} needs {name}: pip install {name}", done.stderr)


del Clients  # its tests are those of each client
