"""The option C{--agentx} of the roles, and the service that it starts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.application.service import IService, MultiService

from rserpool.admin.places import Place, TcpPlace, parse_place
from rserpool.core.errors import ConfigurationError
from rserpool.sctp.lookup import own

if TYPE_CHECKING:
    from rserpool.admin.subjects import Subject


def agent_place(text: str) -> Place:
    """Where the SNMP agent is: the path of its socket, or C{HOST:PORT}.

    @raise ConfigurationError: with a sentence that says what is wrong.
    """
    if "://" in text:
        raise ConfigurationError(f"{text!r}: expected the path of a socket (with a /), or HOST:PORT")
    place = parse_place(text)
    return TcpPlace(own(place.address), False) if isinstance(place, TcpPlace) else place


def told_to_agent(reactor: Any, service: IService, subject: Subject, place: Place | None) -> IService:
    """The service to run: the role's own, and what tells the SNMP agent of it."""
    if place is None:
        return service
    from twisted.internet.endpoints import HostnameEndpoint, UNIXClientEndpoint

    from rserpool.admin.agentx.service import AgentXService

    both = MultiService()
    service.setServiceParent(both)
    endpoint: Any
    if isinstance(place, TcpPlace):
        endpoint, where = HostnameEndpoint(reactor, place.address.hosts[0], place.address.port), str(place.address)
    else:
        endpoint, where = UNIXClientEndpoint(reactor, place.path), place.path
    AgentXService(reactor, subject, endpoint, where).setServiceParent(both)
    return both
