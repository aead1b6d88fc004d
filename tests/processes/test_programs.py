"""Programs that are not Twisted's, under C{twistd rserpool-pe -- run}: checked, killed, and ended with their parent."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tests.names.loopback import free_port
from tests.processes.harness import Process, ProcessTests, Registrar
from tests.processes.watched import ended

SERVER = """
import http.server, os, subprocess, sys
child = subprocess.Popen(["sleep", "600"], start_new_session=True)
print("child", child.pid, "of", os.getpid(), "for", os.environ.get("WHO"), flush=True)
server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), http.server.SimpleHTTPRequestHandler)
server.serve_forever()
"""


class ProgramTests(ProcessTests):
    """A web server of the standard library, which leaves a child behind."""

    async def serve(self, *options: str) -> tuple[Registrar, Process, int]:
        """A registrar, the element, and the program's port."""
        registrar = await self.registrar()
        port = free_port()
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        (self.folder / "health").write_text("ok")
        element = self.twistd(
            "rserpool-pe", "--pool=pool", "--registrar", registrar.text, "--identifier=7", f"--port={port}", *options,
            "--", "run", "--env=WHO=us", "--grace=2", sys.executable, "-c", SERVER, str(port),
            path=str(self.folder.absolute()),
        )  # fmt: skip
        return registrar, element, port

    async def test_checked(self) -> None:
        """It is in the pool only while its check passes."""
        registrar, element, port = await self.serve("--check=http:/health", "--check-interval=0.05", "--check-rise=2")
        pool = self.watch(self.user(registrar))
        await pool.holds(7)
        (self.folder / "health").unlink()
        await element.says(r"not well \(HTTP status 404 at /health\): left the pool")
        await pool.holds()
        (self.folder / "health").write_text("ok")
        await pool.holds(7)
        self.no_traceback(element)

    async def test_restarted(self) -> None:
        """Killed, it is started again; what it left behind has ended. The pool may not even notice."""
        registrar, element, port = await self.serve()
        pool = self.watch(self.user(registrar))
        await pool.holds(7)
        left, pid = await self.started(element)
        gone = ended(self, left)
        os.kill(pid, 9)
        await gone
        await element.says("python.* was killed .signal 9.; it is started again")
        again = await self.started(element, 1)
        self.assertTrue({left, pid}.isdisjoint(again))
        await pool.holds(7)

    async def test_stopped(self) -> None:
        """SIGTERM: it leaves the pool, and the program ends with all that it started."""
        registrar, element, port = await self.serve()
        await element.says("registered as")
        both = await self.started(element)
        ends = [ended(self, pid) for pid in both]
        element.signal("TERM")
        await element.ended
        for each in ends:
            await each
        self.no_traceback(element)

    async def test_killed(self) -> None:
        """The element is killed: the program ends, too."""
        if sys.platform != "linux":
            self.skipTest("only Linux ends what a program left behind")
        registrar, element, port = await self.serve()
        await element.says("registered as")
        both = await self.started(element)
        ends = [ended(self, pid) for pid in both]
        element.signal("KILL")
        for each in ends:
            await each

    async def test_sidecar(self) -> None:
        """A server that runs already, and an element beside it."""
        registrar, element, port = await self.serve()
        await element.says("registered as")
        beside = self.twistd(
            "rserpool-pe", "--pool=beside", "--registrar", registrar.text, f"--port={port}", "--check=http:/health"
        )
        await beside.says("beside: registered as")
        await self.started(element)
        element.signal("TERM")
        await beside.says("beside: left")
        self.no_traceback(beside)

    async def test_application(self) -> None:
        """The application of a .tac file."""
        registrar = await self.registrar()
        file = Path(self.mktemp())
        file.write_text(
            "from twisted.application import internet, service\n"
            "from twisted.internet.protocol import Factory\n"
            "from twisted.protocols.wire import Echo\n"
            "application = service.Application('echo')\n"
            "server = internet.TCPServer(0, Factory.forProtocol(Echo), interface='127.0.0.1')\n"
            "server.setServiceParent(application)\n"
        )
        options = ("--pool=pool", "--registrar", registrar.text, "--", "application")
        element = self.twistd("rserpool-pe", *options, str(file.absolute()))
        await element.says("pool: registered as")
        element.signal("TERM")
        await element.ended
        file.write_text("x = 1")
        broken = self.twistd("rserpool-pe", *options, str(file.absolute()))
        self.assertEqual(await broken.ended, 1)
        self.assertIn("it sets no variable 'application'", broken.text)
        self.no_traceback(element, broken)

    async def test_wrong(self) -> None:
        """Mistakes are told in a sentence."""
        for options, says in (
            (("--", "run", "redis-server"), "name with --port where the program serves"),
            (("--port=1", "--", "run"), "run: name the program"),
            (("--port=1", "--", "run", "--user=nobody-like-this", "x"), "run: --user: there is no user nobody-like"),
            (("--port=1", "--", "run", "no-such-program"), "there is no program no-such-program"),
            (("--port=1", "--check=ping"), "--check: there is no check 'ping'"),
            (("--port=1", "--check=tcp", "--check-fall=0"), "--check-fall: "),
            (("--", "application", "no.tac"), "application: there is no file no.tac"),
            ((), "say what serves"),
        ):
            process = self.twistd("rserpool-pe", "--pool=pool", *options)
            self.assertEqual(await process.ended, 1)
            self.assertIn(says, process.text)
            self.no_traceback(process)

    async def started(self, element: Process, before: int = 0) -> tuple[int, int]:
        """What the program has left behind, and its own process."""
        lines = [number for number, line in enumerate(element.lines) if "child" in line]
        found = await element.says(r"child (\d+) of (\d+) for us", lines[before - 1] + 1 if before else 0)
        return int(found[1]), int(found[2])
