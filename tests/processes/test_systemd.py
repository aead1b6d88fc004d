"""Processes as systemd runs them: sockets that are open already, and what is said over the one of notifications."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import DatagramProtocol
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from rserpool.cli.demo.processes import TWISTD
from tests.processes.harness import ROOT, ProcessTests, free_address

ACTIVATED = (
    """
import json, os, socket, sys
places = json.loads(sys.argv.pop(1))
for number, (name, place) in enumerate(places.items(), 3):
    family = socket.AF_UNIX if isinstance(place, str) else socket.AF_INET
    listening = socket.socket(family)
    listening.bind(place if isinstance(place, str) else tuple(place))
    listening.listen()
    os.dup2(listening.detach(), number)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(places)), LISTEN_FDNAMES=":".join(places))
"""
    + TWISTD
)
"""Opens sockets at some places, by name, as systemd would, and becomes C{twistd}."""


class Heard(DatagramProtocol):
    """Collects what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self._awaited: list[tuple[re.Pattern[str], Deferred[None]]] = []

    def datagramReceived(self, datagram: bytes, addr: object) -> None:
        self.said.append(datagram.decode())
        for pattern, awaited in list(self._awaited):
            if pattern.search(self.said[-1]):
                self._awaited.remove((pattern, awaited))
                awaited.callback(None)

    def hears(self, pattern: str) -> Deferred[None]:
        """Fires when this has been said, now or before."""
        awaited: Deferred[None] = Deferred()
        if any(re.search(pattern, each) for each in self.said):
            awaited.callback(None)
        else:
            self._awaited.append((re.compile(pattern), awaited))
        return awaited


class SystemdTests(ProcessTests):
    """A registrar and an element."""

    def setUp(self) -> None:
        super().setUp()
        # The path of a socket may not be long.
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)

    def listen(self, name: str) -> Heard:
        """Where a process notifies."""
        heard = Heard()
        port = reactor.listenUNIXDatagram(str(self.folder / name), heard)  # type: ignore[attr-defined]
        self.addCleanup(port.stopListening)
        return heard

    def activated(self, places: Mapping[str, object], notify: str, *arguments: str):
        """C{twistd} with sockets."""
        words = ("-c", ACTIVATED, json.dumps(places), "-n", "--pidfile=", *arguments)
        return self.spawn(*words, NOTIFY_SOCKET=str(self.folder / notify), WATCHDOG_USEC="500000")

    async def test_life(self) -> None:
        """What was open is served; what is said is what systemd waits for."""
        host, admin = free_address(), str(self.folder / "admin")
        heard, of_element, of_worker = self.listen("registrar"), self.listen("element"), self.listen("worker")
        places = {"asap-tcp": (host, 0), "admin": admin}
        process = self.activated(places, "registrar", "rserpool-ns", "--asap", f"{host}:3863", "--admin", admin)
        registrar = await self.serving(process)
        await heard.hears("^READY=1\nSTATUS=0 pools, 0 elements, 0 peers$")
        await heard.hears("^WATCHDOG=1$")
        options = ("--registrar", registrar.text, "--pool", "pool")
        plugin = ("--", "web", "--listen", "systemd:domain=INET:index=0", "--path", str(self.folder))
        element = self.activated({"web": (host, 0)}, "element", "rserpool-pe", *options, *plugin)
        await of_element.hears("^READY=1\nSTATUS=1 pool, registrar ")
        work = ("--pool", "farm", "--slots", "1", "--functions", "json")
        worker = self.activated({}, "worker", "rserpool-worker", *options[:2], *work)
        pool = self.watch(self.user(registrar.tcp))
        await pool.until(lambda there: len(there) == 1)
        (found,) = (pool.elements or {}).values()
        client = await self.client(found.user_transport.addresses[0], found.user_transport.port)
        client.transport.write(b"GET / HTTP/1.0\r\n\r\n")
        await client.gets(b"200 OK")
        there = self.rserpool("pools", "--admin", admin)
        self.assertEqual(0, await there.ended, there.text)
        await of_worker.hears("^READY=1\nSTATUS=1 pool, registrar ")
        process.signal("HUP")
        await heard.hears(r"^RELOADING=1\nMONOTONIC_USEC=\d+$")
        await heard.hears("^READY=1$")
        for each, told in ((worker, of_worker), (element, of_element), (process, heard)):
            each.signal("TERM")
            await told.hears("^STOPPING=1")
            await each.ended
        self.no_traceback(process, element, worker)

    async def test_not_ready(self) -> None:
        """An element that finds no registrar says why it is not ready."""
        heard = self.listen("element")
        options = ("--registrar", f"{free_address()}:3863", "--pool", "pool", "--profile", "fast")
        element = self.activated({}, "element", "rserpool-pe", *options, "--", "rserpool-echo", "--tcp", "0")
        await heard.hears("^STATUS=not ready: not registered in pool: no registrar is found")
        self.assertFalse([each for each in heard.said if "READY=1" in each])
        self.no_traceback(element)


class UnitTests(SynchronousTestCase):
    """The units that are shipped."""

    def test_verify(self) -> None:
        """C{systemd-analyze verify} has nothing to say."""
        verify = shutil.which("systemd-analyze")
        if verify is None:
            raise SkipTest("systemd-analyze is not installed")
        folder, names = Path(self.mktemp()).absolute(), []
        folder.mkdir()
        twistd = folder / "twistd"
        twistd.write_text("#!/bin/sh\n")
        twistd.chmod(0o755)
        for unit in sorted((ROOT / "contrib" / "systemd").glob("*.s*")):
            path = folder / unit.name.replace("@", "@web")
            path.write_text(unit.read_text().replace("/opt/rserpool/bin/twistd", str(twistd)))
            names.append(str(path))
        self.assertEqual(7, len(names))
        (folder / "rserpool-ns.service.d").mkdir()
        drop_in = ROOT / "contrib" / "systemd" / "security.conf"
        shutil.copy(drop_in, folder / "rserpool-ns.service.d")
        done = subprocess.run([verify, "verify", *names], capture_output=True, text=True, check=False, timeout=60)
        if "Failed to initialize manager" in done.stderr or "Failed to create" in done.stderr:
            raise SkipTest(f"systemd-analyze cannot run here: {done.stderr.strip()}")
        self.assertEqual((0, ""), (done.returncode, done.stdout + done.stderr))
