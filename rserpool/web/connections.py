"""Persistent HTTP connections to the elements of pools, which follow the pool's policy all the same (RFC 9112 9.3)."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.web.client import HTTPConnectionPool, _RetryingHTTP11ClientProtocol

from rserpool.web.endpoints import PoolWebEndpoint


class PoolConnections(HTTPConnectionPool):
    """Keeps connections for each element of each pool apart.

    An ordinary C{HTTPConnectionPool} would send all requests to the element that was connected to first. Here the
    policy chooses an element for each request, and then a connection to this one is used again, or a new one is made.
    Other hosts are treated as ever.
    """

    def getConnection(self, key: Hashable, endpoint: IStreamClientEndpoint) -> Deferred[Any]:
        """A connection for one request.

        @param key: for a pool of no account: its handle, its element and the certificate's name are the key.
        @return: see L{PoolClientEndpoint.connect_by<rserpool.user.endpoint.PoolClientEndpoint.connect_by>}.
        """
        if not isinstance(endpoint, PoolWebEndpoint):
            return super().getConnection(key, endpoint)

        def connect(inner: IStreamClientEndpoint, own: Hashable) -> Deferred[Any]:
            if fresh:
                # This very connection may be used again later.
                return self._newConnection(own, inner)
            return self._kept(own, inner)

        def again() -> Deferred[Any]:
            # Twisted itself would dial the same element, behind our back: it may be the one that does not answer.
            return endpoint.connect_by(lambda inner, own: self._newConnection(own, inner))

        def repeated(connection: Any) -> Any:
            wrapped = self.retryAutomatically and endpoint.reused and not endpoint.repeats
            return _RetryingHTTP11ClientProtocol(connection, again) if wrapped else connection

        fresh = endpoint.fresh
        return endpoint.connect_by(connect).addCallback(repeated)

    def _kept(self, key: Hashable, endpoint: IStreamClientEndpoint) -> Deferred[Any]:
        retry, self.retryAutomatically = self.retryAutomatically, False
        try:
            return super().getConnection(key, endpoint)
        finally:
            self.retryAutomatically = retry
