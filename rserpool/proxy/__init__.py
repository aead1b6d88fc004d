"""A layer 4 proxy: relays connections to pools, for programs that know nothing of them."""

from __future__ import annotations

from rserpool.proxy.clients import Counters
from rserpool.proxy.service import ProxyService

__all__ = ["Counters", "ProxyService"]
