"""Which ports of this host are open, as its system says."""

from __future__ import annotations

import socket
from typing import Any

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from rserpool.element import system_ports
from rserpool.element.system_ports import listens


class Both:
    """What is so however the system is asked."""

    def setUp(self: Any) -> None:
        if listens("tcp", 1, ("127.0.0.1",)) is None:
            raise SkipTest("this system does not say what listens")

    def bound(self: Any, host: str, kind: int, family: int = socket.AF_INET) -> tuple[socket.socket, int]:
        bound = socket.socket(family, kind)
        self.addCleanup(bound.close)
        bound.bind((host, 0))
        return bound, bound.getsockname()[1]

    def test_tcp(self: Any) -> None:
        """One that listens, at this address or at all; not one that is bound alone."""
        for host, elsewhere in (("127.0.0.1", False), ("0.0.0.0", True)):  # noqa: S104
            server, port = self.bound(host, socket.SOCK_STREAM)
            self.assertIs(False, listens("tcp", port, ("127.0.0.1",)))
            server.listen()
            self.assertIs(True, listens("tcp", port, ("127.0.0.1",)))
            self.assertIs(elsewhere, listens("tcp", port, ("10.1.2.3",)))
            self.assertIs(False, listens("udp", port, ("127.0.0.1",)))

    def test_tcp6(self: Any) -> None:
        """Over IPv6; at all its addresses it is at all IPv4 addresses, too."""
        try:
            server, port = self.bound("::", socket.SOCK_STREAM, socket.AF_INET6)
            server.listen()
            mine, own = self.bound("::1", socket.SOCK_STREAM, socket.AF_INET6)
            mine.listen()
        except OSError:
            raise SkipTest("this host has no IPv6") from None
        for host in ("::1", "127.0.0.1", "2001:db8::1", "fe80::1%lo"):
            self.assertIs(True, listens("tcp", port, (host,)))
        self.assertIs(True, listens("tcp", own, ("::1",)))
        self.assertIs(False, listens("tcp", own, ("127.0.0.1", "2001:db8::1")))

    def test_udp(self: Any) -> None:
        """One that is bound; not one that has a peer."""
        server, port = self.bound("127.0.0.1", socket.SOCK_DGRAM)
        self.assertIs(True, listens("udp", port, ("127.0.0.1",)))
        server.connect(("127.0.0.1", 9))
        self.assertIs(False, listens("udp", port, ("127.0.0.1",)))

    def test_unknown(self: Any) -> None:
        """What no system knows."""
        self.assertIsNone(listens("sctp", 1, ("127.0.0.1",)))
        self.assertIsNone(listens("dccp", 1, ("127.0.0.1",)))


class KernelTests(Both, SynchronousTestCase):
    """The kernel answers."""

    def test_asked(self) -> None:
        """It does."""
        try:
            self.assertEqual([], list(system_ports._asked("tcp", 1)))
        except OSError:
            raise SkipTest("this kernel is not asked for sockets") from None


class FileTests(Both, SynchronousTestCase):
    """The kernel does not answer, but there are files."""

    def setUp(self: Any) -> None:
        def refused(kind: str, port: int) -> Any:
            raise OSError

        self.patch(system_ports, "_asked", refused)
        super().setUp()

    def test_nothing(self: Any) -> None:
        """Or there are none, either."""
        self.patch(system_ports, "_NET", system_ports._NET / "nothing")
        self.assertIsNone(listens("tcp", 1, ("127.0.0.1",)))
