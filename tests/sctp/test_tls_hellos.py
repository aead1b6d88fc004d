"""A client's hello is made while the association beneath is set up."""

from __future__ import annotations

from rserpool.sctp.tls.channel import Sides
from rserpool.security.engine import TlsSide
from rserpool.security.keys import Key
from rserpool.security.way import Terms
from tests.sctp.test_tls import TlsCase
from tests.sctp.tls_case import tls_channel
from tests.security.pair import KEY


class HelloTests(TlsCase):
    """What has changed meanwhile counts."""

    def dial(self, key: Key) -> None:
        """Begin to dial with this key."""
        self.channel = tls_channel(sides=Sides(client=TlsSide(Terms(False, own=key))))
        self.ends(tls_channel(), self.channel)
        self.association = self.client.connect(self.there)
        self.clock.advance(0)

    def test_as_it_was(self) -> None:
        self.dial(KEY)
        self.run_for()
        self.assertEqual([self.association], self.connecting.up)

    def test_another_key(self) -> None:
        """It is not the hello of a key that we have no more."""
        self.dial(Key("other", b"o" * 32))
        self.channel.sides.client = TlsSide(Terms(False, own=KEY))
        self.run_for()
        self.assertEqual([self.association], self.connecting.up)

    def test_given_up(self) -> None:
        """Nobody waits for it any more."""
        self.dial(KEY)
        self.association.abort()
        self.run_for()
        self.assertEqual([], self.connecting.up)
        self.assertEqual(1, len(self.connecting.lost))
