"""What signals do to a process of twistd: SIGHUP and SIGUSR1 have it load anew and tell, and end nothing.

One that asks it to end while it ends already makes it hurry, as far as it can.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from typing import Any

from twisted.application.service import IServiceCollection
from twisted.internet.base import ReactorBase
from twisted.logger import Logger

from rserpool.tap.interrupts import end_by_signals

_log = Logger()


class Signals:
    """Those of one process.

    @param service: what runs; each service in it may have C{reload()}, C{counters}, and C{hurry()}.
    """

    def __init__(self, name: str, service: Any) -> None:
        self._name = name
        self._service = service
        self._before: dict[int, Any] = {}
        self._ending = False

    def take(self, reactor: Any) -> None:
        """From now on they come here. SIGHUP that is ignored from the start (as C{nohup} does it) stays so."""
        if not isinstance(reactor, ReactorBase) or self._before:
            return
        for what, act in (("SIGHUP", self.reload), ("SIGUSR1", self.tell)):
            number = getattr(signal, what, None)
            try:
                if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._handler(reactor, act))
            except ValueError:
                # Not in the main thread: nobody will send them here.
                return
        end_by_signals(reactor)
        reactor.addSystemEventTrigger("before", "shutdown", self._ends)
        # The reactor takes those that end it when it begins to run.
        reactor.callWhenRunning(reactor.callLater, 0, self._take_ends, reactor)

    def _take_ends(self, reactor: ReactorBase) -> None:
        for what in ("SIGINT", "SIGTERM"):
            before = signal.getsignal(getattr(signal, what))
            if callable(before) and before is not signal.default_int_handler:
                signal.signal(getattr(signal, what), self._once(reactor, before))

    def _once(self, reactor: ReactorBase, first: Callable[..., Any]) -> Callable[[int, Any], None]:
        def handle(number: int, frame: Any) -> None:
            if self._ending:
                reactor.callFromThread(self.hurry)
            else:
                first(number, frame)

        return handle

    def _ends(self) -> None:
        self._ending = True

    def hurry(self) -> None:
        """Somebody asks for the end once more."""
        _log.info("{name}: it is ending already", event="ending", name=self._name)
        for each in services_in(self._service):
            if hasattr(each, "hurry"):
                each.hurry()

    def give_back(self) -> None:
        """What was before is again; but who was killed by them still is not."""
        before, self._before = self._before, {}
        for number, handler in before.items():
            signal.signal(number, signal.SIG_IGN if handler is signal.SIG_DFL else handler)

    def _handler(self, reactor: Any, act: Callable[[], None]) -> Callable[[int, Any], None]:
        def handle(number: int, frame: Any) -> None:
            # twistd turns its log file over at SIGUSR1.
            before = self._before.get(number)
            if callable(before):
                before(number, frame)
            reactor.callFromThread(act)

        return handle

    def reload(self) -> None:
        """Load anew."""
        getattr(self._service, "reloading", lambda: None)()
        self._reload()
        getattr(self._service, "reloaded", lambda: None)()

    def _reload(self) -> None:
        reloaded = list(dict.fromkeys(each for each in services_in(self._service) if hasattr(each, "reload")))
        right = [each for each in reloaded if each.reload() is not False]
        if reloaded and not right:
            # Each has said what is wrong.
            return
        what = "; ".join(each.what for each in right) or "nothing is to be"
        _log.info("{name}: SIGHUP: {what} loaded anew", event="reloaded", name=self._name, what=what)

    def tell(self) -> None:
        """Log the counters."""
        counters = [str(each.counters) for each in services_in(self._service) if hasattr(each, "counters")]
        _log.info(
            "{name}: {counters}",
            event="counters",
            name=self._name,
            counters="; ".join(counters) or "nothing is counted",
        )


def services_in(service: Any) -> Iterator[Any]:
    """A service, those in it, and those that it wraps."""
    yield service
    inner = list(service) if IServiceCollection.providedBy(service) else []
    for each in [*inner, *filter(None, [getattr(service, name, None) for name in ("_around", "secured")])]:
        yield from services_in(each)
