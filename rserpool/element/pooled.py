"""Any Twisted service as a pool element: what C{twistd rserpool-pe} runs, and what applications embed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.application.service import IService, Service
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.error import CannotListenError
from twisted.logger import Logger
from twisted.python.failure import Failure

from rserpool.core.addresses import TransportAddress, only_this_host
from rserpool.core.errors import ConfigurationError, RSerPoolError
from rserpool.core.policies import ParsedPolicy
from rserpool.core.wire.parameters import DATA_ONLY, DATA_PLUS_CONTROL, UserTransport
from rserpool.element.ports import LOOK, ListeningPorts, asap_place, drained, has_control_channel, session_framing
from rserpool.element.service import PoolElementService
from rserpool.node.candidates import local_hosts_towards, registrars_from
from rserpool.node.own_addresses import present_hosts, wildcard
from rserpool.node.reactor import clock_of

PATIENCE = 5.0
"""Seconds that the wrapped service may take to open its port."""


class PooledService(Service):
    """Runs a service, registers the port it listens on in pools, and drains it before it stops.

    To stop: deregister, wait for the answer, let running requests end (C{grace} seconds at most), stop the service.

    @param wrapped: the service; this service starts and stops it.
    @param pools: pool handles.
    @param policy: for example C{"least-used:load=cpu"}.
    @param port: C{("tcp", 8080)}, where the port cannot be found by itself.
    @param control: of an SCTP port: whether it carries the control channel, too (Transport Use, RFC 5354 section 3.4).
        A L{SessionFactory<rserpool.session.server.SessionFactory>} is known by itself, and a factory whose attribute
        C{control} is true.
    @param refused: called with a C{Failure} when a registrar refuses the registration for good.
    @param options: passed on to L{PoolElementService}.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        wrapped: IService,
        pools: Sequence[bytes | str],
        *,
        policy: ParsedPolicy | str = "round-robin",
        port: tuple[str, int] | None = None,
        grace: float = 5.0,
        identifier: int | None = None,
        life: int | None = None,
        control: bool = False,
        refused: Callable[[Failure], None] | None = None,
        hosts: tuple[str, ...] = (),
        registrars: Sequence[TransportAddress] | None = None,
        **options: Any,
    ) -> None:
        self._reactor = reactor
        self._wrapped: Any = wrapped
        self._pools = tuple(pools)
        self._policy = policy
        self._grace = grace
        self._identifier = identifier
        self._life = life
        self._control = control
        self._refused = refused
        self._hosts = hosts
        self._registrars = tuple(registrars or registrars_from(()))
        self._options = options
        self._now = clock_of(reactor)
        self._unnamed = port is None
        self._ports = ListeningPorts(reactor, port)
        self.element: PoolElementService | None = None

    def privilegedStartService(self) -> None:
        """Let the wrapped service open its privileged ports."""
        super().privilegedStartService()
        self._ports.during(self._wrapped.privilegedStartService)

    def startService(self) -> None:
        """Start the wrapped service; it is registered as soon as its port is known."""
        super().startService()
        self._ports.during(self._wrapped.startService)
        self._join(self._now() + PATIENCE)

    def stopService(self) -> Deferred[None]:
        """Leave the pools, drain, and stop the wrapped service."""
        super().stopService()
        return ensureDeferred(self._stop())

    def _join(self, deadline: float) -> None:
        if not self.running:
            return
        self._ports.look()
        if self._ports.transport("") is None:
            if self._now() < deadline:
                self._reactor.callLater(LOOK, self._join_late, deadline)
            else:
                self._fail(ConfigurationError("the service opened no port that can be found: name it with --port"))
            return
        bound = self._ports.bound_hosts()
        hosts = present_hosts(self._hosts) or bound or local_hosts_towards(self._registrars[:1])
        at = tuple(filter(self._ports.reached_at, hosts))
        if not at:
            alone = ", ".join(bound) or "IPv4"
            self._fail(
                ConfigurationError(f"the service listens on {alone} alone, and the element is at {', '.join(hosts)}")
            )
            return
        port = self._ports.port
        where: dict[str, Any] = {"hosts": hosts} if port is None else asap_place(port.getHost(), hosts)
        if wildcard(self._hosts) and "encapsulation" not in where:
            # It registers what comes and goes.
            where["hosts"] = self._hosts
        element = self.element = PoolElementService(
            self._reactor, registrars=self._registrars, **{**where, **self._options}
        )
        element.startService()
        factory = getattr(port, "factory", None)
        framing = session_framing(factory, self._pools)
        transport = self._transport(at, has_control_channel(factory))
        self._log.info(
            "serves at {transport}{note}",
            transport=f"{', '.join(transport.addresses)} port {transport.port}",
            note=" (this host alone)" if only_this_host(transport.addresses) else "",
        )
        for pool in self._pools:
            element.serve(
                pool, transport, self._policy, identifier=self._identifier, life=self._life, framing=framing
            ).addErrback(self._refuse)

    def _join_late(self, deadline: float) -> None:
        try:
            self._join(deadline)
        except (CannotListenError, RSerPoolError) as error:
            self._fail(error)

    def _transport(self, hosts: tuple[str, ...], control: bool) -> UserTransport:
        control = self._control or control
        transport = self._ports.transport(*hosts, use=DATA_PLUS_CONTROL if control else DATA_ONLY)
        assert transport is not None
        if len(self._ports.ports) > 1 and self._unnamed:
            self._log.warn(
                "the service opened {count} ports: {port} is registered; name another with --port",
                count=len(self._ports.ports),
                port=transport.port,
            )
        return transport

    def _fail(self, error: Exception) -> None:
        self._log.error("{error}", error=error)
        self._refuse(Failure(error))

    def _refuse(self, failure: Failure) -> None:
        if self._refused is not None:
            self._refused(failure)

    async def _stop(self) -> None:
        if self.element is not None:
            await self.element.stopService()
        await drained(self._reactor, self._ports.ports, self._grace, self._log)
        stopped = self._wrapped.stopService()
        if stopped is not None:
            await stopped
