"""The pool element: registered with a home registrar (RFC 5352 sections 3.1, 3.2, 3.4 and 3.6)."""

from __future__ import annotations

from rserpool.core.element.pool_element import PoolElement

__all__ = ["PoolElement"]
