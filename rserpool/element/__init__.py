"""The pool element as a Twisted service: any service or port in a pool."""

from __future__ import annotations

from rserpool.element.pooled import PooledService
from rserpool.element.server_endpoint import PooledPort, PoolServerEndpoint
from rserpool.element.service import PoolElementService

__all__ = ["PoolElementService", "PoolServerEndpoint", "PooledPort", "PooledService"]
