"""GnuTLS, another TLS library than ours, by C{ctypes}: a session over memory, for peers that are not ours."""

from __future__ import annotations

import ctypes
import ctypes.util
import errno
from typing import Any

NAME = ctypes.util.find_library("gnutls")
_SERVER, _CLIENT, _NONBLOCK = 1, 2, 8
_CERTIFICATE, _PSK = 1, 4
_PEM = 1
_AGAIN, _WARNING = -28, -16
_MOVE = ctypes.CFUNCTYPE(ctypes.c_ssize_t, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)

_READY = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_uint)


class _Datum(ctypes.Structure):
    _fields_ = [("data", ctypes.c_char_p), ("size", ctypes.c_uint)]

    def __init__(self, data: bytes) -> None:
        super().__init__(data, len(data))


class GnuTlsError(Exception):
    """What GnuTLS says."""


def _library() -> Any:
    library = ctypes.CDLL(NAME)
    library.gnutls_strerror.restype = ctypes.c_char_p
    for name in ("gnutls_record_send", "gnutls_record_recv"):
        getattr(library, name).restype = ctypes.c_ssize_t
    return library


class GnuTls:
    """One end of a connection.

    @ivar established: whether its handshake is done.
    """

    def __init__(self, server: bool, priority: str) -> None:
        self.established = False
        self._lib = _library()
        self._session = ctypes.c_void_p()
        self._in = bytearray()
        self._out: list[bytes] = []
        self._check(self._lib.gnutls_init(ctypes.byref(self._session), (_SERVER if server else _CLIENT) | _NONBLOCK))
        self._check(self._lib.gnutls_priority_set_direct(self._session, priority.encode(), None))
        # GnuTLS holds no reference to them.
        self._push, self._pull = _MOVE(self._pushed), _MOVE(self._pulled)
        self._ready = _READY(lambda pointer, milliseconds: 1)
        self._lib.gnutls_transport_set_pull_timeout_function(self._session, self._ready)
        self._lib.gnutls_transport_set_push_function(self._session, self._push)
        self._lib.gnutls_transport_set_pull_function(self._session, self._pull)
        self._kept: list[Any] = []

    def close(self) -> None:
        """Free it."""
        self._lib.gnutls_deinit(self._session)

    # What it brings.

    def offer_key(self, name: str, secret: bytes) -> None:
        """As a client: this key."""
        credentials = self._credentials("gnutls_psk_allocate_client_credentials")
        self._check(
            self._lib.gnutls_psk_set_client_credentials(credentials, name.encode(), ctypes.byref(_Datum(secret)), 0)
        )
        self._check(self._lib.gnutls_credentials_set(self._session, _PSK, credentials))

    def take_keys(self, file: str) -> None:
        """As a server: the keys of a file, C{NAME:HEX} a line."""
        credentials = self._credentials("gnutls_psk_allocate_server_credentials")
        self._check(self._lib.gnutls_psk_set_server_credentials_file(credentials, file.encode()))
        self._check(self._lib.gnutls_credentials_set(self._session, _PSK, credentials))

    def show(self, chain: bytes, private_key: bytes) -> None:
        """A certificate."""
        credentials = self._credentials("gnutls_certificate_allocate_credentials")
        pair = _Datum(chain), _Datum(private_key)
        self._check(
            self._lib.gnutls_certificate_set_x509_key_mem(
                credentials, ctypes.byref(pair[0]), ctypes.byref(pair[1]), _PEM
            )
        )
        self._check(self._lib.gnutls_credentials_set(self._session, _CERTIFICATE, credentials))

    def trust(self, anchors: bytes, name: str) -> None:
        """As a client: whoever issues certificates, and the name that is expected."""
        credentials = self._credentials("gnutls_certificate_allocate_credentials")
        if self._lib.gnutls_certificate_set_x509_trust_mem(credentials, ctypes.byref(_Datum(anchors)), _PEM) < 1:
            raise GnuTlsError("no trust anchor")
        self._check(self._lib.gnutls_credentials_set(self._session, _CERTIFICATE, credentials))
        self._kept.append(ctypes.c_char_p(name.encode()))
        self._lib.gnutls_session_set_verify_cert(self._session, self._kept[-1], 0)

    # What it does.

    def handshake(self, data: bytes) -> None:
        """Go on.

        @raise GnuTlsError: if it fails.
        """
        self._in += data
        result = _WARNING
        while result == _WARNING:
            result = self._lib.gnutls_handshake(self._session)
        if result != _AGAIN:
            self._check(result)
            self.established = True

    def output(self) -> bytes:
        """What is to be sent."""
        data, self._out = b"".join(self._out), []
        return data

    def seal(self, data: bytes) -> bytes:
        """Records of what is said."""
        self._check(min(0, self._lib.gnutls_record_send(self._session, data, len(data))))
        return self.output()

    def new_keys(self) -> bytes:
        """From now on other keys, at both ends (KeyUpdate, RFC 8446 section 4.6.3)."""
        self._check(self._lib.gnutls_session_key_update(self._session, 1))
        return self.output()

    def open(self, data: bytes) -> bytes:
        """What records hold."""
        self._in += data
        buffer = ctypes.create_string_buffer(16384)
        opened = b""
        while (length := self._lib.gnutls_record_recv(self._session, buffer, 16384)) > 0:
            opened += buffer.raw[:length]
        if length != _AGAIN:
            self._check(length)
        return opened

    # Parts.

    def _credentials(self, allocate: str) -> ctypes.c_void_p:
        credentials = ctypes.c_void_p()
        self._check(getattr(self._lib, allocate)(ctypes.byref(credentials)))
        return credentials

    def _check(self, result: int) -> None:
        if result < 0:
            raise GnuTlsError(self._lib.gnutls_strerror(result).decode())

    def _pushed(self, pointer: int, data: int, length: int) -> int:
        self._out.append(ctypes.string_at(data, length))
        return length

    def _pulled(self, pointer: int, room: int, length: int) -> int:
        if not self._in:
            self._lib.gnutls_transport_set_errno(self._session, errno.EAGAIN)
            return -1
        piece = bytes(self._in[:length])
        del self._in[:length]
        ctypes.memmove(room, piece, len(piece))
        return len(piece)
