"""What tests of TLS over SCTP have in common."""

from __future__ import annotations

from typing import Any

from rserpool.sctp.tls.channel import Rule, Sides, TlsChannel
from rserpool.sctp.tls.framing import LengthAndPpid
from rserpool.security.engine import TlsSide
from rserpool.security.way import Terms
from tests.security.pair import KEY, authority, certificate, dns

SCOPE = "scope.example"
KEYS, CERTIFICATES = "keys", "certificates"


def by_key(**options: Any) -> Sides:
    """Both ends of TLS, with one key."""
    find = {KEY.name: KEY.secret}
    return Sides(TlsSide(Terms(True, find=lambda name: find.get(name), **options)), TlsSide(Terms(False, own=KEY)))


def by_certificate(**options: Any) -> Sides:
    """Both ends of TLS, where the server shows a certificate."""
    shown = certificate(SCOPE, "127.0.0.1", "::1")
    server = TlsSide(Terms(True, certificate=shown, **options))
    return Sides(server, TlsSide(Terms(False, anchors=authority().pem)), dns(SCOPE))


def tls_channel(what: str = KEYS, **options: Any) -> TlsChannel:
    """For messages of any kind; who is dialled is the server."""
    sides = by_key() if what == KEYS else by_certificate()
    return TlsChannel(**{"sides": sides, "rule": Rule.DIALLER, "framing": LengthAndPpid(), **options})


class TlsFeatures:
    """What the contract of the backends does not find within TLS."""

    streams = False
    reports_undelivered = False
