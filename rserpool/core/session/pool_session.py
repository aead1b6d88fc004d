"""A session between a pool user and a pool: it outlives its element (RFC 5352 sections 3.8, 3.9, 6.5 and 6.9).

Messages and time go in, effects come out. How far it is on its way from element to element is a state of
L{rserpool.core.session.failover}; here is what is taken along: the cookie, and the order of the business card. What is
said to the elements is its L{Exchange}.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import Final

from rserpool.core.deadlines import Deadlines
from rserpool.core.errors import CauseCode, ElementError, RSerPoolError, SessionEnded, UnknownPool
from rserpool.core.handles import handle_text, printable
from rserpool.core.session import failover
from rserpool.core.session.effects import (
    Answered,
    Dial,
    HangUp,
    Notice,
    Over,
    SayGoodbye,
    SendControl,
    Served,
    SessionEffect,
    Unanswered,
)
from rserpool.core.session.exchange import Exchange
from rserpool.core.session.failover import Action, LinkLost
from rserpool.core.session.lateness import LATENESS
from rserpool.core.session.retired import Retired
from rserpool.core.session.retirement import Retirement
from rserpool.core.session.successors import Successors, name
from rserpool.core.session.traits import Traits
from rserpool.core.user.trying import GRACE, Ask, Attempt, GiveUp, Report, Rules, Trying, Words
from rserpool.core.wire import asap
from rserpool.core.wire.causes import request_failure
from rserpool.core.wire.parameters import PoolElementParameter

LEAVING = 1.0
"""Seconds that an element which was removed has for the answers that nobody else may give."""
WAY: Final = "way"
LEAVE: Final = "leave"


class PoolSession:
    """One session of one user.

    Every method that takes C{now} (monotonic seconds) returns the effects that the caller must perform, in order.

    @param attempt: seconds that one element may take to accept, and to say hello.
    @param patience: seconds that the session may be without an element.
    @param repeat: whether requests are repeated after a failover, where nothing else is said.
    @param attempts: a request that so many elements broke over is given to no other.
    @param silence: seconds after which an element that owes an answer and says nothing has failed; None for never.
    @param grace: seconds that an element which leaves the pool has for what it was asked.
    @param card: our own pool, if we are an element ourselves (3.9).
    @ivar exchange: what is said to whoever serves.
    @ivar element: who serves now.
    @ivar last: who served last.
    @ivar cookie: the last cookie that an element left here.
    """

    def __init__(
        self,
        handle: bytes,
        *,
        attempt: float = 1.0,
        patience: float = 30.0,
        repeat: bool = False,
        attempts: int = 3,
        silence: float | None = None,
        grace: float = GRACE,
        card: asap.BusinessCard | None = None,
    ) -> None:
        self.handle = handle
        self.element: PoolElementParameter | None = None
        self.last: PoolElementParameter | None = None
        self.cookie: bytes | None = None
        self.card = card
        self._deadlines: Deadlines[int | str | Retired] = Deadlines()
        self.exchange = Exchange(self._deadlines, repeat=repeat, attempts=attempts, silence=silence)
        self.retirement = Retirement(self.exchange, self._deadlines, grace)
        self._state: failover.State = failover.Seeking()
        self._attempt = attempt
        words = Words(SessionEnded, f"could be used for {patience:g} s", "none was found", name)
        self._trying = Trying(handle, Rules(attempt, patience, hopeful=True), 0.0, words=words)
        self._successors = Successors(handle)
        self._echoed = self._leaving = self._finishes = False

    @property
    def state(self) -> failover.State:
        """How far it is."""
        return self._state

    @property
    def plain(self) -> bool:
        """Whether messages of the element cannot be answers, so that they need not come through L{data}."""
        return type(self._state) is failover.Serving and not self.exchange.requests.owed

    # What the application wants

    def open(self, now: float) -> list[SessionEffect]:
        """Find the first element."""
        self._trying.begin(now)
        return self._step(self._trying.next(now), now)

    def introduce(self, card: asap.BusinessCard) -> list[SessionEffect]:
        """3.9: our own pool has changed; we are an element ourselves."""
        self.card = card
        return [SendControl(card)] if self.element is not None and self.exchange.traits.control else []

    def close(self, now: float) -> list[SessionEffect]:
        """The application wants no more."""
        return self._step(failover.Stop(), now)

    # What happens

    def resolved(self, elements: Sequence[PoolElementParameter], now: float) -> list[SessionEffect]:
        """The pool is resolved."""
        return self._step(failover.Found(tuple(elements)), now)

    def unresolved(self, error: RSerPoolError, now: float) -> list[SessionEffect]:
        """The pool could not be resolved."""
        return self._step(failover.NotFound(error), now)

    def connected(self, traits: Traits, now: float) -> list[SessionEffect]:
        """The element that was dialled has accepted, and said hello if it does so."""
        return self._step(failover.Connected(traits), now)

    def failed(self, reason: str, now: float, *, broken: bool = True) -> list[SessionEffect]:
        """The attempt failed, or the connection is lost; C{broken}: whether the registrar should hear of it."""
        return self._step(LinkLost(reason, broken), now)

    def removed(self, now: float, dead: bool = True) -> list[SessionEffect]:
        """The registrar has removed the element that serves; C{dead}: it did not answer.

        It goes on elsewhere at once; if the element died and only it may answer what it was asked, within L{LEAVING}
        seconds. One that left by itself answers all (L{Retirement}); with a cookie that is waited for: the last counts.
        """
        if self.element is None or self._leaving:
            return []
        self._finishes = not dead and self.exchange.requests.asked > 0
        if self._finishes and self.cookie is None:
            return [self.retirement.begin(now), *self.failed("it leaves the pool", now, broken=False)]
        self._leaving = True
        self.exchange.hold()
        self._deadlines.set(LEAVE, now + (self.retirement.grace if self._finishes else LEAVING))
        return self._leave(now)

    def control(self, message: asap.Message, now: float) -> list[SessionEffect]:
        """An ASAP message came on the control channel."""
        match message:
            case asap.Cookie(cookie=cookie):
                # 3.8: the last one counts.
                self.cookie = cookie
                self._successors.refusals.clear()
                self.exchange.requests.progressed()
            case asap.BusinessCard():
                if not self._successors.card(message):
                    pool = handle_text(message.handle)
                    return [Notice(f"{self._present()} sent a business card of another pool, {pool!r}: ignored")]
                self._trying.reorder(self._successors.candidates())
            case asap.Error(causes=causes) if (failure := request_failure(causes)) is not None:
                return self.reply(failure[0], b"", now, failure[1])
            case asap.Error(causes=causes):
                for cause in causes:
                    if cause.code == CauseCode.REJECTED_FOR_SECURITY and self._echoed:
                        return self._refused(printable(cause.information.decode("utf-8", "replace")), now)
                return [Notice(f"{self._present()} reports an error: {', '.join(str(each.code) for each in causes)}")]
        return []

    def data(self, data: bytes, now: float) -> list[SessionEffect]:
        """A message came; it may be the answer of an element that knows no numbers."""
        self.exchange.lateness.heard(now)
        return [*self._progress(now), *self.exchange.message(data)]

    def reply(self, number: int, data: bytes, now: float, failed: str | None = None) -> list[SessionEffect]:
        """An answer with a number came; or, in its place, why the element's application C{failed} at the request."""
        self.exchange.lateness.heard(now)
        error = None if failed is None else ElementError(f"{self._present()}: {failed}")
        request = self.exchange.requests.answered(number)
        effects = self._progress(now)
        if request is not None:  # else its deadline has passed, or it was cancelled
            effects.append(Answered(request.token, data) if error is None else Unanswered(request.token, error))
        return [*effects, *self._leave(now)]

    def taken(self, number: int, now: float) -> Hashable | None:
        """The same as L{reply} where the session goes on undisturbed: a short way.

        @return: the token of the request that is answered; None if it is not so, and nothing was done.
        """
        if type(self._state) is not failover.Serving or self._leaving:
            return None
        exchange = self.exchange
        exchange.lateness.heard(now)
        request = exchange.requests.answered(number)
        return None if request is None else request.token

    def tick(self, now: float) -> list[SessionEffect]:
        """Do what is due; to be called at L{next_deadline}."""
        effects: list[SessionEffect] = []
        for key in self._deadlines.due(now):
            if isinstance(key, int):
                effects += self.exchange.overdue(key)
            elif key == WAY:
                effects += self._step(failover.TimeOut(), now)
            elif key == LEAVE:
                effects += self._leave(now, True)
            elif isinstance(key, Retired):
                effects += self.retirement.gone(key, now, broken=False)
            elif key == LATENESS and self.exchange.requests.asked:
                effects += self._late(now)
        return effects + self.retirement.tidy() + self._leave(now)

    def next_deadline(self) -> float | None:
        """When L{tick} must be called next (monotonic seconds), or None."""
        return self._deadlines.next()

    # Its state

    def _step(self, event: failover.Event, now: float) -> list[SessionEffect]:
        before = self._state
        self._state, actions = failover.step(before, event, now)
        if self._state is not before:
            when = failover.deadline(self._state)
            self._deadlines.set(WAY, math.inf if when is None else when)
        effects: list[SessionEffect] = []
        for action in actions:
            effects += self._perform(action, before, event, now)
        return effects

    def _perform(
        self, action: Action, before: failover.State, event: failover.Event, now: float
    ) -> Sequence[SessionEffect]:
        match action, event:
            case Action.BEGIN, _:
                self._trying.begin(now)
            case Action.LEARN, _:
                self._learn(event, isinstance(before, failover.Resolving) and before.fresh)
            case Action.BLAME, LinkLost(why, broken):
                (self._trying.failed if broken else self._trying.passed)(why)
            case Action.BLAME, _:
                self._trying.failed(f"no answer within {self._attempt:g} s")
            case Action.SEEK, _:
                return self._step(self._trying.next(now), now)
            case (Action.RESOLVE, Ask()) | (Action.REPORT, Report()):
                return [event]  # type: ignore[list-item]
            case Action.CONNECT, Attempt(element):
                return [Dial(element, self.cookie is not None)]
            case ((Action.HANG_UP | Action.SAY_GOODBYE), _):
                return [HangUp() if action is Action.HANG_UP else SayGoodbye()]
            case Action.START, failover.Connected(traits):
                return self._start(traits, now)
            case Action.PROVE, _:
                self._trying.tried.clear()
            case Action.LOSE, _:
                return self._lose(not isinstance(event, LinkLost) or event.broken)
            case Action.END, _:
                why = self._trying.reason
                return self._end(SessionEnded(str(event.error), why) if isinstance(event, GiveUp) else None)
        return []

    def _learn(self, event: failover.Event, fresh: bool) -> None:
        trying, successors = self._trying, self._successors
        match event:
            case failover.Found(elements):
                successors.resolved(elements)
            case failover.NotFound(error):
                trying.unresolved(error)
                if not isinstance(error, UnknownPool):
                    return
                if self.last is None:
                    trying.give_up(error)
                    return
                successors.resolved(())
            case _:
                trying.resolved(())
                return
        trying.resolved(successors.candidates())
        hopeless = successors.hopeless()
        if hopeless is not None and fresh:
            trying.give_up(SessionEnded(f"pool {handle_text(self.handle)!r}: {hopeless}"), hopeless)
        elif hopeless is not None:
            # That may be what we knew some time ago.
            trying.ask_again()

    def _start(self, traits: Traits, now: float) -> list[SessionEffect]:
        effects: list[SessionEffect] = []
        old, self.last = self.last, self._trying.element
        assert self.last is not None
        self.element = self.last
        self._echoed = False
        who = name(self.element)
        if traits.control:
            if self.cookie is not None:
                # 3.8: the latest cookie is the first message on the control channel.
                self._echoed = True
                effects.append(SendControl(asap.CookieEcho(self.cookie)))
            if self.card is not None:
                effects.append(SendControl(self.card))
        elif self.cookie is not None:
            effects.append(Notice(f"{who} has no control channel: it does not get the session's cookie"))
        return [*effects, *self.exchange.begin(who, traits, now), Served(old, self.element)]

    def _lose(self, broken: bool) -> list[SessionEffect]:
        if self.element is not None:
            self._successors.gone = self.element.identifier
        self._without_element()
        return self.exchange.lose(broken)

    def _end(self, error: SessionEnded | None) -> list[SessionEffect]:
        self._without_element()
        return [*self.exchange.end(error), *self.retirement.end(), Over(error)]

    # Parts

    def _progress(self, now: float) -> list[SessionEffect]:
        self._echoed = False
        return [] if type(self._state) is failover.Serving else self._step(failover.Progress(), now)

    def _leave(self, now: float, over: bool = False) -> list[SessionEffect]:
        requests = self.exchange.requests
        if not self._leaving or (not over and (requests.asked if self._finishes else requests.patient)):
            return []
        return [SayGoodbye(), *self.failed("the registrar removed it", now, broken=False)]

    def _without_element(self) -> None:
        self.element, self._leaving = None, False
        self._deadlines.cancel(LEAVE)

    def _late(self, now: float) -> list[SessionEffect]:
        lateness = self.exchange.lateness
        if lateness.silent(now):
            return [HangUp(), *self.failed(f"it left a request unanswered for {lateness.silence:g} s", now)]
        return self.exchange.late(now)

    def _refused(self, why: str, now: float) -> list[SessionEffect]:
        assert self.element is not None
        refusal = f"{name(self.element)}: {why or 'rejected for security reasons'}"
        self._successors.refusals[self.element.identifier] = refusal
        self._trying.reorder(self._successors.candidates())
        return [HangUp(), *self.failed(f"it refused the session's cookie: {why}", now, broken=False)]

    def _present(self) -> str:
        return self.exchange.who or "no element is connected"
