"""The admin interface: what a registrar, an element or a proxy knows, over HTTP, for people and programs."""

from __future__ import annotations

from rserpool.admin.client import AdminClient, AdminError

__all__ = ["AdminClient", "AdminError"]
