"""Who a peer has proved to be, by a pre-shared key or a certificate (RFC 5352 section 9.2, RFC 5353 section 6.2)."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Final, TypeAlias

from rserpool.core.errors import ConfigurationError

KINDS: Final = ("psk", "dns", "ip")
LONGEST: Final = 253
"""Bytes of the longest name: that of a DNS name (RFC 1035 section 2.3.4)."""


@dataclass(frozen=True, slots=True, order=True)
class Identity:
    """One name by which a peer is known: the certificate for C{reg1} is not the key C{reg1}.

    Names are compared as they are, DNS names without regard to case and IP addresses in their shortest form.

    @ivar kind: C{"psk"} (the identity of a pre-shared key), C{"dns"} or C{"ip"} (a dNSName or an iPAddress of a
        certificate).
    """

    kind: str
    name: str

    def __post_init__(self) -> None:
        """Bring the name into the form in which it is compared.

        @raise ValueError: if C{kind} is C{"ip"}, and C{name} no IP address.
        """
        if self.kind == "dns":
            object.__setattr__(self, "name", self.name.rstrip(".").lower())
        elif self.kind == "ip":
            object.__setattr__(self, "name", str(ipaddress.ip_address(self.name)))

    def __str__(self) -> str:
        # A certificate or a registrar may name what a terminal would obey.
        name = self.name if self.name.isprintable() else self.name.encode("unicode_escape").decode("ascii")
        return f"{self.kind}:{name}"


Credentials: TypeAlias = tuple[Identity, ...] | None
"""What a peer proved: None in the clear; nothing where it speaks TLS as nobody in particular; else all its names."""


def parse_identity(text: str) -> Identity:
    """Read what C{str} makes of an identity: C{psk:NAME}, C{dns:NAME} or C{ip:ADDRESS}.

    @raise ConfigurationError: if it is none.
    """
    kind, colon, name = text.partition(":")
    if not colon or kind not in KINDS:
        raise ConfigurationError(f"{text!r} is no identity: write psk:NAME, dns:NAME or ip:ADDRESS")
    if not name or not name.isprintable() or len(name.encode()) > LONGEST:
        raise ConfigurationError(f"{text!r} is no identity: a name has 1 to {LONGEST} bytes that can be printed")
    try:
        return Identity(kind, name)
    except ValueError:
        raise ConfigurationError(f"{text!r} is no identity: {name!r} is no IP address") from None
