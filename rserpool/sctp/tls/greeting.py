"""A client's hello, made while the association beneath is set up: it rides with that where the stack can do so
(RFC 9260 section 5.1), and else is at hand when that is up.

Who dials with one key again and again has the next hello ready, made when the last handshake was over: it is used once,
and only while it is fresh.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from rserpool.core.identity import Identity
from rserpool.sctp.interfaces import ISctpAssociation
from rserpool.sctp.tls.channel import TlsChannel
from rserpool.security.engine import TlsConnection, TlsSide

FRESH: Final = 1.0
"""Seconds: who has dialled so lately may dial again soon. No secret of a hello (RFC 8446 section 4.2.8) gets older."""


class Ready:
    """The next hello of an endpoint's.

    @ivar dialled: when somebody was dialled last.
    """

    __slots__ = ("_made", "dialled")

    def __init__(self) -> None:
        self.dialled = -FRESH
        self._made: tuple[TlsSide, float, TlsConnection, bytes] | None = None

    def take(self, side: TlsSide, now: float) -> tuple[TlsConnection, bytes] | None:
        """It, if it was made with this key, and lately; nobody has it again."""
        made, self._made = self._made, None
        if made is None or made[0] is not side or now - made[1] >= FRESH:
            return None
        return made[2:]

    def make(self, side: TlsSide, now: float) -> None:
        """Make it.

        @param side: one with a key: who is expected does not matter then.
        @raise TlsFailure: if there is nothing to begin with.
        """
        if self._made is None or self._made[0] is not side:
            tls = side.connection()
            self._made = side, now, tls, tls.start()


class Greeting:
    """
    @ivar side: whose key it is made with.
    @ivar tls: the connection that it begins.
    @ivar hello: the first record.
    @ivar rides: whether it is on its way already.
    """

    __slots__ = ("hello", "rides", "side", "tls")

    def __init__(
        self,
        side: TlsSide,
        expected: Collection[Identity],
        inner: ISctpAssociation,
        ppid: int,
        made: tuple[TlsConnection, bytes] | None = None,
    ) -> None:
        """
        @param made: the connection and its hello, if they are ready.
        @raise TlsFailure: if there is nothing to begin with.
        """
        self.side = side
        if made is None:
            self.tls = side.connection(expected)
            self.hello = self.tls.start()
        else:
            self.tls, self.hello = made
        self.rides = not inner.established and inner.early(self.hello, ppid)


def greeting(
    made: Greeting | None,
    channel: TlsChannel,
    inner: ISctpAssociation,
    expected: Collection[Identity] | None,
    ready: Ready,
    now: float,
) -> Greeting | None:
    """The hello of a client over this association: the one that was made, unless our key is another since then.

    @param expected: who has to be there; None: whoever a learned peer has to be.
    @return: None where we are no client.
    @raise TlsFailure: see L{Greeting}.
    """
    side = channel.sides.client
    if side is None or (made is not None and (made.side is side or made.rides)):
        return made
    expected = channel.sides.learned if expected is None else expected
    return Greeting(side, expected, inner, channel.framing.ppid, ready.take(side, now))
