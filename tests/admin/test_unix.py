"""The Unix socket: who may open it, and who has it."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.protocol import Factory
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from rserpool.admin import AdminClient, AdminError
from rserpool.admin.places import TcpPlace, UnixPlace, parse_place
from rserpool.admin.service import AdminService
from rserpool.admin.unix import listen_unix
from rserpool.cli.doctor.findings import Level
from rserpool.cli.doctor.run import looked_at
from rserpool.core import TransportAddress
from rserpool.core.access import Access
from rserpool.core.errors import ConfigurationError
from rserpool.core.reading import parse_transport_address
from rserpool.security.following import Secured
from rserpool.security.settings import Certificate, Security
from tests.web.certificates import Authority


class Nothing:
    """A role of which there is nothing to see."""

    def about(self):
        return {"role": "nothing"}

    def ready(self):
        return "it is nothing"

    def pools(self, after, limit):
        return iter(())

    def elements(self, handle, after, limit):
        return iter([{"identifier": "0x00000001"}]) if handle == b"a/b" else None

    def registrars(self):
        return iter(())

    def metrics(self):
        return ()

    def observe(self, tell):
        return lambda: None

    def draining(self):
        return iter(())

    evicted = draining

    def tap(self, tell):
        return lambda: None

    def act(self, verb, *arguments, by):
        return None


class UnixTests(TestCase):
    """Sockets of this host."""

    def setUp(self) -> None:
        self.path = str(Path(self.mktemp()).absolute())
        if len(os.fsencode(self.path)) > 100:
            self.path = f"/tmp/rserpool-{os.getpid()}-{id(self)}.sock"  # noqa: S108

    def listen(self):
        port = listen_unix(reactor, self.path, Factory())
        self.addCleanup(port.stopListening)
        return port

    def test_mode(self) -> None:
        """Nobody else may open it, whatever the mask of files is."""
        before = os.umask(0)
        self.addCleanup(os.umask, before)
        self.listen()
        self.assertEqual(0o600, stat.S_IMODE(os.lstat(self.path).st_mode))
        self.assertEqual(0, os.umask(0))

    def test_stale(self) -> None:
        """The socket of a process that is dead is replaced."""
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(self.path)
        self.listen()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(self.path)

    def test_living(self) -> None:
        """That of one that lives is not."""
        self.listen()
        with self.assertRaisesRegex(ConfigurationError, "a process that runs listens there"):
            listen_unix(reactor, self.path, Factory())
        self.assertTrue(os.path.exists(self.path))

    def test_other(self) -> None:
        """No file is lost for it, and a directory that is not there is told."""
        Path(self.path).write_text("precious")
        with self.assertRaisesRegex(ConfigurationError, "there is a file that is no socket"):
            listen_unix(reactor, self.path, Factory())
        self.assertEqual("precious", Path(self.path).read_text())
        os.unlink(self.path)
        with self.assertRaisesRegex(ConfigurationError, "cannot listen on .*/x: No such file or directory"):
            listen_unix(reactor, self.path + ".d/x", Factory())

    async def test_client(self) -> None:
        """A command asks over it; where nobody is it says what to do."""
        client = AdminClient(self.path)
        with self.assertRaisesRegex(AdminError, "was it started with --admin"):
            client.about()
        service = AdminService(reactor, Nothing(), [UnixPlace(self.path)])
        service.startService()
        try:
            about = await deferToThread(client.about)
            elements = await deferToThread(lambda: list(client.elements("a/b")))
            failed: Deferred = deferToThread(lambda: list(client.elements("c")))
            error = await self.assertFailure(failed, AdminError)
        finally:
            await maybeDeferred(service.stopService)
        self.assertEqual({"role": "nothing", "ready": False, "reason": "it is nothing"}, about)
        self.assertEqual([{"identifier": "0x00000001"}], elements)
        self.assertEqual((404, f"{self.path}: no pool is named so here"), (error.status, str(error)))
        self.assertFalse(os.path.exists(self.path))

    async def test_not_so(self) -> None:
        """Where TLS is spoken and was not, or by a certificate that nobody believes, a sentence says what to do."""
        own = Authority().sign("reg.example")
        secured = Secured(Security(certificate=Certificate(own, own), access=Access()))
        place = TcpPlace(TransportAddress(("127.0.0.1",), 0), True)
        service = AdminService(reactor, Nothing(), [place], secured=secured)
        service.startService()
        self.addCleanup(service.stopService)
        where = f"127.0.0.1:{service.ports[0].getHost().port}"
        for asked, words in ((where, f"may speak TLS, write https://{where}"), (f"https://{where}", "--security DIR")):
            failed: Deferred = deferToThread(AdminClient(asked).about)
            self.assertIn(words, str(await self.assertFailure(failed, AdminError)))

    async def test_in_the_clear(self) -> None:
        """Where nobody speaks TLS this is told at once, by doctor too, and how to write it."""
        service = AdminService(reactor, Nothing(), [TcpPlace(TransportAddress(("127.0.0.1",), 0), False)])
        service.startService()
        self.addCleanup(service.stopService)
        where = f"127.0.0.1:{service.ports[0].getHost().port}"
        date = AdminClient(f"https://{where}").date
        for ask in (date, AdminClient(f"https://{where}").about):
            failed: Deferred = deferToThread(ask)
            error = str(await self.assertFailure(failed, AdminError))
            self.assertIn(f"it may speak in the clear, plain HTTP, write http://{where}", error)
        (found,) = await deferToThread(looked_at, TcpPlace(parse_transport_address(where), True))
        self.assertEqual((Level.PROBLEM, error), (found.level, found.says))
        self.assertIn("GMT", await deferToThread(AdminClient(where).date))

    def test_places(self) -> None:
        """A path has a slash; all else is a HOST:PORT."""
        self.assertEqual("/run/a.sock", str(parse_place("unix:/run/a.sock")))
        self.assertEqual(os.path.abspath("./a"), str(parse_place("./a")))
        self.assertEqual("http://127.0.0.1:80", str(parse_place("127.0.0.1:80")))
        self.assertEqual("https://[::1]:80", str(parse_place("https://[::1]:80/")))
        for wrong in ("ftp://x:1", "nowhere", "127.0.0.1", "[::1]", "/" + "x" * 200):
            with self.assertRaises(ConfigurationError, msg=wrong):
                parse_place(wrong)
