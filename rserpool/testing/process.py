"""The processes of a scope: the package's own services, each on a host of its own, to be killed and started again."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any, ClassVar, Protocol

from twisted.application.service import IService
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from rserpool.core.addresses import ASAP_PORT, TransportAddress
from rserpool.core.element import PoolElement
from rserpool.core.handles import handle_of, handle_text
from rserpool.core.profiles import Profile
from rserpool.core.registrar import Registrar
from rserpool.core.user import PoolUser
from rserpool.core.wire.parameters import DATA_ONLY, DATA_PLUS_CONTROL, SctpTransport, TcpTransport, UserTransport
from rserpool.element.pooled import PooledService
from rserpool.element.ports import has_control_channel, session_framing
from rserpool.element.service import PoolElementService
from rserpool.registrar.service import RegistrarService
from rserpool.sctp.base import tell
from rserpool.sctp.memory import MemoryStack
from rserpool.sctp.one_to_one.ports import listenSCTP
from rserpool.testing.network import ScopeNetwork
from rserpool.testing.reactor import HostReactor
from rserpool.testing.seen import Seen
from rserpool.testing.trace import Entry, Trace
from rserpool.user.endpoint import PoolClientEndpoint
from rserpool.user.service import PoolUserService

NOBODY = 80
"""The port that is registered where nobody listens."""
LARGEST_EPOCH = 10_000.0


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
        self.stack = scope.network.stack(self.host, registrar=isinstance(self, RegistrarProcess))
        self.stack.tell = self._told
        self.reactor = HostReactor(
            scope.clock, scope.network, self.stack, self.host, name=self.name, trace=scope.trace, ahead=ahead
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
        """The pure state machine of its service: L{Registrar<rserpool.core.registrar>} and so on."""
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

    def _told(self, log: Any, report: Any, *arguments: Any) -> None:
        """Its SCTP has something to tell a handler."""
        scope, reactor = self.scope, self.reactor
        if report.__name__ == "messageReceived":
            association, data, ppid, *_ = arguments
            source = scope.network.names.get(association.peer.hosts[0], "?")
            scope.trace.entries.append(Entry(scope.clock.rightNow, source, self.name, data, ppid))
        if reactor.stalled:
            reactor.enter(tell, log, report, *arguments)
        else:
            tell(log, report, *arguments)


class RegistrarProcess(Process):
    """A registrar; it knows the others by C{peers}.

    @ivar service: its L{RegistrarService}.
    @ivar address: where elements and users reach it over SCTP.
    @ivar tcp_address: where users reach it over TCP.
    """

    letter, net = "r", 0
    service: RegistrarService

    def __init__(self, scope: Surroundings, name: str, host: str, options: dict[str, Any]) -> None:
        super().__init__(scope, name, host, options)
        self.address = TransportAddress((host,), ASAP_PORT)
        self.tcp_address = TransportAddress((host,), ASAP_PORT, protocol="tcp")

    @property
    def role(self) -> Registrar:
        return self.service.registrar

    @property
    def identifier(self) -> int:
        """Its ENRP server identifier; a new one after each start, unless the option C{identifier} gives one."""
        return self.role.identifier

    @property
    def ready(self) -> bool:
        """Whether it serves (RFC 5353 section 3.2)."""
        return self.alive and self.role.peering.ready

    def elements(self, pool: bytes | str) -> dict[int, Any]:
        """The elements that it knows in a pool, by PE identifier; none if it does not know the pool."""
        handle = handle_of(pool)
        found = self.role.handlespace.pools.get(handle)
        return {} if found is None else dict(found.elements)

    @property
    def peers(self) -> set[int]:
        """The server identifiers of the other registrars that it knows."""
        return {peer.identifier for peer in self.role.peering.peers}

    def _start(self) -> None:
        # Garbage is an affair of the whole interpreter, which it shares with the test.
        options = {"profile": self.scope.profile, "peers": self.scope.peers_of(self.host), "tame_garbage": False}
        self.service = RegistrarService(
            self.reactor, asap=self.address, stack=self.stack, random=self.random, **{**options, **self._options}
        )
        self._listen()
        self.note(f"starts as 0x{self.identifier:x}")
        self.service.startService()


class ElementProcess(Process):
    """A process that serves in pools.

    @ivar service: its L{PoolElementService}.
    @ivar pools: the pools in which it serves, and whether it is registered there.
    @ivar policies: the policies that it was told to register with, by pool.
    @ivar refused: why registrations failed for good, by pool.
    """

    letter, net = "e", 1
    service: PoolElementService

    def __init__(
        self,
        scope: Surroundings,
        name: str,
        host: str,
        setup: Callable[[ElementProcess], object] | None,
        options: dict[str, Any],
    ) -> None:
        super().__init__(scope, name, host, options)
        self._setup = setup
        self.pools: dict[bytes, bool] = {}
        self.policies: dict[bytes, str] = {}
        self.pooled: list[tuple[PooledService, tuple[bytes, ...]]] = []
        self.refused: dict[bytes, Failure] = {}

    @property
    def role(self) -> PoolElement:
        return self.service.element

    def serve(
        self,
        pool: bytes | str,
        factory: Any = None,
        *,
        protocol: str = "tcp",
        port: int = 0,
        use: int | None = None,
        policy: str = "round-robin",
        **options: Any,
    ) -> UserTransport:
        """Listen, and register that in a pool.

        @param factory: a Twisted factory whose protocols serve; None to register a port on which nobody listens.
        @param protocol: C{"tcp"} or C{"sctp"}.
        @param port: the port; 0 for any.
        @param use: over SCTP the Transport Use, C{DATA_ONLY} or C{DATA_PLUS_CONTROL} (RFC 5354 section 3.4); by
            default what the factory wants: sessions want the latter.
        @param options: for L{PoolElementService.serve<rserpool.element.service.PoolElementService.serve>}.
        @return: the transport that is registered.
        """
        options.setdefault("framing", session_framing(factory, (pool,)))
        if use is None:
            use = DATA_PLUS_CONTROL if has_control_channel(factory) else DATA_ONLY
        if factory is None:
            port = port or NOBODY
        elif protocol == "tcp":
            port = self.reactor.listenTCP(port, factory).getHost().port
        else:
            port = listenSCTP(self.reactor, port, factory, stack=self.stack).getHost().port
        transport: UserTransport = (
            TcpTransport(port, self.host) if protocol == "tcp" else SctpTransport(port, use, (self.host,))
        )
        self.register(pool, transport, policy, **options)
        return transport

    def register(
        self, pool: bytes | str, transport: UserTransport, policy: str = "round-robin", **options: Any
    ) -> None:
        """Register a transport that exists already.

        @param options: for L{PoolElementService.serve<rserpool.element.service.PoolElementService.serve>}.
        """
        handle = handle_of(pool)
        self.note(f"serves in {handle_text(handle)} with {policy}")
        registered = self.service.serve(handle, transport, policy, **options)
        self.pools[handle] = False
        self.policies[handle] = policy

        def accepted(identifier: int) -> None:
            if handle in self.pools:
                self.pools[handle] = True

        def refused(failure: Failure) -> None:
            self.refused[handle] = failure

        registered.addCallbacks(accepted, refused)

    def run(self, service: IService, *pools: bytes | str, **options: Any) -> PooledService:
        """Run a Twisted service that opens a port of its C{reactor} (or C{stack}), as C{twistd rserpool-pe} does.

        @param options: for L{PooledService<rserpool.element.pooled.PooledService>}.
        @return: what runs it.
        """
        settings = {"profile": self.scope.profile, "registrars": self.scope.addresses, "hosts": (self.host,), **options}
        pooled = PooledService(self.reactor, service, pools, stack=self.stack, random=self.random, **settings)
        pooled.privilegedStartService()
        pooled.startService()
        self.pooled.append((pooled, tuple(map(handle_of, pools))))
        return pooled

    @property
    def memberships(self) -> list[tuple[bytes, int | None]]:
        """The pools in which it is to serve, and its PE identifiers there; None where it is not registered yet."""
        found = [(handle, self.identifier(handle) if done else None) for handle, done in self.pools.items()]
        for pooled, handles in self.pooled:
            for handle in handles if pooled.running else ():
                element = pooled.element
                joined = element is not None and not element.joining(handle)
                found.append((handle, self.identifier(handle) if joined else None))
        return found

    def identifier(self, pool: bytes | str) -> int:
        """Its PE identifier in a pool.

        @raise KeyError: if it does not serve there.
        """
        handle = handle_of(pool)
        for pooled, handles in self.pooled:
            if handle in handles and pooled.element is not None:
                return pooled.element.element.identifier(handle)
        return self.role.identifier(handle)

    @property
    def homes(self) -> set[str]:
        """The hosts of the registrars that it is registered with."""
        services = [self.service, *(pooled.element for pooled, _ in self.pooled if pooled.running)]
        found = [service.element.home for service in services if service is not None]
        return {home.hosts[0] for home in found if home is not None}

    def change(self, pool: bytes | str, policy: str) -> None:
        """Register again with other values of the policy."""
        self.note(f"changes to {policy}")
        self.policies[handle_of(pool)] = policy
        self.service.change(pool, policy=policy)

    def leave(self, pool: bytes | str) -> Deferred[None]:
        """Deregister."""
        self.note("leaves")
        self.pools.pop(handle_of(pool), None)
        return self.service.leave(pool)

    def _start(self) -> None:
        self.pools.clear()
        self.pooled.clear()
        self.refused.clear()
        options = {"profile": self.scope.profile, "registrars": self.scope.addresses, **self._options}
        self.service = PoolElementService(
            self.reactor, hosts=(self.host,), stack=self.stack, random=self.random, **options
        )
        self._listen()
        self.service.startService()
        if self._setup is not None:
            self._setup(self)

    async def _stop(self) -> None:
        self.pools.clear()
        for pooled, _ in self.pooled:
            await pooled.stopService()
        await self.service.stopService()


class UserProcess(Process):
    """A process that uses pools.

    @ivar service: its L{PoolUserService}.
    @ivar seen: the pools that it watches.
    """

    letter, net = "u", 2
    service: PoolUserService

    def __init__(self, scope: Surroundings, name: str, host: str, options: dict[str, Any]) -> None:
        super().__init__(scope, name, host, options)
        self.seen: dict[bytes, Seen] = {}

    @property
    def role(self) -> PoolUser | None:
        return self.service._user

    @property
    def node(self) -> Any:
        return self.service._node

    def endpoint(self, pool: bytes | str, **options: Any) -> PoolClientEndpoint:
        """A client endpoint for a pool; see L{PoolClientEndpoint}."""
        return PoolClientEndpoint(self.service, pool, **options)

    def watch(self, pool: bytes | str) -> Seen:
        """Subscribe to a pool; what is returned shows it."""
        seen = self.seen[handle_of(pool)] = Seen()
        self.service.subscribe(pool, seen.changed)
        return seen

    def _start(self) -> None:
        self.seen.clear()
        transport = self._options.get("transport", "sctp")
        registrars = self.scope.addresses if transport != "tcp" else self.scope.tcp_addresses
        options = {"profile": self.scope.profile, "registrars": registrars, "transport": transport, **self._options}
        self.service = PoolUserService(self.reactor, stack=self.stack, random=self.random, **options)
        self.service.startService()
        self._listen()
