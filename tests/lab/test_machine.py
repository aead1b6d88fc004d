"""The lab itself: a kernel with SCTP, networks of its own, places to write to."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.lab import RESULTS, LabTests
from tests.lab.machine import ROOT

SCTP = 132


class MachineTests(LabTests, SynchronousTestCase):
    """What each test in the lab may rely on."""

    def test_sctp(self) -> None:
        """The kernel carries a message over SCTP, IPv4 and IPv6, between sockets of this host."""
        for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET, "10.11.12.1"), (socket.AF_INET6, "::1")):
            with (
                socket.socket(family, socket.SOCK_STREAM, SCTP) as listening,
                socket.socket(family, socket.SOCK_STREAM, SCTP) as calling,
            ):
                listening.bind((host, 0))
                listening.listen()
                calling.connect(listening.getsockname())
                answering, _ = listening.accept()
                with answering:
                    calling.send(b"over SCTP")
                    self.assertEqual(answering.recv(100), b"over SCTP")

    def test_alone(self) -> None:
        """No network of the machine is to be seen."""
        shown = subprocess.run(["ip", "-o", "link"], check=True, capture_output=True, text=True).stdout
        interfaces = {line.split()[1].partition("@")[0].rstrip(":") for line in shown.splitlines()}
        self.assertEqual(interfaces & {"lo", "dummy0"}, {"lo", "dummy0"})
        self.assertFalse([name for name in interfaces if name.startswith(("eth", "en", "wl"))])

    def test_places(self) -> None:
        """Temporary files and the home are the lab's own; what is written to the results is seen outside."""
        for place in (tempfile.gettempdir(), os.environ["HOME"]):
            self.assertTrue(place.startswith("/run/lab/"))
            with tempfile.TemporaryFile(dir=place):
                pass
        (Path(RESULTS) / "seen.txt").write_text("seen")


class HereTests(LabTests, SynchronousTestCase):
    """Where the kernel has SCTP, as it has here, a lab needs no guest."""

    def test_here(self) -> None:
        """A run inside of this one makes a network of its own, passes, and leaves nothing behind."""
        # What is below /run is not seen in there.
        place = tempfile.mkdtemp(dir="/dev/shm")
        self.addCleanup(os.rmdir, place)
        command = [sys.executable, "-m", "tests.lab.run", f"{MachineTests.__module__}.{MachineTests.__name__}"]
        environment = {**os.environ, "TMPDIR": place}
        ran = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True)
        self.assertEqual(ran.returncode, 0, ran.stdout + ran.stderr)
        self.assertNotIn("System halted", ran.stdout)
        self.assertRegex(ran.stdout, r"\n\d+ passed, 0 failed, 0 skipped\n$")
        self.assertEqual(os.listdir(place), [])
