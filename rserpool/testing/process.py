"""A process of a scope: a service on a host of its own, to be killed and started again."""

from __future__ import annotations

from random import Random
from typing import Any, ClassVar, Protocol

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import Clock

from rserpool.core.addresses import TransportAddress
from rserpool.core.profiles import Profile
from rserpool.sctp.base import PPID_ASAP, PPID_ENRP, tell
from rserpool.sctp.memory import MemoryStack
from rserpool.security.following import Secured
from rserpool.testing.network import ScopeNetwork
from rserpool.testing.reactor import HostReactor
from rserpool.testing.trace import Entry, Trace

TLS_RECORDS = range(0x14, 0x18)
"""How records of TLS begin; messages of ASAP and ENRP do not."""
LARGEST_EPOCH = 10_000.0
"""What a monotonic clock may show at the start, in seconds."""


class Surroundings(Protocol):
    """What processes want of their scope."""

    seed: int
    clock: Clock
    network: ScopeNetwork
    profile: Profile
    trace: Trace
    epochs: bool

    @property
    def now(self) -> float: ...

    @property
    def addresses(self) -> tuple[TransportAddress, ...]: ...

    @property
    def tcp_addresses(self) -> tuple[TransportAddress, ...]: ...

    def peers_of(self, host: str) -> tuple[TransportAddress, ...]: ...

    def security_of(self, name: str, letter: str) -> Secured | bool: ...


class Process:
    """One process on a host of its own.

    @ivar name: what its scope calls it.
    @ivar host: its IP address; it keeps it when it is started again.
    @ivar reactor: its reactor, a new one after each start.
    @ivar stack: its SCTP, a new one after each start.
    @ivar service: what runs in it.
    @ivar random: its random source, which depends on the scope's seed, its name, and how often it was started.
    @ivar alive: whether it runs.
    @ivar born: when it was started last, in seconds of the scope's clock.
    """

    letter: ClassVar[str]
    net: ClassVar[int]
    _registrar: ClassVar[bool] = False
    service: Any

    def __init__(self, scope: Surroundings, name: str, host: str, options: dict[str, Any]) -> None:
        self.scope = scope
        self.name = name
        self.host = host
        self.alive = False
        self.born = 0.0
        self._options = options
        self._starts = 0
        self.reactor: HostReactor
        self.stack: MemoryStack
        self.random: Random
        scope.network.names[host] = name

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name} at {self.host}{'' if self.alive else ', dead'}>"

    def start(self, **options: Any) -> None:
        """Start it, or start it again after L{kill} or L{stop}.

        @param options: for its service, beside those that it was made with, from now on.
        @raise RuntimeError: if it runs.
        """
        if self.alive:
            raise RuntimeError(f"{self.name} runs already")
        self._starts += 1
        self._options = {**self._options, **options}
        scope = self.scope
        self.random = Random(f"{scope.seed}/{self.name}/{self._starts}")
        ahead = self.random.uniform(0.0, LARGEST_EPOCH) if scope.epochs else 0.0
        self.stack = scope.network.stack(self.host, registrar=self._registrar)
        self.stack.tell = self._told
        self.reactor = HostReactor(
            scope.clock, scope.network, self.stack, self.host, name=self.name, trace=scope.trace, ahead=ahead
        )
        self.reactor.lends.update(
            stack=self.stack,
            registrars=scope.addresses,
            profile=scope.profile,
            hosts=(self.host,),
            security=scope.security_of(self.name, self.letter),
        )
        self.alive = True
        self.born = scope.now
        try:
            self._start()
        except BaseException:
            Process.kill(self)
            raise

    @property
    def role(self) -> Any:
        """The pure state machine of its service: its registrar, pool element or pool user."""
        raise NotImplementedError

    @property
    def node(self) -> Any:
        """What runs its role: C{node.perform(effects)} has something done."""
        return self.service.node

    def note(self, what: Any) -> None:
        """Write something that happened here into the scope's trace: text, or an event."""
        self.scope.trace.event(self.scope.now, self.name, what)

    def wall(self) -> float:
        """The wall-clock time here, in seconds since 1970."""
        return self.reactor.wall()

    def kill(self) -> None:
        """Kill it (SIGKILL): it says nothing any more; its host answers that nobody is there."""
        if self.alive:
            self.alive = False
            self.reactor.die()
            self.scope.network.crash(self.stack)

    def restart(self, **options: Any) -> None:
        """Kill it, if it runs, and start it again with what it was made for.

        @param options: as for L{start}.
        """
        self.kill()
        self.start(**options)

    def stop(self) -> Deferred[None]:
        """Stop it gracefully, as SIGTERM does.

        @return: a C{Deferred} that fires when its service has stopped; let time pass for it.
        """

        def stopped(result: Any) -> Any:
            self.kill()
            return result

        return ensureDeferred(self._stop()).addBoth(stopped)

    def _start(self) -> None:
        raise NotImplementedError

    async def _stop(self) -> None:
        await self.service.stopService()

    def _listen(self) -> None:
        """Write down the events of its role."""
        node = self.node
        notify = node.notify

        def told(event: Any) -> None:
            self.note(event)
            notify(event)

        node.notify = told

    def _hear(self) -> None:
        """Write down what comes over TLS, as it is within."""
        for channel in self.node.channels.values():
            if channel.tls is not None:
                channel.received = self._hearing(channel, channel.received)

    def _hearing(self, channel: Any, received: Any) -> Any:
        def heard(association: Any, data: bytes) -> None:
            self._write_down(association, data, channel.ppid)
            received(association, data)

        return heard

    def _write_down(self, association: Any, data: bytes, ppid: int) -> None:
        scope = self.scope
        source = scope.network.names.get(association.peer.hosts[0], "?")
        scope.trace.entries.append(Entry(scope.clock.rightNow, source, self.name, data, ppid))

    def _told(self, log: Any, report: Any, *arguments: Any) -> None:
        """Its SCTP has something to tell a handler."""
        reactor = self.reactor
        if report.__name__ == "messageReceived":
            association, data, ppid, *_ = arguments
            within = ppid in (PPID_ASAP, PPID_ENRP) and data[0] in TLS_RECORDS and self.service.secured is not None
            if not within:
                self._write_down(association, data, ppid)
        if reactor.stalled:
            reactor.enter(tell, log, report, *arguments)
        else:
            tell(log, report, *arguments)
