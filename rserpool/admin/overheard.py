"""The events of a role, for whoever looks on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rserpool.admin.answers import Described
from rserpool.admin.history import described_event


def overhear(node: Any, tell: Callable[[Described], object]) -> Callable[[], object]:
    """Have this called with the events of a node's role, beside whoever hears them."""
    before = node.notify

    def heard(event: Any) -> None:
        before(event)
        described = described_event(event)
        if described is not None:
            tell(described)

    def end() -> None:
        # Somebody may have put itself in between since.
        if node.notify is heard:
            node.notify = before

    node.notify = heard
    return end
