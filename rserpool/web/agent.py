"""An HTTP agent for pools: requests go to the elements by policy, and to another one if it fails (RFC 9110 9.2.2)."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, TimeoutError, ensureDeferred
from twisted.internet.error import ConnectError, ConnectionClosed, ConnectionDone
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator, IStreamClientEndpoint
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.client import (
    URI,
    Agent,
    HTTPConnectionPool,
    RequestTransmissionFailed,
    ResponseFailed,
)
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IAgentEndpointFactory, IBodyProducer, IResponse
from zope.interface import implementer

from rserpool.core.handles import printable
from rserpool.core.hosts import PoolHosts
from rserpool.core.user.places import describe
from rserpool.core.user.trying import GRACE, TIMEOUT, PassedOver
from rserpool.user.service import PoolUserService
from rserpool.web.body import kept
from rserpool.web.connections import PoolConnections
from rserpool.web.endpoints import PoolEndpointFactory, PoolWebEndpoint
from rserpool.web.read_ahead import read_ahead

IDEMPOTENT = frozenset((b"GET", b"HEAD", b"PUT", b"DELETE", b"OPTIONS", b"TRACE"))
"""What may be sent twice, and means the same (RFC 9110 section 9.2.2)."""
ATTEMPTS = 3
"""To how many elements one request is sent at most; a request that kills its server must not kill them all."""
LONGEST_KEPT = 2**20
"""Bytes of a body that are kept to be sent again."""
DEADLINE = 60.0
"""Seconds that a request may take until it is answered."""
READ_AHEAD = 2**16
"""Answers of at most so many bytes are read before they are handed out."""


@implementer(IAgent)
class PoolAgent:
    """Requests to C{http://POOL/} and C{https://POOL/}.

    The policy chooses an element for each request. Elements that do not accept are passed over before anything is sent,
    whatever the method. If an element fails before it has answered, it is reported, and a request with an idempotent
    method goes to another one. The same holds in the midst of a short answer to such a request. Any other is handed out
    as soon as its head is here, and nothing is repeated then: if the rest does not come, the reader of the body is told
    so (C{ResponseFailed}, or C{PotentialDataLoss} where only the end of the connection ends the body).

    @param user: a L{PoolUserService<rserpool.user.service.PoolUserService>}.
    @param hosts: which host stands for which pool, and which names the certificates bear.
    @param connections: for persistent connections; without it each request has a connection of its own. A
        L{PoolConnections} follows the policy; an ordinary C{HTTPConnectionPool} stays with the element that it has.
    @param attempts: to how many elements one request is sent at most.
    @param longest_kept: so many bytes of a body are kept to be sent again; requests with longer ones, or with one of
        unknown length, are not repeated.
    @param read_ahead: answers to idempotent requests of at most so many bytes are read before they are handed out.
    @param grace: seconds that an answer may still take when its element leaves the pool; nothing new is asked of it.
    @param deadline: seconds that a request may take until it is answered, whatever happens; None for ever.
    @param tls: see L{PoolEndpointFactory}, as for C{timeout}, C{attempt} and C{items}.
    """

    _log = Logger()

    def __init__(
        self,
        user: PoolUserService,
        hosts: PoolHosts | None = None,
        *,
        connections: HTTPConnectionPool | None = None,
        attempts: int = ATTEMPTS,
        longest_kept: int = LONGEST_KEPT,
        read_ahead: int = READ_AHEAD,
        tls: Callable[[str], IOpenSSLClientConnectionCreator] | None = None,
        timeout: float = TIMEOUT,
        attempt: float | None = None,
        items: int | None = None,
        grace: float = GRACE,
        deadline: float | None = DEADLINE,
    ) -> None:
        self.endpoints = PoolEndpointFactory(
            user, hosts, tls=tls, timeout=timeout, attempt=attempt, items=items, grace=grace
        )
        self._deadline = deadline
        self._reactor = user.reactor
        self._connections = connections or PoolConnections(user.reactor, persistent=False)
        self._attempts = attempts
        self._longest_kept = longest_kept
        self._read_ahead = read_ahead

    def request(
        self, method: bytes, uri: bytes, headers: Headers | None = None, bodyProducer: IBodyProducer | None = None
    ) -> Deferred[IResponse]:
        """Send a request.

        @return: a C{Deferred} of the response, that can be cancelled. It fails as C{Agent}'s does, and with
            L{UnknownPool<rserpool.core.errors.UnknownPool>}, L{NoRegistrar<rserpool.core.errors.NoRegistrar>},
            L{NoElement<rserpool.core.errors.NoElement>} (which names the elements that were tried, and what was wrong
            with their certificates), or L{ConfigurationError<rserpool.core.errors.ConfigurationError>}; and with
            C{twisted.internet.defer.TimeoutError} when the deadline has come.
        """
        asking = ensureDeferred(self._request(method, uri, headers, bodyProducer))
        if self._deadline is not None:
            asking.addTimeout(self._deadline, self._reactor, _late)
        return asking

    def close(self) -> Deferred[None]:
        """Close the connections that wait for another request, and watch the pools no more.

        @return: a C{Deferred} that fires with C{None} when they are closed.
        """
        self.endpoints.close()
        closed: Deferred[None] = self._connections.closeCachedConnections()
        return closed

    async def _request(
        self, method: bytes, uri: bytes, headers: Headers | None, body: IBodyProducer | None
    ) -> IResponse:
        repeatable = method in IDEMPOTENT
        if repeatable and body is not None:
            copy = await kept(body, self._longest_kept)
            body, repeatable = copy or body, copy is not None
        for number in count(1):
            way = _Way(self.endpoints, fresh=number > 1)
            agent = Agent.usingEndpointFactory(self._reactor, way, self._connections)
            try:
                response: IResponse = await agent.request(method, uri, headers, body)
                return await read_ahead(response, self._read_ahead) if repeatable else response
            except (RequestTransmissionFailed, ResponseFailed, ConnectError, PassedOver) as error:
                if not way.failed(error) or not repeatable or number >= self._attempts:
                    raise
                self._log.info("{method} {uri}: {element} failed: trying another", **way.words(method, uri))
        raise AssertionError("unreachable")


def _late(result: Any, seconds: float) -> Any:
    if isinstance(result, Failure):
        raise TimeoutError(f"no answer within {seconds:g} s") from None
    return result


@implementer(IAgentEndpointFactory)
class _Way:
    """The endpoints of one request, to know afterwards who it was sent to."""

    def __init__(self, endpoints: PoolEndpointFactory, fresh: bool) -> None:
        self._endpoints = endpoints
        self._fresh = fresh
        self._web: PoolWebEndpoint | None = None

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        endpoint = self._endpoints.endpointForURI(uri)
        if isinstance(endpoint, PoolWebEndpoint):
            endpoint.fresh, endpoint.repeats = self._fresh, True
            self._web = endpoint
        return endpoint

    def failed(self, error: Exception) -> bool:
        """Whether the element failed, and not something else; if so it is reported."""
        if isinstance(error, PassedOver):
            return True
        reasons = [reason.value for reason in getattr(error, "reasons", ())] or [error]
        lost = [reason for reason in reasons if isinstance(reason, ConnectionClosed | ConnectError)]
        if self._web is None or not lost or any(isinstance(reason, CancelledError) for reason in reasons):
            return False
        if not (self._web.reused and all(isinstance(reason, ConnectionDone) for reason in lost)):
            # A server may close a connection that was idle.
            self._web.report()
        return True

    def words(self, method: bytes, uri: bytes) -> dict[str, Any]:
        """For the log; without the query, which may hold secrets."""
        element = None if self._web is None else self._web.element
        return {
            "method": printable(method.decode("ascii", "replace")),
            "uri": printable(uri.partition(b"?")[0].decode("ascii", "replace")),
            "element": "" if element is None else describe(element),
        }
