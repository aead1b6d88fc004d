"""The pool user as a Twisted service, and endpoints for pools."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rserpool.core.faces import lazily

if TYPE_CHECKING:
    from rserpool.core.user.events import PoolChanged, Resolved
    from rserpool.core.user.trying import PassedOver
    from rserpool.user.endpoint import PoolClientEndpoint
    from rserpool.user.service import PoolUserService
    from rserpool.user.shared import stop_shared_users
    from rserpool.user.subscriptions import Subscription
else:
    __getattr__ = lazily(
        __name__,
        {
            "PassedOver": "rserpool.core.user.trying",
            "PoolChanged": "rserpool.core.user.events",
            "PoolClientEndpoint": "rserpool.user.endpoint",
            "PoolUserService": "rserpool.user.service",
            "Resolved": "rserpool.core.user.events",
            "Subscription": "rserpool.user.subscriptions",
            "stop_shared_users": "rserpool.user.shared",
        },
    )

__all__ = [
    "PassedOver",
    "PoolChanged",
    "PoolClientEndpoint",
    "PoolUserService",
    "Resolved",
    "Subscription",
    "stop_shared_users",
]
