"""The lives of a service: it may start again when it has ended, and not before."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any


class Lifetime:
    """Of one service, which begins each life anew.

    @param name: of what it runs, for the error.
    @param renew: makes what the last life has used up.
    """

    def __init__(self, name: str, renew: Callable[[], None]) -> None:
        self._name = name
        self._renew = renew
        self._ending = False
        self._used = False

    def begin(self) -> None:
        """It is to start, or to be told what to do when it does.

        @raise RuntimeError: if its last life has not ended yet.
        """
        if self._ending:
            raise RuntimeError(f"{self._name} is still stopping: wait for the Deferred that stopService returned")
        if self._used:
            self._used = False
            self._renew()

    async def end(self, ending: Coroutine[Any, Any, None]) -> None:
        """It ends by this."""
        self._ending = True
        try:
            await ending
        finally:
            self._ending, self._used = False, True
