"""What a registrar knows: pools, their elements, and the checksum over them."""

from __future__ import annotations

from rserpool.core.handlespace.deadlines import ElementDeadlines
from rserpool.core.handlespace.element import Element
from rserpool.core.handlespace.handlespace import Handlespace
from rserpool.core.handlespace.pool import Pool

__all__ = ["Element", "ElementDeadlines", "Handlespace", "Pool"]
