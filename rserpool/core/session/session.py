"""A session between a pool user and a pool: it outlives its element (RFC 5352 sections 3.8, 3.9, 6.5 and 6.9).

Messages and time go in, effects come out. The way from element to element is L{rserpool.core.session.failover}; here is
what is taken along: the cookie, the business card's order, requests that wait, messages that nobody has taken yet.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from rserpool.core.errors import CauseCode, RequestFailed, SessionEnded
from rserpool.core.session import failover
from rserpool.core.session.effects import (
    Answered,
    Deliver,
    HangUp,
    Notice,
    Over,
    Probe,
    SayGoodbye,
    SendControl,
    SendData,
    SendRequest,
    Served,
    SessionEffect,
    Unanswered,
)
from rserpool.core.session.failover import Timers
from rserpool.core.session.lateness import Lateness
from rserpool.core.session.outbox import Outbox
from rserpool.core.session.requests import Request, Requests
from rserpool.core.session.traits import Traits
from rserpool.core.session.way import Way, name
from rserpool.core.wire import asap
from rserpool.core.wire.parameters import PoolElementParameter

LEAVING = 1.0
"""Seconds that an element which was removed has for the answers that nobody else may give."""


class Session(Way):
    """One session of one user.

    Every method that takes C{now} (monotonic seconds) returns the effects that the caller must perform, in order.

    @param repeat: whether requests are repeated after a failover, where nothing else is said.
    @param attempts: to so many elements a request is given.
    @param silence: seconds after which an element that owes an answer and says nothing has failed; None for never.
    @param card: our own pool, if we are an element ourselves (3.9).
    @ivar element: who serves it now.
    """

    def __init__(
        self,
        handle: bytes,
        timers: Timers,
        *,
        repeat: bool = False,
        attempts: int = 10,
        silence: float | None = None,
        card: asap.BusinessCard | None = None,
    ) -> None:
        super().__init__(handle, timers)
        self.element: PoolElementParameter | None = None
        self.card = card
        self._repeat = repeat
        self._requests = Requests(attempts)
        self._outbox = Outbox()
        self._lateness = Lateness(silence)
        self._traits = Traits(False, False, False)
        self._paused = False
        self._echoed = False
        self._leave_by: float | None = None

    @property
    def flowing(self) -> bool:
        """Whether messages go to the element at once, without L{send}."""
        return self.element is not None and not self._outbox and not self._paused and self._leave_by is None

    @property
    def plain(self) -> bool:
        """Whether messages of the element cannot be answers, so that they need not come through L{data}."""
        return not self._requests.owed and type(self._state) is failover.Serving

    @property
    def traits(self) -> Traits:
        """What the present connection can do."""
        return self._traits

    # What the application wants

    def send(self, data: bytes, now: float) -> list[SessionEffect]:
        """A message without an answer: to the present element, or else to the next.

        @raise SessionEnded: if the session is over.
        @raise SessionFull: if too much waits for an element.
        """
        self._not_ended()
        if self.flowing:
            return [SendData(data)]
        self._outbox.put(data)
        return []

    def request(
        self, token: Hashable, data: bytes, now: float, *, deadline: float | None = None, repeat: bool | None = None
    ) -> list[SessionEffect]:
        """A message with an answer; C{Answered} or C{Unanswered} follows with the token.

        @param deadline: until when the answer must be there (monotonic seconds).
        @param repeat: whether another element may be asked after a failover.
        @raise SessionEnded: if the session is over.
        @raise SessionFull: if too much waits for an element.
        """
        self._not_ended()
        if self.element is not None and not self._traits.messages:
            return [Unanswered(token, RequestFailed(self._no_requests(), False))]
        if not self.flowing:
            self._outbox.check(len(data))
        request = self._requests.add(token, data, self._repeat if repeat is None else repeat, deadline)
        if self.flowing:
            return [self._give(request, now)]
        self._outbox.put(request)
        return []

    def ask(self, token: Hashable, data: bytes, now: float, deadline: float | None, repeat: bool | None) -> int:
        """The same as L{request} where the present element numbers requests and takes one now: a short way.

        @return: the number with which to send it; 0 if it is not so, and nothing was done.
        """
        if not (self._traits.numbered and self.flowing):
            return 0
        requests = self._requests
        request = requests.add(token, data, self._repeat if repeat is None else repeat, deadline)
        if not requests.asked:
            self._lateness.heard(now)
        requests.give(request, True)
        return request.number

    def taken(self, number: int, now: float) -> Hashable | None:
        """The same as L{reply} where the session goes on undisturbed: a short way.

        @return: the token of the request that is answered; None if it is not so, and nothing was done.
        """
        if type(self._state) is not failover.Serving or self._leave_by is not None:
            return None
        self._lateness.heard(now)
        request = self._requests.answered(number)
        return None if request is None else request.token

    def unsendable(self, number: int, reason: str) -> list[SessionEffect]:
        """The transport does not take a request that is to be sent: it is too long for it."""
        request = self._requests.unsent(number)
        return [] if request is None else [Unanswered(request.token, RequestFailed(reason, request.given > 1))]

    def cancel(self, token: Hashable) -> None:
        """Nobody waits for the answer any more."""
        self._requests.cancel(token)

    def introduce(self, card: asap.BusinessCard) -> list[SessionEffect]:
        """3.9: our own pool has changed; we are an element ourselves."""
        self.card = card
        return [SendControl(card)] if self.element is not None and self._traits.control else []

    def close(self, now: float) -> list[SessionEffect]:
        """The application wants no more."""
        if isinstance(self._state, failover.Ended):
            return []
        effects = self._step(failover.Stop(), now)
        return effects + self._over(None)

    # What happens

    def connected(self, traits: Traits, now: float) -> list[SessionEffect]:
        """The element that was dialled has accepted, and said hello if it does so."""
        self._traits = traits
        return self._step(failover.Connected(), now)

    def failed(self, reason: str, now: float, *, broken: bool = True) -> list[SessionEffect]:
        """The attempt failed, or the connection is lost.

        @param broken: whether the registrar should hear of it.
        """
        match self._state:
            case failover.Connecting(element=identifier):
                self._try_failed(identifier, reason)
                return self._step(failover.Failed() if broken else failover.Left(), now)
            case failover.Unproven(element=identifier) | failover.Serving(element=identifier):
                self._try_failed(identifier, reason)
                failed = self._element_gone()
                return failed + self._step(failover.Failed() if broken else failover.Left(), now)
            case _:
                return []

    def removed(self, now: float) -> list[SessionEffect]:
        """The registrar has removed the element that serves: it has left the pool, or it is of no use any more.

        The session goes on elsewhere at once; if only this element may answer what it was asked, within
        L{LEAVING} seconds, in which it is asked nothing more.
        """
        if self.element is None or self._leave_by is not None:
            return []
        self._leave_by = now + LEAVING if self._requests.patient else now
        return self._leave(now)

    def _leave(self, now: float) -> list[SessionEffect]:
        if self._leave_by is None or (now < self._leave_by and self._requests.patient):
            return []
        return [SayGoodbye(), *self.failed("the registrar removed it", now, broken=False)]

    def control(self, message: Any, now: float) -> list[SessionEffect]:
        """An ASAP message came on the control channel."""
        match message:
            case asap.Cookie(cookie=cookie):
                # 3.8: the last one counts.
                self.cookie = cookie
                self._successors.refusals.clear()
            case asap.BusinessCard():
                if not self._successors.card(message):
                    pool = message.handle.decode("utf-8", "backslashreplace")
                    return [Notice(f"{self._present()} sent a business card of another pool, {pool!r}: ignored")]
                self._state = failover.in_order(self._state, self._successors.candidates())
            case asap.Error(causes=causes):
                for cause in causes:
                    if cause.code == CauseCode.REJECTED_FOR_SECURITY and self._echoed:
                        return self._refused(cause.information.decode("utf-8", "replace"), now)
                return [Notice(f"{self._present()} reports an error: {', '.join(str(each.code) for each in causes)}")]
        return []

    def data(self, data: bytes, now: float) -> list[SessionEffect]:
        """A message came; it may be the answer of an element that knows no numbers."""
        effects = self._progress(now)
        if not self._requests.owed:
            return [*effects, Deliver(data)]
        request = self._requests.next_answered()
        return effects if request is None else [*effects, Answered(request.token, data)]

    def reply(self, number: int, data: bytes, now: float) -> list[SessionEffect]:
        """An answer with a number came."""
        self._lateness.heard(now)
        request = self._requests.answered(number)
        if type(self._state) is failover.Serving and self._leave_by is None and request is not None:
            return [Answered(request.token, data)]
        effects = self._progress(now)
        if request is not None:
            # Otherwise its deadline has passed, or it was cancelled.
            effects.append(Answered(request.token, data))
        return effects + self._leave(now)

    def paused(self) -> None:
        """The connection takes no more for now."""
        self._paused = True

    def resumed(self, now: float) -> list[SessionEffect]:
        """It takes more."""
        self._paused = False
        return self._flush(now)

    def tick(self, now: float) -> list[SessionEffect]:
        """Do what is due; to be called at L{next_deadline}."""
        who = self._present()
        effects: list[SessionEffect] = [Unanswered(*failed) for failed in self._requests.overdue(now, who)]
        effects += self._overdue(now)
        if self.element is not None and self._requests.asked:
            if self._lateness.silent(now):
                effects.append(HangUp())
                return effects + self.failed(f"it left a request unanswered for {self._lateness.silence:g} s", now)
            if self._lateness.late(now):
                effects.append(Probe())
        return effects + self._leave(now)

    def next_deadline(self) -> float | None:
        """When L{tick} must be called next (monotonic seconds), or None."""
        deadlines = [failover.deadline(self._state), self._requests.next_deadline(), self._leave_by]
        if self.element is not None and self._requests.asked:
            deadlines.append(self._lateness.next_deadline())
        return min((when for when in deadlines if when is not None), default=None)

    # Parts

    def _start(self, now: float) -> list[SessionEffect]:
        assert isinstance(self._state, failover.Unproven)
        effects: list[SessionEffect] = []
        old, self.last = self.last, self._successors[self._state.element]
        self.element = self.last
        self._lateness.heard(now)
        self._echoed = False
        if self._traits.control:
            if self.cookie is not None:
                # 3.8: the latest cookie is the first message on the control channel.
                self._echoed = True
                effects.append(SendControl(asap.CookieEcho(self.cookie)))
            if self.card is not None:
                effects.append(SendControl(self.card))
        elif self.cookie is not None:
            effects.append(Notice(f"{self._present()} has no control channel: it does not get the session's cookie"))
        if self._traits.messages:
            # Those that another element was given come before those that wait.
            waiting = self._outbox.holds()
            effects += [self._give(each, now) for each in self._requests.pending() if each.number not in waiting]
        else:
            error = RequestFailed(self._no_requests(), False)
            effects += [Unanswered(token, error) for token, error in self._requests.all_over(str(error))]
        return [*effects, *self._flush(now), Served(old, self.element)]

    def _give(self, request: Request, now: float) -> SendRequest:
        if not self._requests.asked:
            self._lateness.heard(now)
        repeated = self._requests.give(request, self._traits.numbered)
        return SendRequest(request.number, request.data, repeated)

    def _flush(self, now: float) -> list[SessionEffect]:
        effects: list[SessionEffect] = []
        while self._outbox and self.element is not None and not self._paused:
            entry = self._outbox.take()
            if not isinstance(entry, Request):
                effects.append(SendData(entry))
            elif self._requests.waits(entry):
                effects.append(self._give(entry, now))
        return effects

    def _element_gone(self) -> list[SessionEffect]:
        who = self._present()
        if self.element is not None:
            self._successors.gone = self.element.identifier
        self.element = None
        self._leave_by = None
        self._paused = False
        return [Unanswered(*failed) for failed in self._requests.element_gone(who)]

    def _progress(self, now: float) -> list[SessionEffect]:
        self._lateness.heard(now)
        self._echoed = False
        if type(self._state) is failover.Unproven:
            self._tried.clear()
            return self._step(failover.Progress(), now)
        return []

    def _refused(self, why: str, now: float) -> list[SessionEffect]:
        assert self.element is not None
        refusal = f"{name(self.element)}: {why or 'rejected for security reasons'}"
        self._successors.refusals[self.element.identifier] = refusal
        self._state = failover.in_order(self._state, self._successors.candidates())
        return [HangUp(), *self.failed(f"it refused the session's cookie: {why}", now, broken=False)]

    def _over(self, error: SessionEnded | None) -> list[SessionEffect]:
        self.element = None
        self._leave_by = None
        self._outbox.clear()
        reason = "the session was closed" if error is None else f"the session is over: {error}"
        return [*(Unanswered(*failed) for failed in self._requests.all_over(reason)), Over(error)]

    def _not_ended(self) -> None:
        if isinstance(self._state, failover.Ended):
            raise SessionEnded(self._why() if self._reason or self._tried else "the session is closed")

    def _present(self) -> str:
        if self.element is not None:
            return name(self.element)
        return "no element is connected"

    def _no_requests(self) -> str:
        return f"{self._present()} serves a stream of bytes: there are no requests and answers over it"
