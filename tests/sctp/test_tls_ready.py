"""Who dials again and again has the next hello ready: used once, while it is fresh, and by the key that holds."""

from __future__ import annotations

from rserpool.sctp.tls.channel import Sides
from rserpool.sctp.tls.greeting import FRESH, Ready
from rserpool.security.engine import TlsSide
from rserpool.security.way import Terms
from tests.sctp.test_tls import TlsCase
from tests.sctp.tls_case import CERTIFICATES, tls_channel
from tests.security.pair import KEY


class ReadyTests(TlsCase):
    """An endpoint that dials."""

    def dial(self, what: str = "keys") -> None:
        """One association, and its end."""
        before = len(self.connecting.up)
        association = self.client.connect(self.there)
        self.run_for(0.01)
        self.assertEqual(before + 1, len(self.connecting.up))
        association.close()
        self.run_for(0.01)

    def test_again(self) -> None:
        """The first one makes none for the next, the second one does; no two have the same random."""
        self.ends(tls_channel(), tls_channel())
        self.listen_in(self.server, "client")
        made = []
        for _ in range(4):
            self.dial()
            made.append(self.client.ready._made is not None)
        self.assertEqual([False, True, True, True], made)
        hellos = [message[0] for _, message in self.travelled if message[0][5] == 1 and message[0][0] == 22]
        self.assertEqual(4, len({hello[11:43] for hello in hellos}))

    def test_seldom(self) -> None:
        """Who dials once in a while has none."""
        self.ends(tls_channel(), tls_channel())
        for _ in range(3):
            self.dial()
            self.run_for(FRESH)
        self.assertIsNone(self.client.ready._made)

    def test_certificates(self) -> None:
        """Who goes by a certificate expects somebody else each time."""
        self.ends(tls_channel(CERTIFICATES), tls_channel(CERTIFICATES))
        for _ in range(3):
            self.dial()
        self.assertIsNone(self.client.ready._made)

    def test_taken_once(self) -> None:
        """It is nobody's any more, also where it is too old, or another key's."""
        side, other = (TlsSide(Terms(False, own=KEY)) for _ in range(2))
        for taken_by, after, found in ((side, 0.0, True), (side, FRESH, False), (other, 0.0, False)):
            ready = Ready()
            ready.make(side, 5.0)
            self.assertEqual(found, ready.take(taken_by, 5.0 + after) is not None)
            self.assertIsNone(ready.take(side, 5.0))

    def test_another_key(self) -> None:
        """What was made with a key that we have no more is not used."""
        channel = tls_channel(sides=Sides(client=TlsSide(Terms(False, own=KEY))))
        self.ends(tls_channel(), channel)
        self.dial()
        self.dial()
        channel.sides.client = TlsSide(Terms(False, own=KEY))
        self.dial()
        made = self.client.ready._made
        self.assertIs(channel.sides.client, made[0] if made else None)
