"""The processes of C{rserpool demo}."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rserpool.cli.demo.processes import Twistd


class SignalTests(SynchronousTestCase):
    """Signals go to who is there."""

    def test_just_ended(self):
        """Between the end of a process and the end of its output Twisted knows no process id: nothing is signalled."""
        process = Twistd("web-1", [])
        process.start(SimpleNamespace(spawnProcess=lambda *arguments: None), {})
        transport: Any = SimpleNamespace(pid=None)
        process.transport = transport
        process.signal("TERM")
        self.assertTrue(process.alive)
