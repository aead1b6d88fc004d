"""Bytes to and from frozen messages (RFC 5354, and the message layouts of RFC 5352 and RFC 5353)."""

from __future__ import annotations

from rserpool.core.wire import asap, enrp
from rserpool.core.wire.stream import whole_messages

__all__ = ["asap", "enrp", "whole_messages"]
