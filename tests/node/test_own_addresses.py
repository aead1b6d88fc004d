"""What becomes of registered transports when this host's addresses change."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from rserpool.core import SctpTransport, TcpTransport
from rserpool.core.wire.parameters import DATA_ONLY
from rserpool.node.own_addresses import moved, present_hosts, wildcard

BEFORE = ("10.0.0.1", "10.0.1.1")
NOW = ("10.0.1.1", "10.0.2.1")


class MovedTests(TestCase):
    """Transports before and after."""

    def test_sctp(self) -> None:
        """SCTP is at all addresses if it was; else at those of its own that are left."""
        for addresses, expected in (
            (BEFORE, NOW),
            (("10.0.1.1",), ("10.0.1.1",)),
            (("10.0.0.1",), NOW),
            (("10.0.9.9", "10.0.0.1"), ("10.0.9.9",)),
        ):
            transport = moved(SctpTransport(7000, DATA_ONLY, addresses), BEFORE, NOW)
            self.assertEqual(SctpTransport(7000, DATA_ONLY, expected), transport)

    def test_tcp(self) -> None:
        """TCP stays where it is, or goes to the first address of its family."""
        for address, now, expected in (
            ("10.0.1.1", NOW, "10.0.1.1"),
            ("10.0.0.1", ("fd00::1", *NOW), "10.0.1.1"),
            ("10.0.9.9", NOW, "10.0.9.9"),
        ):
            self.assertEqual(TcpTransport(80, expected), moved(TcpTransport(80, address), BEFORE, now))

    def test_names(self) -> None:
        """Addresses that are named stand for themselves."""
        self.assertEqual(BEFORE, present_hosts(BEFORE))
        self.assertEqual([False, True, True], [wildcard(hosts) for hosts in (BEFORE, ("0.0.0.0",), ("10.0.0.1", "::"))])
