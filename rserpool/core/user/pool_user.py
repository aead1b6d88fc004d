"""The pool user: resolves pool handles, and reports elements that fail (RFC 5352 section 4)."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rserpool.core.addresses import TransportAddress, in_short
from rserpool.core.dice import Dice
from rserpool.core.effects import Association, Close, Effect, Notify, Probe, Send
from rserpool.core.errors import NoRegistrar
from rserpool.core.profiles import Profile
from rserpool.core.server_hunt import ServerHunt
from rserpool.core.user.resolution import Outcome, Resolution, ResolutionFailed
from rserpool.core.wire import asap
from rserpool.core.wire.parameters import PoolElementParameter


@dataclass(frozen=True, slots=True)
class HomeChanged:
    """The home registrar is now another, or (None) there is none and the hunt is on."""

    registrar: TransportAddress | None


class PoolUser:
    """Holds the procedures of a pool user.

    Every method that takes C{now} (monotonic seconds) returns the effects that the caller must perform, in order.
    Outcomes (L{Resolved<rserpool.core.user.resolution.Resolved>} and others) come as
    L{Notify<rserpool.core.effects.Notify>}.
    """

    def __init__(
        self,
        registrars: Sequence[TransportAddress],
        *,
        profile: Profile,
        random: Dice,
        protocol: str = "sctp",
    ) -> None:
        self._hunt = ServerHunt(registrars, profile, protocol)
        self._resolution = Resolution(profile, random)

    @property
    def home(self) -> TransportAddress | None:
        """Where the home registrar is."""
        return self._hunt.address

    @property
    def known_registrars(self) -> list[TransportAddress]:
        """Every registrar that a hunt would try."""
        return self._hunt.known

    def resolve(
        self,
        request: Hashable,
        handle: bytes,
        now: float,
        *,
        deadline: float,
        items: int | None = None,
        fresh: bool = False,
    ) -> list[Effect]:
        """3.3: find elements of the pool C{handle}.

        @param request: a token that the outcome will carry.
        @param deadline: when to give up (monotonic seconds).
        @param items: at most so many elements; None for all that the registrar gives.
        @param fresh: do not accept what the cache holds.
        """
        outcomes, ask = self._resolution.resolve(
            request, handle, now, deadline=deadline, items=items, fresh=fresh, at_home=self._hunt.home is not None
        )
        effects = self._notify(outcomes)
        if ask:
            effects += self._ask([handle], now)
        elif self._hunt.home is None:
            effects += self._hunt.hunt(now)
        return effects

    def cancel(self, request: Hashable) -> None:
        """Nobody waits for this request any more."""
        self._resolution.cancel(request)

    def known(self, handle: bytes) -> tuple[PoolElementParameter, ...] | None:
        """The elements of a pool as the cache has them; None if it has none."""
        return self._resolution.known(handle)

    def purge(self, handle: bytes) -> None:
        """6.4: forget what the cache has of a pool."""
        self._resolution.purge(handle)

    def report(self, handle: bytes, identifier: int, now: float) -> list[Effect]:
        """3.5: an element could not be reached."""
        if self._resolution.suspect(handle, identifier, now) and self._hunt.home is not None:
            return [Send(self._hunt.home, asap.EndpointUnreachable(handle, identifier))]
        return []

    def subscribe(self, handle: bytes, now: float, *, items: int | None = None) -> list[Effect]:
        """2.2.5: have every change of the pool notified (L{PoolChanged<rserpool.core.user.resolution.PoolChanged>})."""
        return self._ask([handle], now) if self._resolution.subscribe(handle, now, items) else []

    def unsubscribe(self, handle: bytes) -> None:
        """Changes of the pool are of no interest any more."""
        self._resolution.unsubscribe(handle)

    def stop(self) -> list[Effect]:
        """Leave the home registrar, and hunt no more."""
        home = self._hunt.home
        return [*self._hunt.stop(), *([] if home is None else [Close(home)])]

    def association_up(
        self, association: Association, peer: TransportAddress, now: float, outbound: bool = False
    ) -> list[Effect]:
        """An association or connection that the hunt opened is up."""
        if not outbound:
            return []
        effects = self._hunt.association_up(association, peer)
        if self._hunt.home != association:
            return effects
        return [*effects, Notify(HomeChanged(peer)), *self._ask(self._resolution.open_questions(), now)]

    def connect_failed(self, peer: TransportAddress, now: float) -> list[Effect]:
        """A registrar could not be reached."""
        return self._hunt.connect_failed(peer, now)

    def association_lost(self, association: Association, now: float) -> list[Effect]:
        """An association is gone; if it was the home's, the hunt begins and open requests go to the next registrar."""
        if association != self._hunt.home:
            return []
        effects = self._hunt.association_lost(association, now)
        return [*effects, Notify(HomeChanged(None)), *self._notify(self._resolution.home_lost(now))]

    def association_paused(self, association: Association, now: float) -> list[Effect]:
        """The registrar reads too slowly; T1 watches over that."""
        return []

    def association_resumed(self, association: Association, now: float) -> list[Effect]:
        """The registrar reads again."""
        return []

    def receive(self, association: Association, message: Any, now: float) -> list[Effect]:
        """An ASAP message arrived."""
        if isinstance(message, asap.HandleResolutionResponse) and association == self._hunt.home:
            return self._notify(self._resolution.response(message, now))
        return []

    def announcement(self, message: Any, source: str, now: float) -> list[Effect]:
        """Something arrived at the multicast group of ASAP from the IP address C{source}."""
        return self._hunt.announcement(message, source, now) if isinstance(message, asap.ServerAnnounce) else []

    def tick(self, now: float) -> list[Effect]:
        """Do what is due; to be called at L{next_deadline}."""
        effects = self._hunt.tick(now)
        late = self._resolution.late(now)
        outcomes, ask, silent = self._resolution.tick(now)
        effects += self._notify(outcomes)
        if silent:
            # 3.7.2: T1 expired: hunt, and send again to whichever registrar answers.
            effects += self._hunt.fail(now)
            effects += [Notify(HomeChanged(None)), *self._notify(self._resolution.home_lost(now))]
            return effects
        if late and self._hunt.home is not None:
            # Perhaps the request was the last thing that a process read before it was killed.
            effects.append(Probe(self._hunt.home))
        return effects + self._ask(ask, now) if ask else effects

    def next_deadline(self) -> float | None:
        """When C{tick} must be called next (monotonic seconds), or None."""
        deadlines = (self._hunt.next_deadline(), self._resolution.next_deadline())
        return min((deadline for deadline in deadlines if deadline is not None), default=None)

    def _ask(self, handles: list[bytes], now: float) -> list[Effect]:
        home = self._hunt.home
        if home is None:
            return self._hunt.hunt(now)
        return [Send(home, self._resolution.question(handle, now)) for handle in handles]

    def _notify(self, outcomes: Sequence[Outcome]) -> list[Effect]:
        return [Notify(self._with_names(outcome)) for outcome in outcomes]

    def _with_names(self, outcome: Outcome) -> Outcome:
        """No registrar: which ones were tried."""
        if not isinstance(outcome, ResolutionFailed) or not isinstance(outcome.error, NoRegistrar):
            return outcome
        tried = in_short(self._hunt.known)
        sentence = f"{outcome.error} (tried: {tried})" if tried else "no registrar is known"
        return replace(outcome, error=NoRegistrar(sentence))
