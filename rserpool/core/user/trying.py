"""Try the elements of a pool until one accepts (RFC 5352 sections 3.3, 3.5 and 6.5.1).

Who is next, how long an attempt may take, who is reported, when all may be tried again, and what is said at the end.
L{Trying} decides and does nothing: its caller does what L{Trying.next} says, tells it what came of that, and calls it
again. L{try_elements} is such a caller.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol, TypeAlias, TypeVar

from rserpool.core.backoff import Backoff
from rserpool.core.errors import ImpossibleEvent, NoElement, RSerPoolError, SctpUnavailable
from rserpool.core.frozen import frozen
from rserpool.core.handles import handle_text
from rserpool.core.profiles import Profile
from rserpool.core.user.places import describe
from rserpool.core.wire.parameters import PoolElementParameter

GRACE = 30.0
"""Seconds that what was accepted may still take, when who serves it leaves the pool, where nothing else is said."""
TIMEOUT = 30.0
"""Seconds until nobody is tried any more, where nothing else is said."""
PAUSES = Backoff(0.05, 1.0)
"""Seconds before all are tried again, when all have failed."""

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class PassedOver(Exception):
    """An element may be alive, and cannot be used here: it is not reported, and the next one is tried."""


class NotAccepted(Exception):
    """An element did not accept: it is reported (RFC 5352 section 3.5), and the next one is tried."""


@frozen
class Rules:
    """How long and how often elements are tried; times are seconds.

    @ivar attempt: how long one element may take to accept.
    @ivar timeout: how long all of it may take.
    @ivar again: how long asking again may take, when all have failed.
    @ivar pauses: before all are tried again; None if no element is tried twice.
    @ivar attempts: so many elements are tried at most.
    @ivar hopeful: go on until the time is over, also while the pool is empty, or none of its elements can be used.
    @ivar each: ask again after each element that failed, not after all.
    """

    attempt: float = math.inf
    timeout: float = TIMEOUT
    again: float = math.inf
    pauses: Backoff | None = PAUSES
    attempts: float = math.inf
    hopeful: bool = False
    each: bool = False


def rules_of(profile: Profile, timeout: float, attempt: float | None) -> Rules:
    """The rules of whoever connects: each element is tried again and again until C{timeout}, for T1 or C{attempt}."""
    t1 = profile.t1_enrp_request
    return Rules(t1 if attempt is None else attempt, timeout, 2 * t1)


@frozen
class Words:
    """How it is said that nobody accepts: C{no element of pool 'x' could be used: 0x00000001 at ...: why; ...}.

    @ivar error: what is raised with the sentence.
    @ivar verb: its middle.
    @ivar nothing: its end, where nobody was tried.
    @ivar name: what an element is called.
    """

    error: Callable[[str], RSerPoolError] = NoElement
    verb: str = "could be used"
    nothing: str = "there was no time"
    name: Callable[[PoolElementParameter], str] = describe

    def sentence(self, handle: bytes, tried: Mapping[str, str]) -> str:
        """Nobody of a pool accepts; C{tried} is why, by the name of who was tried."""
        return f"no element of pool {handle_text(handle)!r} {self.verb}: {self.reasons(tried)}"

    def reasons(self, tried: Mapping[str, str]) -> str:
        """Its end."""
        return "; ".join(f"{who}: {why}" for who, why in tried.items()) or self.nothing


COULD_BE_USED = Words()


# What a caller is to do next


@frozen
class Ask:
    """Resolve the pool; L{Trying.resolved} or L{Trying.unresolved} follows.

    @ivar seconds: how long that may take.
    @ivar fresh: whether the registrar itself must answer, and no cache.
    """

    seconds: float
    fresh: bool


@frozen
class Attempt:
    """Try this element for so many seconds; if it does not accept, L{Trying.failed} or L{Trying.passed} follows."""

    element: PoolElementParameter
    seconds: float


@frozen
class Report:
    """3.5: tell the registrar that the element is unreachable."""

    element: PoolElementParameter


@frozen
class Pause:
    """All have failed: do nothing for so many seconds."""

    seconds: float


@frozen
class GiveUp:
    """Nobody accepts."""

    error: RSerPoolError


Step: TypeAlias = Ask | Attempt | Report | Pause | GiveUp


class Trying:
    """One search for an element of one pool that accepts.

    @param now: monotonic seconds.
    @param first: an element that is tried before anybody is asked.
    @ivar element: who was tried last.
    @ivar tried: what was tried, by name, and why it is of no use.
    @ivar reason: at the end why nobody accepts, without the pool's name.
    """

    def __init__(
        self,
        handle: bytes,
        rules: Rules,
        now: float,
        *,
        words: Words = COULD_BE_USED,
        first: PoolElementParameter | None = None,
    ) -> None:
        self.handle = handle
        self.element: PoolElementParameter | None = None
        self.tried: dict[str, str] = {}
        self._rules = rules
        self._words = words
        self._to_report: PoolElementParameter | None = None
        self._over: RSerPoolError | None = None
        self.reason = ""
        self.begin(now)
        if first is not None:
            self._waiting.append(first)

    def begin(self, now: float) -> None:
        """The time counts from now, and the pool is resolved anew; what was tried before is still told at the end."""
        self._deadline = now + self._rules.timeout
        self._pause = 0.0
        self._waiting: list[PoolElementParameter] = []
        self._used: set[int] = set()
        self._known: tuple[PoolElementParameter, ...] | None = None
        self._ask = True
        self._hope = False

    def next(self, now: float) -> Step:
        """What is to be done now."""
        if self._to_report is not None:
            element, self._to_report = self._to_report, None
            return Report(element)
        if self._over is not None:
            return GiveUp(self._over)
        rules, left = self._rules, max(0.0, self._deadline - now)
        if len(self._used) >= rules.attempts:
            return self._give_up()
        if self._waiting and left:
            self.element = self._waiting.pop(0)
            self._used.add(self.element.identifier)
            return Attempt(self.element, min(left, rules.attempt))
        if self._ask:
            return Ask(left, False) if self._known is None else Ask(min(left, rules.again), True)
        if rules.pauses is None or not (self._hope or rules.hopeful):
            return self._give_up()
        self._pause = rules.pauses.after(self._pause)
        if left <= self._pause:
            return self._give_up()
        self._ask = True
        return Pause(self._pause)

    def resolved(self, elements: Sequence[PoolElementParameter]) -> None:
        """The pool has these elements, in the order in which to try them."""
        self._known = tuple(elements)
        once = self._rules.pauses is None
        self._waiting = [each for each in elements if not (once and each.identifier in self._used)]
        self._ask = self._hope = False

    def unresolved(self, error: RSerPoolError) -> None:
        """The pool could not be resolved. Those that it had are tried again if it was resolved before."""
        if self._rules.hopeful:
            self.tried["the registrar"] = str(error)
            self.resolved(())
        elif self._known is None:
            self._over = error
        else:
            self.resolved(self._known)

    def failed(self, why: str) -> None:
        """The element that was tried last is of no use, and the registrar should hear of it."""
        self.passed(why)
        self._to_report, self._hope = self.element, True

    def passed(self, why: str) -> None:
        """The element that was tried last cannot be used here, and is not to be blamed."""
        if self.element is None:
            raise ImpossibleEvent("a search in which nobody was tried", why)
        self.tried[self._words.name(self.element)] = why
        if self._rules.each:
            self.ask_again()

    def reorder(self, elements: Sequence[PoolElementParameter]) -> None:
        """Try those that are still to be tried in this order, and no others."""
        waiting = {each.identifier for each in self._waiting}
        self._waiting = [each for each in elements if each.identifier in waiting]

    def ask_again(self) -> None:
        """Nobody of those that are still to be tried will do: the next step is to ask the registrar."""
        self._waiting, self._pause, self._ask = [], 0.0, True

    def give_up(self, error: RSerPoolError, reason: str = "") -> None:
        """Nobody will do, for a reason of the caller's own: the next step is to L{GiveUp}."""
        self._over, self.reason = error, reason or str(error)

    def sentence(self) -> str:
        """What was tried, and why it is of no use."""
        return self._words.sentence(self.handle, self.tried)

    def _give_up(self) -> GiveUp:
        error = self._words.error(self.sentence())
        self.give_up(error, self._words.reasons(self.tried))
        return GiveUp(error)


# A caller


class Hands(Protocol[T_co]):
    """What is done for a L{Trying}: with Twisted, with asyncio, or by a thread that blocks."""

    def now(self) -> float:
        """Monotonic seconds."""

    def resolve(self, seconds: float, fresh: bool) -> Awaitable[Sequence[PoolElementParameter]]:
        """See L{Ask}; fails with an L{RSerPoolError}."""

    def attempt(self, element: PoolElementParameter, seconds: float) -> Awaitable[T_co]:
        """See L{Attempt}; fails with L{NotAccepted}, or L{PassedOver}."""

    def report(self, element: PoolElementParameter) -> None:
        """See L{Report}."""

    def pause(self, seconds: float) -> Awaitable[object]:
        """See L{Pause}."""


async def try_elements(trying: Trying, hands: Hands[T]) -> T:
    """Do what C{trying} says, until an element accepts.

    @raise RSerPoolError: if nobody does: that of L{GiveUp}.
    """
    while True:
        match trying.next(hands.now()):
            case Ask(seconds, fresh):
                try:
                    elements = await hands.resolve(seconds, fresh)
                except RSerPoolError as error:
                    trying.unresolved(error)
                else:
                    trying.resolved(elements)
            case Attempt(element, seconds):
                try:
                    return await hands.attempt(element, seconds)
                except (PassedOver, SctpUnavailable) as error:
                    trying.passed(str(error))
                except NotAccepted as error:
                    trying.failed(str(error))
            case Report(element):
                hands.report(element)
            case Pause(seconds):
                await hands.pause(seconds)
            case GiveUp(error):
                raise error
