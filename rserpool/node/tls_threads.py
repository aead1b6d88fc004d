"""ASAP over TLS over TCP, for programs without a reactor (RFC 5352 sections 2.1 and 9.2)."""

from __future__ import annotations

from contextlib import suppress

from rserpool.core.addresses import TransportAddress
from rserpool.core.errors import Unproved
from rserpool.node.threads import CONNECT, PPID, Connection, Secure, ThreadChannel
from rserpool.node.tls import ROLES, Tls
from rserpool.security.failure import TlsFailure
from rserpool.security.following import Secured


def over_tls(secured: Secured) -> Secure:
    """What makes connections that are secured by this; its files are looked at whenever somebody is dialled.

    @raise ConfigurationError: if what secures it is not enough.
    """
    tls = Tls(secured, *ROLES["client"], PPID)

    def make(channel: ThreadChannel, peer: TransportAddress) -> Connection:
        tls.look()
        return SecureConnection(channel, peer, tls)

    return make


class SecureConnection(Connection):
    """A connection that is up when its handshake is over.

    @ivar failure: why its handshake failed, or TLS ended.
    """

    failure: Unproved | None = None

    def __init__(self, channel: ThreadChannel, peer: TransportAddress, tls: Tls) -> None:
        client = tls.channel.sides.client
        assert client is not None
        self._tls = client.connection(tls.expected(channel.named, True))
        super().__init__(channel, peer)

    def _connected(self) -> None:
        self._patience = self._channel.loop.call_later(CONNECT, self.abort)
        self._unsent += self._tls.start()
        self._flush()

    def end(self) -> bool:
        if self._up and self.failure is None and not self._tls.established:
            self.failure = Unproved("the peer ended the connection within the TLS handshake", passing=True)
        return super().end()

    def _sealed(self, data: bytes) -> bytes:
        return self._tls.write(data) if self._tls.established else b""

    def _opened(self, data: bytes) -> bytes:
        tls = self._tls
        try:
            plain = tls.open(data) if tls.established else self._greeted(data)
        except TlsFailure as failure:
            self.failure = Unproved(str(failure))
            self._unsent += tls.output()
            with suppress(OSError):
                self._flush()
            raise ConnectionError(str(failure)) from None
        if tls.closed and not plain:
            raise EOFError
        return plain

    def _greeted(self, data: bytes) -> bytes:
        """Go on with the handshake; what came behind its end."""
        tls = self._tls
        self._unsent += tls.handshake(data)
        self._flush()
        if not tls.established:
            return b""
        self._patience.cancel()
        self.credentials = tls.credentials
        self._channel.up(self)
        return tls.open(b"")
