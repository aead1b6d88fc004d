"""Any Twisted service as a pool element: what C{twistd rserpool-pe} runs, and what applications embed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.application.service import IService, MultiService, Service
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.error import CannotListenError
from twisted.logger import Logger
from twisted.python.failure import Failure

from rserpool.core.addresses import TransportAddress
from rserpool.core.backoff import Backoff
from rserpool.core.errors import ConfigurationError, RSerPoolError
from rserpool.core.policies import ParsedPolicy
from rserpool.element.draining import closed
from rserpool.element.following import NONE, Followed
from rserpool.element.health import Checks
from rserpool.element.load import parse_policy
from rserpool.element.openings import opened_so_far, watch_ports
from rserpool.element.ports import LOOK, ListeningPorts, Place
from rserpool.element.service import PoolElementService
from rserpool.element.serving import Serving
from rserpool.node.candidates import registrars_from
from rserpool.node.lifetime import Lifetime
from rserpool.node.reactor import clock_of
from rserpool.security.following import Secured

SELDOM = 0.25
"""Seconds between two looks while everything is registered."""
TOLD = 5.0
"""The same where it is told at once what changes."""
PATIENCE = 5.0
"""Seconds after which it is told that the wrapped service has opened no port yet."""
TELLING = Backoff(PATIENCE, 600.0)
"""Seconds between two such lines."""


class PooledService(Service):
    """Runs a service, registers the port it listens on in pools, and drains it before it stops.

    What is registered is what serves: when the port closes the service leaves its pools, and when it comes back, or
    another is opened instead, it is registered again. A service that opens its port late is waited for.

    To stop: deregister, wait for the answer, let running requests end (C{grace} seconds at most), stop the service.

    @param wrapped: the service; this service becomes its parent's parent, and starts and stops it.
    @param pools: pool handles.
    @param policy: for example C{"least-used:load=cpu"}.
    @param port: C{("tcp", 8080)}, where the port cannot be found by itself, since the service opens several or another
        process listens there; C{("udp", 0)} for the UDP port that it opens. Of several, each is an element of its own.
    @param control: of an SCTP port: whether it carries the control channel, too (Transport Use, RFC 5354 section 3.4).
        A L{SessionFactory<rserpool.session.server.SessionFactory>} is known by itself, and a factory whose attribute
        C{control} is true.
    @param refused: called with a C{Failure} when a registrar refuses the registration for good, or it is not known
        which of several ports is to be registered.
    @param alone: whether the process is there for this service: then ports whose opener is not known are its own.
    @param forwarded: the address of a translator that forwards the port to this host, which is registered instead.
    @param checks: whether who serves is well: it is in its pools only while it is.
    @param follow: whether the system has chosen the addresses of its SCTP port, which follows when they change.
    @ivar policy: the policy, with its values as they are now.
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
        port: tuple[str, int] | Sequence[tuple[str, int]] | None = None,
        grace: float = 5.0,
        identifier: int | None = None,
        life: int | None = None,
        control: bool = False,
        refused: Callable[[Failure], None] | None = None,
        hosts: tuple[str, ...] = (),
        registrars: Sequence[TransportAddress] | None = None,
        alone: bool = False,
        follow: bool = False,
        forwarded: str = "",
        checks: Checks = NONE,
        **options: Any,
    ) -> None:
        self._reactor = reactor
        self._around: Any = _Around()
        wrapped.setServiceParent(self._around)
        self._grace = grace
        self.policy = parse_policy(policy) if isinstance(policy, str) else policy
        self._refused = refused
        self._now = clock_of(reactor)
        self._wanted = _places(port)
        self._ports = ListeningPorts(reactor, alone=alone)
        self._looking: Any = None
        self._watch_no_more: Callable[[], object] = lambda: None
        self._life = Lifetime("the service", self._begin)
        self._opened = -1
        self._lived = self._privileged = False
        self._others_told = False
        self._told, self._silence = 0.0, 0.0
        self._all = [
            Followed(
                reactor,
                want,
                Serving(
                    reactor,
                    tuple(pools),
                    policy=self.policy,
                    identifier=identifier,
                    life=life,
                    control=control,
                    hosts=hosts,
                    registrars=tuple(registrars or registrars_from(())),
                    follow=follow,
                    forwarded=forwarded,
                    refused=self._refuse,
                    options=options,
                ),
                checks,
            )
            for want in self._wanted or (None,)
        ]

    @property
    def element(self) -> PoolElementService | None:
        """The element (of several ports: of the first one); None until somebody has served."""
        return self._all[0].serving.element

    @property
    def secured(self) -> Secured | None:
        """What secures the element; None if nothing does, or nobody has served yet."""
        return None if self.element is None else self.element.secured

    def privilegedStartService(self) -> None:
        """Let the wrapped service open its privileged ports."""
        super().privilegedStartService()
        self._privileged = True
        self._ports.during(self._around.privilegedStartService)

    def _begin(self) -> None:
        self._lived = True
        self._opened = -1
        for each in self._all:
            each.begin()

    def startService(self) -> None:
        """Start the wrapped service; it is registered as soon as it listens.

        @raise RuntimeError: if it was stopped, and has not ended yet.
        """
        self._life.begin()
        super().startService()
        if self._lived and not self._privileged:
            # An application does so once; a StreamServerEndpointService listens again by nothing else.
            self._ports.during(self._around.privilegedStartService)
        self._ports.during(self._around.startService)
        self._told, self._silence = self._now(), TELLING.after(0.0)
        self._watch_no_more = watch_ports(self._reactor, self._look_now)
        self._look()

    def stopService(self) -> Deferred[None]:
        """Leave the pools, drain, and stop the wrapped service."""
        super().stopService()
        self._privileged = False
        self._watch_no_more()
        if self._looking is not None and self._looking.active():
            self._looking.cancel()
        for each in self._all:
            each.stop()
        return ensureDeferred(self._life.end(self._stop()))

    def _look(self) -> None:
        opened = opened_so_far(self._reactor)
        for each in self._all:
            try:
                each.look(self._ports)
            except ConfigurationError as error:
                self._fail(error)
                return
        if opened != self._opened:
            self._tell_of_others()
        self._opened = opened
        waits = [each for each in self._all if each.serving.place is None]
        if waits:
            self._tell(waits)
        pause = LOOK if waits else TOLD if all(each.is_told for each in self._all) else SELDOM
        self._looking = self._reactor.callLater(pause, self._look_late)

    def _look_now(self) -> None:
        """A port was opened, or closed."""
        if self._looking is not None and self._looking.active():
            self._looking.reset(0)

    def _tell_of_others(self) -> None:
        places = {each.serving.place for each in self._all}
        self._ports.look()
        if self._wanted or None in places or self._others_told or not self._ports.others(places):
            return
        self._others_told = True
        self._log.warn(
            "the service opened {count} ports: {port} is registered, of {all}; name others with --port",
            count=len(self._ports.ports),
            port=" and ".join(map(str, places)),
            all=self._ports.told(),
        )

    def _look_late(self) -> None:
        try:
            self._look()
        except (CannotListenError, RSerPoolError) as error:
            self._fail(error)

    def _tell(self, waits: Sequence[Followed]) -> None:
        now = self._now()
        if now < self._told + self._silence:
            return
        self._told, self._silence = now, TELLING.after(self._silence)
        for each in waits:
            self._log.warn("{why}; it is registered as soon as that has changed", why=each.why_not(self._ports))

    def _fail(self, error: Exception) -> None:
        self._log.error("{error}", error=error)
        self._refuse(Failure(error))

    def _refuse(self, failure: Failure) -> None:
        if self._refused is not None:
            self._refused(failure)

    def change(self, *, policy: ParsedPolicy | None = None, grace: float | None = None) -> None:
        """Go by other settings from now on; None leaves one as it is.

        @param policy: the same policy with other values: another one would be another pool.
        """
        if grace is not None:
            self._grace = grace
        if policy is not None:
            self.policy = policy
            for each in self._all:
                each.serving.change(policy)

    async def _stop(self) -> None:
        for each in self._all:
            if each.serving.element is not None:
                await each.serving.element.stopService()
        self._ports.look()
        # What only may be the service's is its own to close.
        mine = [port for port in self._ports.ports if not self._ports.is_a_guess(port)]
        await closed(self._reactor, self._ports.ports, self._grace, self._log, mine)
        stopped = self._around.stopService()
        if stopped is not None:
            await stopped


class _Around(MultiService):
    """The parent of what is wrapped."""

    _log = Logger()

    def startService(self) -> None:
        Service.startService(self)
        for service in self:
            # Twisted drops it, and the failure with it.
            started: Any = service.startService()
            if isinstance(started, Deferred):
                started.addErrback(lambda failure: self._log.failure("the service does not start", failure))


def _places(port: tuple[str, int] | Sequence[tuple[str, int]] | None) -> tuple[Place, ...]:
    if port is None:
        return ()
    several: Any = (port,) if isinstance(port[0], str) else port
    return tuple(Place(kind, number) for kind, number in several)
