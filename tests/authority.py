"""Every rule of C{rserpool.core.rules} with a question that it answers.

C{python -m tests.authority} writes docs/authority.md, which shows the rules as one table; a test asks all the
questions, and compares the page.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rserpool.core import TcpTransport, TransportAddress, authority
from rserpool.core.access import PLAIN, Access, Principal, Standing, State
from rserpool.core.compute.submitting import submits
from rserpool.core.effects import Association
from rserpool.core.handlespace.element import Element, Watch
from rserpool.core.identity import Identity
from rserpool.core.rules import RULES
from rserpool.core.ruling import Rule, What, Who
from tests.core.handlespace.elements import HOME, PEER, handlespace

PAGE = Path(__file__).resolve().parent.parent / "docs" / "authority.md"
US, OTHER = HOME, 0x33333333


@dataclass
class Speaker:
    """Who asks over ASAP."""

    association: Association
    peer: TransportAddress
    standing: Standing = PLAIN.standing(None)

    def __post_init__(self) -> None:
        self.hosts = frozenset(self.peer.hosts)


def element(
    home: int, association: str | None = None, confirmed: bool = False, owner: Identity | None = None
) -> Element:
    """An element; its recorded ASAP transport is port 7000 of 10.0.0.1."""
    (found,) = handlespace((b"pool", 1, home)).owned_by(home)
    found.association = association
    found.owner = owner
    if home == US:
        found.watch = Watch(0.0)
        found.watch.over = association if confirmed else None
    return found


ITSELF = Speaker("its own", TransportAddress(("10.0.0.9",), 5000))
AGAIN = Speaker("again", TransportAddress(("10.0.0.1",), 7000))
STRANGER = Speaker("another", TransportAddress(("10.0.0.66",), 7000))
OVER_TCP = Speaker("tcp", TransportAddress(("10.0.0.1",), 7000, protocol="tcp"))
OURS, ORPHAN, THEIRS = element(US, "its own", True), element(US), element(PEER)
HERE = TcpTransport(80, "10.0.0.1")

# A scope where TLS is required, and one where it is offered.
WEB, OLD, MAIL = Identity("psk", "web"), Identity("psk", "old web"), Identity("psk", "mail")
ALICE = Identity("dns", "alice")
REG, REG2, OWN, DESK = (Identity("psk", name) for name in ("reg", "reg2", "own", "desk"))
KNOWN = (
    Principal("web", frozenset({WEB, OLD}), element=True, pools=frozenset({b"pool"})),
    Principal("mail", frozenset({MAIL}), element=True, pools=frozenset({b"mail"})),
    Principal("registrar", frozenset({REG}), registrar=True),
    Principal("another registrar", frozenset({REG2}), registrar=True),
    Principal("desk", frozenset({DESK}), operator=True),
    Principal("alice", frozenset({ALICE}), submitter=True, pools=frozenset({b"pool"})),
)
REQUIRED, OFFERED = Access(KNOWN, own=OWN), Access(KNOWN, State.OFFERED, own=OWN)
BY_WEB, BY_MAIL = {"owner": WEB, "access": REQUIRED}, {"owner": MAIL, "access": REQUIRED}


def over_tls(speaker: Speaker, *identities: Identity, access: Access = REQUIRED) -> Speaker:
    """The same, over TLS."""
    return Speaker(speaker.association, speaker.peer, access.standing(identities))


def in_the_clear(speaker: Speaker, access: Access = REQUIRED) -> Speaker:
    """The same, in the clear, in a secured scope."""
    return Speaker(speaker.association, speaker.peer, access.standing(None))


OWNED, OWNED_ORPHAN = element(US, "its own", True, WEB), element(US, owner=WEB)
OWNED_ELSEWHERE, MAILS, MAILS_ELSEWHERE = element(PEER, owner=WEB), element(US, owner=MAIL), element(PEER, owner=MAIL)

# For each rule the functions that are asked, and what they are asked.
QUESTIONS: tuple[tuple[What, Who, Callable[..., Any], tuple[Any, ...], dict[str, Any]], ...] = (
    (What.REGISTER, Who.SCTP, authority.speaks_for_elements, (AGAIN, b"pool"), {}),
    (What.REGISTER, Who.SCTP, authority.speaks_for_elements, (in_the_clear(AGAIN, OFFERED), b"pool"), {}),
    (What.REGISTER, Who.CLEAR, authority.speaks_for_elements, (in_the_clear(AGAIN), b"pool"), {}),
    (What.REGISTER, Who.NO_ELEMENT, authority.speaks_for_elements, (over_tls(AGAIN), b"pool"), {}),
    (What.REGISTER, Who.NO_ELEMENT, authority.speaks_for_elements, (over_tls(AGAIN, access=OFFERED), b"pool"), {}),
    (What.REGISTER, Who.NO_ELEMENT, authority.speaks_for_elements, (over_tls(AGAIN, MAIL), b"pool"), {}),
    (What.REGISTER, Who.NO_ELEMENT, authority.speaks_for_elements, (over_tls(AGAIN, REG), b"pool"), {}),
    (What.REGISTER, Who.ELEMENT, authority.speaks_for_elements, (over_tls(AGAIN, WEB), b"pool"), {}),
    (What.REGISTER, Who.UNREAL, authority.usable, (STRANGER, HERE), {}),
    (What.REGISTER, Who.TCP, authority.speaks_for_elements, (OVER_TCP, b"pool"), {}),
    (What.REGISTER, Who.TCP, authority.speaks_for_elements, (over_tls(OVER_TCP, WEB), b"pool"), {}),
    (What.CHANGE, Who.ITSELF, authority.changes, (ITSELF, OURS), {}),
    (What.CHANGE, Who.ITSELF, authority.changes, (AGAIN, OURS), {}),
    (What.CHANGE, Who.RIVAL, authority.changes, (STRANGER, ORPHAN), {}),
    (What.CHANGE, Who.STRANGER, authority.changes, (STRANGER, OURS), {}),
    (What.CHANGE, Who.TCP, authority.changes, (OVER_TCP, OURS), {}),
    (What.CHANGE, Who.TCP, authority.changes, (over_tls(OVER_TCP, WEB), OWNED), {}),
    (What.CHANGE, Who.ITSELF, authority.changes, (over_tls(ITSELF, OLD), OWNED), {}),
    (What.CHANGE, Who.ITSELF, authority.changes, (over_tls(AGAIN, WEB), OWNED_ELSEWHERE), {}),
    (What.CHANGE, Who.ITSELF, authority.changes, (over_tls(AGAIN, WEB, access=OFFERED), OURS), {}),
    (What.CHANGE, Who.ITSELF, authority.changes, (in_the_clear(AGAIN, OFFERED), OURS), {}),
    (What.CHANGE, Who.OWNER, authority.changes, (over_tls(STRANGER, OLD), OWNED), {}),
    (What.CHANGE, Who.OWNER, authority.changes, (over_tls(STRANGER, WEB), OWNED_ORPHAN), {}),
    (What.CHANGE, Who.OWNER, authority.changes, (over_tls(STRANGER, WEB), OWNED_ELSEWHERE), {}),
    (What.CHANGE, Who.NOT_OWNER, authority.changes, (over_tls(ITSELF, MAIL), OWNED), {}),
    (What.CHANGE, Who.NOT_OWNER, authority.changes, (over_tls(AGAIN, MAIL), OWNED_ORPHAN), {}),
    (What.CHANGE, Who.NOT_OWNER, authority.changes, (over_tls(AGAIN, MAIL), OWNED_ELSEWHERE), {}),
    (What.CHANGE, Who.NOT_OWNER, authority.changes, (over_tls(AGAIN), OWNED), {}),
    (What.CHANGE, Who.NOT_OWNER, authority.changes, (in_the_clear(AGAIN, OFFERED), OWNED), {}),
    (What.CHANGE, Who.CLEAR, authority.changes, (in_the_clear(ITSELF), OWNED), {}),
    (What.CHANGE, Who.NO_ELEMENT, authority.changes, (over_tls(ITSELF, access=OFFERED), OURS), {}),
    (What.DEREGISTER, Who.SCTP, authority.deregisters, (STRANGER, None), {}),
    (What.DEREGISTER, Who.ITSELF, authority.deregisters, (ITSELF, OURS), {}),
    (What.DEREGISTER, Who.ITSELF, authority.deregisters, (AGAIN, THEIRS), {}),
    (What.DEREGISTER, Who.RIVAL, authority.deregisters, (STRANGER, ORPHAN), {}),
    (What.DEREGISTER, Who.STRANGER, authority.deregisters, (STRANGER, THEIRS), {}),
    (What.DEREGISTER, Who.TCP, authority.deregisters, (OVER_TCP, None), {}),
    (What.DEREGISTER, Who.ELEMENT, authority.deregisters, (over_tls(STRANGER, MAIL), None), {}),
    (What.DEREGISTER, Who.ITSELF, authority.deregisters, (over_tls(ITSELF, WEB), OWNED), {}),
    (What.DEREGISTER, Who.OWNER, authority.deregisters, (over_tls(STRANGER, OLD), OWNED), {}),
    (What.DEREGISTER, Who.OWNER, authority.deregisters, (over_tls(STRANGER, WEB), OWNED_ELSEWHERE), {}),
    (What.DEREGISTER, Who.NOT_OWNER, authority.deregisters, (over_tls(ITSELF, MAIL), OWNED), {}),
    (What.DEREGISTER, Who.NOT_OWNER, authority.deregisters, (over_tls(AGAIN, REG), OWNED_ELSEWHERE), {}),
    (What.DEREGISTER, Who.CLEAR, authority.deregisters, (in_the_clear(ITSELF), OWNED), {}),
    (What.DEREGISTER, Who.CLEAR, authority.deregisters, (in_the_clear(ITSELF), None), {}),
    (What.DEREGISTER, Who.NO_ELEMENT, authority.deregisters, (over_tls(AGAIN), None), {}),
    (What.ACKNOWLEDGE, Who.ITSELF, authority.acknowledges, (ITSELF, OURS), {}),
    (What.ACKNOWLEDGE, Who.ITSELF, authority.acknowledges, (AGAIN, ORPHAN), {}),
    (What.ACKNOWLEDGE, Who.RIVAL, authority.acknowledges, (STRANGER, ORPHAN), {}),
    (What.ACKNOWLEDGE, Who.STRANGER, authority.acknowledges, (STRANGER, OURS), {}),
    (What.ACKNOWLEDGE, Who.TCP, authority.acknowledges, (OVER_TCP, OURS), {}),
    (What.ACKNOWLEDGE, Who.NOT_OURS, authority.acknowledges, (STRANGER, THEIRS), {}),
    (What.ACKNOWLEDGE, Who.ASKED, authority.acknowledges, (AGAIN, THEIRS), {}),
    (What.ACKNOWLEDGE, Who.ASKED, authority.acknowledges, (over_tls(STRANGER, WEB), OWNED_ELSEWHERE), {}),
    (What.ACKNOWLEDGE, Who.ITSELF, authority.acknowledges, (over_tls(ITSELF, WEB), OWNED), {}),
    (What.ACKNOWLEDGE, Who.OWNER, authority.acknowledges, (over_tls(STRANGER, WEB), OWNED), {}),
    (What.ACKNOWLEDGE, Who.NOT_OWNER, authority.acknowledges, (over_tls(ITSELF, MAIL), OWNED), {}),
    (What.ACKNOWLEDGE, Who.NOT_OWNER, authority.acknowledges, (over_tls(AGAIN, MAIL), OWNED_ELSEWHERE), {}),
    (What.ACKNOWLEDGE, Who.CLEAR, authority.acknowledges, (in_the_clear(ITSELF), OWNED), {}),
    (What.ACKNOWLEDGE, Who.NO_ELEMENT, authority.acknowledges, (over_tls(ITSELF, access=OFFERED), OURS), {}),
    (What.RESOLVE, Who.ANYBODY, authority.resolves, (STRANGER, False), {}),
    (What.RESOLVE, Who.ANYBODY, authority.resolves, (over_tls(OVER_TCP), False), {}),
    (What.RESOLVE, Who.ANYBODY, authority.resolves, (in_the_clear(OVER_TCP, OFFERED), False), {}),
    (What.RESOLVE, Who.PLAIN_USER, authority.resolves, (in_the_clear(OVER_TCP), True), {}),
    (What.RESOLVE, Who.CLEAR, authority.resolves, (in_the_clear(OVER_TCP), False), {}),
    (What.REPORT, Who.CLEAR, authority.reports, (in_the_clear(STRANGER), OWNED, 4, 3), {}),
    (What.REPORT, Who.NOT_OURS, authority.reports, (STRANGER, THEIRS, 4, 3), {}),
    (What.REPORT, Who.FEW, authority.reports, (STRANGER, OURS, 3, 3), {}),
    (What.REPORT, Who.MANY, authority.reports, (STRANGER, OURS, 4, 3), {}),
    (What.REPORT, Who.MANY, authority.reports, (over_tls(STRANGER, DESK), OURS, 4, 3), {}),
    (What.REPORT, Who.NAMELESS, authority.reports, (over_tls(STRANGER), OURS, 4, 3), {}),
    (What.REMOVE, Who.LIFETIME, authority.removes, (Who.LIFETIME,), {}),
    (What.REMOVE, Who.SILENCE, authority.removes, (Who.SILENCE,), {}),
    (What.REMOVE, Who.NO_WAY, authority.removes, (Who.NO_WAY,), {}),
    (What.REMOVE, Who.MISTAKEN, authority.removes, (Who.MISTAKEN,), {}),
    (What.REMOVE, Who.DRAINING, authority.removes, (Who.DRAINING,), {}),
    (What.REMOVE, Who.REVOKED, authority.removes, (Who.REVOKED,), {}),
    (What.REMOVE, Who.UNANSWERED, authority.doubts, (), {}),
    (What.REMOVE, Who.POOL, authority.removes, (Who.POOL,), {}),
    (What.SPEAK, Who.CLEAR, authority.enters, (REQUIRED.standing(None),), {}),
    (What.SPEAK, Who.CLEAR, authority.enters, (REQUIRED.standing(None), PEER), {}),
    (What.SPEAK, Who.NO_REGISTRAR, authority.enters, (REQUIRED.standing((WEB,)),), {}),
    (What.SPEAK, Who.NO_REGISTRAR, authority.enters, (REQUIRED.standing(()), PEER), {}),
    (What.SPEAK, Who.NO_REGISTRAR, authority.enters, (OFFERED.standing((WEB,)), 0), {}),
    (What.SPEAK, Who.NO_REGISTRAR, authority.enters, (REQUIRED.standing((DESK,)), PEER), {}),
    (What.SPEAK, Who.OPERATOR, authority.enters, (REQUIRED.standing((DESK,)), 0), {}),
    (What.SPEAK, Who.IMPOSTOR, authority.enters, (REQUIRED.standing((REG,)), PEER, REQUIRED.standing((REG2,))), {}),
    (What.SPEAK, Who.ENTITLED, authority.enters, (REQUIRED.standing((REG,)), PEER, REQUIRED.standing((REG,))), {}),
    (What.SPEAK, Who.ENTITLED, authority.enters, (REQUIRED.standing((REG,)), 0), {}),
    (What.SPEAK, Who.ENTITLED, authority.enters, (REQUIRED.standing((OWN,)), PEER, REQUIRED.standing((REG,))), {}),
    (What.SPEAK, Who.ENTITLED, authority.enters, (OFFERED.standing(None), PEER), {}),
    (What.SPEAK, Who.ENTITLED, authority.enters, (PLAIN.standing(None), PEER), {}),
    (What.SPEAK, Who.SAME, authority.speaks, (US, PEER, PEER), {}),
    (What.SPEAK, Who.NEW, authority.speaks, (US, PEER, None), {"hosts": {"a"}, "present": {"a"}}),
    (What.SPEAK, Who.ELSEWHERE, authority.speaks, (US, PEER, None), {"hosts": {"a"}, "present": {"b"}}),
    (What.SPEAK, Who.CROWD, authority.speaks, (US, PEER, None), {"hosts": {"a"}, "neighbours": 32}),
    (What.SPEAK, Who.OTHER, authority.speaks, (US, PEER, OTHER), {}),
    (What.SPEAK, Who.US, authority.speaks, (US, US, None), {}),
    (What.SPEAK, Who.NOBODY, authority.speaks, (US, 0, None), {}),
    (What.APPEAR, Who.SEEN, authority.appears, (PLAIN,), {}),
    (What.APPEAR, Who.SEEN, authority.appears, (OFFERED,), {}),
    (What.APPEAR, Who.HINT, authority.appears, (REQUIRED,), {}),
    (What.TELL, Who.TO_US, authority.heeds, (US, US), {}),
    (What.TELL, Who.TO_US, authority.heeds, (US, 0), {}),
    (What.TELL, Who.TO_ANOTHER, authority.heeds, (US, OTHER), {}),
    (What.ANNOUNCE, Who.OWNERLESS, authority.tells, (What.ANNOUNCE, US, PEER, PEER, None), {"access": REQUIRED}),
    (
        What.ANNOUNCE,
        Who.OWNERLESS,
        authority.tells,
        (What.ANNOUNCE, US, PEER, PEER, OWNED_ELSEWHERE),
        {"access": REQUIRED},
    ),
    (What.ANNOUNCE, Who.OTHER_OWNER, authority.tells, (What.ANNOUNCE, US, OTHER, OTHER, MAILS_ELSEWHERE), BY_WEB),
    (What.ANNOUNCE, Who.OTHER_OWNER_OF_OURS, authority.tells, (What.ANNOUNCE, US, PEER, PEER, MAILS), BY_WEB),
    (What.ANNOUNCE, Who.HOME, authority.tells, (What.ANNOUNCE, US, PEER, PEER, MAILS_ELSEWHERE), BY_WEB),
    (What.ANNOUNCE, Who.HOME, authority.tells, (What.ANNOUNCE, US, OTHER, OTHER, OWNED_ELSEWHERE), BY_MAIL),
    (What.ANNOUNCE, Who.NEW_HOME, authority.tells, (What.ANNOUNCE, US, PEER, PEER, OWNED_ORPHAN), BY_MAIL),
    (
        What.ANNOUNCE,
        Who.NEW_HOME,
        authority.tells,
        (What.ANNOUNCE, US, PEER, PEER, OWNED_ORPHAN),
        {"owner": OLD, "access": OFFERED},
    ),
    (What.ANNOUNCE, Who.FIRST, authority.tells, (What.ANNOUNCE, US, PEER, PEER, None), BY_WEB),
    (What.LIST, Who.OWNERLESS, authority.tells, (What.LIST, US, PEER, PEER, None), {"access": REQUIRED}),
    (What.LIST, Who.OWNERLESS, authority.tells, (What.LIST, US, PEER, PEER, OWNED_ELSEWHERE), {"access": REQUIRED}),
    (What.LIST, Who.OTHER_OWNER, authority.tells, (What.LIST, US, OTHER, OTHER, MAILS_ELSEWHERE), BY_WEB),
    (What.LIST, Who.OTHER_OWNER_OF_OURS, authority.tells, (What.LIST, US, PEER, PEER, MAILS), BY_WEB),
    (What.LIST, Who.HOME, authority.tells, (What.LIST, US, PEER, PEER, MAILS_ELSEWHERE), BY_WEB),
    (What.LIST, Who.HOME, authority.tells, (What.LIST, US, OTHER, OTHER, OWNED_ELSEWHERE), BY_MAIL),
    (What.LIST, Who.NEW_HOME, authority.tells, (What.LIST, US, PEER, PEER, OWNED_ORPHAN), BY_MAIL),
    (
        What.LIST,
        Who.NEW_HOME,
        authority.tells,
        (What.LIST, US, PEER, PEER, OWNED_ORPHAN),
        {"owner": OLD, "access": OFFERED},
    ),
    (What.LIST, Who.FIRST, authority.tells, (What.LIST, US, PEER, PEER, None), BY_WEB),
    (What.ANNOUNCE, Who.FIRST, authority.tells, (What.ANNOUNCE, US, PEER, PEER, None), {}),
    (What.ANNOUNCE, Who.HOME, authority.tells, (What.ANNOUNCE, US, PEER, PEER, THEIRS), {}),
    (What.ANNOUNCE, Who.NEW_HOME, authority.tells, (What.ANNOUNCE, US, PEER, PEER, OURS), {}),
    (What.ANNOUNCE, Who.NOT_HOME, authority.tells, (What.ANNOUNCE, US, OTHER, PEER, THEIRS), {}),
    (What.ANNOUNCE, Who.NOT_HOME, authority.tells, (What.ANNOUNCE, US, OTHER, PEER, None), {}),
    (What.ANNOUNCE, Who.OF_OURS, authority.tells, (What.ANNOUNCE, US, PEER, US, OURS), {}),
    (What.LIST, Who.FIRST, authority.tells, (What.LIST, US, PEER, PEER, None), {}),
    (What.LIST, Who.MENTOR, authority.tells, (What.LIST, US, PEER, OTHER, None), {"mentor": True}),
    (What.LIST, Who.NOT_HOME, authority.tells, (What.LIST, US, PEER, OTHER, None), {}),
    (What.LIST, Who.NOT_HOME, authority.tells, (What.LIST, US, OTHER, PEER, THEIRS), {"mentor": True}),
    (What.LIST, Who.HOME, authority.tells, (What.LIST, US, PEER, PEER, THEIRS), {}),
    (What.LIST, Who.NEW_HOME, authority.tells, (What.LIST, US, PEER, PEER, ORPHAN), {}),
    (What.LIST, Who.CLAIMANT, authority.tells, (What.LIST, US, PEER, PEER, OURS), {}),
    (What.LIST, Who.NOT_HOME, authority.tells, (What.LIST, US, OTHER, PEER, THEIRS), {}),
    (What.LIST, Who.OF_OURS, authority.tells, (What.LIST, US, PEER, US, ORPHAN), {}),
    (What.DELETE, Who.HOME, authority.says, (What.DELETE, US, PEER, THEIRS), {}),
    (What.DELETE, Who.HOME_OF_DEAD, authority.says, (What.DELETE, US, PEER, THEIRS, True), {}),
    (What.DELETE, Who.OF_OURS, authority.says, (What.DELETE, US, PEER, OURS, True), {}),
    (What.DELETE, Who.OF_OURS, authority.says, (What.DELETE, US, PEER, OURS), {}),
    (What.DELETE, Who.NOT_HOME, authority.says, (What.DELETE, US, OTHER, THEIRS), {}),
    (What.OMIT, Who.HOME, authority.says, (What.OMIT, US, PEER, THEIRS), {}),
    (What.OMIT, Who.OF_OURS, authority.says, (What.OMIT, US, PEER, OURS), {}),
    (What.OMIT, Who.NOT_HOME, authority.says, (What.OMIT, US, OTHER, THEIRS), {}),
    (What.SUGGEST, Who.HOME, authority.says, (What.SUGGEST, US, PEER, THEIRS), {}),
    (What.SUGGEST, Who.OF_OURS, authority.says, (What.SUGGEST, US, PEER, OURS), {}),
    (What.SUGGEST, Who.NOT_HOME, authority.says, (What.SUGGEST, US, OTHER, THEIRS), {}),
    (What.CLAIM, Who.OF_US, authority.takes_over, (What.CLAIM, US, US), {}),
    (What.CLAIM, Who.OF_ANOTHER, authority.takes_over, (What.CLAIM, US, PEER), {}),
    (What.CLAIM, Who.OF_NOBODY, authority.takes_over, (What.CLAIM, US, OTHER), {"known": False}),
    (What.CLAIM, Who.UNFAITHFUL, authority.takes_over, (What.CLAIM, US, PEER), {"unfaithful": True}),
    (What.CLAIM, Who.OF_A_SILENT, authority.claimable, (False,), {}),
    (What.CLAIM, Who.OF_A_REFUSING, authority.claimable, (True,), {}),
    (What.CLAIM, Who.GREATER, authority.gives_way, (US, PEER), {}),
    (What.CLAIM, Who.SMALLER, authority.gives_way, (PEER, US), {}),
    (What.ENFORCE, Who.OF_US, authority.takes_over, (What.ENFORCE, US, US), {}),
    (What.ENFORCE, Who.OF_ANOTHER, authority.takes_over, (What.ENFORCE, US, PEER), {}),
    (What.ENFORCE, Who.OF_A_LIVING, authority.takes_over, (What.ENFORCE, US, PEER), {"living": True}),
    (What.ENFORCE, Who.OF_NOBODY, authority.takes_over, (What.ENFORCE, US, OTHER), {"known": False}),
    (What.REGISTER, Who.EVICTED, authority.evicted, (), {}),
    (What.DRAIN, Who.OPERATES, authority.operates, (What.DRAIN, True), {}),
    (What.DRAIN, Who.NO_OPERATOR, authority.operates, (What.DRAIN, False), {}),
    (What.DRAIN, Who.A_REGISTRAR, authority.passes_on, (What.DRAIN, PLAIN, None), {}),
    (What.DRAIN, Who.A_REGISTRAR, authority.passes_on, (What.DRAIN, OFFERED, OFFERED.standing((REG,))), {}),
    (What.DRAIN, Who.UNPROVED, authority.passes_on, (What.DRAIN, OFFERED, OFFERED.standing(None)), {}),
    (What.EVICT, Who.OPERATES, authority.operates, (What.EVICT, True), {}),
    (What.EVICT, Who.NO_OPERATOR, authority.operates, (What.EVICT, False), {}),
    (What.EVICT, Who.A_REGISTRAR, authority.passes_on, (What.EVICT, PLAIN, None), {}),
    (What.EVICT, Who.A_REGISTRAR, authority.passes_on, (What.EVICT, OFFERED, OFFERED.standing((REG,))), {}),
    (What.EVICT, Who.UNPROVED, authority.passes_on, (What.EVICT, OFFERED, OFFERED.standing(None)), {}),
    (What.RETIRE, Who.OPERATES, authority.operates, (What.RETIRE, True), {}),
    (What.RETIRE, Who.NO_OPERATOR, authority.operates, (What.RETIRE, False), {}),
    (What.SUBMIT, Who.SUBMITTER, submits, (REQUIRED, REQUIRED.standing((ALICE,)), b"pool"), {}),
    (What.SUBMIT, Who.NO_SUBMITTER, submits, (REQUIRED, REQUIRED.standing((ALICE,)), b"mail"), {}),
    (What.SUBMIT, Who.NO_SUBMITTER, submits, (REQUIRED, REQUIRED.standing((WEB, DESK)), b"pool"), {}),
    (What.SUBMIT, Who.NO_SUBMITTER, submits, (REQUIRED, REQUIRED.standing(()), b"pool"), {}),
    (What.SUBMIT, Who.IN_THE_CLEAR, submits, (REQUIRED, REQUIRED.standing(None), b"pool"), {}),
    (What.SUBMIT, Who.IN_THE_CLEAR, submits, (OFFERED, OFFERED.standing((ALICE,)), b"pool"), {}),
    (What.SUBMIT, Who.IN_THE_CLEAR, submits, (PLAIN, PLAIN.standing((ALICE,)), b"pool"), {}),
    (What.SUBMIT, Who.TO_NO_TAKER, submits, (REQUIRED, REQUIRED.standing((ALICE,)), b"pool", False), {}),
)

_ABOUT = """\
# Who may do what to an element

Generated from `rserpool.core.rules` by `python -m tests.authority`; a test compares. Everybody asks
`rserpool.core.authority` (workers: `rserpool.core.compute.submitting`), which finds out who is who, and reads the
answer there: the registrar's side towards elements and users (ASAP), and its side towards other registrars (ENRP). An
element is removed where the table says so, and nowhere else. In a plain scope nobody is authenticated: an element is
known by its association and its address, a registrar by its association. In a secured one identities count: what each
may be is said by keys, or by a file (see [](security.md)), and an element belongs to the identity that registered it.
Where TLS is only offered, the rows about a plain scope hold for who comes in the clear.

"We" are one registrar, and an element is *ours* if we are its home. A rule without an RFC is this package's own, where
the RFCs leave it open.

| what | who | what comes of it | RFC | decided by |
| --- | --- | --- | --- | --- |
"""


def page() -> str:
    """The document."""
    deciders = {(what, who): function.__name__ for what, who, function, _, _ in QUESTIONS}
    rows = []
    for what, rules in RULES.items():
        for who, rule in rules.items():
            rows.append(f"| {what} | {who} | {_outcome(rule)} | {rule.section} | `{deciders[what, who]}` |\n")
    return _ABOUT + "".join(rows)


def _outcome(rule: Rule) -> str:
    text = rule.ruling.value
    if rule.cause is not None:
        text += f": {rule.cause.sentence} (0x{rule.cause:x})"
    return text if rule.removes is None else f'the element is removed: "{rule.removes.text}"'


def main() -> int:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")
    print("docs/authority.md")
    return 0


if __name__ == "__main__":
    sys.exit(main())
