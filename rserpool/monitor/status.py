"""What registrars, elements and users tell a monitor about themselves (rsplib's Component Status Protocol)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from rserpool.core.access import State
from rserpool.core.addresses import TransportAddress
from rserpool.core.element import registration
from rserpool.core.errors import Rejected
from rserpool.core.frozen import frozen
from rserpool.core.handles import handle_text
from rserpool.core.monitoring.report import AssociationReport, Component, Kind
from rserpool.core.policies import FULL_LOAD, POLICIES
from rserpool.core.wire.parameters import PolicyParameter
from rserpool.sctp.base import PPID_ASAP, PPID_ENRP

if TYPE_CHECKING:
    # Who reports has its own role's already, and needs no other's.
    from rserpool.element.service import PoolElementService
    from rserpool.registrar.service import RegistrarService
    from rserpool.user.service import PoolUserService

SCTP, TCP = 132, 6
"""IP protocol numbers."""
_OF_POOL = re.compile(r"(.+?): ((?:registering|registered|refused|leaving|looking for a registrar|left)\b.*)")
"""What L{element_status} says: the pool, and how far its registration is."""


@frozen
class Status:
    """What a report says besides time and host name.

    @ivar where: addresses of the component.
    @ivar text: what it does, in words.
    @ivar workload: from 0.0 to 1.0; None where it has none.
    """

    component: Component
    text: str
    where: Sequence[str] = ()
    workload: float | None = None
    associations: tuple[AssociationReport, ...] = ()


def registrar_status(service: RegistrarService) -> list[Status]:
    """A registrar: what it knows, and its peers."""
    role = service.registrar
    peers = role.peering.peers.connected
    total, own = len(role.handlespace), len(role.handlespace.owned_by(role.identifier))
    text = f"{_count(total, 'element')} ({own} own) in {_count(len(role.handlespace.pools), 'pool')}"
    text += f", {_count(len(peers), 'peer')}, {_count(role.clients, 'client')}"
    if role.access.state is State.OFFERED:
        clear = role.in_the_clear
        text += f", not secure yet: {_count(clear.elements, 'element')} without an owner, "
        text += f"{_count(len(clear.registrars), 'peer')} and {_count(len(clear.clients), 'client')} in the clear"
    if service.node.paths.down:
        text += f", {_count(service.node.paths.down, 'path')} down"
    if not role.peering.ready:
        text = f"not ready: waits for the handlespace; {_count(len(peers), 'peer')}"
    return [
        Status(
            Component(Kind.REGISTRAR, role.identifier),
            text,
            service.asap_places,
            associations=tuple(
                AssociationReport(Component(Kind.REGISTRAR, identifier), SCTP, PPID_ENRP) for identifier in peers
            ),
        )
    ]


def element_status(service: PoolElementService | None) -> list[Status]:
    """An element: one component for each pool that it serves in, since it has an identifier in each."""
    if service is None:
        return []
    role = service.element
    home: tuple[AssociationReport, ...] = ()
    if role.home is not None:
        since = service.home_since
        up = None if since is None else service.node.now() - since
        home = (AssociationReport(Component(Kind.REGISTRAR, role.home_identifier), SCTP, PPID_ASAP, up),)
    result = []
    for handle in role.pools:
        element = role.element(handle)
        transport = element.user_transport
        result.append(
            Status(
                Component(Kind.POOL_ELEMENT, element.identifier),
                f"{handle_text(handle)}: {_progress(role.state_of(handle), service.joining(handle))}",
                [
                    host if transport.port is None else str(TransportAddress((host,), transport.port))
                    for host in transport.addresses
                ],
                _load(element.policy),
                home,
            )
        )
    return result


def user_status(service: PoolUserService, identifier: int) -> list[Status]:
    """A user, under an identifier of its own: what it asks for, and its home registrar."""
    home: tuple[AssociationReport, ...] = ()
    text = "has asked no registrar yet"
    if service.home is not None:
        since = service.home_since
        up = None if since is None else service.now() - since
        protocol = TCP if service.home.protocol == "tcp" else SCTP
        home = (AssociationReport(Component(Kind.REGISTRAR, 0), protocol, PPID_ASAP, up),)
        text = f"home registrar {service.home}"
    elif service.waiting or service.watched:
        text = "looking for a registrar"
    parts = [text]
    if service.waiting:
        parts.append(_count(service.waiting, "question"))
    for handle, pool in service.watched.items():
        known = "?" if pool is None else "no pool" if pool.elements is None else _count(len(pool.elements), "element")
        parts.append(f"watches {handle_text(handle)} ({known})")
    return [Status(Component(Kind.POOL_USER, identifier), "; ".join(parts), (), None, home)]


Describe = Callable[[], Iterable[Status]]
"""What a L{StatusReporter<rserpool.monitor.reporting.StatusReporter>} asks before each report."""


def _progress(state: registration.State, joining: bool) -> str:
    match state:
        case registration.Registering() if joining:
            return "registering"
        case registration.Registering():
            return "registered"
        case _ if registration.stands(state):
            return "registered"
        case registration.Refused(cause=cause):
            return f"refused: {Rejected(cause)}"
        case registration.Postponed():
            return "refused for now, trying again"
        case registration.Leaving() | registration.LeavingHomeless():
            return "leaving"
        case registration.Homeless():
            return "looking for a registrar"
    return "left"


def pool_of(text: str) -> tuple[str, str] | None:
    """The pool that an element's status names, and what it says of it; None if that is not written as here."""
    found = _OF_POOL.fullmatch(text)
    return None if found is None else (found[1], found[2])


def _load(parameter: PolicyParameter) -> float | None:
    policy = POLICIES.get(parameter.type)
    if policy is None or "load" not in policy.fields:
        return None
    return dict(zip(policy.fields, policy.decode(parameter.data), strict=True))["load"] / FULL_LOAD


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
