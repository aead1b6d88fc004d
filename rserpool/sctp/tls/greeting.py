"""A client's hello, made while the association beneath is set up: it rides with that where the stack can do so
(RFC 9260 section 5.1), and else is at hand when that is up."""

from __future__ import annotations

from collections.abc import Collection

from rserpool.core.identity import Identity
from rserpool.sctp.interfaces import ISctpAssociation
from rserpool.sctp.tls.channel import TlsChannel
from rserpool.security.engine import TlsSide


class Greeting:
    """
    @ivar side: whose key it is made with.
    @ivar tls: the connection that it begins.
    @ivar hello: the first record.
    @ivar rides: whether it is on its way already.
    """

    __slots__ = ("hello", "rides", "side", "tls")

    def __init__(self, side: TlsSide, expected: Collection[Identity], inner: ISctpAssociation, ppid: int) -> None:
        """
        @raise TlsFailure: if there is nothing to begin with.
        """
        self.side = side
        self.tls = side.connection(expected)
        self.hello = self.tls.start()
        self.rides = not inner.established and inner.early(self.hello, ppid)


def greeting(
    made: Greeting | None, channel: TlsChannel, inner: ISctpAssociation, expected: Collection[Identity] | None
) -> Greeting | None:
    """The hello of a client over this association: the one that was made, unless our key is another since then.

    @param expected: who has to be there; None: whoever a learned peer has to be.
    @return: None where we are no client.
    @raise TlsFailure: see L{Greeting}.
    """
    side = channel.sides.client
    if side is None or (made is not None and (made.side is side or made.rides)):
        return made
    return Greeting(side, channel.sides.learned if expected is None else expected, inner, channel.framing.ppid)
