"""C{twistd} changes its root directory and its user before it starts services: what they need is loaded then."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from twisted.trial.unittest import SkipTest

from rserpool.sctp.compiled import SHUTTLE
from tests.processes.harness import ProcessTests, free_address


class PrivilegeTests(ProcessTests):
    """In a directory where there is nothing; as a user who may read little."""

    def jail(self) -> str:
        """A root directory that has what Twisted itself wants."""
        jail = Path(self.mktemp()).absolute()
        (jail / "dev").mkdir(parents=True)
        try:
            os.mknod(jail / "dev" / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
            (jail / "dev" / "null").chmod(0o666)
        except PermissionError:
            raise SkipTest("only root changes its root directory") from None
        return str(jail)

    async def test_chroot(self) -> None:
        """Registrar, proxy and an element in such a directory; a web server as nobody."""
        where = f"{free_address()}:3863"
        jailed = ("--chroot", self.jail(), "--rundir", "/")
        registrar = await self.serving(self.twistd(*jailed, "rserpool-ns", "--asap", where))
        pe = ("rserpool-pe", "--pool", "pool", "--registrar", registrar.text)
        web = self.twistd("--uid", "65534", "--gid", "65534", *pe, "--", "web", "--listen", "tcp:0:interface=127.0.0.1")
        pingpong = self.twistd(*jailed, *pe[:2], "ping", *pe[3:], "--", "rserpool-pingpong")
        listen = ("--listen", "tcp:0:interface=127.0.0.1")
        proxy = self.twistd(*jailed, "rserpool-proxy", *pe[1:], *listen)
        if SHUTTLE.load() is not None:
            self.assertIn("_shuttle", Path(f"/proc/{registrar.process.pid}/maps").read_text())
        await web.says("pool: registered as 0x")
        await pingpong.says("ping: registered as 0x")
        port = int((await proxy.says(r"starting on ([0-9]+)"))[1])
        client = await self.client("127.0.0.1", port)
        client.transport.write(b"GET / HTTP/1.0\r\n\r\n")
        await client.gets(b"HTTP/1.")
        for process in (proxy, web, pingpong):
            process.signal("TERM")
            await process.ended
        self.no_traceback(registrar.process, web, pingpong, proxy)
