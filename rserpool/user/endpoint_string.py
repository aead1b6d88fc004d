r"""Endpoint strings: C{rserpool:POOL:registrar=HOST:PORT}, wherever Twisted takes a client endpoint.

The keywords, all of them optional:

    - C{registrar=HOST[,HOST...]:PORT[/UDPPORT]}: where a registrar is; several are joined by C{+}. IPv6 addresses stand
      in brackets. Colons may be written as they are, or escaped as in other endpoint strings (C{127.0.0.1\:3863}).
      By default those that the environment names (RSERPOOL_REGISTRARS), else those of a file, else those of this
      host. Files (L{rserpool.config.user}) also say transport, profile, backend, announce and security.
    - C{transport=auto|sctp|tcp}: how to speak with the registrar.
    - C{profile=fast|default|rfc}: the timers; with C{,mtu=BYTES} how large packets may be.
    - C{timeout=SECONDS}: how long a connect may take.
    - C{attempt=SECONDS}: how long one element may take to accept (T1 of the profile).
    - C{items=N}: how many elements to ask the registrar for.
    - C{drop=yes|no}: whether to abort connections to elements that the registrar removes.
    - C{grace=SECONDS}: with C{drop=yes}, how long a connection may go on when its element leaves by itself (30).
    - C{backend=auto|...}: which SCTP.
    - C{announce=yes|no}: whether to look for registrars that announce themselves by multicast, too (no).
    - C{tls=NAME}: speak TLS with elements, whose certificates must be for this DNS name or IP address.
    - C{tls-ca=FILE}: who issues these certificates (PEM). By default the C{server-ca} of C{security}, or else whom
      the platform believes.
    - C{security=DIR[,NAME=VALUE...]}: keys and certificates, as L{rserpool.security.text} has it; C{off} for none. By
      default what the environment says (RSERPOOL_SECURITY).

Endpoints with the same registrars, transport, profile, backend, announcements and security share a pool user for each
reactor: see L{rserpool.user.shared}.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from rserpool.config.user import usual
from rserpool.core.choices import BACKENDS
from rserpool.core.errors import ConfigurationError
from rserpool.core.profiles import DEFAULT, profile
from rserpool.core.reading import YES_OR_NO, above_0, choice
from rserpool.node.candidates import lent_by, registrars_from
from rserpool.security.text import secured_by
from rserpool.user.shared import SharedEndpoint, shared_user
from rserpool.user.tls_text import tls_from

N = TypeVar("N", int, float)


def endpoint_from(reactor: Any, *args: str, **keywords: str) -> SharedEndpoint:
    """The endpoint that the parts of a string describe.

    @raise ConfigurationError: with a sentence that names what is wrong.
    """
    if not args or not args[0]:
        raise ConfigurationError("which pool? write rserpool:POOL:registrar=HOST:PORT")
    pool, *rest = args
    registrars = keywords.pop("registrar", "")
    if rest:
        # Twisted splits at every colon: what follows registrar=HOST is here.
        if not registrars:
            raise ConfigurationError(f"rserpool:{pool}: what is {':'.join(rest)!r}? write registrar=HOST:PORT")
        registrars = ":".join([registrars, *rest])
    lent = lent_by(reactor)
    lent.pop("hosts", None)
    if not lent:
        keywords = usual("transport", "profile", "backend", "announce") | keywords
    addresses = registrars_from(registrars.split("+")) if registrars else lent.pop("registrars", registrars_from(()))
    asking = _ASKING | lent | _taken(keywords, _ASKING_KEYWORDS) | {"registrars": addresses}
    together = f"rserpool:{pool}: tls-ca= goes with tls=NAME"
    tls = tls_from(keywords.pop("tls", None), keywords.pop("tls-ca", None), together)
    connecting = _taken(keywords, _CONNECTING_KEYWORDS) | tls
    if keywords:
        raise ConfigurationError(
            f"rserpool:{pool}: there is no {', '.join(sorted(keywords))}; "
            "choose from registrar, transport, profile, timeout, attempt, items, drop, grace, backend, announce, "
            "tls, tls-ca, security"
        )
    return SharedEndpoint(shared_user(reactor, asking), pool, **connecting)


def _taken(keywords: dict[str, str], parsers: dict[str, Callable[[str], Any]]) -> dict[str, Any]:
    """What these keywords say, by the names of arguments; they are taken out."""
    return {
        _ARGUMENTS.get(name, name): parse(keywords.pop(name)) for name, parse in parsers.items() if name in keywords
    }


def _number(name: str, read: Callable[[str], N], what: str) -> Callable[[str], N]:
    return above_0(read, lambda text: f"{name}={text}: this must be a {what} above 0")


def _yes_or_no(name: str) -> Callable[[str], bool]:
    return choice(YES_OR_NO, lambda text: f"{name}={text}: write {name}=yes or {name}=no")


_ASKING: dict[str, Any] = {"transport": "auto", "profile": DEFAULT, "backend": "auto", "announcements": False}
"""How registrars are asked, where nothing is said: who says the same shares a pool user."""
_ASKING_KEYWORDS: dict[str, Callable[[str], Any]] = {
    "transport": str,
    "profile": profile,
    "backend": choice(
        {name: name for name in BACKENDS}, lambda text: f"backend={text}: choose {' or '.join(BACKENDS)}"
    ),
    "announce": _yes_or_no("announce"),
    "security": lambda text: secured_by(text) or False,
}
_CONNECTING_KEYWORDS: dict[str, Callable[[str], Any]] = {
    "timeout": _number("timeout", float, "number"),
    "attempt": _number("attempt", float, "number"),
    "items": _number("items", int, "whole number"),
    "drop": _yes_or_no("drop"),
    "grace": _number("grace", float, "number"),
}
_ARGUMENTS = {"announce": "announcements"}
