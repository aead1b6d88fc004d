"""A reactor of its own in a thread, for programs that run none; nothing is installed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any


class ReactorThread:
    """Runs from the first L{call} until L{stop}.

    @ivar reactor: to be used in its thread alone.
    """

    def __init__(self) -> None:
        self.reactor = _reactor()
        self._thread = threading.Thread(target=self._run, name="rserpool-jobs", daemon=True)

    def call(self, function: Callable[[], object]) -> None:
        """Start it, have it do something, and wait until that is done.

        @raise Exception: what the function raises; then the thread ends.
        """
        done: Future[None] = Future()

        def begin() -> None:
            try:
                function()
            except BaseException as error:
                self.reactor.stop()
                done.set_exception(error)
            else:
                done.set_result(None)

        self.reactor.callWhenRunning(begin)
        self._thread.start()
        done.result()

    def wake(self, function: Callable[[], object]) -> None:
        """Have it do something; from any thread."""
        self.reactor.callFromThread(function)

    def stop(self) -> None:
        """End; from its own thread."""
        self.reactor.stop()

    def join(self) -> None:
        """Wait until it has ended."""
        if self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self) -> None:
        self.reactor.run(installSignalHandlers=False)


def _reactor() -> Any:
    try:
        from twisted.internet.epollreactor import EPollReactor
    except ImportError:
        from twisted.internet.selectreactor import SelectReactor

        return SelectReactor()
    return EPollReactor()
