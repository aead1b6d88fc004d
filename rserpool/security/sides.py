"""What each role brings to its handshakes, as it is secured now (RFC 5352 section 9.2, RFC 5353 section 6.2).

On ASAP the registrar is the TLS server, whoever dialled; on ENRP who dialled is the client.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from rserpool.core.errors import ConfigurationError
from rserpool.core.identity import Identity
from rserpool.security.keys import Keyring
from rserpool.security.settings import Security
from rserpool.security.way import Terms


@dataclass(frozen=True)
class Ends:
    """Which ends of TLS a channel may be, and what it brings there.

    @ivar server: None where it is never one.
    @ivar client: None where it is never one.
    @ivar anonymous: whether a client that proves nothing is served.
    """

    server: Callable[[Security], Terms] | None = None
    client: Callable[[Security], Terms | None] | None = None
    anonymous: bool = True


def registrar_for_asap(security: Security) -> Terms:
    """The registrar to elements and users."""
    if security.whose not in ("", "a registrar"):
        raise ConfigurationError(
            f"these are the files of {security.whose}: a registrar has keys of others (elements.keys, registrars.keys, "
            "operators.keys), or client-ca.pem"
        )
    if not (security.elements or security.operators or security.certificate):
        raise ConfigurationError("a registrar needs the keys of elements, or a certificate for users (rserpool keys)")
    return _server(security, security.elements, security.operators)


def registrar_to_registrars(security: Security) -> Terms:
    """The registrar that is dialled by others."""
    return _server(security, security.registrars, security.operators)


def registrar_from_registrars(security: Security) -> Terms | None:
    """The registrar that dials others; None if it has nothing to prove who it is: then it is alone."""
    return None if security.own is None and security.server_ca is None else client(security)


def element(security: Security) -> Terms:
    """An element: it proves who it is, by a key or a certificate."""
    if security.whose == "a registrar":
        raise ConfigurationError(
            "these are the files of a registrar, by which anybody could be one: an element has a key of its own "
            "(own.key), and no keys of others"
        )
    if security.own is None and security.certificate is None:
        raise ConfigurationError("an element needs a key of its own (own.key), or a certificate; users have neither")
    return client(security)


def client(security: Security) -> Terms:
    """An element, a user, an operator: by its own key, or else by the certificates of registrars."""
    if security.own is None and security.server_ca is None:
        raise ConfigurationError(
            "there is neither an own key nor a trust anchor (own.key, server-ca.pem): nobody could be checked"
        )
    return Terms(
        server=False,
        own=security.own,
        certificate=None if security.own else security.certificate,
        anchors=None if security.own else security.server_ca,
        lowest=security.lowest_tls,
        static_rsa=security.static_rsa,
    )


def expected(hosts: Iterable[str], scope: str | None, configured: bool = False) -> tuple[Identity, ...]:
    """The names one of which a server's certificate must have (RFC 5352 section 9.2).

    Who is named by the name of a host is that host. By its IP address a registrar may be named too; but one that was
    learned, from a list or an announcement, has no name of its own: it has to have the scope's.

    @param hosts: of the address that is dialled, before names were looked up.
    @param scope: the name of the scope, which all its registrars have.
    @param configured: whether people have named it.
    """
    names = [_identity(host) for host in hosts]
    if any(name.kind == "dns" for name in names):
        return tuple(dict.fromkeys(names))
    return tuple(dict.fromkeys([*(names if configured else ()), *([Identity("dns", scope)] if scope else [])]))


def _server(security: Security, *rings: Keyring) -> Terms:
    def find(name: str) -> bytes | None:
        for ring in rings:
            secret = ring.find(name)
            if secret is not None:
                return secret
        return None

    return Terms(
        server=True,
        find=find if any(rings) else None,
        certificate=security.certificate,
        anchors=security.client_ca,
        lowest=security.lowest_tls,
        static_rsa=security.static_rsa,
    )


def _identity(name: str) -> Identity:
    try:
        return Identity("ip", str(ipaddress.ip_address(name.partition("%")[0])))
    except ValueError:
        return Identity("dns", name)


REGISTRAR_ASAP: Final = Ends(server=registrar_for_asap)
REGISTRAR_ENRP: Final = Ends(registrar_to_registrars, registrar_from_registrars, anonymous=False)
ELEMENT: Final = Ends(client=element)
CLIENT: Final = Ends(client=client)
"""Users, operators."""


def more_than_a_user_needs(security: Security) -> str | None:
    """A sentence, where a user is given the secrets of others, which it does not need."""
    if security.whose not in ("a registrar", "an element"):
        return None
    return (
        f"a user is given the files of {security.whose}, and whoever reads those can be one: users need no key, only "
        "who issues the certificates of registrars (server-ca.pem; rserpool keys: users)"
    )
