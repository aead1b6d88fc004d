r"""Pool handles in URLs: which host name stands for which pool (RFC 3986 section 3.2.2).

Host names are folded to lower case, and their letters are few; a pool handle (RFC 5354 section 3.9) is any string of
bytes. A handle of lower-case letters, digits, hyphens and dots that is a host name stands for itself. Any other has an
I{escape}: C{x-}, then its lower-case letters and digits as they are, and every other byte as C{-hh}, in hexadecimal. So
C{My Pool} is C{x--4dy-20-50ool}. What is longer than 63 characters goes on in another label that begins with C{x-}.
Beyond 253 characters only a table helps.

Names with other letters (C{http://größe/}) become C{xn--...} in URLs (RFC 5890) and stand for the UTF-8 bytes of their
letters, folded to lower case.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping

from rserpool.core.errors import ConfigurationError
from rserpool.core.frozen import frozen
from rserpool.core.handles import handle_of, handle_text

ESCAPE = "x-"
LONGEST_LABEL = 63
LONGEST_HOST = 253
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_ESCAPED = re.compile(r"([a-z0-9]|-[0-9a-f]{2})+")
_TOKEN = re.compile(r"-([0-9a-f]{2})|([a-z0-9])")
_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789")


def host_of(pool: bytes | str) -> str:
    """The host name that stands for a pool in a URL: the handle itself, or its escape.

    @raise ConfigurationError: if the escape is too long for a host name, or the handle is empty.
    """
    handle = handle_of(pool)
    if not handle:
        raise ConfigurationError("a pool handle is not empty")
    try:
        text = handle.decode("ascii")
    except UnicodeDecodeError:
        text = ""
    if _is_host(text) and not _is_address(text) and _unescaped(text) is None:
        return text
    host = _escaped(handle)
    if len(host) > LONGEST_HOST:
        raise ConfigurationError(
            f"pool handle {handle_text(handle[:20])!r}... is too long for a URL: give it a host name in the table"
        )
    return host


def handle_of_host(host: str) -> bytes:
    """The pool handle that a host name stands for, where no table says otherwise.

    @raise ConfigurationError: if it stands for none: an IP address, or no host name.
    """
    host = _folded(host)
    if not host:
        raise ConfigurationError("the URL has no host")
    if len(host) > LONGEST_HOST:
        raise ConfigurationError(f"{host[:20]}... is longer than a host name may be")
    if _is_address(host):
        raise ConfigurationError(f"{host} is an IP address, and no pool (a pool named so is {_escaped(host.encode())})")
    unescaped = _unescaped(host)
    if unescaped is not None:
        return unescaped
    try:
        return ".".join(_letters(label) for label in host.split(".")).encode()
    except UnicodeError:
        raise ConfigurationError(f"{host!r} is no host name") from None


@frozen
class WebPool:
    """What a host name stands for.

    @ivar handle: the pool handle.
    @ivar certificate: the name that the certificates of its elements bear; None if none is known.
    """

    handle: bytes
    certificate: str | None = None


class PoolHosts:
    """Which host names stand for which pools, and which names their elements' certificates bear.

    @param hosts: host names and the pool handles that they stand for, where these are not the names themselves.
    @param certificates: pool handles and the host name or IP address that the certificates of the pool's elements bear.
    @param certificate: the name for pools that C{certificates} does not tell of. Without one there is no https to them.
    @raise ConfigurationError: if a host is named twice, in upper and lower case.
    """

    def __init__(
        self,
        hosts: Mapping[str, bytes | str] | None = None,
        certificates: Mapping[bytes | str, str] | Mapping[str, str] | Mapping[bytes, str] | None = None,
        certificate: str | None = None,
    ) -> None:
        pairs: Iterable[tuple[bytes | str, str]] = (certificates or {}).items()
        self._certificates = {handle_of(pool): name for pool, name in pairs}
        self._certificate = certificate
        self._handles: dict[str, bytes] = {}
        for host, pool in (hosts or {}).items():
            folded = _folded(host)
            if folded in self._handles:
                raise ConfigurationError(f"host {folded} is named twice")
            self._handles[folded] = handle_of(pool)

    def pool(self, host: str) -> WebPool:
        """What a host name stands for.

        @raise ConfigurationError: if it stands for no pool.
        """
        handle = self._handles.get(_folded(host))
        if handle is None:
            handle = handle_of_host(host)
        return WebPool(handle, self._certificates.get(handle, self._certificate))


def _folded(host: str) -> str:
    labels = host.lower().removesuffix(".").split(".")
    return ".".join(label if label.isascii() else f"xn--{label.encode('punycode').decode('ascii')}" for label in labels)


def _is_host(text: str) -> bool:
    """Whether a host name may be so, in every URL library: no label looks like one of RFC 5890 (C{xn--})."""
    return 0 < len(text) <= LONGEST_HOST and all(
        len(label) <= LONGEST_LABEL and _LABEL.fullmatch(label) and label[2:4] != "--" for label in text.split(".")
    )


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text.strip("[]").partition("%")[0])
    except ValueError:
        return False
    return True


def _escaped(handle: bytes) -> str:
    labels = [ESCAPE]
    for byte in handle:
        token = chr(byte) if byte in _PLAIN else f"-{byte:02x}"
        if len(labels[-1]) + len(token) > LONGEST_LABEL:
            labels.append(ESCAPE)
        labels[-1] += token
    return ".".join(labels)


def _unescaped(host: str) -> bytes | None:
    """The handle whose escape this is, in just this form; None if it is no escape."""
    handle = bytearray()
    for label in host.split("."):
        text = label.removeprefix(ESCAPE)
        if text == label or not _ESCAPED.fullmatch(text):
            return None
        for escaped, plain in _TOKEN.findall(text):
            handle += bytes.fromhex(escaped) if escaped else plain.encode()
    return bytes(handle) if host_of(bytes(handle)) == host else None


def _letters(label: str) -> str:
    return label[4:].encode("ascii").decode("punycode") if label.startswith("xn--") else label
