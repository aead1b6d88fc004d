"""The pool user as a Twisted service, and endpoints for pools."""

from __future__ import annotations

from rserpool.core.user.events import PoolChanged, Resolved
from rserpool.core.user.trying import PassedOver
from rserpool.user.endpoint import PoolClientEndpoint
from rserpool.user.service import PoolUserService
from rserpool.user.shared import stop_shared_users
from rserpool.user.subscriptions import Subscription

__all__ = [
    "PassedOver",
    "PoolChanged",
    "PoolClientEndpoint",
    "PoolUserService",
    "Resolved",
    "Subscription",
    "stop_shared_users",
]
