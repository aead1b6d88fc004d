"""ASAP over TLS over TCP, for pool users (RFC 5352 sections 2.1 and 9.2): who is dialled is the TLS server."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from twisted.internet.error import ConnectionClosed, ConnectionLost
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from rserpool.core.addresses import TransportAddress
from rserpool.core.errors import Unproved
from rserpool.core.identity import Identity
from rserpool.node.tcp import AsapTcpProtocol, Make
from rserpool.sctp.interfaces import ISctpHandler
from rserpool.sctp.tls.channel import TlsChannel
from rserpool.sctp.tls.place import GOODBYE, HandshakeFailed
from rserpool.security.engine import TlsConnection
from rserpool.security.failure import TlsFailure
from rserpool.security.way import RECORD


def over_tls(channel: TlsChannel) -> Make:
    """What makes connections that speak TLS as this channel says."""

    def make(
        reactor: Any,
        handler: ISctpHandler,
        peer: TransportAddress,
        outbound: bool,
        expected: Collection[Identity] | None = None,
    ) -> AsapTcpProtocol:
        return AsapTlsProtocol(reactor, handler, peer, outbound, channel, expected)

    return make


class AsapTlsProtocol(AsapTcpProtocol):
    """One connection over which TLS is spoken: its handler hears of it once the handshake is over.

    @ivar failure: why its handshake failed, or TLS ended.
    """

    def __init__(
        self,
        reactor: Any,
        handler: ISctpHandler,
        peer: TransportAddress,
        outbound: bool,
        channel: TlsChannel,
        expected: Collection[Identity] | None,
    ) -> None:
        super().__init__(reactor, handler, peer, outbound)
        self.failure: Unproved | None = None
        self._channel = channel
        self._expected = expected
        self._tls: TlsConnection | None = None
        # What came in while others had their turn; None while it is ours.
        self._waiting: bytearray | None = None
        self._timer: IDelayedCall | None = None
        self._ended = False

    def connectionMade(self) -> None:
        self._made()
        channel = self._channel
        self._timer = self._reactor.callLater(channel.patience, self._late)
        sides = channel.sides
        if not self.outbound:
            if sides.server is None:
                self._fail("we have neither keys nor a certificate, and cannot be its server")
        elif sides.client is None:
            self._fail("we have neither a key nor trust anchors, and cannot tell who it is")
        else:
            self._tls = sides.client.connection(sides.learned if self._expected is None else self._expected)
            self.transport.write(self._tls.start())

    def dataReceived(self, data: bytes) -> None:
        if not self.established:
            if self.failure is None and not self._aborted:
                self._handshake(data)
            return
        tls = self._tls
        assert tls is not None
        try:
            plain = tls.open(data)
        except TlsFailure as failure:
            self._fail(str(failure))
            return
        if plain:
            super().dataReceived(plain)
        else:
            # For example that no other handshake is wanted.
            self.transport.write(tls.output())
        if tls.closed and self._ending is None and not self._aborted:
            self.readConnectionLost()

    def go_on(self) -> None:
        """It is our turn."""
        waiting, self._waiting = self._waiting, None
        if waiting and not self._lost and self.failure is None:
            self._step(bytes(waiting))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._lost:
            return
        self._channel.gone(self)
        self._stop()
        if self.credentials is None and not self.outbound:
            # Nobody has heard of it.
            self._lost = True
            self.gone(self)
            return
        up = self.credentials is not None
        if self.failure is None and self.connected and not up and reason.check(ConnectionClosed):
            self.failure = Unproved("the peer ended the connection within the TLS handshake", passing=True)
        if self.failure is not None:
            why = str(self.failure)
            reason = Failure(ConnectionLost(why) if up else HandshakeFailed(string=why))
        super().connectionLost(reason)

    # The handshake.

    def _handshake(self, data: bytes) -> None:
        if self._waiting is not None:
            self._waiting += data
            if len(self._waiting) > 2 * RECORD:
                self._fail("it goes on before it was answered")
            return
        if self._tls is None:
            server = self._channel.sides.server
            assert server is not None
            self._tls = server.connection()
            turn = self._channel.handshakes.may_begin(self, self.peer.hosts[0])
            if not turn:
                self._waiting = bytearray(data)
                if turn is None:
                    self._fail("too many handshakes of its machine are under way", passing=True)
                return
        self._step(data)

    def _step(self, data: bytes) -> None:
        tls = self._tls
        assert tls is not None
        try:
            self.transport.write(tls.handshake(data))
            if tls.established:
                self._stop()
                self._channel.up(self, tls.offered)
                self.credentials = tls.credentials
                self._up()
                if self.established:
                    self.dataReceived(b"")
        except TlsFailure as failure:
            self._fail(str(failure))

    def _late(self) -> None:
        self._timer = None
        self._fail(f"its TLS handshake was not over after {self._channel.patience:g} s", passing=True)

    def _fail(self, why: str, passing: bool = False) -> None:
        """TLS has failed; the peer hears as much of it as it may.

        @param passing: whether it may be otherwise in a moment.
        """
        if self.failure is not None or self._lost:
            return
        self.failure = Unproved(why, passing)
        self._stop()
        self._channel.handshakes.failed += 1
        self._channel.suspects.failed(str(self.peer), self.peer.hosts[0], why, self._reactor.seconds())
        self.established = False
        self._full = True
        last = self._tls.output() if self._tls is not None else b""
        if self.credentials is not None or not last:
            self.transport.abortConnection()
        else:
            self.transport.write(last)
            self.transport.loseConnection()
            self._timer = self._reactor.callLater(GOODBYE, self.transport.abortConnection)

    def _stop(self) -> None:
        """No handshake is under way any more."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        for other in self._channel.handshakes.over(self):
            other.go_on()

    # What goes out.

    def _write(self, data: bytes) -> None:
        assert self._tls is not None
        try:
            self.transport.write(self._tls.write(data + bytes(-len(data) % 4)))
        except TlsFailure as failure:
            self._fail(str(failure))

    def _finish(self) -> None:
        if self.established and not self._queue and not self._ended:
            self._ended = True
            assert self._tls is not None
            self.transport.write(self._tls.end())
        super()._finish()
