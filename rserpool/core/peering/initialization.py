"""Initialization of a registrar: what L{mentor} decides is done (RFC 5353 section 3.2)."""

from __future__ import annotations

from math import inf
from typing import Final

from rserpool.core.deadlines import Timers
from rserpool.core.dice import Dice
from rserpool.core.effects import Effect, Notify
from rserpool.core.errors import ImpossibleEvent
from rserpool.core.handlespace.handlespace import Handlespace
from rserpool.core.peering import mentor
from rserpool.core.peering.audit import Audits
from rserpool.core.peering.events import Initialized, OutOfPlace
from rserpool.core.peering.peers import PeerList
from rserpool.core.profiles import Profile
from rserpool.core.wire import enrp

MENTOR: Final = "mentor"
"""The key of the deadline of the present step."""


class Initialization:
    """From the first peer to the services; without L{begin} there is none, and the services are offered at once.

    @ivar ready: whether it is completed.
    """

    def __init__(
        self,
        server: int,
        handlespace: Handlespace,
        peers: PeerList,
        audits: Audits,
        timers: Timers,
        *,
        profile: Profile,
        random: Dice,
    ) -> None:
        self._server = server
        self._handlespace = handlespace
        self._peers = peers
        self._audits = audits
        self._timers = timers
        self._profile = profile
        self._random = random
        self._state: mentor.State = mentor.Ready()
        self._asked: set[int] = set()
        self.ready = True

    def begin(self, now: float) -> None:
        """Look for a mentor."""
        patience = self._profile.max_time_no_response * self._random.uniform(2.0, 3.0)
        self._enter(mentor.Searching(now + patience))

    @property
    def occupied(self) -> bool:
        """Whether a mentor is asked at present."""
        return isinstance(self._state, mentor.Listing | mentor.Downloading)

    def met(self, peer: int, asked: bool, now: float) -> list[Effect]:
        """A peer is known and connected.

        @param asked: whether it got ENRP_LIST_REQUEST before it said who it is, which it may answer twice now.
        """
        if asked:
            self._asked.add(peer)
        return self.happened(mentor.PeerUp(peer), now)

    def downloads_from(self, peer: int) -> bool:
        """Whether the peer is giving us its handlespace."""
        return isinstance(self._state, mentor.Downloading) and self._state.mentor == peer

    def time_out(self, now: float) -> list[Effect]:
        """L{MENTOR} is due."""
        return self.happened(mentor.TimeOut(), now)

    def happened(self, event: mentor.Event, now: float) -> list[Effect]:
        """Do what follows from an event."""
        about = 0 if isinstance(event, mentor.TimeOut) else event.peer
        others = tuple(peer for peer in self._peers.connected if peer != about)
        before = self._state
        state, actions = mentor.step(before, event, now, self._profile.max_time_no_response, others)
        self._enter(state)
        expected = isinstance(event, mentor.Listed) and about in self._asked
        if not actions and state == before and not self.ready and not expected and type(event) in _ANSWERS:
            return [Notify(OutOfPlace(about, _ANSWERS[type(event)]))]
        return [effect for action in actions for effect in self._act(action, state, now)]

    def _enter(self, state: mentor.State) -> None:
        self._state = state
        self.ready = isinstance(state, mentor.Ready)
        when = mentor.deadline(state)
        self._timers.set((MENTOR,), inf if when is None else when)

    def _act(self, action: mentor.Action, state: mentor.State, now: float) -> list[Effect]:
        match action, state:
            case mentor.Action.REQUEST_LIST, mentor.Listing(mentor=peer):
                return self._peers.to(peer, enrp.ListRequest(self._server, peer))
            case mentor.Action.REQUEST_TABLE, mentor.Downloading(mentor=peer):
                return self._peers.to(peer, enrp.HandleTableRequest(self._server, peer))
            case mentor.Action.OPEN, mentor.Ready(mentor=peer):
                effects: list[Effect] = [Notify(Initialized(peer, len(self._handlespace)))]
                for other in self._peers:
                    if other.association is not None and other.identifier != peer:
                        effects += self._audits.start(other, now)
                return effects
        raise ImpossibleEvent(state, action)


_ANSWERS: Final[dict[type[mentor.Event], str]] = {
    mentor.Listed: "ENRP_LIST_RESPONSE",
    mentor.Table: "ENRP_HANDLE_TABLE_RESPONSE",
}
