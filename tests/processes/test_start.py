"""Processes that start beside others, as daemons, with a full disk, and without libusrsctp."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.trial.unittest import SkipTest

from rserpool.cli.demo.processes import TWISTD
from rserpool.core import TransportAddress
from tests.processes.harness import Process, ProcessTests, all_of, free_address


class StartTests(ProcessTests):
    """One or several on a host."""

    async def test_no_option(self) -> None:
        """Two registrars without any option run side by side, and an element with none but --pool finds one."""
        first, second = self.twistd("rserpool-ns"), self.twistd("rserpool-ns")
        element = self.twistd("rserpool-pe", "--pool", "no-option", "--", "served")
        one, two = await all_of(self.serving(first), self.serving(second))
        self.assertNotEqual(one.address.encapsulation, two.address.encapsulation)
        self.assertLessEqual({one.address.encapsulation, two.address.encapsulation}, set(range(9892, 9900)))
        self.assertEqual([3863, 3863], [one.address.port, two.address.port])
        self.assertNotEqual(one.tcp.port, two.tcp.port)
        # Of the two, one has TCP port 3863 at most; the other says so.
        later = one if one.tcp.port != 3863 else two
        taken = f"TCP port 3863 is taken: users reach this registrar over TCP at port {later.tcp.port}"
        self.assertIn(taken, later.process.text)
        for process in (first, second):
            await process.says("only this host can reach it")
        await element.says(r"no-option: registered as 0x[0-9a-f]{8} with 127\.0\.0\.1:3863/98")
        self.assertIn("(this host alone)", element.text)
        self.no_traceback(first, second, element)

    async def test_pid_file(self) -> None:
        """A second twistd with the same pid file says that one runs; one that cannot start leaves no pid file."""
        here = free_address()
        pid_file = Path(self.mktemp()).absolute()
        other = Path(self.mktemp()).absolute()
        twistd = ["-c", TWISTD, "-n"]
        arguments = [*twistd, f"--pidfile={pid_file}", "rserpool-ns", "--asap", f"{here}:3863"]
        first = self.spawn(*arguments)
        await self.serving(first)
        self.assertEqual(str(first.pid), pid_file.read_text())
        second = self.spawn(*arguments)
        cannot = self.spawn(
            *twistd, f"--pidfile={other}", "rserpool-ns", "--asap", f"{here}:1", "--udp-encapsulation", "9899"
        )
        self.assertEqual([1, 1], await all_of(second.ended, cannot.ended))
        self.assertIn("Another twistd server is running", second.text)
        self.assertIn(f"cannot listen on {here} port 9899: Address already in use", cannot.text)
        self.assertFalse(other.exists())
        first.signal("TERM")
        self.assertEqual(-signal.SIGTERM, await first.ended, first.text)
        self.assertFalse(pid_file.exists())
        self.no_traceback(first, second, cannot)

    async def test_daemon(self) -> None:
        """Without -n both run as daemons, log to their files, and end by SIGTERM: the element is deregistered then."""
        here = free_address()
        directory = Path(self.mktemp()).absolute()
        directory.mkdir()
        registrar = await self.daemon(directory, "ns", "rserpool-ns", "--asap", f"{here}:3863")
        served = ["rserpool-pe", "--pool", "pool", "--registrar", f"{here}:3863", "--", "served"]
        element = await self.daemon(directory, "pe", *served)
        user = self.user(self.address(here))
        pool = self.watch(user)
        await pool.until(lambda elements: len(elements) == 1)
        os.kill(element, signal.SIGTERM)
        await pool.holds()
        await self.gone(element)
        self.assertIn("deregistered", (directory / "ns.log").read_text())
        # A daemon that cannot start says so to whoever started it.
        failing = self.spawn(
            "-c", TWISTD, "--pidfile=failing.pid", "--logfile=failing.log",
            "rserpool-ns", "--asap", f"{here}:1", "--udp-encapsulation", "9899",
            path=str(directory),
        )  # fmt: skip
        self.assertEqual(1, await failing.ended)
        self.assertIn("cannot listen on", failing.text)
        # Its parent hears of it before the daemon has tidied up.
        while (directory / "failing.pid").exists():
            await deferLater(reactor, 0.02)
        os.kill(registrar, signal.SIGTERM)
        await self.gone(registrar)
        for log in directory.glob("*.log"):
            for bad in ("Traceback", "Unhandled"):
                self.assertNotIn(bad, log.read_text())
        self.assertEqual([], list(directory.glob("*.pid")))

    async def daemon(self, directory: Path, name: str, *arguments: str) -> int:
        """Start a daemon; its process id."""
        start = self.spawn(
            "-c", TWISTD, f"--pidfile={name}.pid", f"--logfile={name}.log", *arguments, path=str(directory)
        )
        self.assertEqual(0, await start.ended, start.text)
        pid = int((directory / f"{name}.pid").read_text())

        def end() -> None:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

        self.addCleanup(end)
        return pid

    async def gone(self, pid: int) -> None:
        """Wait until a process that is not our child is gone."""
        while True:
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                return
            await deferLater(reactor, 0.02)

    async def test_full_disk(self) -> None:
        """With nowhere to write its log, a registrar serves all the same, and ends when it is told to."""
        if not os.path.exists("/dev/full"):
            raise SkipTest("there is no /dev/full")
        here, there = free_address(), free_address()
        options = ["--udp-encapsulation", "9899"]
        logging = self.spawn(
            "-c", TWISTD, "-n", "--pidfile=", "--logfile=/dev/full", "rserpool-ns", "--asap", f"{here}:3863", *options
        )
        # The same for one that logs to its standard output.
        script = f"import os; os.dup2(os.open('/dev/full', os.O_WRONLY), 1); os.dup2(1, 2); {TWISTD}"
        printing = self.spawn("-c", script, "-n", "--pidfile=", "rserpool-ns", "--asap", f"{there}:3863", *options)
        for host, process in ((here, logging), (there, printing)):
            element = self.element(f"{host}:3863")
            pool = self.watch(self.user(self.address(host)))
            await element.says("registered as")
            await pool.until(lambda elements: len(elements) == 1)
            element.signal("KILL")
            await pool.holds()
            await self.user(self.address(host)).resolve(b"none").addErrback(lambda _: None)
            process.signal("TERM")
            self.assertIn(await process.ended, (-signal.SIGTERM, 0, 1, 120), process.text)

    @staticmethod
    def address(host: str) -> TransportAddress:
        return TransportAddress((host,), 3863)


class WithoutLibraryTests(ProcessTests):
    """libusrsctp cannot be loaded."""

    sentence = r"rserpool-(ns|pe): SCTP over UDP needs the library libusrsctp.*apt-get install libusrsctp2"

    def without_library(self) -> dict[str, str]:
        """An environment in which the dynamic linker finds no usable libusrsctp."""
        directory = Path(self.mktemp()).absolute()
        directory.mkdir()
        for name in ("libusrsctp.so.2", "libusrsctp.so.1", "libusrsctp.so", "libusrsctp.dylib"):
            (directory / name).write_bytes(b"")
        return {"LD_LIBRARY_PATH": str(directory)}

    async def refused(self, process: Process) -> None:
        said = process.says(self.sentence)
        self.assertEqual([1], await all_of(process.ended), process.text)
        await said
        self.no_traceback(process)

    async def test_processes(self) -> None:
        """Registrar and element end with one sentence that says what to install, also where a port opens late."""
        environment = self.without_library()
        late = ("rserpool-pe", "--pool", "p", "--", "served", "--kind", "late")
        await all_of(
            self.refused(self.twistd("rserpool-ns", "--asap", f"{free_address()}:3863", **environment)),
            self.refused(self.twistd("rserpool-pe", "--pool", "p", "--", "served", **environment)),
            self.refused(self.twistd(*late, **environment)),
        )

    async def test_demonstration(self) -> None:
        """It says so in one sentence, in place of a log of registrars that do not start."""
        demo = self.rserpool("demo", **self.without_library())
        self.assertEqual(1, await demo.ended, demo.text)
        self.assertRegex(demo.text, r"^rserpool demo: SCTP over UDP needs .*libusrsctp2 \(elsewhere .*modprobe sctp$")

    async def test_user(self) -> None:
        """A user needs no SCTP: it asks over TCP; one that wants SCTP hears what to install."""
        environment = self.without_library()
        registrar = await self.registrar()
        element = self.element(registrar)
        await element.says("registered as")
        where = f"{registrar.tcp.hosts[0]}:{registrar.tcp.port}"
        over_tcp = self.rserpool("resolve", "pool", "--registrar", where, "--transport", "tcp", **environment)
        by_itself = self.rserpool("resolve", "pool", "--registrar", where, **environment)
        over_sctp = self.rserpool("resolve", "pool", "--registrar", where, "--transport", "sctp", **environment)
        self.assertEqual([0, 0, 1], await all_of(over_tcp.ended, by_itself.ended, over_sctp.ended), over_tcp.text)
        for process in (over_tcp, by_itself):
            self.assertIn("pool pool: 1 element, round-robin", process.output)
        self.assertIn("asking registrars over TCP, since there is no SCTP", by_itself.text)
        self.assertRegex(over_sctp.text, "rserpool resolve: .*apt-get install libusrsctp2")
        self.no_traceback(over_tcp, by_itself, over_sctp)
