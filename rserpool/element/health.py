"""Whether what serves is well: a check, asked again and again, by which an element is in its pools or is not.

A check asks once, and raises L{Unwell} where the answer is no. One failure is none: it takes some in a row, and some
successes to come back.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.logger import Logger

from rserpool.core.frozen import frozen
from rserpool.core.handles import printable

Ask: TypeAlias = Callable[[], Awaitable[None]]
"""Asks once; raises L{Unwell}."""
Check: TypeAlias = Callable[[Any, str, int], Ask]
"""C{check(reactor, host, port)} makes what asks there."""


class Unwell(Exception):
    """What serves is not well; the text says why."""


@frozen
class Checks:
    """What is asked, and how often.

    @ivar checks: all of them must pass.
    @ivar interval: seconds between two questions.
    @ivar timeout: seconds that one may take.
    @ivar fall: so many failures in a row put the element out of its pools.
    @ivar rise: so many successes in a row put it back.
    """

    checks: tuple[Check, ...] = ()
    interval: float = 2.0
    timeout: float = 2.0
    fall: int = 2
    rise: int = 1


class Health:
    """Asks the checks of one place until it is stopped.

    @param who: whose health it is, for the log.
    @ivar well: whether it serves as it should; None before that is known.
    @ivar why: why it does not.
    """

    _log = Logger()

    def __init__(self, reactor: Any, checks: Checks, host: str, port: int, who: str) -> None:
        self._reactor = reactor
        self._checks = checks
        self._asks = [check(reactor, host, port) for check in checks.checks]
        self._who = who
        self._row = 0
        self._timer: Any = None
        self._asking: Deferred[None] | None = None
        self.well: bool | None = None
        self.why = ""

    def start(self) -> None:
        """Ask from now on."""
        self._ask()

    def stop(self) -> None:
        """Ask no more."""
        asking, self._asking = self._asking, None
        if asking is not None:
            asking.cancel()
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    def _ask(self) -> None:
        asking = self._asking = ensureDeferred(self._once())
        asking.addErrback(lambda failure: failure.trap(CancelledError))

    async def _once(self) -> None:
        asked = [_within(self._reactor, ask, self._checks.timeout) for ask in self._asks]
        try:
            for each in asked:
                await each
        except Unwell as error:
            self._heard(printable(str(error), 300))
        else:
            self._heard("")
        self._asking = None
        self._timer = self._reactor.callLater(self._checks.interval, self._ask)

    def _heard(self, why: str) -> None:
        """How one question ended; C{why} it failed, or nothing."""
        good = not why
        if self.well is good:
            self._row = 0
            self.why = why
            return
        self._row += 1
        enough = self._checks.rise if good else self._checks.fall
        if not good and self.well is None:
            # It is in no pool yet.
            self._row, self.why = 0, why
            return
        if self._row >= enough:
            self._row = 0
            was, self.well, self.why = self.well, good, why
            if was is not None or good:
                tell = self._log.info if good else self._log.warn
                tell("{who} is {state}", who=self._who, state="well" if good else f"not well: {why}")


async def _within(reactor: Any, ask: Ask, seconds: float) -> None:
    """Ask, and be answered in time.

    @raise Unwell: if it is not so.
    """
    asking: Deferred[None] = ensureDeferred(ask())  # type: ignore[arg-type]
    late = reactor.callLater(seconds, asking.cancel)
    try:
        await asking
    except (CancelledError, Unwell):
        if late.active():
            raise
        # Whatever became of what was cancelled then.
        raise Unwell(f"no answer within {seconds:g} s") from None
    finally:
        if late.active():
            late.cancel()
