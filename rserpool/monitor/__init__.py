"""Status reports to a monitor (rsplib's Component Status Protocol)."""

from __future__ import annotations

from rserpool.monitor.reporting import StatusReporter
from rserpool.monitor.status import Status, element_status, registrar_status, user_status

__all__ = ["Status", "StatusReporter", "element_status", "registrar_status", "user_status"]
