r"""Endpoint strings of servers: C{rserpool:POOL:tcp\:0}, wherever Twisted takes a server endpoint.

After the pool stands the endpoint to listen on, with its colons escaped: C{tcp}, C{ssl}, C{sctp} or whatever else is a
server endpoint over TCP or SCTP. The keywords, all of them optional, all colons in their values escaped:

    - C{registrar=HOST[,HOST...][\:PORT][/UDPPORT]}: where a registrar is; several are joined by C{+}. By default those
      that the environment names (RSERPOOL_REGISTRARS), else those of a file, else those of this host. Files
      (L{rserpool.config.user}) also say profile, backend, announce and security.
    - C{policy=NAME[\:FIELD=VALUE,...]}: C{round-robin} by default; a load may be C{cpu} or another load probe.
    - C{identifier=NUMBER}: the PE identifier, decimal or 0x hexadecimal (random).
    - C{life=SECONDS}: the registration life (that of the profile).
    - C{grace=SECONDS}: how long connections may go on when the port is closed (5).
    - C{address=HOST[,HOST...]}: our own addresses (the one that the port is bound to, or that reaches the registrar).
    - C{profile=fast|default|rfc}: the timers; with C{,mtu=BYTES} how large packets may be.
    - C{backend=auto|...}: which SCTP.
    - C{udp=PORT}: the UDP port of SCTP over UDP (any free one).
    - C{control=yes|no}: over SCTP, whether the port carries the control channel, too (no).
    - C{announce=yes|no}: whether to look for registrars that announce themselves by multicast, too (no).
    - C{security=DIR[,NAME=VALUE...]}: keys and certificates, as L{rserpool.security.text} has it; C{off} for none. By
      default what the environment says (RSERPOOL_SECURITY).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.endpoints import serverFromString

from rserpool.config.user import usual
from rserpool.core.choices import BACKENDS
from rserpool.core.errors import ConfigurationError
from rserpool.core.profiles import profile
from rserpool.core.reading import YES_OR_NO, any_base, choice, number, parse_transport_address
from rserpool.element.load import parse_policy
from rserpool.element.server_endpoint import PoolServerEndpoint
from rserpool.node.candidates import lent_by, registrars_from
from rserpool.node.securing import secured_from, tls_of
from rserpool.sctp.base import PPID_ASAP
from rserpool.sctp.lookup import own
from rserpool.security.text import secured_by

T = TypeVar("T")


def server_endpoint_from(reactor: Any, *args: str, **keywords: str) -> PoolServerEndpoint:
    """The endpoint that the parts of a string describe.

    @raise ConfigurationError: with a sentence that names what is wrong.
    """
    pool, inner, keywords = _inner(args, keywords)
    options: dict[str, Any] = lent_by(reactor)
    if not options:
        keywords = usual("profile", "backend", "announce") | keywords
    for name, parse in _KEYWORDS.items():
        text = keywords.pop(name, None)
        if text is not None:
            try:
                options[_ARGUMENTS.get(name, name)] = parse(text)
            except ConfigurationError as error:
                raise ConfigurationError(f"rserpool:{pool}: {name}={text}: {error}") from None
    if keywords:
        raise ConfigurationError(
            f"rserpool:{pool}: there is no {', '.join(sorted(keywords))}; choose from {', '.join(_KEYWORDS)}, "
            r"and escape the colons in a value: policy=weighted-round-robin\:weight=5"
        )
    try:
        endpoint = PoolServerEndpoint(reactor, serverFromString(reactor, inner), pool, **options)
    except (ValueError, TypeError, LookupError, OSError) as error:
        raise ConfigurationError(
            rf"rserpool:{pool}: {inner!r} is no endpoint to listen on, as tcp\:0 and sctp\:0 are: {error}"
        ) from None
    secured = secured_from(endpoint.options.get("security"), reactor)
    if secured is not None:
        try:
            tls_of(secured, "element", PPID_ASAP)
        except ConfigurationError as error:
            raise ConfigurationError(f"rserpool:{pool}: security: {error}") from None
    return endpoint


def _inner(args: tuple[str, ...], keywords: dict[str, str]) -> tuple[str, str, dict[str, str]]:
    """The pool, the endpoint to listen on, and the other keywords."""
    if not args or not args[0]:
        raise ConfigurationError(r"which pool? write rserpool:POOL:tcp\:0")
    pool, *rest = args
    others: dict[str, str] = {}
    for name, value in keywords.items():
        if ":" in name:
            # Twisted takes the first = for ours: it is one of the inner endpoint.
            rest.append(f"{name}={value}")
        else:
            others[name] = value
    if len(rest) != 1 or not rest[0]:
        what = f"what is {':'.join(rest)!r}?" if any(rest) else "where does it listen?"
        raise ConfigurationError(
            rf"rserpool:{pool}: {what} write rserpool:{pool}:tcp\:0, with every colon of the inner endpoint and of "
            "values escaped"
        )
    return pool, rest[0], others


def _number(low: int, high: int) -> Callable[[str], int]:
    return number(any_base, lambda it: low <= it <= high, lambda _: f"this must be a number from {low} to {high}")


def _choice(choices: dict[str, T]) -> Callable[[str], T]:
    return choice(choices, lambda _: f"choose {' or '.join(choices)}")


_seconds = number(float, lambda it: 0 <= it < 2**31, lambda _: "this must be a number of seconds, 0 or more")
_yes_or_no = _choice(YES_OR_NO)
_KEYWORDS: dict[str, Callable[[str], Any]] = {
    "registrar": lambda text: registrars_from(text.split("+")),
    "policy": parse_policy,
    "identifier": _number(1, 2**32 - 1),
    "life": _number(1, 2**31 - 1),
    "grace": _seconds,
    "address": lambda text: own(parse_transport_address(text)).hosts,
    "profile": profile,
    "backend": _choice({name: name for name in BACKENDS}),
    "udp": _number(1, 65535),
    "control": _yes_or_no,
    "announce": _yes_or_no,
    "security": lambda text: secured_by(text) or False,
}
_ARGUMENTS = {
    "registrar": "registrars",
    "address": "hosts",
    "udp": "encapsulation",
    "announce": "announcements",
}
"""What the keywords are called in programs, where that differs."""
