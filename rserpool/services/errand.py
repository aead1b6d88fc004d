"""Something that elements are to do for a user, in a session of its own, that goes on elsewhere when they fail."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from rserpool.core.errors import AnotherService, SessionEnded, SessionFull
from rserpool.core.wire.parameters import PoolElementParameter
from rserpool.services.alarm import Alarm
from rserpool.services.doubts import Doubts
from rserpool.services.wants import Anew, Completed, Elsewhere, Say, Wants
from rserpool.session.client import Session
from rserpool.session.driver import Order
from rserpool.user.service import PoolUserService


class Errand:
    """One of them, under way.

    @param wants: what is to be done.
    @param service: what its elements speak: C{"CalcApp"}.
    @param failed_over: called with the old and the new element when it goes on elsewhere.
    @param order: puts elements into the order in which to try them, where the policy's is not the one that is wanted.
    @param options: for L{Session<rserpool.session.client.Session>}.
    @ivar session: its session.
    @ivar done: fires with who completed it; it fails with L{SessionEnded<rserpool.core.errors.SessionEnded>}: with
        L{AnotherService<rserpool.core.errors.AnotherService>} where nobody in the pool speaks the service.
    """

    _log = Logger()

    def __init__(
        self,
        user: PoolUserService,
        pool: bytes | str,
        wants: Wants,
        service: str,
        *,
        failed_over: Callable[[PoolElementParameter, PoolElementParameter], object] = lambda old, new: None,
        order: Order | None = None,
        **options: Any,
    ) -> None:
        self.done: Deferred[PoolElementParameter] = Deferred(lambda _: self.close())
        self._wants = wants
        self._failed_over = failed_over
        self._alarm = Alarm(user.reactor, self._tick)
        self._doubts = Doubts(user, pool, service, self._confirmed)
        self._open = partial(
            Session,
            user,
            pool,
            received=self._received,
            failed_over=self._elsewhere,
            order=self._doubts.behind(order),
            **options,
        )
        self._begin()

    def close(self) -> None:
        """Have it done no more."""
        self._doubts.close()
        self._hang_up()

    def _begin(self) -> None:
        self.session = self._open(ended=self._ended)
        self.session.ready().addCallbacks(lambda _: self._served(), lambda _: None)

    def _served(self) -> None:
        self._perform(self._wants.served(self.session.cookie is not None, self._alarm.now()))

    def _elsewhere(self, old: PoolElementParameter, new: PoolElementParameter) -> None:
        self._failed_over(old, new)
        self._doubts.left(old)
        if not self.done.called:
            self._served()

    def _received(self, data: bytes) -> None:
        effects = self._wants.receive(data, self._alarm.now())
        strange = next((each.why for each in effects if isinstance(each, Elsewhere) and each.strange), None)
        if strange is None:
            self._doubts.understood()
        else:
            self._doubts.strange(self.session.element, strange)
        if not self.done.called:
            self._perform(effects)

    def _tick(self) -> None:
        self._perform(self._wants.tick(self._alarm.now()))

    def _perform(self, effects: list[Any]) -> None:
        for effect in effects:
            match effect:
                case Say(data=data):
                    try:
                        self.session.send(data)
                    except (SessionEnded, SessionFull):
                        # It is told in its own way; an element that takes nothing is missed soon.
                        pass
                case Elsewhere(why=why, failed=failed):
                    self._log.debug("an element is left: {why}", why=why)
                    self.session.fail_over(report=failed)
                case Anew(why=why):
                    self._log.warn("a session begins anew: {why}", why=why)
                    self._hang_up()
                    self._begin()
                case Completed():
                    # It has just said so.
                    element: Any = self.session.element
                    self.close()
                    self.done.callback(element)
                    return
                case _:
                    self._came(effect)
        self._alarm.set(self._wants.next_deadline())

    def _hang_up(self) -> None:
        self._alarm.set(None)
        self.session.ended = None
        self.session.close()

    def _confirmed(self, error: AnotherService) -> None:
        self._hang_up()
        self.done.errback(Failure(error))

    def _came(self, effect: Any) -> None:
        """Something else came of it."""

    def _ended(self, error: SessionEnded | None) -> None:
        self._doubts.close()
        self._alarm.set(None)
        self.done.errback(Failure(error or SessionEnded("the session is closed")))
