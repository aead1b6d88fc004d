"""Who may do what from where: what a registrar answers that has one element of C{psk:web}, and what that changes.

The rules are in L{rserpool.core.rules}; here they are asked from outside.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core.access import Access, Principal, State
from rserpool.core.identity import parse_identity
from rserpool.core.wire import asap
from tests.core.registrar.stage import RegistrarStage
from tests.core.stage import element

POOL = b"www"
PEOPLE: dict[str, tuple[str, ...] | None] = {
    "clear": None,
    "nobody": (),
    "user": ("dns:user.example",),
    "owner": ("psk:web",),
    "other key of the owner": ("psk:web.old",),
    "element": ("psk:mail",),
    "element elsewhere": ("psk:attic",),
    "registrar": ("psk:reg",),
    "operator": ("psk:desk",),
    "revoked": ("psk:gone",),
}
# "there": another association from the element's own address and port; "elsewhere": another machine.
PLACES: dict[str, dict[str, Any]] = {
    "there": {"host": "10.0.0.1", "port": 5000},
    "elsewhere": {"host": "10.0.0.2", "port": 5000},
    "tcp": {"host": "10.0.0.1", "port": 5000, "protocol": "tcp"},
}
# What comes of it: + done, . nothing, ? the element is asked first, a and 4 the causes 0xa and 0x4.
# In this order: register a new element, register the element, deregister it, acknowledge for it, report it, resolve.
_STRANGER = {"there": "aaa.?+", "elsewhere": "aaa.?+", "tcp": "aaa.?+"}
_OWNER = {"there": "++++?+", "elsewhere": "+?+.?+", "tcp": "aaa.?+"}
_REFUSED = {"there": "aaa.aa", "elsewhere": "aaa.aa", "tcp": "aaa.aa"}
REQUIRED = {
    **dict.fromkeys(("nobody", "user", "element elsewhere", "registrar", "operator", "revoked"), _STRANGER),
    **dict.fromkeys(("owner", "other key of the owner"), _OWNER),
    "clear": _REFUSED,
    "element": {"there": "+4a.?+", "elsewhere": "+4a.?+", "tcp": "aaa.?+"},
}
# Where TLS is offered, who comes in the clear is believed, but for what has an owner.
OFFERED = {**REQUIRED, "clear": {"there": "+4a.?+", "elsewhere": "+4a.?+", "tcp": "aaa.?+"}}
# In a plain scope the place alone counts.
PLAIN = dict.fromkeys(PEOPLE, {"there": "++++?+", "elsewhere": "+4a.?+", "tcp": "aaa.?+"})


def access(state: State) -> Access:
    """Who may be what; whose key is gone was known before."""

    def known(*names: str, **what: Any) -> Principal:
        return Principal(names[0], frozenset(parse_identity(f"psk:{name}") for name in names), **what)

    everybody = [
        known("web", "web.old", element=True, pools=frozenset({POOL})),
        known("mail", element=True),
        known("attic", element=True, pools=frozenset({b"attic"})),
        known("reg", registrar=True),
        known("desk", operator=True),
    ]
    return Access(everybody, state).after(Access([*everybody, known("gone", element=True)], state))


class Case:
    """One who at one place."""

    def __init__(self, state: State, who: str, where: str) -> None:
        self.stage = RegistrarStage(access=access(state))
        self.stage.up("web", credentials=(parse_identity("psk:web"),))
        self.stage.register("web", POOL, element(1))
        place = PLACES[where]
        self.host = place["host"]
        texts = PEOPLE[who]
        credentials = None if texts is None else tuple(map(parse_identity, texts))
        self.stage.up("asks", credentials=credentials, **place)
        self.before = self.table()

    def table(self) -> dict[int, tuple[object, bytes]]:
        elements = self.stage.registrar.handlespace.owned_by(self.stage.registrar.identifier)
        return {each.identifier: (each.association, each.wire) for each in elements}

    def does(self, what: int) -> str:
        """What comes of it."""
        message: Any = (
            asap.Registration(POOL, element(2, host=self.host)),
            asap.Registration(POOL, element(1, host=self.host, port=81)),
            asap.Deregistration(POOL, 1),
            asap.EndpointKeepAliveAck(POOL, 1),
            asap.EndpointUnreachable(POOL, 1),
            asap.HandleResolution(POOL),
        )[what]
        if what == 3:
            # It is asked over its own association, and somebody else answers.
            self.stage.pass_time(0.2)
            self.stage.up("user", host="10.0.9.9", credentials=())
            self.stage.registrar.supervision.probe(self._element(), self.stage.now)
        seen = len(self.stage.effects)
        answers = self.stage.tell("asks", message)
        asked = [each for each in self.stage.sent("web", self.stage.effects[seen:]) if type(each) is _ASKED]
        causes = [f"{cause.code:x}" for answer in answers for cause in getattr(answer, "causes", ())]
        if causes:
            assert self.table() == self.before, "it was refused, and something has changed"
            return causes[0]
        if asked:
            assert self.table() == self.before, "it was to be asked first"
            return "?"
        if what == 3:
            return "+" if self._element().association == "asks" else "."
        return "+" if answers and (what == 5 or self.table() != self.before) else "."

    def _element(self) -> Any:
        return self.stage.registrar.handlespace.find(POOL, 1)


_ASKED = asap.EndpointKeepAlive


class WhoWhatWhereTests(SynchronousTestCase):
    """Every cell."""

    def check(self, state: State, expected: dict[str, dict[str, str]]) -> None:
        self.assertEqual(set(PEOPLE), set(expected))
        found = {
            who: {where: "".join(Case(state, who, where).does(what) for what in range(6)) for where in PLACES}
            for who in PEOPLE
        }
        self.assertEqual(expected, found)

    def test_required(self) -> None:
        self.check(State.REQUIRED, REQUIRED)

    def test_offered(self) -> None:
        self.check(State.OFFERED, OFFERED)

    def test_plain(self) -> None:
        self.check(State.PLAIN, PLAIN)
