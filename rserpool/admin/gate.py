"""What of a request counts before anything is answered: its Host, its Origin, its method and its content type.

A page of somebody else in the operator's browser may send requests here: by a name of its own that it lets point here
(DNS rebinding), by a form, by a script. None of them reads an answer, and none acts.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from rserpool.admin.answers import Refused
from rserpool.core.addresses import is_name

READS: Final = (b"GET", b"HEAD")


def admit(request: Any, scheme: bytes, names: Collection[str]) -> None:
    """
    @param scheme: C{b"http"} or C{b"https"}.
    @param names: by which this place may be named, beside its IP addresses and C{localhost}.
    @raise Refused: if the request comes from a page of somebody else, or cannot be understood.
    """
    hosts = request.requestHeaders.getRawHeaders(b"Host", [])
    if len(hosts) != 1:
        raise Refused(400, "a request names one Host")
    host = _host_of(hosts[0])
    if is_name(host) and host not in ("localhost", *names):
        raise Refused(421, "nobody is called so here: use an IP address, localhost, or a name in the certificate")
    for origin in request.requestHeaders.getRawHeaders(b"Origin", []):
        if origin.lower() != scheme + b"://" + hosts[0].strip().lower():
            raise Refused(403, "a page of another origin asks for this")
    site = request.requestHeaders.getRawHeaders(b"Sec-Fetch-Site", [b"none"])[-1].strip().lower()
    if site in (b"same-origin", b"none"):
        return
    # A link that leads here may be followed.
    mode = request.requestHeaders.getRawHeaders(b"Sec-Fetch-Mode", [b""])[-1].strip().lower()
    if not (mode == b"navigate" and request.method in READS):
        raise Refused(403, "a page of another site asks for this")


def check_action(request: Any) -> None:
    """
    @raise Refused: if what acts is not of a content type that a form cannot have.
    """
    content = request.requestHeaders.getRawHeaders(b"Content-Type", [b""])
    if len(content) != 1 or content[0].partition(b";")[0].strip().lower() != b"application/json":
        raise Refused(415, "an action is JSON: Content-Type: application/json")


def _host_of(value: bytes) -> str:
    text = value.strip().decode("latin-1").lower()
    host, colon, port = text.rpartition(":")
    if not colon or "]" in port:
        host = text
    elif not (port.isascii() and port.isdigit()):
        raise Refused(400, "this Host cannot be")
    return host.removeprefix("[").removesuffix("]").rstrip(".")
