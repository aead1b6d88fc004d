"""The pool element as a Twisted service: any service or port in a pool."""

from __future__ import annotations

from rserpool.element.health import Checks, Unwell
from rserpool.element.health_checks import parse_check
from rserpool.element.pooled import PooledService
from rserpool.element.server_endpoint import PooledPort, PoolServerEndpoint
from rserpool.element.service import PoolElementService

__all__ = [
    "Checks",
    "PoolElementService",
    "PoolServerEndpoint",
    "PooledPort",
    "PooledService",
    "Unwell",
    "parse_check",
]
