"""What systemd hears: the datagrams of sd_notify(3), over real sockets."""

from __future__ import annotations

import os
import re
import socket
import sys
import tempfile
from itertools import count
from pathlib import Path

from twisted.internet.task import Clock
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from rserpool.tap.notifying import LOOK, TELL, Notifier, notifier, status_text

_names = count(1)


class Supervisor:
    """Hears what is said.

    @param place: a path; abstract if it begins with C{@}.
    """

    def __init__(self, case: SynchronousTestCase, place: str) -> None:
        self.place = place
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        case.addCleanup(self._socket.close)
        self._socket.bind(f"\0{place[1:]}" if place.startswith("@") else place)
        self._socket.setblocking(False)

    def heard(self) -> list[str]:
        """What has been said since the last call."""
        said = []
        while True:
            try:
                said.append(self._socket.recv(4096).decode())
            except BlockingIOError:
                return said


class NotifierTests(SynchronousTestCase):
    """One process, by the clock."""

    why, status = "it waits", "1 pool"

    def setUp(self) -> None:
        self.clock = Clock()

    def begin(self, place: str, watchdog: float = 0.0) -> tuple[Supervisor, Notifier]:
        """A process that has started."""
        supervisor = Supervisor(self, place)
        told = Notifier(self.clock, place, lambda: self.why, lambda: self.status, watchdog)
        told.begin()
        self.addCleanup(told.end)
        return supervisor, told

    def path(self) -> str:
        """Where a socket may be: the test's own folder may be too long for one."""
        folder = tempfile.mkdtemp()
        self.addCleanup(os.rmdir, folder)
        self.addCleanup(Path(folder, "notify").unlink)
        return f"{folder}/notify"

    def abstract(self) -> str:
        if sys.platform != "linux":
            raise SkipTest("only Linux has sockets without a path")
        return f"@rserpool-test-{os.getpid()}-{next(_names)}"

    def test_life(self) -> None:
        """It says why it does not serve, that it does, what it does, and that it ends."""
        supervisor, told = self.begin(self.path())
        self.assertEqual(["STATUS=not ready: it waits"], supervisor.heard())
        self.clock.advance(LOOK)
        self.assertEqual([], supervisor.heard())
        self.why = ""
        self.clock.advance(LOOK)
        self.assertEqual(["READY=1\nSTATUS=1 pool"], supervisor.heard())
        self.status = "2\npools"
        self.clock.advance(TELL)
        self.assertEqual(["STATUS=2 pools"], supervisor.heard())
        told.reloading()
        told.reloaded()
        reloading, ready = supervisor.heard()
        self.assertTrue(re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=\d+", reloading), reloading)
        self.assertEqual("READY=1", ready)
        told.stopping()
        self.assertEqual(["STOPPING=1\nSTATUS=takes its leave"], supervisor.heard())
        self.clock.advance(TELL)
        self.assertEqual([], supervisor.heard())

    def test_abstract(self) -> None:
        """A socket without a path."""
        self.why = ""
        supervisor, _ = self.begin(self.abstract())
        self.assertEqual(["READY=1\nSTATUS=1 pool"], supervisor.heard())

    def test_watchdog(self) -> None:
        """It is heard of twice within the time, by its own loop, also before it serves and while it ends."""
        supervisor, told = self.begin(self.path(), watchdog=10.0)
        supervisor.heard()
        self.clock.pump([1.0] * 30)
        self.assertEqual(6, supervisor.heard().count("WATCHDOG=1"))
        self.assertEqual([], supervisor.heard())
        told.stopping()
        supervisor.heard()
        self.clock.pump([1.0] * 10)
        self.assertEqual(2, supervisor.heard().count("WATCHDOG=1"))
        told.end()
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_not_reloaded_before_it_serves(self) -> None:
        """A reload while it starts does not make it ready."""
        supervisor, told = self.begin(self.path())
        told.reloading()
        told.reloaded()
        self.assertNotIn("READY=1", supervisor.heard())

    def test_nobody_there(self) -> None:
        """Whoever has gone is told again later."""
        told = Notifier(self.clock, "/nowhere/at/all", lambda: "", lambda: "", 1.0)
        told.begin()
        self.clock.pump([LOOK] * 4)
        told.stopping()
        told.end()


class EnvironmentTests(SynchronousTestCase):
    """Where it is said, and how often."""

    def notifier(self, **environment: str) -> Notifier | None:
        self.patch(os, "environ", dict(environment))
        return notifier(Clock(), lambda: "", lambda: "")

    def test_environment(self) -> None:
        """Nobody is told where nothing is named, and children inherit nothing."""
        self.assertIsNone(self.notifier())
        self.assertIsNone(self.notifier(NOTIFY_SOCKET="vsock:2:1"))
        self.assertIsNone(self.notifier(NOTIFY_SOCKET="@"))
        told = self.notifier(NOTIFY_SOCKET="/run/notify", WATCHDOG_USEC="30000000", WATCHDOG_PID=str(os.getpid()))
        assert told is not None
        self.assertEqual((30.0, {}), (told._watchdog, os.environ))
        for environment in ({"WATCHDOG_PID": "1", "WATCHDOG_USEC": "1000"}, {"WATCHDOG_USEC": "soon"}):
            told = self.notifier(NOTIFY_SOCKET="/run/notify", **environment)
            assert told is not None
            self.assertEqual(0.0, told._watchdog)

    def test_status(self) -> None:
        """A line for each role."""
        self.assertEqual("1 pool, 2 elements, 0 peers", status_text({"role": "registrar", "pools": 1, "elements": 2}))
        self.assertEqual("1 pool, registrar here", status_text({"role": "element", "pools": 1, "home": "here"}))
        self.assertEqual("relays to www, no registrar", status_text({"role": "proxy", "pool": "www", "home": None}))
