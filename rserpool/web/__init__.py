"""HTTP over pools: C{http://POOL/} and C{https://POOL/} for C{twisted.web.client.Agent}, C{treq} and their like."""

from __future__ import annotations

from rserpool.core.hosts import PoolHosts, WebPool, handle_of_host, host_of
from rserpool.web.agent import PoolAgent
from rserpool.web.connections import PoolConnections
from rserpool.web.endpoints import PoolEndpointFactory
from rserpool.web.hosts import read_hosts

__all__ = [
    "PoolAgent",
    "PoolConnections",
    "PoolEndpointFactory",
    "PoolHosts",
    "WebPool",
    "handle_of_host",
    "host_of",
    "read_hosts",
]
