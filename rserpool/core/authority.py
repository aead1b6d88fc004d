"""Who may register, change, remove, report and claim an element, and speak for it: whoever acts asks here first.

Each function below is one question: it finds out who asks (L{Who}), and reads the answer in
L{RULES<rserpool.core.rules.RULES>}. What is removed is removed for the reason (C{why}) of a rule. What somebody may be
is said in L{rserpool.core.access}. In a plain scope an element is known by its association and address, and a registrar
by its association; in a secured one by an identity, which each has to prove.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final, Protocol

from rserpool.core.access import PLAIN, Access, Principal, Standing, State
from rserpool.core.addresses import TransportAddress, machine, same_place
from rserpool.core.effects import Association
from rserpool.core.handlespace.changes import Why
from rserpool.core.handlespace.element import Element
from rserpool.core.identity import Identity
from rserpool.core.rules import RULES
from rserpool.core.ruling import Rule, What, Who
from rserpool.core.wire.transports import UserTransport, encode_transport

MOST_OF_A_MACHINE = 32
"""So many registrars may be at one machine."""

_REGISTER, _CHANGE, _ACKNOWLEDGE = RULES[What.REGISTER], RULES[What.CHANGE], RULES[What.ACKNOWLEDGE]


class Party(Protocol):
    """What is known of whoever speaks ASAP with us; C{hosts} are its IP addresses."""

    association: Association
    peer: TransportAddress
    hosts: frozenset[str]
    standing: Standing


_ITS_OWN: Final = frozenset({Who.ITSELF, Who.OWNER, Who.RIVAL, Who.STRANGER})
"""Of these, who may be who, and no identity says otherwise."""

# ASAP: elements and users


def speaks_for_elements(identity: Party, handle: bytes) -> Rule:
    """Whether it may register anything at all in a pool."""
    return _REGISTER[_protocol(identity, handle)]


def usable(identity: Party, transport: UserTransport, had: Callable[[], Collection[str]] = tuple) -> tuple[str, ...]:
    """Those of an element's addresses that it may register: a subset of those of its association; never none.

    @param had: tells those that it was registered with before: the way to one of them may be gone for now.

    SCTP uses only the addresses of which both ends have the family, and rsplib's elements name all that they have.
    """
    addresses = transport.addresses
    if not identity.hosts.issuperset(addresses):
        proved = identity.hosts.union(had())
        addresses = tuple(address for address in addresses if address in proved)
    if not addresses:
        _REGISTER[Who.UNREAL].demand(encode_transport(transport))
    return addresses


def changes(identity: Party, element: Element) -> Rule:
    """Whether it may register an element that is there."""
    return _CHANGE[_who(identity, element)]


def deregisters(identity: Party, element: Element | None) -> Rule:
    """Whether it may deregister an element; one that is not there counts as removed."""
    return RULES[What.DEREGISTER][_protocol(identity, None) if element is None else _who(identity, element)]


def acknowledges(identity: Party, element: Element) -> Rule:
    """Whether it may answer for an element; another registrar's may answer too, where a user had reported it."""
    who = _who(identity, element)
    if element.watch is None and who in _ITS_OWN:
        who = Who.ASKED if who in (Who.ITSELF, Who.OWNER) else Who.NOT_OURS
    return _ACKNOWLEDGE[who]


def is_there(identity: Party, element: Element) -> bool:
    """Whether it may be the element, as it is at the ASAP transport that was recorded for it."""
    return _barred(identity.standing, element) is None


def resolves(identity: Party, plain_users: bool) -> Rule:
    """Whether it may ask what is in a pool; C{plain_users}: whether users in the clear are answered nevertheless."""
    if not identity.standing.clear:
        return RULES[What.RESOLVE][Who.ANYBODY]
    return RULES[What.RESOLVE][Who.PLAIN_USER if plain_users else Who.CLEAR]


def reporter(identity: Party) -> str | None:
    """As whom a user counts that reports: as its machine, or over TLS as its identity; not at all if it proves none."""
    if not identity.standing.judged:
        return machine(identity.peer.hosts[0])
    return str(identity.standing) if identity.standing.credentials else None


def reports(identity: Party, element: Element, machines: int, most: int) -> Rule:
    """What comes of reports from users at so many machines, where C{most} is MAX-BAD-PE-REPORT."""
    if identity.standing.clear:
        return RULES[What.REPORT][Who.CLEAR]
    if element.watch is None:
        return RULES[What.REPORT][Who.NOT_OURS]
    if reporter(identity) is None:
        return RULES[What.REPORT][Who.NAMELESS]
    return RULES[What.REPORT][Who.FEW if machines <= most else Who.MANY]


def removes(who: Who) -> Why:
    """Why we remove an element of ours that nobody asked us to remove."""
    return RULES[What.REMOVE][who].why


def doubts() -> Rule:
    """What comes of it that an element of another registrar, which was reported, does not answer us."""
    return RULES[What.REMOVE][Who.UNANSWERED]


def cuts(access: Access, standing: Standing) -> bool:
    """Whether an association of ASAP ends: that of somebody who is revoked, or in the clear where it must not be."""
    if standing.clear:
        return not access.plain_users
    return not standing.principals and not access.revoked.isdisjoint(standing.credentials or ())


def stays(access: Access, element: Element) -> bool:
    """Whether one of ours may stay: another registrar may know an identity already that we do not know yet."""
    owner = element.owner
    return not access.secured or owner is None or access.serves(owner, element.handle) is not False


def evicted() -> Rule:
    """Whether an element that is evicted may register."""
    return _REGISTER[Who.EVICTED]


def _protocol(identity: Party, handle: bytes | None) -> Who:
    """Who wants to register in a pool, or (None) to deregister from any."""
    standing = identity.standing
    if standing.clear:
        return Who.CLEAR
    if identity.peer.protocol != "sctp":
        return Who.TCP
    if not standing.judged:
        return Who.SCTP
    allowed = standing.element if handle is None else standing.owner(handle) is not None
    return Who.ELEMENT if allowed else Who.NO_ELEMENT


def _barred(standing: Standing, element: Element) -> Who | None:
    """Who it is that has nothing to do with the element, whatever its address; None if it may have."""
    if not standing.secured or element.owner in standing.owned:
        return None
    if standing.clear:
        return Who.CLEAR
    if element.owner is not None:
        return Who.NOT_OWNER
    return Who.NO_ELEMENT if standing.judged and not standing.element else None


def _who(identity: Party, element: Element) -> Who:
    standing = identity.standing
    barred = _barred(standing, element)
    if barred is not None:
        return barred
    if identity.peer.protocol != "sctp":
        return Who.TCP
    if element.association == identity.association:
        return Who.ITSELF
    place = element.asap_address()
    if place is not None and same_place(identity.peer, place):
        return Who.ITSELF
    if element.owner in standing.owned:
        return Who.OWNER
    return Who.RIVAL if element.association is None and element.watch is not None else Who.STRANGER


# ENRP: registrars; C{us} is our server identifier


def speaks(
    us: int,
    sender: int,
    before: int | None,
    *,
    hosts: Collection[str] = (),
    present: Collection[str] | None = None,
    neighbours: int = 0,
    full: bool = False,
) -> Rule:
    """Whether an association may speak as the registrar C{sender}: no stranger for one that is there, or without end.

    @param before: for whom it spoke before, if for anybody.
    @param hosts: its addresses, if we know them.
    @param present: where the registrar is while it has an association with us; empty while it has none; None if we
        do not know it.
    @param neighbours: how many registrars are at that machine.
    @param full: whether there are as many registrars as may be.
    """
    if sender == us:
        who = Who.US
    elif not sender:
        who = Who.NOBODY
    elif before is not None:
        who = Who.SAME if before == sender else Who.OTHER
    elif hosts and present is None and (full or neighbours >= MOST_OF_A_MACHINE):
        who = Who.CROWD
    elif hosts and present and set(present).isdisjoint(hosts):
        who = Who.ELSEWHERE
    else:
        who = Who.NEW
    return RULES[What.SPEAK][who]


def enters(standing: Standing, sender: int | None = None, present: Standing | None = None) -> Rule:
    """Whether somebody may speak ENRP at all; what it may say is asked further.

    @param sender: as whom it speaks; None before it has said anything.
    @param present: by what the registrar C{sender} speaks with us over another association; None if it does not.
    """
    if standing.clear:
        who = Who.CLEAR
    elif not standing.operator or (sender and not standing.registrar):
        who = Who.NO_REGISTRAR
    elif not standing.registrar:
        who = Who.OPERATOR
    else:
        theirs = frozenset[Principal]() if present is None else frozenset(present.principals)
        other = theirs and standing.principals and theirs.isdisjoint(standing.principals)
        who = Who.IMPOSTOR if other else Who.ENTITLED
    return RULES[What.SPEAK][who]


def appears(access: Access) -> Rule:
    """What an announcement by multicast says of a registrar that we know."""
    return RULES[What.APPEAR][Who.HINT if access.state is State.REQUIRED else Who.SEEN]


def heeds(us: int, receiver: int) -> bool:
    """Whether what a registrar says is meant for us."""
    return RULES[What.TELL][Who.TO_US if receiver in (0, us) else Who.TO_ANOTHER].allowed


def tells(
    what: What,
    us: int,
    sender: int,
    home: int,
    element: Element | None,
    mentor: bool = False,
    *,
    owner: Identity | None = None,
    access: Access = PLAIN,
) -> Rule:
    """Whether a registrar may tell of an element, by an update, which is newer than ours (ANNOUNCE), or a table (LIST).

    @param home: whose it is, as the message says.
    @param element: the element as we have it.
    @param mentor: whether the sender gives us its whole handlespace.
    @param owner: the identity that registered it, as the message says.
    """
    other = _other_owner(access, us, home, element, owner)
    if other is not None:
        who = other
    elif home == us:
        who = Who.OF_OURS
    elif sender != home:
        who = Who.MENTOR if mentor and element is None else Who.NOT_HOME
    elif element is None:
        who = Who.FIRST
    elif element.home != us:
        who = Who.HOME
    elif what is What.LIST and element.confirmed:
        who = Who.CLAIMANT
    else:
        who = Who.NEW_HOME
    return RULES[what][who]


def _other_owner(access: Access, us: int, home: int, element: Element | None, owner: Identity | None) -> Who | None:
    """Who it is that tells of an element without an owner, or of an identifier that is another owner's.

    Two identities can register one identifier at two registrars while these cannot speak; whose it is then must be the
    same everywhere, and does not hang on who comes last.
    """
    if owner is None:
        return Who.OWNERLESS if access.state is State.REQUIRED else None
    if not access.secured or element is None or element.home == home or access.alike(element.owner, owner):
        return None
    if str(owner) < str(element.owner):
        return None
    return Who.OTHER_OWNER_OF_OURS if element.home == us else Who.OTHER_OWNER


def says(what: What, us: int, sender: int, element: Element, dead: bool = False) -> Rule:
    """Whether a registrar may say this of an element that is there (DELETE, OMIT, SUGGEST); C{dead}: that it was."""
    who = Who.HOME if element.home == sender else Who.OF_OURS if element.home == us else Who.NOT_HOME
    return RULES[what][Who.HOME_OF_DEAD if dead and who is Who.HOME else who]


def takes_over(
    what: What, us: int, target: int, *, known: bool = True, living: bool = False, unfaithful: bool = False
) -> Rule:
    """Whether a registrar may take the elements of C{target} over, or claim them first (ENFORCE, CLAIM).

    @param known: whether the target is a peer of ours, or owns something.
    @param living: whether it speaks with us.
    @param unfaithful: whether claims like this one came to nothing before.
    """
    if target == us:
        who = Who.OF_US
    elif not known:
        who = Who.OF_NOBODY
    elif what is What.ENFORCE:
        who = Who.OF_A_LIVING if living else Who.OF_ANOTHER
    else:
        who = Who.UNFAITHFUL if unfaithful else Who.OF_ANOTHER
    return RULES[what][who]


def claimable(refuses: bool) -> Rule:
    """Whether we claim the elements of a registrar that is silent, or (C{refuses}) lives and does not believe us."""
    return RULES[What.CLAIM][Who.OF_A_REFUSING if refuses else Who.OF_A_SILENT]


def gives_way(us: int, claimant: int) -> bool:
    """Whether we, who claim the same target, abort for another claimant: the smaller one does."""
    return RULES[What.CLAIM][Who.GREATER if us < claimant else Who.SMALLER].allowed


def operates(what: What, operator: bool) -> Rule:
    """Whether somebody may DRAIN, EVICT or RETIRE by the admin interface; C{operator}: it has proved to be one."""
    return RULES[what][Who.OPERATES if operator else Who.NO_OPERATOR]


def passes_on(what: What, access: Access, standing: Standing | None) -> Rule:
    """Whether another registrar may DRAIN or EVICT an element of ours, by what it has proved: an operator asked it."""
    proved = not access.secured or (standing is not None and standing.judged and standing.registrar)
    return RULES[what][Who.A_REGISTRAR if proved else Who.UNPROVED]
