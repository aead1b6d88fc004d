"""The services that show a role to others: the admin interface, and an SNMP agent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.application.service import IService

from rserpool.tap.agentx import told_to_agent

if TYPE_CHECKING:
    from rserpool.admin.subjects import Subject


def administered(reactor: Any, service: IService, subject: Subject, options: Any) -> IService:
    """The service to run: the role's own, and what shows it to others, which is there once the role runs."""
    service = told_to_agent(reactor, service, subject, options.agent_place)
    if not options.admin_places:
        return service
    from rserpool.admin.service import shown

    return shown(reactor, service, subject, options.admin_places, options.secured or None, options.operator_token)
