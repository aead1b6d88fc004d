"""OpenSSL by way of C{ssl}, which has callbacks for keys since Python 3.13."""

from __future__ import annotations

import os
import ssl
from tempfile import NamedTemporaryFile
from typing import Any, Final

from rserpool.core.errors import ConfigurationError
from rserpool.security.failure import TlsFailure, sentence
from rserpool.security.settings import Certificate
from rserpool.security.way import GROUPS, RECORD, TWO_RECORDS, Asked, Terms

_VERSIONS: Final = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
_OPTIONS: Final = ssl.OP_NO_TICKET | ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE


class StandardContext:
    """See L{Context<rserpool.security.way.Context>}.

    @ivar asked: the connection that is in its handshake just now.
    """

    def __init__(self, terms: Terms) -> None:
        self.server = terms.server
        self.asked: Asked | None = None
        self.context: Any = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if terms.server else ssl.PROTOCOL_TLS_CLIENT)
        context: Any = self.context
        # Names are compared where it is known which of them count.
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.minimum_version = _VERSIONS[terms.lowest]
        context.maximum_version = _VERSIONS[terms.highest]
        # No middlebox looks for TLS 1.2 here: two records fewer.
        context.options = (context.options | _OPTIONS) & ~ssl.OP_ENABLE_MIDDLEBOX_COMPAT
        if terms.server:
            context.num_tickets = 0
        context.set_ciphers(terms.suites)
        # Since Python 3.15; by default the groups are as safe.
        set_groups = getattr(context, "set_groups", None)
        if set_groups is not None and (terms.own is not None or terms.find is not None):
            set_groups(GROUPS)
        try:
            if terms.certificate is not None:
                _load(context, terms.certificate)
            if terms.anchors is not None:
                context.load_verify_locations(cadata=terms.anchors.decode("ascii"))
                context.verify_mode = ssl.CERT_OPTIONAL if terms.server else ssl.CERT_REQUIRED
        except (ValueError, ssl.SSLError) as error:
            raise ConfigurationError(f"a certificate or private key cannot be used: {error}") from None
        if terms.find is not None:
            context.set_psk_server_callback(self._find)
        elif terms.own is not None:
            own = terms.own
            context.set_psk_client_callback(lambda hint: (own.name, own.secret))

    def wire(self) -> StandardWire:
        return StandardWire(self)

    def _find(self, name: str | None) -> bytes:
        assert self.asked is not None
        return self.asked.key(name or "") or b""


class StandardWire:
    """See L{Wire<rserpool.security.way.Wire>}."""

    __slots__ = ("_context", "_in", "_out", "_read", "_tls", "_write", "closed")

    def __init__(self, context: StandardContext) -> None:
        self.closed = False
        self._context = context
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls: Any = context.context.wrap_bio(self._in, self._out, context.server)
        self._read, self._write = self._tls.read, self._tls.write

    def step(self, data: bytes, asked: Asked) -> bool:
        self._in.write(data)
        self._context.asked = asked
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLError as error:
            raise _failure(error) from None
        finally:
            self._context.asked = None
        return True

    def output(self) -> bytes:
        return self._out.read()

    def seal(self, data: bytes) -> bytes:
        try:
            self._write(data)
        except ssl.SSLError as error:
            raise _failure(error) from None
        return self._out.read()

    def open(self, data: bytes) -> bytes:
        self._in.write(data)
        first = piece = self._next()
        if not first or 0 < len(data) - len(first) < TWO_RECORDS:
            return first
        pieces = []
        while piece:
            pieces.append(piece)
            piece = self._next()
        return b"".join(pieces)

    def end(self) -> bytes:
        try:
            self._tls.unwrap()
        except (ssl.SSLError, OSError):
            # It waits for the peer to say the same; we do not.
            pass
        return self._out.read()

    def modern(self) -> bool:
        return bool(self._tls.version() == "TLSv1.3")

    def version(self) -> str:
        return self._tls.version() or ""

    def cipher(self) -> str:
        return self._tls.cipher()[0]  # type: ignore[no-any-return]

    def resumed(self) -> bool:
        return bool(self._tls.session_reused)

    def peer_certificate(self) -> bytes | None:
        return self._tls.getpeercert(binary_form=True)  # type: ignore[no-any-return]

    def _next(self) -> bytes:
        """What the next record holds; nothing where there is none."""
        try:
            data: bytes = self._read(RECORD)
        except ssl.SSLWantReadError:
            return b""
        except ssl.SSLZeroReturnError:
            data = b""
        except ssl.SSLError as error:
            raise _failure(error) from None
        self.closed = self.closed or not data
        return data


def _failure(error: ssl.SSLError) -> TlsFailure:
    if isinstance(error, ssl.SSLCertVerificationError):
        return TlsFailure(f"we do not take its certificate: {error.verify_message}")
    return TlsFailure(sentence((error.reason or "").replace("_", " ").lower()))


def _load(context: Any, certificate: Certificate) -> None:
    """C{ssl} reads files alone: the private key is in one that only we can read, as long as that lasts."""
    with NamedTemporaryFile(dir=_memory()) as file:
        file.write(certificate.private_key.rstrip() + b"\n" + certificate.chain)
        file.flush()
        context.load_cert_chain(file.name, password=lambda: "")


def _memory() -> str | None:
    """A directory that is not on a disk, if there is one."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108
