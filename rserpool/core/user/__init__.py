"""The pool user: handle resolution, its cache, and subscriptions (RFC 5352 section 3.3)."""

from __future__ import annotations

from rserpool.core.user.events import PoolChanged, ResolutionFailed, Resolved
from rserpool.core.user.pool_user import PoolUser

__all__ = ["PoolChanged", "PoolUser", "ResolutionFailed", "Resolved"]
