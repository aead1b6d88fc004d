"""The pool user: handle resolution, its cache, and subscriptions (RFC 5352 section 3.3)."""

from __future__ import annotations

from rserpool.core.user.pool_user import PoolUser
from rserpool.core.user.resolution import PoolChanged, ResolutionFailed, Resolved

__all__ = ["PoolChanged", "PoolUser", "ResolutionFailed", "Resolved"]
