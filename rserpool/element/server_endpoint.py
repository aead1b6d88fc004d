"""A server endpoint whose ports are registered in a pool: who listens on it becomes a pool element (RFC 5352 3.1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred, maybeDeferred
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IStreamServerEndpoint
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from rserpool.core.addresses import TransportAddress, only_this_host
from rserpool.core.errors import ConfigurationError
from rserpool.core.handles import handle_of, handle_text
from rserpool.core.policies import ParsedPolicy
from rserpool.core.wire.parameters import DATA_ONLY, DATA_PLUS_CONTROL
from rserpool.element.draining import closed
from rserpool.element.load import parse_policy
from rserpool.element.ports import (
    asap_place,
    bound_hosts,
    has_control_channel,
    own_load,
    reached_at,
    session_framing,
    user_transport,
)
from rserpool.element.service import PoolElementService
from rserpool.node.candidates import local_host_towards, registrars_from
from rserpool.node.shutdown import Ending

PATIENCE = 5.0
"""Seconds after which it is told that a port is not in its pool yet."""
GRACE = 5.0
"""Seconds that connections have to end when the port is closed, where nothing else is said."""


@implementer(IStreamServerEndpoint)
class PoolServerEndpoint:
    """Listens on another endpoint, and registers its port in a pool.

    @param inner: a server endpoint over TCP (with TLS or without) or SCTP.
    @param pool: the pool handle.
    @param policy: for example C{"least-used:load=cpu"}.
    @param values: what measures a value of the policy: C{{"load": callable}}, from 0.0 to 1.0.
    @param grace: seconds that connections have to end when the port is closed.
    @param identifier: the PE identifier; one at random by default.
    @param life: the registration life in seconds; that of the profile by default.
    @param control: over SCTP: whether it carries the control channel, too (Transport Use, RFC 5354 section 3.4); the
        factories of sessions say so themselves.
    @param hosts: our own IP addresses, where users reach the port; by default those that it is bound to, or the one
        that reaches the first registrar.
    @param registrars: where registrars are; by default on this host.
    @param refused: called with a C{Failure} when a registrar refuses the registration for good.
    @param options: passed on to L{PoolElementService<rserpool.element.service.PoolElementService>}.
    @raise ConfigurationError: if the policy is wrong.
    """

    def __init__(
        self,
        reactor: Any,
        inner: IStreamServerEndpoint,
        pool: bytes | str,
        *,
        policy: ParsedPolicy | str = "round-robin",
        values: Mapping[str, Callable[[], float]] | None = None,
        grace: float = GRACE,
        identifier: int | None = None,
        life: int | None = None,
        control: bool = False,
        hosts: tuple[str, ...] = (),
        registrars: Sequence[TransportAddress] | None = None,
        refused: Callable[[Failure], object] | None = None,
        **options: Any,
    ) -> None:
        self.reactor = reactor
        self.inner = inner
        self.handle = handle_of(pool)
        self.policy = parse_policy(policy) if isinstance(policy, str) else policy
        self.grace = grace
        self.hosts = hosts
        self.registrars = tuple(registrars or registrars_from(()))
        self.options = options
        self.control = control
        self.refused = refused
        self.serving: dict[str, Any] = {"values": values, "identifier": identifier, "life": life}

    def __repr__(self) -> str:
        return f"<PoolServerEndpoint of pool {handle_text(self.handle)!r} on {self.inner!r}>"

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Listen, and register; the registration goes on while the port is open, whichever registrar there is.

        @return: a C{Deferred} of a L{PooledPort}, as soon as the port is open. It fails with C{CannotListenError}, with
            L{ConfigurationError<rserpool.core.errors.ConfigurationError>} if users cannot reach the port, and with
            L{SctpUnavailable<rserpool.core.errors.SctpUnavailable>} if there is no SCTP for speaking with a registrar.
        """
        return ensureDeferred(self._listen(protocolFactory))

    async def _listen(self, factory: IProtocolFactory) -> IListeningPort:
        inner = await self.inner.listen(factory)
        port = PooledPort(self, inner, factory)
        try:
            port.join()
        except BaseException:
            # Not awaited: twistd ends only if it hears of the failure at once.
            maybeDeferred(inner.stopListening).addErrback(
                lambda failure: PooledPort.log.failure("the port could not be closed", failure)
            )
            raise
        return port


@implementer(IListeningPort)
class PooledPort:
    """An open port of a pool element.

    It is closed before the reactor shuts down, unless it was before.

    @ivar registered: fires with the PE identifier when the element is registered for the first time, and with C{None}
        if it never is: a registrar refused it, or the port was closed before. Why it is in no pool stands in the log,
        as a critical line: programs that begin no log see those.
    """

    log = Logger()

    def __init__(self, endpoint: PoolServerEndpoint, inner: IListeningPort, factory: IProtocolFactory) -> None:
        self._endpoint = endpoint
        self._inner = inner
        self._factory = factory
        self._element: PoolElementService | None = None
        self._ending = Ending(endpoint.reactor, self._stop, self.stopListening)
        self._patience: Any = None
        self.registered: Deferred[int | None] = Deferred()

    def __repr__(self) -> str:
        return f"<PooledPort {self._inner!r} in pool {handle_text(self._endpoint.handle)!r}>"

    @property
    def element(self) -> PoolElementService:
        """The element that this port is registered by; for changes of its policy values, for example.

        @raise RuntimeError: if the port is closed.
        """
        if self._element is None:
            raise RuntimeError("the port is closed")
        return self._element

    def getHost(self) -> Any:
        """The address of the port that it wraps."""
        return self._inner.getHost()

    def startListening(self) -> None:
        """Listen and register again, after L{stopListening}.

        @raise CannotListenError: if the port is taken.
        """
        self._inner.startListening()
        self.registered = Deferred()
        self.join()

    def stopListening(self) -> Deferred[None]:
        """Deregister, wait for the answer, let connections end (C{grace} seconds at most), and close the port.

        @return: a C{Deferred} that fires with C{None} when the port is closed.
        """
        return self._ending.begin()

    def join(self) -> None:
        """Become an element.

        @raise ConfigurationError: if users cannot reach the port.
        """
        endpoint = self._endpoint
        values = {**own_load(self._factory, endpoint.policy), **(endpoint.serving["values"] or {})}
        address: Any = self._inner.getHost()
        kind = getattr(address, "type", None)
        if kind not in ("TCP", "SCTP"):
            raise ConfigurationError(f"{address} is no place where the users of a pool come: listen on tcp or sctp")
        bound = bound_hosts(address)
        hosts = endpoint.hosts or bound or (local_host_towards(endpoint.registrars[0].hosts[0]),)
        at = tuple(host for host in hosts if reached_at(address, host))
        if not at:
            where = f"{', '.join(bound) or 'IPv4'} alone"
            raise ConfigurationError(f"the port is open on {where}, and the element is at {', '.join(hosts)}")
        options = {**asap_place(address, hosts), **endpoint.options}
        if not endpoint.hosts and not bound:
            options["at"] = hosts
        element = PoolElementService(endpoint.reactor, registrars=endpoint.registrars, checked=False, **options)
        element.startService()
        self._element = element
        self._ending.arm()
        self._patience = endpoint.reactor.callLater(PATIENCE, self._tell)
        framing = session_framing(self._factory, (endpoint.handle,))
        control = endpoint.control or has_control_channel(self._factory)
        transport = user_transport(kind, address.port, at, DATA_PLUS_CONTROL if control else DATA_ONLY)
        self.log.info(
            "{pool}: serves at {hosts} port {port}{note}",
            pool=handle_text(endpoint.handle),
            hosts=", ".join(transport.addresses),
            port=address.port,
            note=" (this host alone)" if only_this_host(transport.addresses) else "",
        )
        serving = {**endpoint.serving, "framing": framing, "values": values}
        element.serve(endpoint.handle, transport, endpoint.policy, **serving).addCallbacks(
            self._registered, self._refused
        )

    def _registered(self, identifier: int) -> None:
        self._settle(identifier)

    def _refused(self, failure: Failure) -> None:
        self._settle(None)
        if self._endpoint.refused is not None:
            self._endpoint.refused(failure)
        else:
            self._not_in_the_pool(f"the registrar refused: {failure.value}")

    def _tell(self) -> None:
        where = ", ".join(map(str, self._endpoint.registrars))
        role = None if self._element is None else self._element.element
        home, why = (None, "") if role is None else (role.home, role.distrust.why())
        at = f"the registrar at {home} has not granted it"
        if home is None:
            at = f"no registrar answers at {where}{why and '; '}{why}"
        self._not_in_the_pool(f"{at}; it goes on trying")

    def _not_in_the_pool(self, why: str) -> None:
        # Programs that begin no log see what is critical.
        self.log.critical(
            "{pool}: serves, but is not in the pool: {why}", pool=handle_text(self._endpoint.handle), why=why
        )

    def _settle(self, identifier: int | None) -> None:
        if self._patience is not None and self._patience.active():
            self._patience.cancel()
        if not self.registered.called:
            self.registered.callback(identifier)

    async def _stop(self) -> None:
        endpoint = self._endpoint
        element, self._element = self._element, None
        if element is not None:
            await element.stopService()
        self._settle(None)
        await closed(endpoint.reactor, [self._inner], endpoint.grace, self.log)
        await maybeDeferred(self._inner.stopListening)
