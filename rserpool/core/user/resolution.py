"""Handle resolution as a pool user does it, with its cache (RFC 5352 sections 3.3 and 3.7.2).

Pure bookkeeping: what is known of each pool, who waits for it, and what must be asked. It never sends.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from rserpool.core.dice import Dice
from rserpool.core.errors import CauseCode, NoRegistrar, Rejected, RSerPoolError, UnknownPool
from rserpool.core.policies import POLICIES, ROUND_ROBIN
from rserpool.core.profiles import Profile
from rserpool.core.user.questions import (
    FIRST_PAUSE,
    LATE,
    LONGEST_PAUSE,
    NOT_YET,
    Known,
    Question,
    Subscription,
    Waiting,
    covers,
)
from rserpool.core.wire import asap
from rserpool.core.wire.parameters import PoolElementParameter


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
    elements: tuple[PoolElementParameter, ...]
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
    elements: tuple[PoolElementParameter, ...] | None


Outcome = Resolved | ResolutionFailed | PoolChanged


class Resolution:
    """The cache of one pool user, its open questions and its subscriptions."""

    def __init__(self, profile: Profile, random: Dice) -> None:
        self._profile = profile
        self._random = random
        self._cache: dict[bytes, Known] = {}
        self._questions: dict[bytes, Question] = {}
        self._subscriptions: dict[bytes, Subscription] = {}
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
        waiting = Waiting(deadline, items, fresh)
        known = self._cache.get(handle)
        if known is not None and not fresh:
            subscription = self._subscriptions.get(handle)
            current = subscription is not None and subscription.armed
            current = current or now < known.received + self._profile.stale_cache_value
            if not at_home or (current and known.serves(items)):
                return [self._answer(request, handle, known, items, now)], False
        question = self._questions.setdefault(handle, Question())
        question.waiting[request] = waiting
        pending = question.again_at is not None or any(covers(asked, items) for asked in question.asked)
        return [], not pending

    def subscribe(self, handle: bytes, now: float, items: int | None) -> bool:
        """Keep the pool up to date from now on; whether a question has to be asked now."""
        if handle in self._subscriptions:
            return False
        self._subscriptions[handle] = Subscription(items, FIRST_PAUSE)
        # A question under way was sent without the S bit: ask once more.
        self._questions.setdefault(handle, Question())
        return True

    def unsubscribe(self, handle: bytes) -> None:
        """Changes of the pool are of no interest any more."""
        self._subscriptions.pop(handle, None)
        self._settle(handle)

    def cancel(self, request: Hashable) -> None:
        """Nobody waits for this request any more."""
        for handle, question in list(self._questions.items()):
            if question.waiting.pop(request, None) is not None:
                self._settle(handle)

    def known(self, handle: bytes) -> tuple[PoolElementParameter, ...] | None:
        """The elements of a pool as the cache has them, in the order of the last answer; None if it has none."""
        known = self._cache.get(handle)
        return None if known is None else known.elements

    def purge(self, handle: bytes) -> None:
        """6.4: forget what is known of a pool; a subscription shows it on."""
        self._cache.pop(handle, None)

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
        subscription = self._subscriptions.get(handle)
        wanted = [waiting.items for waiting in question.waiting.values()]
        if subscription is not None:
            # Its answer will be taken for the state of the pool, too.
            wanted.append(subscription.items)
        numbers = [items for items in wanted if items is not None]
        items = max(numbers) if numbers and len(numbers) == len(wanted) else None
        question.asked.append(items)
        question.again_at = None
        question.answer_by = now + self._profile.t1_enrp_request
        question.patience = LATE
        question.late_at = now + LATE
        return asap.HandleResolution(handle, subscription is not None, items)

    def open_questions(self) -> list[bytes]:
        """Handles that a new home registrar must be asked about, subscriptions included."""
        for handle, subscription in self._subscriptions.items():
            if not subscription.armed:
                self._questions.setdefault(handle, Question())
        return list(self._questions)

    def home_lost(self, now: float) -> list[Outcome]:
        """Subscriptions are gone; who can be served from the cache is, the others wait for the next registrar."""
        for subscription in self._subscriptions.values():
            subscription.armed = False
            subscription.again_at = None
        for known in self._cache.values():
            known.moved = True
        outcomes: list[Outcome] = []
        for handle, question in list(self._questions.items()):
            question.unsent()
            outcomes += self._last_known_good(handle, question, now)
            self._settle(handle)
        return outcomes

    def response(self, message: asap.HandleResolutionResponse, now: float) -> list[Outcome]:
        """An ASAP_HANDLE_RESOLUTION_RESPONSE arrived: an answer, an update, or both."""
        handle = message.handle
        cause = message.causes[0].code if message.causes else None
        question = self._questions.get(handle)
        if cause is None and message.elements:
            outcomes = self._positive(handle, message, question, now)
        elif cause == CauseCode.LACK_OF_RESOURCES:
            outcomes = self._not_now(handle, question, now)
        else:
            outcomes = self._negative(handle, CauseCode.UNSPECIFIED if cause is None else cause, question, now)
        self._settle(handle)
        return outcomes

    def late(self, now: float) -> bool:
        """Whether an answer is late: noticed again and again, each time after twice as long."""
        found = False
        for question in self._questions.values():
            if question.late_at is not None and now >= question.late_at:
                question.late_at = now + question.patience if question.asked else None
                question.patience *= 2
                found = found or bool(question.asked)
        return found

    def tick(self, now: float) -> tuple[list[Outcome], list[bytes], bool]:
        """Do what is due.

        @return: outcomes, the handles to ask about now, and whether the home registrar failed to answer (T1).
        """
        outcomes: list[Outcome] = []
        ask: list[bytes] = []
        silent = False
        for handle, question in list(self._questions.items()):
            if question.waiting:
                outcomes += self._overdue(handle, question, now)
            if question.answer_by is not None and now >= question.answer_by:
                question.unsent()
                question.unanswered += 1
                # Nobody is waiting: its silence is not worth a hunt.
                silent = silent or bool(question.waiting) or handle in self._subscriptions
                outcomes += self._last_known_good(handle, question, now)
                if question.unanswered > self._profile.max_request_retransmit:
                    # 3.7.2: after MAX-REQUEST-RETRANSMIT the request is given up.
                    error = NoRegistrar(f"no registrar answered {question.unanswered} requests")
                    outcomes += self._fail(handle, question, error)
            elif question.again_at is not None and now >= question.again_at:
                ask.append(handle)
            self._settle(handle)
        for handle, subscription in self._subscriptions.items():
            if subscription.again_at is not None and now >= subscription.again_at:
                subscription.again_at = None
                if handle not in self._questions:
                    self._questions[handle] = Question()
                    ask.append(handle)
        self._suspects = {key: until for key, until in self._suspects.items() if until > now}
        return outcomes, [handle for handle in ask if handle in self._questions], silent

    def next_deadline(self) -> float | None:
        """When C{tick} must be called next (monotonic seconds), or None."""
        deadlines: list[float] = []
        for question in self._questions.values():
            deadlines += [waiting.deadline for waiting in question.waiting.values()]
            due = (question.answer_by, question.again_at, question.late_at)
            deadlines += [when for when in due if when is not None]
        deadlines += [s.again_at for s in self._subscriptions.values() if s.again_at is not None]
        return min(deadlines, default=None)

    # The three kinds of response

    def _positive(
        self, handle: bytes, message: asap.HandleResolutionResponse, question: Question | None, now: float
    ) -> list[Outcome]:
        # 2.2.6: without the parameter the overall policy is round robin.
        policy = ROUND_ROBIN.number if message.policy is None else message.policy.type
        subscription = self._subscriptions.get(handle)
        items = subscription.items if subscription is not None else len(message.elements)
        if question is not None and question.asked:
            items = question.asked.pop(0)
        known = self._cache.get(handle)
        turn = known.turn if known is not None and known.elements == message.elements else 0
        known = self._cache[handle] = Known(policy, message.elements, now, items, turn)
        outcomes: list[Outcome] = []
        if question is not None:
            question.unanswered = question.refused = 0
            question.again_at = None
            for request, waiting in list(question.waiting.items()):
                # Who wants more than this request asked for waits for the answer of the next.
                if not question.asked or known.serves(waiting.items):
                    del question.waiting[request]
                    outcomes.append(self._answer(request, handle, known, waiting.items, now))
        if subscription is not None and known.serves(subscription.items):
            subscription.armed = message.accepted
            subscription.pause = FIRST_PAUSE
            subscription.again_at = None if message.accepted else now + self._profile.stale_cache_value
            outcomes += self._show(handle, subscription, policy, message.elements)
        return outcomes

    def _not_now(self, handle: bytes, question: Question | None, now: float) -> list[Outcome]:
        """Not ready, or too busy: this says nothing about the pool. Ask again, until nobody waits any more."""
        subscription = self._subscriptions.get(handle)
        if subscription is not None:
            subscription.armed = False
        if question is None:
            if subscription is not None:
                subscription.ask_later(now)
            return []
        question.unsent()
        question.unanswered = 0
        question.again_at = now + min(FIRST_PAUSE * 2 ** min(question.refused, 8), LONGEST_PAUSE)
        question.refused += 1
        return self._last_known_good(handle, question, now)

    def _negative(self, handle: bytes, cause: int, question: Question | None, now: float) -> list[Outcome]:
        unknown = cause == CauseCode.UNKNOWN_POOL_HANDLE
        if unknown and self._not_yet(handle, now):
            return self._not_now(handle, question, now)
        self._cache.pop(handle, None)
        outcomes: list[Outcome] = []
        if question is not None:
            question.unsent()
            outcomes += self._fail(handle, question, UnknownPool(handle) if unknown else Rejected(cause))
        subscription = self._subscriptions.get(handle)
        if subscription is not None:
            # 2.2.5: no updates follow a negative response: ask again until the pool exists.
            self._questions.pop(handle, None)
            subscription.ask_later(now)
            if unknown:
                outcomes += self._show(handle, subscription, 0, None)
        return outcomes

    def _not_yet(self, handle: bytes, now: float) -> bool:
        """Whether a pool that this registrar does not know, and an earlier one did, may still come back."""
        known = self._cache.get(handle)
        if known is None or not known.moved:
            return False
        if known.unknown_since is None:
            known.unknown_since = now
        return now < known.unknown_since + NOT_YET

    # Who is told what

    def _answer(self, request: Hashable, handle: bytes, known: Known, items: int | None, now: float) -> Resolved:
        policy = POLICIES.get(known.policy, ROUND_ROBIN)
        order = policy.user_order(known.elements, known.turn, self._random)
        known.turn += 1
        if self._suspects:
            order.sort(key=lambda element: self._suspects.get((handle, element.identifier), 0.0) > now)
        return Resolved(request, handle, known.policy, tuple(order[:items]), now - known.received)

    def _last_known_good(self, handle: bytes, question: Question, now: float) -> list[Outcome]:
        known = self._cache.get(handle)
        if known is None:
            return []
        outcomes: list[Outcome] = []
        for request, waiting in list(question.waiting.items()):
            if not waiting.fresh:
                del question.waiting[request]
                outcomes.append(self._answer(request, handle, known, waiting.items, now))
        return outcomes

    def _overdue(self, handle: bytes, question: Question, now: float) -> list[Outcome]:
        """Those whose deadline has come: the last known good is better than nothing."""
        known = self._cache.get(handle)
        outcomes: list[Outcome] = []
        for request, waiting in list(question.waiting.items()):
            if now < waiting.deadline:
                continue
            del question.waiting[request]
            if known is not None and not waiting.fresh:
                outcomes.append(self._answer(request, handle, known, waiting.items, now))
            elif question.refused:
                outcomes.append(ResolutionFailed(request, handle, Rejected(CauseCode.LACK_OF_RESOURCES)))
            else:
                outcomes.append(ResolutionFailed(request, handle, NoRegistrar("no registrar answered in time")))
        return outcomes

    @staticmethod
    def _fail(handle: bytes, question: Question, error: RSerPoolError) -> list[Outcome]:
        requests, question.waiting = question.waiting, {}
        return [ResolutionFailed(request, handle, error) for request in requests]

    def _show(
        self, handle: bytes, subscription: Subscription, policy: int, elements: tuple[PoolElementParameter, ...] | None
    ) -> list[Outcome]:
        shown = None if elements is None else {element.identifier: element for element in elements}
        if subscription.told and shown == subscription.shown:
            return []
        subscription.shown, subscription.told = shown, True
        return [PoolChanged(handle, policy, elements)]

    def _settle(self, handle: bytes) -> None:
        """A question is over when nobody waits and no answer is due."""
        question = self._questions.get(handle)
        if question is None or question.waiting or question.asked:
            return
        subscription = self._subscriptions.get(handle)
        if subscription is None or subscription.armed or subscription.again_at is not None:
            del self._questions[handle]
