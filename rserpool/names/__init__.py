"""Pools for code that only knows names: C{getaddrinfo} and C{create_connection}, blocking; for asyncio and for Twisted
see L{rserpool.names.aio} and L{rserpool.names.hostnames}."""

from __future__ import annotations

from rserpool.core.hosts import PoolHosts
from rserpool.names.blocking import Resolver, create_connection, getaddrinfo
from rserpool.names.errors import (
    NameRefused,
    NamesUnavailable,
    NameUnknown,
    NoSuchAddress,
    NothingAccepts,
    PoolNameError,
)

__all__ = [
    "NameRefused",
    "NameUnknown",
    "NamesUnavailable",
    "NoSuchAddress",
    "NothingAccepts",
    "PoolHosts",
    "PoolNameError",
    "Resolver",
    "create_connection",
    "getaddrinfo",
]
