"""The worker as a Twisted service: what C{twistd rserpool-worker} runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint
from twisted.logger import Logger
from twisted.python.failure import Failure

from rserpool.compute.slots import Owner, Slot, Slots
from rserpool.compute.worker import WorkerFactory
from rserpool.core.policies import FULL_LOAD
from rserpool.core.session.cookies import Cookies
from rserpool.element.pooled import PooledService

if TYPE_CHECKING:
    # It loads TLS.
    from rserpool.compute.submitters import Submitters

TELLING = 0.1
"""Seconds between two loads that are told, at least."""


class WorkerService(PooledService):
    """A worker in pools: does jobs in slots, tells its load at once, and gives back what it has when it stops.

    @param endpoint: where it serves, over TCP.
    @param make: C{make(owner)} starts a slot: L{FunctionSlot<rserpool.compute.function_slot.FunctionSlot>}, or
        L{ProgramSlot<rserpool.compute.program_slot.ProgramSlot>}.
    @param slots: how many jobs it does at one time.
    @param seconds: that a job may take; None for as long as it takes.
    @param cookies: how checkpoints are signed: L{SignedCookies<rserpool.core.session.cookies.SignedCookies>}.
    @param grace: seconds that jobs may go on for when it stops; then they go on elsewhere, from their last checkpoint.
    @param failed: called with a sentence where no slot can start.
    @param submitters: whose code it takes, and no other jobs:
        L{Submitters<rserpool.compute.submitters.Submitters>}, with C{tls} of it.
    @param tls: as L{SessionFactory<rserpool.session.server.SessionFactory>} has it.
    @param options: of L{PooledService<rserpool.element.pooled.PooledService>}. The policy is least used.
    """

    def __init__(
        self,
        reactor: Any,
        endpoint: IStreamServerEndpoint,
        pools: Sequence[bytes | str],
        make: Callable[[Owner], Slot],
        *,
        slots: int = 1,
        seconds: float | None = None,
        cookies: Cookies | None = None,
        grace: float = 5.0,
        failed: Callable[[str], object] = lambda why: None,
        tls: Any = None,
        submitters: Submitters | None = None,
        **options: Any,
    ) -> None:
        there = Slots(reactor, make, slots, seconds=seconds)
        factory = WorkerFactory(there, cookies=cookies, tls=tls, submitters=submitters)
        self._worker = _Worker(endpoint, there, factory, failed)
        super().__init__(reactor, self._worker, pools, policy="least-used:load=0", grace=grace, **options)
        self._served_in = tuple(pools)
        self._load_told = 0
        self._load_telling: Any = None
        self._worker.slots.changed = self._tell_load

    def _tell_load(self) -> None:
        """The load, as it is now; not more often than each L{TELLING} seconds."""
        if self._load_telling is None:
            self._tell_load_now()

    def _tell_load_now(self) -> None:
        self._load_telling = None
        slots = self._worker.slots
        load = min(FULL_LOAD, slots.jobs * FULL_LOAD // slots.count)
        element = self.element
        if load == self._load_told or element is None or not self.running:
            return
        self._load_told = load
        self._load_telling = self._reactor.callLater(TELLING, self._tell_load_now)
        for pool in self._served_in:
            try:
                element.change(pool, policy=f"least-used:load={load / FULL_LOAD:.6f}")
            except KeyError:
                # It is about to register, or to leave.
                self._load_told = -1

    def stopService(self) -> Deferred[None]:
        """Leave the pools; let jobs end; give back those that do not."""
        if self._load_telling is not None:
            self._load_telling.cancel()
            self._load_telling = None
        return super().stopService()


class _Worker(Service):
    """What serves jobs."""

    _log = Logger()

    def __init__(
        self,
        endpoint: IStreamServerEndpoint,
        slots: Slots,
        factory: WorkerFactory,
        failed: Callable[[str], object],
    ) -> None:
        self.slots = slots
        self._endpoint = endpoint
        self._factory = factory
        self._watching: Callable[[], None] | None = None
        self._failed = failed
        self._listening: Deferred[IListeningPort] | None = None

    def startService(self) -> None:
        super().startService()
        if self._factory.submitters is not None:
            self._watching = self._factory.submitters.watch(self._factory.look_again)
        self.slots.start().addCallbacks(self._listen, self._does_not_start)

    def stopService(self) -> Deferred[None]:
        super().stopService()
        return ensureDeferred(self._stop())

    async def _stop(self) -> None:
        if self._watching is not None:
            self._watching()
        listening, self._listening = self._listening, None
        if listening is not None:
            port: Any = await listening
            await port.stopListening()
        # Whoever waits for a job goes on at another worker, and blames nobody.
        for session in list(self._factory.sessions):
            session.go_elsewhere()
        await self.slots.stop()

    def _listen(self, _: None) -> None:
        offered = "run code that is submitted"
        if self._factory.submitters is None:
            offered = f"offer {', '.join(self.slots.functions or ())}"
        self._log.info("{count} slots {offered}", count=self.slots.count, offered=offered)
        if self.running:
            self._listening = self._endpoint.listen(self._factory)
            self._listening.addErrback(lambda failure: self._failed(failure.getErrorMessage()))

    def _does_not_start(self, failure: Failure) -> None:
        if self.running:
            self._failed(failure.getErrorMessage())
