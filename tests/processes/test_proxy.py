"""C{rserpool proxy} and C{twistd rserpool-proxy}: a plain HTTP client over a pool whose elements are killed."""

from __future__ import annotations

import signal
import urllib.request
from pathlib import Path

from twisted.internet.threads import deferToThread

from tests.processes.harness import ProcessTests, all_of, free_address


def get(port: int) -> bytes:
    """What a program that knows nothing of pools gets."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/page", timeout=20) as answer:
        return answer.read()


class ProxyTests(ProcessTests):
    """Programs that know nothing."""

    async def test_http(self) -> None:
        """Elements are killed, and every request is answered; then the proxy drains, and tells what it has done."""
        registrar = await self.registrar()
        pages = Path(self.mktemp()).absolute()
        pages.mkdir()
        (pages / "page").write_bytes(b"page")
        web = ("web", "--listen", "tcp:0", "--path", str(pages))
        elements = [self.element(registrar, plugin=web) for _ in range(3)]
        proxy = self.rserpool("proxy", "pool", "--registrar", registrar.text, "--listen", "0", "--drop")
        port = int((await proxy.says(r"relays tcp 127\.0\.0\.1:(\d+)"))[1])
        await all_of(*(element.says("registered as") for element in elements))
        for killed in (None, elements[0], elements[1]):
            if killed is not None:
                killed.signal("KILL")
                await killed.ended
            for _ in range(8):
                self.assertEqual(b"page", await deferToThread(get, port))
        served = sum('"GET /page HTTP/1.1" 200' in line for element in elements for line in element.lines)
        client = await self.client("127.0.0.1", port)
        client.transport.write(b"GET /page HTTP/1.1\r\nHost: www\r\n\r\n")
        await client.gets(b"\r\n\r\npage")
        proxy.signal("USR1")
        await proxy.says(r"25 connections \(1 open")
        proxy.signal("TERM")
        client.transport.write(b"GET /page HTTP/1.1\r\nHost: www\r\nConnection: close\r\n\r\n")
        self.assertEqual(2, (await client.lost).count(b"\r\n\r\npage"))
        self.assertEqual(0, await proxy.ended)
        self.assertRegex(proxy.lines[-1], r"25 connections \(0 open, 0 beyond the limit, 0 without an element")
        self.assertLessEqual(served, 24)
        self.no_traceback(registrar.process, proxy, elements[2])

    async def test_second_signal(self) -> None:
        """A second signal ends connections that take too long."""
        registrar = await self.registrar()
        element = self.element(registrar)
        await element.says("registered as")
        proxy = self.rserpool("proxy", "pool", "--registrar", registrar.text, "--listen", "0", "--grace", "50")
        port = int((await proxy.says(r"relays tcp 127\.0\.0\.1:(\d+)"))[1])
        client = await self.client("127.0.0.1", port)
        client.transport.write(b"begin\n")
        await client.gets(b"begun\n")
        proxy.signal("INT")
        await proxy.says("waiting for 1 connections")
        proxy.signal("INT")
        await client.lost
        self.assertEqual(0, await proxy.ended)
        self.no_traceback(proxy)

    async def test_twistd(self) -> None:
        """As a service of twistd, with the same end."""
        registrar = await self.registrar()
        element = self.element(registrar)
        await element.says("registered as")
        at = ("--pool", "pool", "--registrar", registrar.text)
        proxy = self.twistd("rserpool-proxy", *at, "--listen", "tcp:0:interface=127.0.0.1")
        port = int((await proxy.says(r"relays tcp 127\.0\.0\.1:(\d+) to pool pool"))[1])
        client = await self.client("127.0.0.1", port)
        client.transport.write(b"begin\n")
        await client.gets(b"begun\n")
        proxy.signal("TERM")
        await proxy.says("waiting for 1 connections")
        client.transport.write(b"end\n")
        await client.gets(b"done\n")
        self.assertEqual(-signal.SIGTERM, await proxy.ended)
        self.no_traceback(proxy)

    async def test_errors(self) -> None:
        """One sentence, and a status, for what cannot be."""
        nobody = f"{free_address()}:3863"
        wrong, elsewhere, none, in_twistd = processes = [
            self.rserpool("proxy", "pool", "--registrar", nobody, "--listen", "nonsense:1"),
            self.rserpool("proxy", "pool", "--registrar", nobody, "--listen", "tcp:0:interface=192.0.2.1"),
            self.rserpool("proxy", "pool"),
            self.twistd("rserpool-proxy", "--pool", "pool", "--listen", "tcp:0:interface=192.0.2.1"),
        ]
        self.assertEqual([2, 1, 2, 1], await all_of(*(process.ended for process in processes)), elsewhere.text)
        for process, sentence in (
            (wrong, "^rserpool proxy: argument --listen: 'nonsense:1' is no server endpoint"),
            (elsewhere, r"^rserpool proxy: .*192\.0\.2\.1"),
            (none, "^rserpool proxy: .*--listen"),
        ):
            self.assertEqual(1, len(process.lines), process.text)
            self.assertRegex(process.text, sentence)
        self.assertIn("rserpool-proxy: cannot listen on 192.0.2.1 port 0", in_twistd.text)
        self.no_traceback(*processes)
