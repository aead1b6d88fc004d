"""One TLS connection, with no sockets and no reactor: bytes in, plaintext out, records out (RFC 5352 section 9.2).

It decides whom it speaks with: a channel that must stand on a key counts only if the key was used, a certificate only
for a name that was expected. There are no tickets that count, no resumption, no early data, no renegotiation.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Final

from rserpool.core.identity import Credentials, Identity
from rserpool.security.context import make_context
from rserpool.security.failure import TlsFailure
from rserpool.security.hello import ClientHello, parse_hello
from rserpool.security.keys import bearer_of
from rserpool.security.names import is_for, names_of
from rserpool.security.records import is_record, take_records
from rserpool.security.way import RECORD, Context, Terms, Wire

HANDSHAKE_BYTES: Final = 65536
"""So many bytes of a peer's are read before it has proved anything; a chain of certificates has some 5,000."""
_REFUSED: Final = {
    name: b"\x15\x03\x03\x00\x02\x02" + bytes([number])
    for name, number in (("handshake_failure", 40), ("unknown_psk_identity", 115))
}
"""Alerts in the clear, while nothing else was said yet (RFC 8446 sections 6.2 and 4.2.11)."""


class TlsSide:
    """One end, for any number of connections; all of them in one thread.

    A server may take keys and show a certificate: the ClientHello decides, and each has a context of its own.

    @ivar own: at a client: the key that the peer has to have, too; then no certificate counts.
    @ivar anonymous: at a server: whether a client that proves nothing is served, as nobody in particular.
    """

    def __init__(self, terms: Terms, anonymous: bool = True) -> None:
        """
        @raise ConfigurationError: if a certificate cannot be used, or no OpenSSL that does keys is to be had.
        """
        self.server = terms.server
        self.own = terms.own
        self.find = terms.find
        self.anonymous = anonymous
        keys = terms.own is not None or terms.find is not None
        self.by_key = make_context(replace(terms, certificate=None, anchors=None)) if keys else None
        shows = terms.certificate is not None if terms.server else terms.own is None
        self.by_certificate = make_context(replace(terms, own=None, find=None)) if shows else None

    def connection(self, expected: Collection[Identity] = ()) -> TlsConnection:
        """A new connection.

        @param expected: at a client without a key: the names one of which the server's certificate has to have.
        """
        return TlsConnection(self, expected)


class TlsConnection:
    """One end of one connection. Whatever fails raises L{TlsFailure}; then L{output} has what the peer is to hear.

    @ivar established: whether the handshake is done, and the peer is who it should be.
    @ivar credentials: who the peer has proved to be. At a client with a key, whoever has that key, too.
    @ivar seal: makes the record of 1 to L{RECORD} bytes; once established.
    @ivar more: whether something may have come behind the end of the handshake; it is had by C{open(b"")}.
    """

    __slots__ = (
        "_bytes", "_expected", "_key", "_last", "_open", "_rest", "_side", "_spoken", "_wire", "credentials",
        "established", "more", "seal",
    )  # fmt: skip

    seal: Callable[[bytes], bytes]

    def __init__(self, side: TlsSide, expected: Collection[Identity]) -> None:
        self.established = self.more = False
        self.credentials: Credentials = None
        self._side = side
        self._expected = expected
        self._bytes = 0
        # The identity of the key that a client offers, and whether its secret is known.
        self._key: tuple[str, bool] | None = None
        self._rest = bytearray()
        # Whether we have sent anything, and what is sent after a failure, where that is not for OpenSSL to say.
        self._spoken = False
        self._last: bytes | None = None
        # A server has no state until a ClientHello was there.
        self._wire: Wire | None = None

    @property
    def modern(self) -> bool:
        """Whether TLS 1.3 is spoken; once that is settled."""
        return self._wire is not None and self._wire.modern()

    @property
    def version(self) -> str:
        """C{"TLSv1.3"} or C{"TLSv1.2"}; once established."""
        return self._wire.version() if self._wire is not None else ""

    @property
    def cipher(self) -> str:
        """The cipher suite, in OpenSSL's words; once established."""
        return self._wire.cipher() if self._wire is not None else ""

    @property
    def offered(self) -> str | None:
        """At a server: the whole identity of the key that the client used; None if it used none."""
        return None if self._key is None else self._key[0]

    @property
    def closed(self) -> bool:
        """Whether the peer has said that it sends no more."""
        return self._wire is not None and self._wire.closed

    def start(self) -> bytes:
        """What a client sends first."""
        context = self._side.by_key or self._side.by_certificate
        assert context is not None
        wire = self._wire = context.wire()
        wire.step(b"", self)
        return wire.output()

    def handshake(self, data: bytes) -> bytes:
        """Go on with the handshake with what came in; then see whether it is established.

        What came behind the end of the handshake is had by C{open(b"")}.

        @return: what is to be sent.
        @raise TlsFailure: if it fails.
        """
        self._bytes += len(data)
        if self._bytes > HANDSHAKE_BYTES:
            raise TlsFailure(f"its handshake has more than {HANDSHAKE_BYTES} bytes")
        rest, wire = self._rest, self._wire
        # One record, and nothing else, as most of what comes in is.
        alone = not rest and is_record(data)
        if not alone:
            rest += data
        if wire is None:
            hello = parse_hello(data if alone else bytes(rest))
            if hello is None:
                if alone:
                    rest += data
                return b""
            wire = self._wire = self._context_for(hello).wire()
        records = data if alone else take_records(rest)
        if records:
            try:
                done = wire.step(records, self)
            except TlsFailure:
                if self._key is not None and not self._key[1]:
                    # TLS 1.2 has spoken by then, and OpenSSL says it itself.
                    self._last = None if self._spoken else _REFUSED["unknown_psk_identity"]
                    raise TlsFailure(f"no key {self._key[0]!r} is known here") from None
                raise
            if done:
                # Whoever fails here does not get the end of the handshake.
                self._last = b""
                self.credentials = self._check(wire)
                self._last = None
                self._open, self.seal = wire.open, wire.seal
                self.established = True
                self.more = not alone
        sent = wire.output()
        self._spoken = self._spoken or bool(sent)
        return sent

    def open(self, data: bytes) -> bytes:
        """What is in the records that came in; a record that is not whole yet waits.

        @raise TlsFailure: if one is not the peer's, or the peer says that something is wrong.
        """
        # One record, and nothing else, as most of what comes in is.
        if not self._rest and len(data) > 5 and len(data) == 5 + (data[3] << 8 | data[4]):
            return self._open(data)
        self._rest += data
        return self._open(take_records(self._rest))

    def write(self, data: bytes) -> bytes:
        """The records of any number of bytes; once established."""
        if len(data) <= RECORD:
            return self.seal(data)
        return b"".join(self.seal(data[start : start + RECORD]) for start in range(0, len(data), RECORD))

    def output(self) -> bytes:
        """What is to be sent after a failure, and where nothing came out of what came in."""
        if self._last is None and self._wire is not None:
            return self._wire.output()
        return self._last or b""

    def end(self) -> bytes:
        """What tells the peer that no more is sent (close_notify); once established."""
        return self._wire.end() if self._wire is not None else b""

    def key(self, name: str) -> bytes | None:
        """A client offers this key: its secret, if it is known."""
        find = self._side.find
        secret = find(name) if find is not None else None
        self._key = name, secret is not None
        return secret

    def _context_for(self, hello: ClientHello) -> Context:
        side = self._side
        context = side.by_key if hello.offers_key else side.by_certificate
        if context is not None:
            return context
        if hello.offers_key:
            self._last = _REFUSED["unknown_psk_identity"]
            raise TlsFailure("it offers a key, and keys are not taken here")
        self._last = _REFUSED["handshake_failure"]
        raise TlsFailure("it offers no key, and we have no certificate to show")

    def _check(self, wire: Wire) -> Credentials:
        """Who is it, and is that who it should be?"""
        side = self._side
        certificate = wire.peer_certificate()
        modern = wire.modern()
        by_key = wire.resumed() if modern else "PSK" in wire.cipher()
        if not modern and wire.resumed():
            # C{ssl} keeps sessions of TLS 1.2, and cannot be told not to: one would pass by revocation.
            raise TlsFailure("it resumes an earlier session")
        if side.own is not None:
            if not by_key or certificate is not None:
                raise TlsFailure(f"it did not use our key {side.own.name!r}: it is not who it should be")
            return (Identity("psk", side.own.bearer),)
        if not side.server:
            if certificate is None or not is_for(certificate, self._expected):
                shown = ", ".join(map(str, names_of(certificate or b""))) or "nobody"
                wanted = " or ".join(map(str, self._expected)) or "nobody"
                raise TlsFailure(f"its identity is suspect: its certificate is for {shown}, and not for {wanted}")
            return names_of(certificate)
        if by_key:
            if self._key is None or not self._key[1]:
                raise TlsFailure("it used a key that nobody asked for")
            return (Identity("psk", bearer_of(self._key[0])),)
        if side.by_key is not None and self._key is not None:
            raise TlsFailure("it offered a key, and did not use it")
        names = () if certificate is None else names_of(certificate)
        if not names and not side.anonymous:
            raise TlsFailure("it proves nothing: it has neither a key nor a certificate with a name")
        return names
