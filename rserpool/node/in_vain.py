"""Tells once of a pool that is asked for in vain: who connects again and again, as a C{ClientService}, says nothing."""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Any, Protocol, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from rserpool.core.errors import NoRegistrar, UnknownPool
from rserpool.core.handles import handle_text

PATIENCE = 5.0
"""Seconds after which it is told that no registrar answers yet."""
MOST = 1000
"""Of so many pools it is remembered what was told."""

T = TypeVar("T")


class InVain:
    """What was told of pools that cannot be used, until they can.

    @param log: where it is told.
    """

    def __init__(self, log: Logger) -> None:
        self._log = log
        self._told: dict[bytes, type[BaseException]] = {}

    def failed(self, handle: bytes, error: BaseException, *, loudly: bool = True) -> None:
        """Nobody could be found for who wanted to use a pool; it is told once for each kind of reason.

        @param loudly: as what is critical, which programs see that begin no log; else as a warning.
        """
        if self._told.get(handle) is type(error):
            return
        self._told.pop(handle, None)
        self._told[handle] = type(error)
        if len(self._told) > MOST:
            del self._told[next(iter(self._told))]
        if loudly:
            self._log.critical("pool {pool} cannot be used: {why}", pool=handle_text(handle), why=str(error))
        else:
            self._log.warn("pool {pool} cannot be used: {why}", pool=handle_text(handle), why=str(error))

    def found(self, handle: bytes) -> None:
        """Somebody was."""
        if self._told.pop(handle, None) is not None:
            self._log.info("pool {pool} can be used again", pool=handle_text(handle))


class Asking(Protocol):
    """What there has to be of a pool user.

    @ivar watched: the pools of which somebody hears anyway that they are gone.
    """

    reactor: Any
    log: Logger

    @property
    def watched(self) -> Container[bytes]:
        """See there."""


class OnReactor(InVain):
    """The same for questions that wait on a reactor.

    @param user: the pool user that asks.
    @param nobody: tells why there is no home registrar; None while there is one.
    """

    def __init__(self, user: Asking, nobody: Callable[[], NoRegistrar | None]) -> None:
        super().__init__(user.log)
        self._user = user
        self._nobody = nobody

    def watch(self, asked: Deferred[T], handle: bytes, *, loudly: bool = True) -> Deferred[T]:
        """Tell if this question is in vain; it is returned."""
        if asked.called:
            return asked
        late = self._user.reactor.callLater(PATIENCE, self._late, handle, loudly)

        def over(result: Any) -> Any:
            if late.active():
                late.cancel()
            if not isinstance(result, Failure):
                self.found(handle)
            elif result.check(UnknownPool) and handle in self._user.watched:
                pass  # who watches it hears that
            elif not result.check(CancelledError) and result.value is not None:
                self.failed(handle, result.value, loudly=loudly)
            return result

        return asked.addBoth(over)

    def _late(self, handle: bytes, loudly: bool) -> None:
        error = self._nobody()
        if error is not None:
            self.failed(handle, error, loudly=loudly)
