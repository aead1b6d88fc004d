"""Bytes to and from frozen messages (RFC 5354, and the message layouts of RFC 5352 and RFC 5353)."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from rserpool.core.wire import asap
from rserpool.core.wire.stream import whole_messages

if TYPE_CHECKING:
    from rserpool.core.wire import enrp
else:

    def __getattr__(name: str) -> Any:
        """Only registrars speak ENRP."""
        if name != "enrp":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return import_module("rserpool.core.wire.enrp")


__all__ = ["asap", "enrp", "whole_messages"]
