"""A client endpoint with a registrar and elements in memory."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory
from twisted.trial.unittest import SynchronousTestCase

from rserpool.user import PoolClientEndpoint
from tests.pool_scope import PoolScope, Taking


class EndpointCase(SynchronousTestCase):
    """With one registrar and a pool user."""

    def setUp(self) -> None:
        self.scope = PoolScope(self)
        self.user = self.scope.client.service

    def endpoint(self, *members: int, **options: Any) -> PoolClientEndpoint:
        """The endpoint, and elements to which it may connect."""
        for number in members:
            self.scope.member(number)
        return PoolClientEndpoint(self.user, b"pool", **options)

    def connect(self, endpoint: PoolClientEndpoint) -> Deferred[Any]:
        return endpoint.connect(Factory.forProtocol(Taking))

    def connected(self, endpoint: PoolClientEndpoint) -> Any:
        return self.scope.result(self.connect(endpoint))

    def fails(self, endpoint: PoolClientEndpoint, error: type[Exception]) -> str:
        """How a connect fails."""
        with self.assertRaises(error) as raised:
            self.connected(endpoint)
        return str(raised.exception)
