r"""Endpoint strings: C{rserpool:POOL:registrar=HOST:PORT}, wherever Twisted takes a client endpoint.

The keywords, all of them optional:

    - C{registrar=HOST[,HOST...]:PORT[/UDPPORT]}: where a registrar is; several are joined by C{+}. IPv6 addresses stand
      in brackets. Colons may be written as they are, or escaped as in other endpoint strings (C{127.0.0.1\:3863}).
      By default the registrars of this host.
    - C{transport=auto|sctp|tcp}: how to speak with the registrar.
    - C{profile=fast|default|rfc}: the timers.
    - C{timeout=SECONDS}: how long a connect may take.
    - C{attempt=SECONDS}: how long one element may take to accept (T1 of the profile).
    - C{items=N}: how many elements to ask the registrar for.
    - C{drop=yes|no}: whether to abort connections to elements that the registrar removes.
    - C{backend=auto|...}: which SCTP.
    - C{announce=yes|no}: whether to look for registrars that announce themselves by multicast, too (no).

Endpoints with the same registrars, transport, profile, backend and announcements share a pool user for each
reactor. It starts with the first connect and stops when the reactor does.
"""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

from twisted.internet.defer import Deferred

from rserpool.core.errors import ConfigurationError
from rserpool.core.profiles import profile
from rserpool.core.user.events import Resolved
from rserpool.core.user.trying import TIMEOUT
from rserpool.node.registrars import registrars_from
from rserpool.sctp.stack import BACKENDS
from rserpool.user.endpoint import PoolClientEndpoint
from rserpool.user.service import PoolUserService

_shared: WeakKeyDictionary[Any, dict[tuple[Any, ...], SharedPoolUser]] = WeakKeyDictionary()


class SharedPoolUser(PoolUserService):
    """A pool user that starts with the first question, and stops with its reactor."""

    def resolve(
        self, pool: bytes | str, *, items: int | None = None, timeout: float | None = None, fresh: bool = False
    ) -> Deferred[Resolved]:
        if not self.running:
            self.startService()
            self.reactor.addSystemEventTrigger("before", "shutdown", self.stopService)
        return super().resolve(pool, items=items, timeout=timeout, fresh=fresh)


def endpoint_from(reactor: Any, args: tuple[str, ...], keywords: dict[str, str]) -> PoolClientEndpoint:
    """The endpoint that the parts of a string describe.

    @raise ConfigurationError: with a sentence that names what is wrong.
    """
    keywords = dict(keywords)
    if not args or not args[0]:
        raise ConfigurationError("which pool? write rserpool:POOL:registrar=HOST:PORT")
    pool, *rest = args
    registrars = keywords.pop("registrar", "")
    if rest:
        # Twisted splits at every colon: what follows registrar=HOST is here.
        if not registrars:
            raise ConfigurationError(f"rserpool:{pool}: what is {':'.join(rest)!r}? write registrar=HOST:PORT")
        registrars = ":".join([registrars, *rest])
    addresses = registrars_from(registrars.split("+") if registrars else ())
    transport = keywords.pop("transport", "auto")
    timers = profile(keywords.pop("profile", "default"))
    timeout = _number(keywords, "timeout", TIMEOUT)
    attempt = _number(keywords, "attempt", 0) or None
    items = None if "items" not in keywords else int(_number(keywords, "items", 1, whole=True))
    drop = _yes(keywords, "drop")
    announcements = _yes(keywords, "announce")
    backend = keywords.pop("backend", "auto")
    if backend not in BACKENDS:
        raise ConfigurationError(f"backend={backend}: choose {' or '.join(BACKENDS)}")
    if keywords:
        raise ConfigurationError(
            f"rserpool:{pool}: there is no {', '.join(sorted(keywords))}; "
            "choose from registrar, transport, profile, timeout, attempt, items, drop, backend, announce"
        )
    users = _shared.setdefault(reactor, {})
    settings = (addresses, transport, timers.name, backend, announcements)
    user = users.get(settings)
    if user is None:
        user = users[settings] = SharedPoolUser(
            reactor, addresses, transport=transport, profile=timers, backend=backend, announcements=announcements
        )
    return PoolClientEndpoint(user, pool, timeout=timeout, attempt=attempt, items=items, drop=drop)


def _yes(keywords: dict[str, str], name: str) -> bool:
    text = keywords.pop(name, "no")
    if text not in ("yes", "no"):
        raise ConfigurationError(f"{name}={text}: write {name}=yes or {name}=no")
    return text == "yes"


def _number(keywords: dict[str, str], name: str, default: float, whole: bool = False) -> float:
    text = keywords.pop(name, None)
    if text is None:
        return default
    try:
        number = int(text) if whole else float(text)
    except ValueError:
        number = 0
    if not 0 < number < 2**31:
        raise ConfigurationError(f"{name}={text}: this must be a {'whole ' if whole else ''}number above 0")
    return number
