"""The registrar: ASAP towards elements and users (RFC 5352 section 3), with its ENRP side, L{rserpool.core.peering}."""

from __future__ import annotations

from rserpool.core.access import Access, Principal, State
from rserpool.core.handlespace.limits import Limits
from rserpool.core.registrar.registrar import Registrar

__all__ = ["Access", "Limits", "Principal", "Registrar", "State"]
