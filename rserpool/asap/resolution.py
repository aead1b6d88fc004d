"""Handle resolution as a pool user does it, with its cache (RFC 5352 sections 3.3 and 3.7.2).

Pure bookkeeping: what is known of each pool, who waits for it, and what must be asked. It never sends.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rserpool.errors import CauseCode, NoRegistrar, Rejected, RSerPoolError, UnknownPool
from rserpool.policies import POLICIES, ROUND_ROBIN
from rserpool.profiles import Profile
from rserpool.wire import asap
from rserpool.wire.parameters import PoolElement

if TYPE_CHECKING:
    from random import Random


@dataclass(frozen=True, slots=True)
class Resolved:
    """A resolution succeeded.

    @ivar request: the token that was given to C{resolve}.
    @ivar policy: the policy type of the pool (RFC 5356).
    @ivar elements: in the order in which the policy wants them tried; those that just failed come last.
    @ivar age: seconds since a registrar said so.
    """

    request: Hashable
    handle: bytes
    policy: int
    elements: tuple[PoolElement, ...]
    age: float


@dataclass(frozen=True, slots=True)
class ResolutionFailed:
    """A resolution failed: L{UnknownPool}, another L{Rejected}, or L{NoRegistrar}."""

    request: Hashable
    handle: bytes
    error: RSerPoolError


@dataclass(frozen=True, slots=True)
class PoolChanged:
    """A subscribed pool is now like this; C{elements} is None while no registrar knows it."""

    handle: bytes
    policy: int
    elements: tuple[PoolElement, ...] | None


Outcome = Resolved | ResolutionFailed | PoolChanged


@dataclass(slots=True)
class _Known:
    """The cache entry of one pool."""

    policy: int
    elements: tuple[PoolElement, ...]
    received: float
    turn: int = 0


@dataclass(slots=True)
class _Question:
    """One resolution under way, for everybody who waits for this pool."""

    waiting: dict[Hashable, float] = field(default_factory=dict)  # request -> deadline
    items: int | None = None
    sent: int = 0
    answer_by: float | None = None
    again_at: float | None = None


@dataclass(slots=True)
class _Subscription:
    items: int | None
    pause: float
    armed: bool = False
    again_at: float | None = None
    shown: dict[int, PoolElement] | None = None
    told: bool = False


FIRST_PAUSE = 0.1
LONGEST_PAUSE = 2.0


class Resolution:
    """The cache of one pool user, its open questions and its subscriptions."""

    def __init__(self, profile: Profile, random: Random) -> None:
        self._profile = profile
        self._random = random
        self._cache: dict[bytes, _Known] = {}
        self._questions: dict[bytes, _Question] = {}
        self._subscriptions: dict[bytes, _Subscription] = {}
        self._suspects: dict[tuple[bytes, int], float] = {}

    # What the user wants

    def resolve(
        self,
        request: Hashable,
        handle: bytes,
        now: float,
        *,
        deadline: float,
        items: int | None,
        fresh: bool,
        at_home: bool,
    ) -> tuple[list[Outcome], bool]:
        """C1 to C4: answer from the cache if that is allowed.

        @param fresh: do not accept what the cache holds.
        @param at_home: whether there is a home registrar to ask.
        @return: the outcomes, and whether a question has to be asked now.
        """
        known = self._cache.get(handle)
        if known is not None and not fresh:
            subscription = self._subscriptions.get(handle)
            current = subscription is not None and subscription.armed and at_home
            if current or not at_home or now < known.received + self._profile.stale_cache_value:
                return [self._answer(request, handle, known, now)], False
        question = self._questions.get(handle)
        new = question is None
        if question is None:
            question = self._questions[handle] = _Question(items=items)
        elif question.items is not None:
            question.items = None if items is None else max(items, question.items)
        question.waiting[request] = deadline
        return [], new

    def subscribe(self, handle: bytes, now: float, items: int | None) -> bool:
        """Keep the pool up to date from now on; whether a question has to be asked now."""
        if handle in self._subscriptions:
            return False
        self._subscriptions[handle] = _Subscription(items, FIRST_PAUSE)
        if handle in self._questions:
            # The question under way was sent without the S bit: ask once more.
            self._questions[handle].items = items
            return True
        self._questions[handle] = _Question(items=items)
        return True

    def unsubscribe(self, handle: bytes) -> None:
        """Changes of the pool are of no interest any more."""
        self._subscriptions.pop(handle, None)

    def cancel(self, request: Hashable) -> None:
        """Nobody waits for this request any more."""
        for question in self._questions.values():
            question.waiting.pop(request, None)

    def suspect(self, handle: bytes, identifier: int, now: float) -> bool:
        """An element could not be reached: it comes last for a while; whether it should be reported (3.5: once)."""
        key = (handle, identifier)
        until = self._suspects.get(key, now)
        self._suspects[key] = now + 2 * self._profile.keep_alive_timeout
        return until <= now

    # What happens

    def question(self, handle: bytes, now: float) -> asap.HandleResolution:
        """NR1, NR4: the message to send to the home registrar now; T1 starts."""
        question = self._questions[handle]
        question.sent += 1
        question.again_at = None
        question.answer_by = now + self._profile.t1_enrp_request
        return asap.HandleResolution(handle, handle in self._subscriptions, question.items)

    def open_questions(self) -> list[bytes]:
        """Handles that a new home registrar must be asked about, subscriptions included."""
        for handle, subscription in self._subscriptions.items():
            if not subscription.armed and handle not in self._questions:
                self._questions[handle] = _Question(items=subscription.items)
        return list(self._questions)

    def home_lost(self, now: float) -> list[Outcome]:
        """Subscriptions are gone; who can be served from the cache is, the others wait for the next registrar."""
        for subscription in self._subscriptions.values():
            subscription.armed = False
            subscription.again_at = None
        outcomes: list[Outcome] = []
        for handle, question in list(self._questions.items()):
            question.answer_by = None
            outcomes += self._last_known_good(handle, question, now)
        return outcomes

    def response(self, message: asap.HandleResolutionResponse, now: float) -> list[Outcome]:
        """An ASAP_HANDLE_RESOLUTION_RESPONSE arrived: an answer, an update, or both."""
        handle = message.handle
        cause = message.causes[0].code if message.causes else None
        if cause is None and message.elements:
            return self._positive(handle, message, now)
        question = self._questions.get(handle)
        if cause == CauseCode.LACK_OF_RESOURCES and question is not None and question.waiting:
            # Not ready, or too busy: ask again, until the deadlines of those who wait.
            question.answer_by = None
            question.again_at = now + min(FIRST_PAUSE * 2 ** min(question.sent, 8), LONGEST_PAUSE)
            return self._last_known_good(handle, question, now)
        self._questions.pop(handle, None)
        self._cache.pop(handle, None)
        outcomes: list[Outcome] = []
        if question is not None:
            unspecified = CauseCode.UNSPECIFIED if cause is None else cause
            for request in question.waiting:
                error = UnknownPool(handle) if cause == CauseCode.UNKNOWN_POOL_HANDLE else Rejected(unspecified)
                outcomes.append(ResolutionFailed(request, handle, error))
        subscription = self._subscriptions.get(handle)
        if subscription is not None:
            # 2.2.5: no updates follow a negative response: ask again until the pool exists.
            subscription.armed = False
            subscription.again_at = now + subscription.pause
            subscription.pause = min(subscription.pause * 2, LONGEST_PAUSE)
            outcomes += self._show(handle, subscription, 0, None)
        return outcomes

    def tick(self, now: float) -> tuple[list[Outcome], list[bytes], bool]:
        """Do what is due.

        @return: outcomes, the handles to ask about now, and whether the home registrar failed to answer (T1).
        """
        outcomes: list[Outcome] = []
        ask: list[bytes] = []
        silent = False
        for handle, question in list(self._questions.items()):
            for request, deadline in list(question.waiting.items()):
                if now >= deadline:
                    del question.waiting[request]
                    outcomes.append(ResolutionFailed(request, handle, NoRegistrar("no registrar answered in time")))
            if not question.waiting and handle not in self._subscriptions:
                del self._questions[handle]
            elif question.answer_by is not None and now >= question.answer_by:
                silent = True
                question.answer_by = None
                outcomes += self._last_known_good(handle, question, now)
                if question.sent > self._profile.max_request_retransmit and handle not in self._subscriptions:
                    # 3.7.2: after MAX-REQUEST-RETRANSMIT the request is given up.
                    del self._questions[handle]
                    for request in question.waiting:
                        error = NoRegistrar(f"no registrar answered {question.sent} requests")
                        outcomes.append(ResolutionFailed(request, handle, error))
            elif question.again_at is not None and now >= question.again_at:
                ask.append(handle)
        for handle, subscription in self._subscriptions.items():
            if subscription.again_at is not None and now >= subscription.again_at:
                subscription.again_at = None
                if handle not in self._questions:
                    self._questions[handle] = _Question(items=subscription.items)
                    ask.append(handle)
        self._suspects = {key: until for key, until in self._suspects.items() if until > now}
        return outcomes, ask, silent

    def next_deadline(self) -> float | None:
        """When C{tick} must be called next (monotonic seconds), or None."""
        deadlines: list[float] = []
        for question in self._questions.values():
            deadlines += question.waiting.values()
            deadlines += [when for when in (question.answer_by, question.again_at) if when is not None]
        deadlines += [s.again_at for s in self._subscriptions.values() if s.again_at is not None]
        return min(deadlines, default=None)

    def _positive(self, handle: bytes, message: asap.HandleResolutionResponse, now: float) -> list[Outcome]:
        # 2.2.6: without the parameter the overall policy is round robin.
        policy = ROUND_ROBIN.number if message.policy is None else message.policy.type
        known = self._cache.get(handle)
        turn = known.turn if known is not None and known.elements == message.elements else 0
        known = self._cache[handle] = _Known(policy, message.elements, now, turn)
        question = self._questions.pop(handle, None)
        outcomes: list[Outcome] = []
        if question is not None:
            outcomes += [self._answer(request, handle, known, now) for request in question.waiting]
        subscription = self._subscriptions.get(handle)
        if subscription is not None:
            subscription.armed = message.accepted
            subscription.pause = FIRST_PAUSE
            subscription.again_at = None if message.accepted else now + self._profile.stale_cache_value
            outcomes += self._show(handle, subscription, policy, message.elements)
        return outcomes

    def _answer(self, request: Hashable, handle: bytes, known: _Known, now: float) -> Resolved:
        policy = POLICIES.get(known.policy, ROUND_ROBIN)
        order = policy.user_order(known.elements, known.turn, self._random)
        known.turn += 1
        if self._suspects:
            order.sort(key=lambda element: self._suspects.get((handle, element.identifier), 0.0) > now)
        return Resolved(request, handle, known.policy, tuple(order), now - known.received)

    def _last_known_good(self, handle: bytes, question: _Question, now: float) -> list[Outcome]:
        known = self._cache.get(handle)
        if known is None:
            return []
        outcomes: list[Outcome] = [self._answer(request, handle, known, now) for request in question.waiting]
        question.waiting.clear()
        return outcomes

    def _show(
        self, handle: bytes, subscription: _Subscription, policy: int, elements: tuple[PoolElement, ...] | None
    ) -> list[Outcome]:
        shown = None if elements is None else {element.identifier: element for element in elements}
        if subscription.told and shown == subscription.shown:
            return []
        subscription.shown, subscription.told = shown, True
        return [PoolChanged(handle, policy, elements)]
