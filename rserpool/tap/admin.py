"""The option C{--admin} of the roles, and the services that show a role to others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from twisted.application.service import IService, MultiService

from rserpool.admin.places import Place, TcpPlace, parse_place, secured
from rserpool.sctp.lookup import own
from rserpool.tap.agentx import told_to_agent

if TYPE_CHECKING:
    from rserpool.admin.askers import Token
    from rserpool.admin.subjects import Subject


def admin_place(text: str) -> Place:
    """Where an admin interface is to be: a Unix socket, or our own addresses.

    @raise ConfigurationError: with a sentence that says what is wrong.
    """
    place = parse_place(text)
    return secured(TcpPlace(own(place.address), place.tls), text) if isinstance(place, TcpPlace) else place


def admin_token(text: str) -> Token:
    """The file with the token of operators.

    @raise ConfigurationError: if it cannot be used.
    """
    from rserpool.admin.askers import Token

    return Token(Path(text))


def administered(reactor: Any, service: IService, subject: Subject, options: Any) -> IService:
    """The service to run: the role's own, and what shows it to others, which is there once the role runs."""
    service = told_to_agent(reactor, service, subject, options.agent_place)
    if not options.admin_places:
        return service
    from rserpool.admin.service import AdminService

    both = MultiService()
    service.setServiceParent(both)
    admin = AdminService(
        reactor, subject, options.admin_places, secured=options.secured or None, token=options.operator_token
    )
    admin.setServiceParent(both)
    return both
