"""The pool user: resolves pool handles, and reports elements that fail (RFC 5352 section 4)."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

from rserpool.core.addresses import TransportAddress
from rserpool.core.admission import TokenBucket
from rserpool.core.deadlines import Deadlines, Timers
from rserpool.core.dice import Dice
from rserpool.core.effects import Abort, Association, Close, Effect, Notify, Send
from rserpool.core.errors import NoRegistrar, Unproved
from rserpool.core.identity import Credentials
from rserpool.core.profiles import Profile
from rserpool.core.server_hunt import HomeChanged, ServerHunt
from rserpool.core.user.cache import Cache
from rserpool.core.user.events import ErrorReceived, Resolved
from rserpool.core.user.resolution import Resolution
from rserpool.core.user.suspects import Memory
from rserpool.core.wire import asap
from rserpool.core.wire.parameters import PoolElementParameter

REPORTS = 20.0
"""So many reports a second are sent, as many as a registrar hears (RFC 5355 section 2.14), after L{MOST_UNSENT} at
once."""
MOST_UNSENT = 100
"""So many reports wait for a home registrar, where there is none; the oldest are dropped."""

_REPORTS = ("reports",)


class PoolUser:
    """Holds the procedures of a pool user.

    Every method that takes C{now} (monotonic seconds) returns the effects that the caller must perform, in order.
    Outcomes (L{Resolved<rserpool.user.Resolved>} and others) come as
    L{Notify<rserpool.core.effects.Notify>}.

    @ivar secured: whether registrars have to prove who they are: then none is believed that has proved nothing (RFC
        5355 section 2.7).
    """

    secured = False

    def __init__(
        self,
        registrars: Sequence[TransportAddress],
        *,
        profile: Profile,
        random: Dice,
        protocol: str = "sctp",
        memory: Memory | None = None,
    ) -> None:
        """
        @param memory: what an earlier one knew, on the same clock; it is kept up to date.
        """
        self._timers: Timers = Deadlines()
        self.protocol = protocol
        self._hunt = ServerHunt(registrars, profile, self._timers, protocol)
        self._cache = Cache(self._timers, profile, random, memory or Memory())
        self._resolution = Resolution(self._hunt, self._cache, self._timers, profile)
        self._unsent: dict[tuple[bytes, int], None] = {}
        self._sent: TokenBucket | None = None

    @property
    def home(self) -> TransportAddress | None:
        """Where the home registrar is."""
        return self._hunt.address

    @property
    def hunting(self) -> bool:
        """Whether a registrar is looked for (3.6)."""
        return self._hunt.hunting

    def guess_ports(self, wanted: bool) -> None:
        """Whether registrars that are announced without a UDP port are looked for at those that registrars take."""
        self._hunt.guesses = wanted

    @property
    def known_registrars(self) -> list[TransportAddress]:
        """Every registrar that a hunt would try."""
        return self._hunt.known

    def nobody(self) -> NoRegistrar:
        """Why there is no home registrar: who was asked, and what TLS with them said."""
        return self._hunt.nobody("no registrar answers")

    def resolve(
        self,
        request: Hashable,
        handle: bytes,
        now: float,
        *,
        deadline: float,
        items: int | None = None,
        fresh: bool = False,
        patience: float = 0.0,
    ) -> list[Effect]:
        """3.3: find elements of the pool C{handle}.

        @param request: a token that the outcome will carry.
        @param deadline: when to give up (monotonic seconds).
        @param items: at most so many elements; None or 0 for all that the registrar gives.
        @param fresh: do not accept what the cache holds.
        @param patience: seconds to wait for a pool that is unknown, past the deadline if need be: its only element may
            be about to come again. For one that was never known, L{NOT_YET<rserpool.core.user.cache.NOT_YET>} at most.
        """
        return self._resolution.resolve(
            request, handle, now, deadline=deadline, items=items or None, fresh=fresh, patience=patience
        )

    def recall(self, handle: bytes, now: float, items: int | None = None) -> Resolved | None:
        """What L{resolve} would say without asking a registrar; None where there is nothing, or it is stale."""
        pool = self._cache.get(handle)
        if pool is None or not self._resolution.has(handle, pool, items or None, now):
            return None
        return self._cache.answer(None, handle, items or None, now)

    def cancel(self, request: Hashable) -> None:
        """Nobody waits for this request any more."""
        self._resolution.cancel(request)

    def known(self, handle: bytes) -> tuple[PoolElementParameter, ...] | None:
        """The elements of a pool as the cache has them; None if it has none."""
        pool = self._cache.get(handle)
        return None if pool is None else pool.elements

    def purge(self, handle: bytes) -> None:
        """6.4: forget what the cache has of a pool; a subscription shows it on."""
        self._cache.pop(handle, None)

    def report(self, handle: bytes, identifier: int, now: float) -> list[Effect]:
        """3.5: an element could not be reached. The next home registrar is told, where there is none."""
        if self._cache.suspects.add(handle, identifier, now):
            self._unsent[handle, identifier] = None
            if len(self._unsent) > MOST_UNSENT:
                del self._unsent[next(iter(self._unsent))]
        return self._reports(now)

    def begin(self, use: Hashable, handle: bytes, identifier: int, instead_of: int = 0) -> None:
        """An element is tried for something: a request, a connection, a session.

        @param use: a token for it, until C{end}.
        @param instead_of: who came first in the answer, if none of it was tried before.
        """
        self._cache.begin(use, handle, identifier, instead_of)

    def accepted(self, use: Hashable, handle: bytes, identifier: int, over: Callable[[], bool] | None = None) -> None:
        """The element can be reached.

        @param over: tells, whenever it is called, whether it is over; then C{end} need not be called.
        """
        self._cache.accepted(use, handle, identifier, over)

    def end(self, use: Hashable) -> None:
        """It is over, or the element did not accept it."""
        self._cache.end(use)

    def subscribe(self, handle: bytes, now: float, *, items: int | None = None) -> list[Effect]:
        """2.2.5: have every change of the pool notified (L{PoolChanged<rserpool.user.PoolChanged>})."""
        return self._resolution.subscribe(handle, now, items or None)

    def unsubscribe(self, handle: bytes) -> None:
        """Changes of the pool are of no interest any more."""
        self._resolution.unsubscribe(handle)

    def rest(self) -> None:
        """Nobody wants anything for now, and the association with the home registrar is not there any more."""
        self._hunt.rest()
        self._resolution.rest()

    def stop(self) -> list[Effect]:
        """Leave the home registrar, and hunt no more."""
        home = self._hunt.home
        return [*self._hunt.stop(), *([] if home is None else [Close(home)])]

    def association_up(
        self,
        association: Association,
        peer: TransportAddress,
        now: float,
        outbound: bool = False,
        credentials: Credentials = None,
    ) -> list[Effect]:
        """An association or connection that the hunt opened is up."""
        if self.secured and not credentials:
            return [Abort(association), *(self.connect_failed(peer, now) if outbound else ())]
        if not outbound:
            return []
        effects = self._hunt.association_up(association, peer, now)
        if self._hunt.home != association:
            return effects
        return [*effects, Notify(HomeChanged(peer)), *self._reports(now), *self._resolution.home_found(now)]

    def identity_changed(self, now: float) -> list[Effect]:
        """It has another key or certificate, or trusts others: it looks at its registrar anew."""
        if self._hunt.home is None:
            return []
        return [*self._hunt.again(now), *self._resolution.home_lost(now)]

    def connect_failed(self, peer: TransportAddress, now: float, failure: Unproved | None = None) -> list[Effect]:
        """A registrar could not be reached.

        @param failure: what TLS said. If it failed with every registrar, nobody waits any longer.
        """
        return [*self._hunt.connect_failed(peer, now, failure), *self._resolution.hopeless(now)]

    def association_lost(self, association: Association, now: float, failure: Unproved | None = None) -> list[Effect]:
        """An association is gone; if it was the home's, the hunt begins and open requests go to the next registrar."""
        if association != self._hunt.home:
            return []
        effects = [*self._hunt.association_lost(association, now, failure), *self._resolution.home_lost(now)]
        return [*effects, *self._resolution.hopeless(now)]

    def association_paused(self, association: Association, now: float) -> list[Effect]:
        """The registrar reads too slowly; T1 watches over that."""
        return []

    def association_resumed(self, association: Association, now: float) -> list[Effect]:
        """The registrar reads again."""
        return []

    def receive(self, association: Association, message: asap.Message, now: float) -> list[Effect]:
        """An ASAP message arrived."""
        if association != self._hunt.home:
            return []
        self._resolution.heard(now)
        match message:
            case asap.HandleResolutionResponse():
                return self._resolution.response(message, now)
            case asap.Error(causes=causes):
                return [Notify(ErrorReceived(causes)), *self._resolution.error(causes, now)]
        return []

    def announcement(self, message: asap.Message, source: str, now: float) -> list[Effect]:
        """Something arrived at the multicast group of ASAP from the IP address C{source}."""
        return self._hunt.announcement(message, source, now) if isinstance(message, asap.ServerAnnounce) else []

    def tick(self, now: float) -> list[Effect]:
        """Do what is due; to be called at L{next_deadline}."""
        effects: list[Effect] = []
        for key in self._timers.due(now):
            if key == _REPORTS:
                effects += self._reports(now)
            else:
                procedure = self._hunt if key[0] == "hunt" else self._resolution
                effects += procedure.due(key, now)
        return effects + self._resolution.silence(now)

    def next_deadline(self) -> float | None:
        """When C{tick} must be called next (monotonic seconds), or None."""
        return self._timers.next()

    def _reports(self, now: float) -> list[Effect]:
        """Those that the home is to be told: of elements that were not reached since."""
        home = self._hunt.home
        if home is None:
            return []
        bucket = self._sent = self._sent or TokenBucket(REPORTS, now, MOST_UNSENT)
        effects: list[Effect] = []
        for handle, identifier in list(self._unsent):
            if self._cache.suspects.has(handle, identifier, now):
                if not bucket.take(now):
                    self._timers.set(_REPORTS, now + 1.0 / REPORTS)
                    break
                effects.append(Send(home, asap.EndpointUnreachable(handle, identifier)))
            del self._unsent[handle, identifier]
        return effects
