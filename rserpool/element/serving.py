"""One port in pools: registered while somebody serves there, and no longer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.logger import Logger
from twisted.python.failure import Failure

from rserpool.core.addresses import TransportAddress, only_this_host
from rserpool.core.errors import ConfigurationError
from rserpool.core.handles import handle_of
from rserpool.core.policies import ParsedPolicy
from rserpool.core.wire.parameters import DATA_ONLY, DATA_PLUS_CONTROL, UserTransport
from rserpool.element.ports import (
    Place,
    asap_place,
    bound_hosts,
    has_control_channel,
    own_load,
    reached_at,
    session_framing,
    user_transport,
)
from rserpool.element.service import PoolElementService
from rserpool.node.candidates import local_hosts_towards
from rserpool.node.own_addresses import present_hosts, wildcard


class Serving:
    """A port, and the element by which it is in its pools.

    @param hosts: our own addresses; by default those that the port is bound to, or that reach the first registrar.
    @param follow: whether the system has chosen the port's addresses, too: the element follows their change.
    @param forwarded: the address of a translator (NAT) that forwards the port to this host; empty if there is none.
    @param refused: called with a C{Failure} when a registrar refuses it for good.
    @param options: passed on to L{PoolElementService}.
    @ivar element: None until somebody served there for the first time.
    @ivar place: what is registered; None while nothing is.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        pools: Sequence[bytes | str],
        *,
        policy: ParsedPolicy | str,
        identifier: int | None,
        life: int | None,
        control: bool,
        hosts: tuple[str, ...],
        registrars: tuple[TransportAddress, ...],
        follow: bool,
        forwarded: str,
        refused: Callable[[Failure], object],
        options: dict[str, Any],
    ) -> None:
        self._reactor = reactor
        self._pools = pools
        self._policy = policy
        self._life = life
        self._control = control
        self._hosts = hosts
        self._registrars = registrars
        self._follow = follow
        self._forwarded = forwarded
        self._refused = refused
        self._options = options
        self._identifiers: dict[bytes, int] = {} if identifier is None else {handle_of(pools[0]): identifier}
        self._leaving: Deferred[Any] | None = None
        self.element: PoolElementService | None = None
        self.place: Place | None = None

    def begin(self) -> None:
        """Nobody serves there yet, or any more."""
        self.element = self.place = self._leaving = None

    @property
    def leaving(self) -> bool:
        """Whether it is about to leave: it cannot be registered yet."""
        return self._leaving is not None

    def serves(self, ports: Sequence[Any], place: Place) -> None:
        """Somebody serves there: be registered so.

        @param ports: the ports of this process that do, one for each address; none if another process does.
        @raise ConfigurationError: if users cannot reach it.
        """
        port, at, hosts = self._reached(ports)
        chosen = not self._hosts and (self._follow or port is None or not bound_hosts(port.getHost()))
        factory = getattr(port, "factory", None)
        if self._forwarded:
            if place.kind == "sctp":
                raise ConfigurationError("a translator forwards TCP and UDP ports: SCTP over UDP comes by another one")
            at = (self._forwarded,)
        control = self._control or has_control_channel(factory)
        transport = user_transport(place.kind, place.number, at, DATA_PLUS_CONTROL if control else DATA_ONLY)
        framing, values = session_framing(factory, self._pools), own_load(factory, self._policy)
        self._log.info(
            "serves at {transport}{note}",
            event="serves",
            transport=f"{', '.join(transport.addresses)} port {transport.port}",
            note=" (this host alone)" if only_this_host(transport.addresses) else "",
        )
        if self.element is None:
            self.element = self._start(port, hosts, chosen)
        if self.place is not None:
            for pool in self._pools:
                self.element.change(pool, transport=transport)
        else:
            for pool in self._pools:
                self._serve(self.element, pool, transport, framing, values)
        self.place = place

    def change(self, policy: ParsedPolicy) -> None:
        """It has other values of its policy from now on; measured ones are measured on."""
        self._policy = policy
        if self.element is not None and self.place is not None:
            for pool in self._pools:
                self.element.change(pool, policy=policy)

    def gone(self, why: str = "") -> None:
        """Nobody serves there any more, or not as he should: leave the pools.

        @param why: he should not; empty for nobody.
        """
        if self.element is None or self.place is None:
            return
        self._log.warn(
            "{why}: left the pool until that has changed",
            event="not-listening",
            place=str(self.place),
            why=why or f"nobody listens on {self.place} any more",
        )
        self.place = None
        self._leaving = gatherResults([self.element.leave(pool) for pool in self._pools])
        self._leaving.addBoth(self._has_left)

    def _has_left(self, result: object) -> None:
        self._leaving = None

    def _reached(self, ports: Sequence[Any]) -> tuple[Any, tuple[str, ...], tuple[str, ...]]:
        """The port that users reach, the addresses at which they do, and those of the element."""
        hosts: tuple[str, ...] = ()
        for port in ports or (None,):
            bound = () if port is None else bound_hosts(port.getHost())
            hosts = present_hosts(self._hosts) or bound or local_hosts_towards(self._registrars[:1])
            at = tuple(host for host in hosts if port is None or reached_at(port.getHost(), host))
            if at:
                return port, at, hosts
        alone = ", ".join(host for port in ports for host in bound_hosts(port.getHost())) or "IPv4"
        raise ConfigurationError(f"the service listens on {alone} alone, and the element is at {', '.join(hosts)}")

    def addresses(self) -> tuple[str, ...]:
        """Where another process's port would be registered."""
        return present_hosts(self._hosts) or local_hosts_towards(self._registrars[:1])

    def _start(self, port: Any, hosts: tuple[str, ...], chosen: bool) -> PoolElementService:
        where: dict[str, Any] = {"hosts": hosts} if port is None else asap_place(port.getHost(), hosts)
        if wildcard(self._hosts) and "encapsulation" not in where:
            # It registers what comes and goes.
            where["hosts"] = self._hosts
        if chosen:
            where["at"] = hosts
        where["checked"] = False  # it is followed
        element = PoolElementService(self._reactor, registrars=self._registrars, **{**where, **self._options})
        element.startService()
        return element

    def _serve(
        self,
        element: PoolElementService,
        pool: bytes | str,
        transport: UserTransport,
        framing: int,
        values: Mapping[str, Callable[[], float]],
    ) -> None:
        handle = handle_of(pool)
        known = self._identifiers.get(handle)

        def registered(identifier: int) -> None:
            # It is the same element when it comes back.
            self._identifiers[handle] = identifier

        element.serve(
            pool, transport, self._policy, values=values, identifier=known, life=self._life, framing=framing
        ).addCallbacks(registered, self._refused)
