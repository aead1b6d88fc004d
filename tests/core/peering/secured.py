"""A secured scope on the stage: who may be what, what peers prove, and an element that has an owner."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import PoolElementParameter
from rserpool.core.access import Access, Principal, State
from rserpool.core.identity import Identity
from tests.core.peering.stage import P, PeeringStage, Q, R, owned, place

POOL = b"pool"
WEB, MAIL, DESK, OWN = (Identity("psk", name) for name in ("web", "mail", "desk", "own"))
REGISTRARS = {number: Identity("psk", f"reg{number:x}") for number in (P, Q, R)}


def access(*without: Identity, state: State = State.REQUIRED, own: Identity = OWN) -> Access:
    """Who may be what, but for these."""
    everybody = [Principal(str(each), frozenset({each}), registrar=True) for each in REGISTRARS.values()]
    everybody += [Principal(str(each), frozenset({each}), element=True) for each in (WEB, MAIL)]
    everybody.append(Principal("desk", frozenset({DESK}), operator=True))
    return Access([each for each in everybody if each.identities.isdisjoint(without)], state, own=own)


def owned_by(owner: Identity | None, home: int, identifier: int = 7) -> PoolElementParameter:
    """An element of a peer."""
    return replace(owned(home, identifier), owner=owner)


class SecuredTestCase(SynchronousTestCase):
    """P and Q are peers; P has element 7 of C{psk:web}."""

    state = State.REQUIRED

    def setUp(self) -> None:
        self.stage = PeeringStage(access=access(state=self.state))
        self.stage.proved = {number: (identity,) for number, identity in REGISTRARS.items()}
        self.stage.ready(P, Q)
        self.stage.update(P, POOL, owned_by(WEB, P))

    def up(self, name: Any, credentials: Any, outbound: bool = False, number: int = R) -> list[Any]:
        return self.stage.note(
            self.stage.enrp.association_up(name, place(number), self.stage.now, outbound, credentials)
        )

    def says(self, name: Any, message: Any) -> list[Any]:
        return self.stage.note(self.stage.enrp.receive(name, message, self.stage.now))

    def owner(self, identifier: int = 7) -> tuple[str, int] | None:
        found = self.stage.registrar.handlespace.find(POOL, identifier)
        return None if found is None else (str(found.owner), found.home)

    def peers(self) -> list[int]:
        return sorted(peer.identifier for peer in self.stage.peering.peers)
