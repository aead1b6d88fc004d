"""What is said over a session: messages, requests and answers, and what waits for an element (RFC 5352 section 6.5)."""

from __future__ import annotations

from collections.abc import Hashable

from rserpool.core.deadlines import Deadlines
from rserpool.core.errors import ElementError, RequestFailed, SessionEnded
from rserpool.core.session.effects import (
    Answered,
    Deliver,
    ProbeLink,
    SendData,
    SendRequest,
    SessionEffect,
    Unanswered,
)
from rserpool.core.session.lateness import Lateness
from rserpool.core.session.outbox import Outbox
from rserpool.core.session.requests import Request, Requests
from rserpool.core.session.retired import Retired
from rserpool.core.session.traits import Traits

NOTHING = Traits(control=False, numbered=False, messages=False)


class Exchange:
    """What a session and the elements that serve it, one after the other, say to each other.

    The methods that return effects are for the caller to perform, in order; C{now} is monotonic seconds.

    @param repeat: whether requests are repeated after a failover, where nothing else is said.
    @param attempts: a request that so many elements broke over is given to no other.
    @param silence: seconds after which an element that owes an answer and says nothing has failed; None for never.
    @ivar who: the present element in a few words; empty while there is none.
    @ivar traits: what the present connection, or the last one, can do.
    @ivar requests: those that wait for their answers.
    @ivar lateness: whether the present element is late with one.
    @ivar over: why nothing can be said any more.
    """

    def __init__(
        self, deadlines: Deadlines[int | str | Retired], *, repeat: bool, attempts: int, silence: float | None
    ) -> None:
        self.who = ""
        self.traits = NOTHING
        self.over: SessionEnded | None = None
        self.lateness = Lateness(deadlines, silence)
        self._repeat = repeat
        self.requests = Requests(attempts, deadlines)
        self._outbox = Outbox()
        # An element is there, and takes more.
        self._taking = False
        self._held = False

    @property
    def flowing(self) -> bool:
        """Whether messages go to the element at once, without L{send}."""
        return self._taking and not self._outbox

    # What the application wants

    def send(self, data: bytes) -> list[SessionEffect]:
        """A message without an answer: to the present element, or else to the next.

        @raise SessionEnded: if the session is over.
        @raise SessionFull: if too much waits for an element.
        """
        self._not_over()
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
        self._not_over()
        if self.who and not self.traits.messages:
            return [Unanswered(token, RequestFailed(self._no_requests(), False))]
        flowing = self.flowing
        if not flowing:
            self._outbox.check(len(data))
        request = self.requests.add(token, data, self._repeat if repeat is None else repeat, deadline)
        if flowing:
            return [self._give(request, now)]
        self._outbox.put(request)
        return []

    def ask(self, token: Hashable, data: bytes, now: float, deadline: float | None, repeat: bool | None) -> int:
        """The same as L{request} where the present element numbers requests and takes one now: a short way.

        @return: the number with which to send it; 0 if it is not so, and nothing was done.
        """
        if not (self._taking and self.traits.numbered) or self._outbox:
            return 0
        requests = self.requests
        request = requests.add(token, data, self._repeat if repeat is None else repeat, deadline)
        if not requests.asked:
            self.lateness.owes(now)
        requests.give(request, True)
        return request.number

    def unsendable(self, number: int, reason: str) -> list[SessionEffect]:
        """The transport does not take a request that is to be sent: it is too long for it."""
        request = self.requests.unsent(number)
        return [] if request is None else [Unanswered(request.token, RequestFailed(reason, request.given > 1))]

    def cancel(self, token: Hashable) -> None:
        """Nobody waits for the answer any more."""
        self.requests.cancel(token)

    # What the element says

    def message(self, data: bytes) -> list[SessionEffect]:
        """A message came; it may be the answer of an element that knows no numbers."""
        if not self.requests.owed:
            return [Deliver(data)]
        request = self.requests.next_answered()
        return [] if request is None else [Answered(request.token, data)]

    def paused(self) -> None:
        """The connection takes no more for now."""
        self._taking = False

    def resumed(self, now: float) -> list[SessionEffect]:
        """It takes more."""
        self._taking = bool(self.who) and not self._held
        return self._flush(now)

    # What becomes of it

    def begin(self, who: str, traits: Traits, now: float) -> list[SessionEffect]:
        """An element serves: what another one was given and did not answer comes before what waits."""
        self.who, self.traits, self._taking = who, traits, True
        self.lateness.heard(now)
        if not traits.messages:
            return [*self.requests.all_over(self._no_requests()), *self._flush(now)]
        waiting = self._outbox.holds()
        again = [self._give(each, now) for each in self.requests.pending() if each.number not in waiting]
        return [*again, *self._flush(now)]

    def hold(self) -> None:
        """The present element is asked nothing more."""
        self._taking, self._held = False, True

    def retire(self) -> Retired:
        """The present element leaves the pool, and answers what it was asked; who comes next is asked from now on."""
        return self.requests.retire(self.who)

    def late_answer(self, retired: Retired, number: int | None, data: bytes) -> list[SessionEffect]:
        """A message of an element that left came: an answer, with a number or without."""
        if number is None and not retired.unnumbered:
            return [Deliver(data)]
        request = self.requests.answered_late(retired, number)
        return [] if request is None else [Answered(request.token, data)]

    def late_failure(self, retired: Retired, number: int, why: str) -> list[SessionEffect]:
        """The application of an element that left failed at a request."""
        request = self.requests.answered_late(retired, number)
        return [] if request is None else [Unanswered(request.token, ElementError(f"{retired.who}: {why}"))]

    def retired_gone(self, retired: Retired, now: float, broken: bool) -> list[SessionEffect]:
        """It answers nothing more: what may be repeated is given to the present element, if there is one."""
        failed = self.requests.gone(retired, broken)
        if not self.who or not self.traits.messages:
            return [*failed]
        waiting = self._outbox.holds()
        return [*failed, *(self._give(each, now) for each in self.requests.pending() if each.number not in waiting)]

    def lose(self, broken: bool = True) -> list[SessionEffect]:
        """The present element is gone, perhaps because of what it was asked."""
        who, self.who = self.who, ""
        self._taking = self._held = False
        self.lateness.forget()
        return [*self.requests.element_gone(who, broken)]

    def end(self, error: SessionEnded | None) -> list[SessionEffect]:
        """The session is over; C{error} is None if the application closed it."""
        self.who, self._taking = "", False
        self.over = error or SessionEnded("the session is closed")
        self._outbox.clear()
        self.lateness.forget()
        reason = "the session was closed" if error is None else f"the session is over: {error}"
        return [*self.requests.all_over(reason)]

    def overdue(self, number: int) -> list[SessionEffect]:
        """The deadline of a request has come."""
        return [*self.requests.overdue(number, self.who or "no element is connected")]

    def late(self, now: float) -> list[SessionEffect]:
        """The element may be late with an answer."""
        return [ProbeLink()] if self.requests.asked and self.lateness.late(now) else []

    # Parts

    def _give(self, request: Request, now: float) -> SendRequest:
        if not self.requests.asked:
            self.lateness.owes(now)
        repeated = self.requests.give(request, self.traits.numbered)
        return SendRequest(request.number, request.data, repeated)

    def _flush(self, now: float) -> list[SessionEffect]:
        effects: list[SessionEffect] = []
        while self._outbox and self._taking:
            entry = self._outbox.take()
            if not isinstance(entry, Request):
                effects.append(SendData(entry))
            elif self.requests.waits(entry):
                effects.append(self._give(entry, now))
        return effects

    def _not_over(self) -> None:
        if self.over is not None:
            raise SessionEnded(str(self.over))

    def _no_requests(self) -> str:
        return f"{self.who} serves a stream of bytes: there are no requests and answers over it"
