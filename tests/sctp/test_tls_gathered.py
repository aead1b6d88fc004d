"""What comes in together is looked at together, while a handshake is under way: a flight has several records."""

from __future__ import annotations

from collections.abc import Callable

from rserpool.sctp.association import BufferedAssociation
from tests.sctp.test_tls import TlsCase
from tests.sctp.tls_case import tls_channel

BIG = 16_000


class GatheredTests(TlsCase):
    """A stack that tells when all is told that came in."""

    def setUp(self) -> None:
        super().setUp()
        self.after: list[Callable[[], object]] = []
        self.patch(BufferedAssociation, "after", lambda association, call: self.after.append(call))
        self.ends(tls_channel(), tls_channel())
        self.association = self.client.connect(self.there)

    def told(self) -> int:
        """All that is on its way arrives, and then that is told; to so many."""
        self.run_for(0.01)
        after, self.after = self.after, []
        for call in after:
            call()
        return len(after)

    def test_flights(self) -> None:
        """Each is looked at once: the hello, what answers it, and the client's last record with what it has to say."""
        self.association.send(b"first")
        self.association.send(b"second")
        self.assertEqual([1, 1, 1, 0], [self.told() for _ in range(4)])
        self.assertEqual([b"first", b"second"], self.accepting.data)
        self.assertEqual([self.association], self.connecting.up)

    def test_much_at_once(self) -> None:
        """What would be too much to keep is looked at before, and nothing is lost."""
        messages = [bytes([number]) * BIG for number in range(6)]
        for message in messages:
            self.association.send(message)
        self.told()
        self.told()
        self.run_for(0.01)
        self.assertEqual([], self.accepting.lost)
        self.assertEqual(messages, self.accepting.data)
        self.told()
        self.assertEqual(messages, self.accepting.data)

    def test_lost_meanwhile(self) -> None:
        """Nobody looks at what somebody has sent who is gone."""
        self.told()
        self.run_for(0.01)
        self.association.abort()
        self.run_for(0.01)
        self.told()
        self.assertEqual(([], []), (self.connecting.up, self.accepting.up))
