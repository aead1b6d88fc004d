"""What a registrar knows: pools, their elements, and the checksum over them."""

from __future__ import annotations

from rserpool.handlespace.deadlines import ElementDeadlines
from rserpool.handlespace.element import Element
from rserpool.handlespace.handlespace import Handlespace
from rserpool.handlespace.pool import Pool

__all__ = ["Element", "ElementDeadlines", "Handlespace", "Pool"]
