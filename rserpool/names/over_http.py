"""What the adapters for HTTP clients have in common: which pool a URL names, where a request goes, what is repeated.

A request goes to the element that the policy wants. Whoever does not accept is reported, and the next one is tried. So
it is when an element is lost before it has answered, if the method may be repeated (RFC 9110 section 9.2.2).
"""

from __future__ import annotations

from rserpool.core.errors import ConfigurationError
from rserpool.core.handles import handle_text
from rserpool.core.hosts import PoolHosts, WebPool
from rserpool.core.profiles import Profile
from rserpool.core.user.trying import NotAccepted, PassedOver, Trying
from rserpool.core.wire.parameters import PoolElementParameter
from rserpool.names.over_tcp import trying, where

IDEMPOTENT = frozenset(("GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"))
"""What may be sent twice, and means the same (RFC 9110 section 9.2.2)."""
ATTEMPTS = 3
"""To how many elements one request is given at most; a request that kills its server must not kill them all."""
READ_AHEAD = 2**16
"""Answers of at most so many bytes are read before they are handed out."""


def pool_of(hosts: PoolHosts, scheme: str, host: str, port: int | None) -> WebPool:
    """The pool that a URL names.

    @param port: the one that the URL names itself; None if it does not.
    @raise ConfigurationError: if the host is no pool's, a port is named, or for https no certificate's name is known.
    """
    if port is not None:
        raise ConfigurationError(
            f"{host}:{port}: an element's port is that of its registration; write no port in the URL of a pool"
        )
    pool = hosts.pool(host)
    if scheme == "https" and pool.certificate is None:
        raise ConfigurationError(
            f"https: which name do the certificates of pool {handle_text(pool.handle)!r} bear? PoolHosts can say it"
        )
    return pool


def authority(element: PoolElementParameter) -> str:
    """Where an element serves, as URLs have it: C{127.0.0.1:80}, C{[::1]:80}."""
    host, port = where(element)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class Terms:
    """Which hosts are pools, how long elements are tried for a request, and to how many it is given."""

    def __init__(self, hosts: PoolHosts | None, timeout: float, attempt: float | None, attempts: int) -> None:
        self.hosts = hosts or PoolHosts()
        self.attempts = attempts
        self._timeout, self._attempt = timeout, attempt

    def search(self, pool: WebPool, profile: Profile, now: float) -> Trying:
        """A search for an element that takes a request."""
        return trying(pool.handle, profile, self._timeout, self._attempt, now)


class Lost(Exception):
    """An element was given a request, and is lost before it has answered.

    @ivar error: what the client raises in such a case.
    @ivar polite: whether it has closed the connection in good order: then it may be alive.
    """

    def __init__(self, error: Exception, polite: bool = False) -> None:
        super().__init__(str(error) or type(error).__name__)
        self.error = error
        self.polite = polite


class Repeating:
    """Whether a request is given to another element, when one is lost.

    @param repeatable: whether its method and its body allow it.
    """

    def __init__(self, repeatable: bool, attempts: int) -> None:
        self._left = attempts if repeatable else 1

    def lost(self, lost: Lost) -> NotAccepted | PassedOver | None:
        """What this means for the choice of elements; None if the request has failed."""
        self._left -= 1
        if self._left <= 0:
            return None
        return PassedOver(str(lost)) if lost.polite else NotAccepted(str(lost))
