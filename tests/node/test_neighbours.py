"""Who knows whom among registrars, and where those of this host may be."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import TransportAddress
from rserpool.node.neighbours import Answer, beside, on_this_host, scopes, world


def answer(identifier: int | None, *peers: int) -> Answer:
    """What one said that is at a UDP port with its number."""
    return Answer(TransportAddress(("127.0.0.1",), 9901, identifier or 9), identifier, 0, True, peers)


class NeighbourTests(SynchronousTestCase):
    def groups(self, *answers: Answer) -> list[list[int | None]]:
        return [[one.identifier for one in group] for group in scopes(answers)]

    def test_scopes(self) -> None:
        """Who is known by one, or by one whom one knows, belongs to it."""
        self.assertEqual([[1, 2]], self.groups(answer(1, 2), answer(2)))
        self.assertEqual([[1], [2]], self.groups(answer(1), answer(2)))
        self.assertEqual([[1, 3, 2]], self.groups(answer(1), answer(3), answer(2, 3, 1)))
        self.assertEqual([[1, 2]], self.groups(answer(1, 9), answer(2, 9)))
        self.assertEqual([[1]], self.groups(answer(None), answer(1), answer(1)))
        self.assertEqual([], self.groups(answer(None)))

    def test_this_host(self) -> None:
        """127.0.0.1 comes first, at each UDP port of registrars."""
        first = [TransportAddress(("127.0.0.1",), 9901, udp) for udp in range(9899, 9891, -1)]
        self.assertEqual(first, on_this_host()[:8])

    def test_worlds(self) -> None:
        """Only addresses of loopback beside 127.0.0.1 are worlds of their own."""
        for hosts, expected in (
            (("127.0.0.1",), ""),
            (("::1",), ""),
            (("192.0.2.1", "127.0.0.7"), ""),
            (("127.0.0.7",), "127.0.0.7"),
        ):
            self.assertEqual(expected, world(TransportAddress(hosts, 9901)))

    def test_beside(self) -> None:
        """A registrar does not look at its own place, and one at an address of loopback of its own at no other."""
        own = TransportAddress(("127.0.0.1",), 9901, 9898)
        self.assertNotIn(own, beside(own))
        self.assertIn(TransportAddress(("127.0.0.1",), 9901, 9899), beside(own))
        self.assertNotIn("::1", {host for address in beside(own) for host in address.hosts})
        apart = TransportAddress(("127.77.0.1",), 9901, 9899)
        self.assertEqual([], [address for address in beside(apart) if address.hosts != apart.hosts])
