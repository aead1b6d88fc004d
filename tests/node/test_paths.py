"""Paths that fail and come back, and peers that move, are told in the log and counted."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from twisted.logger import Logger
from twisted.trial.unittest import TestCase

from rserpool.core import TransportAddress
from rserpool.node.paths import Paths
from rserpool.sctp.log import LimitedLog


class PathsTests(TestCase):
    """One association with two paths."""

    def setUp(self) -> None:
        self.lines: list[str] = []
        observer: Any = lambda event: self.lines.append(event["log_format"].format(**event))  # noqa: E731
        self.paths = Paths(LimitedLog(Logger(observer=observer), lambda: 0.0))
        hosts = ("10.0.0.1", "10.0.1.1")
        # Hashable, as associations are.
        self.association: Any = type("Association", (SimpleNamespace,), {"__hash__": object.__hash__})(
            peer=TransportAddress(hosts, 5000), peer_addresses=hosts
        )

    def test_lost_and_restored(self) -> None:
        """What is down is known, and what goes on."""
        self.paths.changed(self.association, "10.0.0.1", True)
        self.assertEqual([], self.lines)
        self.paths.changed(self.association, "10.0.0.1", False)
        self.assertEqual(1, self.paths.down)
        self.paths.changed(self.association, "10.0.1.1", False)
        self.assertEqual(2, self.paths.down)
        self.paths.changed(self.association, "10.0.0.1", True)
        self.assertEqual(1, self.paths.down)
        self.assertEqual({"verified": 1, "lost": 2, "restored": 1}, self.paths.counts)
        self.assertEqual(
            [
                "10.0.0.1,10.0.1.1:5000: the path to 10.0.0.1 is lost; going on by 10.0.1.1",
                "10.0.0.1,10.0.1.1:5000: the path to 10.0.1.1 is lost; there is no other",
                "10.0.0.1,10.0.1.1:5000: the path to 10.0.0.1 is back",
            ],
            self.lines,
        )
        self.paths.forget(self.association)
        self.assertEqual(0, self.paths.down)

    def test_moved(self) -> None:
        """A path to an address that the peer has no longer is not down."""
        self.paths.changed(self.association, "10.0.0.1", False)
        self.association.peer_addresses = ("10.0.1.1", "10.0.2.1")
        self.paths.moved(self.association)
        self.assertEqual((0, 1), (self.paths.down, self.paths.counts["changed"]))
        self.assertEqual("10.0.0.1,10.0.1.1:5000 is at 10.0.1.1, 10.0.2.1", self.lines[-1])
