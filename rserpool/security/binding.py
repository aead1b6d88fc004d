"""OpenSSL by way of the binding on which pyOpenSSL stands: it has the callbacks for keys that C{ssl} has since 3.13.

Contexts and certificates are pyOpenSSL's; what happens to every record is a call of the library itself, since most of
the time of a record would go into what stands around it.
"""

from __future__ import annotations

from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.bindings.openssl.binding import Binding
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL, crypto

from rserpool.core.errors import ConfigurationError
from rserpool.security.failure import TlsFailure, sentence
from rserpool.security.way import GROUPS, LONGEST_RECORD, TWO_RECORDS, Asked, Terms

_lib: Final[Any] = Binding.lib
_ffi: Final[Any] = Binding.ffi
_BIO_WRITE, _BIO_READ, _SSL_WRITE, _SSL_READ = _lib.BIO_write, _lib.BIO_read, _lib.SSL_write, _lib.SSL_read
_SET_CLIENT, _SET_SERVER = _lib.SSL_CTX_set_psk_client_callback, _lib.SSL_CTX_set_psk_server_callback
_BUFFER = _ffi.buffer
_ROOM: Final = LONGEST_RECORD + 64
_VERSIONS: Final = {"1.2": SSL.TLS1_2_VERSION, "1.3": SSL.TLS1_3_VERSION}
_MODERN: Final = b"TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384"
"""Those with SHA-256 first: a key goes with it alone (RFC 8446 section 4.2.11)."""
_OPTIONS: Final = SSL.OP_NO_TICKET | SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION | SSL.OP_CIPHER_SERVER_PREFERENCE


class BoundContext:
    """See L{Context<rserpool.security.way.Context>}.

    @ivar asked: the connection that is in its handshake just now.
    """

    def __init__(self, terms: Terms) -> None:
        self.server = terms.server
        self.asked: Asked | None = None
        self.context = context = SSL.Context(SSL.TLS_METHOD)
        context.set_min_proto_version(_VERSIONS[terms.lowest])
        context.set_max_proto_version(_VERSIONS[terms.highest])
        context.set_options(_OPTIONS)
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        # A connection that says nothing has no buffer of 16 kB.
        context.set_mode(SSL.MODE_RELEASE_BUFFERS)
        context.set_cipher_list(terms.suites.encode())
        _lib.SSL_CTX_set_ciphersuites(context._context, _MODERN)
        # Not in every binding; by default the groups are as safe.
        set_groups = getattr(_lib, "SSL_CTX_set1_curves_list", None)
        if set_groups is not None and (terms.own is not None or terms.find is not None):
            set_groups(context._context, GROUPS.encode())
        try:
            self._certificates(terms)
        except (ValueError, TypeError, SSL.Error, crypto.Error) as error:
            raise ConfigurationError(f"a certificate or private key cannot be used: {error}") from None
        # Whatever a record holds is read here; the connections of one context are one thread's.
        self.room = _ffi.new("char[]", _ROOM)
        own = terms.own
        self._offered = (own.name.encode() + b"\0", own.secret) if own is not None else (b"", b"")
        # The library holds no reference to them.
        if terms.find is not None:
            self._callback = _ffi.callback(
                "unsigned int(SSL *, const char *, unsigned char *, unsigned int)", self._find, error=0
            )
            _SET_SERVER(context._context, self._callback)
        elif terms.own is not None:
            self._callback = _ffi.callback(
                "unsigned int(SSL *, const char *, char *, unsigned int, unsigned char *, unsigned int)",
                self._offer,
                error=0,
            )
            _SET_CLIENT(context._context, self._callback)

    def wire(self) -> BoundWire:
        return BoundWire(self)

    def _certificates(self, terms: Terms) -> None:
        context = self.context
        if terms.certificate is not None:
            own, *others = x509.load_pem_x509_certificates(terms.certificate.chain)
            context.use_certificate(crypto.X509.from_cryptography(own))
            for other in others:
                context.add_extra_chain_cert(crypto.X509.from_cryptography(other))
            key: Any = load_pem_private_key(terms.certificate.private_key, None)
            context.use_privatekey(crypto.PKey.from_cryptography_key(key))
            context.check_privatekey()
        if terms.anchors is not None:
            store = context.get_cert_store()
            assert store is not None
            for anchor in x509.load_pem_x509_certificates(terms.anchors):
                store.add_cert(crypto.X509.from_cryptography(anchor))
            context.set_verify(SSL.VERIFY_PEER)

    def _find(self, connection: Any, name: Any, secret: Any, longest: int) -> int:
        assert self.asked is not None
        found = self.asked.key(_ffi.string(name).decode("utf-8", "replace"))
        if found is None or len(found) > longest:
            return 0
        _ffi.memmove(secret, found, len(found))
        return len(found)

    def _offer(self, connection: Any, hint: Any, name: Any, room: int, secret: Any, longest: int) -> int:
        encoded, found = self._offered
        if len(encoded) > room or len(found) > longest:
            return 0
        _ffi.memmove(name, encoded, len(encoded))
        _ffi.memmove(secret, found, len(found))
        return len(found)


class BoundWire:
    """See L{Wire<rserpool.security.way.Wire>}."""

    __slots__ = ("_context", "_in", "_out", "_room", "_tls", "closed")

    def __init__(self, context: BoundContext) -> None:
        self.closed = False
        self._context = context
        self._room = context.room
        self._tls = tls = _ffi.gc(_lib.SSL_new(context.context._context), _lib.SSL_free)
        self._in, self._out = _lib.BIO_new(_lib.BIO_s_mem()), _lib.BIO_new(_lib.BIO_s_mem())
        # They are freed with it.
        _lib.SSL_set_bio(tls, self._in, self._out)
        (_lib.SSL_set_accept_state if context.server else _lib.SSL_set_connect_state)(tls)

    def step(self, data: bytes, asked: Asked) -> bool:
        if data:
            _BIO_WRITE(self._in, data, len(data))
        self._context.asked = asked
        _lib.ERR_clear_error()
        try:
            result = _lib.SSL_do_handshake(self._tls)
        finally:
            self._context.asked = None
        if result != 1:
            self._check(result)
        return bool(result == 1)

    def output(self) -> bytes:
        room = self._room
        length = _BIO_READ(self._out, room, _ROOM)
        if length < _ROOM:
            return _BUFFER(room, length)[:] if length > 0 else b""
        pieces = []
        while length > 0:
            pieces.append(_BUFFER(room, length)[:])
            length = _BIO_READ(self._out, room, _ROOM)
        return b"".join(pieces)

    def seal(self, data: bytes) -> bytes:
        room = self._room
        if _SSL_WRITE(self._tls, data, len(data)) > 0:
            length = _BIO_READ(self._out, room, _ROOM)
            sealed: bytes = _BUFFER(room, length)[:]
            # Behind the answer to a KeyUpdate there may be more.
            return sealed if length < _ROOM else sealed + self.output()
        raise TlsFailure("it has ended")

    def open(self, data: bytes) -> bytes:
        room = self._room
        _BIO_WRITE(self._in, data, len(data))
        length = _SSL_READ(self._tls, room, _ROOM)
        if length > 0 and 0 < len(data) - length < TWO_RECORDS:
            return _BUFFER(room, length)[:]  # type: ignore[no-any-return]
        return self._open(length)

    def end(self) -> bytes:
        _lib.ERR_clear_error()
        _lib.SSL_shutdown(self._tls)
        _lib.ERR_clear_error()
        return self.output()

    def modern(self) -> bool:
        return bool(_lib.SSL_version(self._tls) == SSL.TLS1_3_VERSION)

    def version(self) -> str:
        return _text(_lib.SSL_get_version(self._tls))

    def cipher(self) -> str:
        return _text(_lib.SSL_CIPHER_get_name(_lib.SSL_get_current_cipher(self._tls)))

    def resumed(self) -> bool:
        return bool(_lib.SSL_session_reused(self._tls))

    def peer_certificate(self) -> bytes | None:
        certificate = _lib.SSL_get_peer_certificate(self._tls)
        if not certificate:
            return None
        certificate = _ffi.gc(certificate, _lib.X509_free)
        der = _ffi.gc(_lib.BIO_new(_lib.BIO_s_mem()), _lib.BIO_free)
        _lib.i2d_X509_bio(der, certificate)
        pieces = []
        while (length := _BIO_READ(der, self._room, _ROOM)) > 0:
            pieces.append(_BUFFER(self._room, length)[:])
        return b"".join(pieces)

    def _open(self, length: int) -> bytes:
        """Read what several records hold, after a first read."""
        pieces = []
        while length > 0:
            pieces.append(_BUFFER(self._room, length)[:])
            length = _SSL_READ(self._tls, self._room, _ROOM)
        self._check(length)
        return b"".join(pieces)

    def _check(self, result: int) -> None:
        """
        @raise TlsFailure: unless it goes on, or has ended as it should.
        """
        error = _lib.SSL_get_error(self._tls, result)
        if error == _lib.SSL_ERROR_ZERO_RETURN:
            self.closed = True
        elif error != _lib.SSL_ERROR_WANT_READ:
            reason = ""
            while code := _lib.ERR_get_error():
                text = _lib.ERR_reason_error_string(code)
                reason = reason or (_ffi.string(text).decode().lower() if text != _ffi.NULL else "")
            if reason == "certificate verify failed":
                number = _lib.SSL_get_verify_result(self._tls)
                why = _ffi.string(_lib.X509_verify_cert_error_string(number)).decode()
                raise TlsFailure(f"we do not take its certificate: {why}")
            raise TlsFailure(sentence(reason))


def _text(text: Any) -> str:
    return _ffi.string(text).decode() if text else ""
