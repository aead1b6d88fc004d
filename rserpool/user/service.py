"""The pool user as a Twisted service: resolves pools, watches them, reports elements that fail (RFC 5352 section 4).

C{service.resolve(b"pool")} fires with the elements in the order in which to try them;
L{PoolClientEndpoint<rserpool.user.endpoint.PoolClientEndpoint>} does the trying.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random, SystemRandom
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred, fail
from twisted.internet.error import CannotListenError
from twisted.logger import Logger
from twisted.python.failure import Failure

from rserpool.core.addresses import TransportAddress, is_name
from rserpool.core.choices import TRANSPORTS
from rserpool.core.errors import ConfigurationError, Rejected, SctpUnavailable
from rserpool.core.handles import handle_of
from rserpool.core.profiles import DEFAULT, Profile
from rserpool.core.server_hunt import HomeChanged
from rserpool.core.user.events import ErrorReceived, PoolChanged, ResolutionFailed, Resolved
from rserpool.core.user.places import is_at
from rserpool.core.user.pool_user import PoolUser
from rserpool.core.user.suspects import Memory
from rserpool.core.wire.parameters import PoolElementParameter
from rserpool.node.candidates import any_hosts, local_hosts_towards, over
from rserpool.node.counting import LimitedLog
from rserpool.node.homes import Homes
from rserpool.node.in_vain import OnReactor
from rserpool.node.node import Node
from rserpool.node.reactor import clock_of
from rserpool.node.securing import SecurityOption, registrars_by, secured_from
from rserpool.sctp.interfaces import ISctpStack
from rserpool.sctp.stack import open_stack
from rserpool.user.policies import look_beyond
from rserpool.user.subscriptions import Subscription, Subscriptions, Watcher
from rserpool.user.use import Closable, Use


class PoolUserService(Service):
    """A pool user on one reactor; any number of pools and requests at once.

    @param registrars: where registrars are; by default as L{registrars_from} says without a text.
    @param transport: how to speak ASAP with the registrar: C{"sctp"}, C{"tcp"} (RFC 5352 section 2.1 lets users do
        so), or C{"auto"}: SCTP if this machine has it, else TCP.
    @param profile: the timers.
    @param announcements: whether to listen for registrars that announce themselves by multicast (section 3.6).
    @param announce_group: the multicast group and UDP port; None for those of RFC 5352.
    @param security: what secures it: it then speaks TLS alone, and with registrars alone that it can check; see
        L{SecurityOption<rserpool.node.securing.SecurityOption>}.
    @param random: the random source; a new one from the system's entropy by default.
    @param stack: an SCTP stack that the caller opened and will close; None to open one at the start.
    @ivar in_vain: tells once of a pool that cannot be used.
    """

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        registrars: Sequence[TransportAddress] | None = None,
        *,
        transport: str = "auto",
        profile: Profile = DEFAULT,
        backend: str = "auto",
        announcements: bool = False,
        announce_group: TransportAddress | None = None,
        security: SecurityOption = None,
        random: Random | None = None,
        stack: ISctpStack | None = None,
    ) -> None:
        if transport not in TRANSPORTS:
            raise ConfigurationError(
                f"there is no transport {transport!r} to a registrar; choose one of {', '.join(TRANSPORTS)}"
            )
        self.reactor = reactor
        self.profile = profile
        self.home_since: float | None = None
        self.secured = secured_from(security, reactor)
        self._registrars = registrars_by(registrars, self.secured)
        self._transport = transport
        self._backend = backend
        self._announcements = announcements
        self._announce_group = announce_group
        self._random = random or Random(SystemRandom().getrandbits(128))
        self._given_stack = stack
        self._user: PoolUser | None = None
        self._memory = Memory()
        self._node: Node | None = None
        self._waiting: dict[object, Deferred[Resolved]] = {}
        self._subscriptions = Subscriptions(reactor, self._watch, self._unwatch)
        self._opened: set[Closable] = set()
        self._limited = LimitedLog(self.log, clock_of(reactor))
        self._homes = Homes()
        self.in_vain = OnReactor(self, lambda: None if self.home or self._user is None else self._user.nobody())

    @property
    def registrars(self) -> tuple[TransportAddress, ...]:
        """The registrars that a hunt would try now."""
        return self._registrars if self._user is None else tuple(self._user.known_registrars)

    @property
    def home(self) -> TransportAddress | None:
        """The registrar that is asked now; None before the first question, or while none is found."""
        return None if self._user is None else self._user.home

    @property
    def watched(self) -> Mapping[bytes, PoolChanged | None]:
        """The pools that somebody watches, and what is known of each."""
        return self._subscriptions.watched

    @property
    def waiting(self) -> int:
        """How many resolutions are under way."""
        return len(self._waiting)

    def startService(self) -> None:
        """Open SCTP, unless TCP is wanted; registrars are looked for with the first question.

        @raise rserpool.core.errors.SctpUnavailable: if SCTP is wanted and this machine has none.
        @raise twisted.internet.error.CannotListenError: if no UDP port can be had for it.
        """
        if self.running:
            return
        look_beyond()
        hosts = self._local_hosts()
        transport, stack = self._open(hosts)
        registrars = over(self._registrars, transport)
        options: Any = {"profile": self.profile, "random": self._random, "protocol": transport}
        if self._user is None or self._user.protocol != transport:
            self._user = PoolUser(registrars, **options, memory=self._memory)
        node = self._node = Node(self.reactor, self._user, self._notified)
        self._user.secured = self.secured is not None
        node.asap.secure(self.secured, "client", registrars)
        if stack is None:
            node.asap.open_tcp()
        else:
            node.take(stack, own=stack is not self._given_stack)
            node.asap.open(0, hosts, listening=False)
            node.follow(self._registrars, hosts)
            self._user.guess_ports(bool(stack.encapsulation_port))
        super().startService()
        if self._announcements:
            from rserpool.node.multicast import default_group

            interface = hosts[0] if hosts else local_hosts_towards(self._registrars)[0]
            node.asap.join(self._announce_group or default_group(interface), interface)
        for handle in self.watched:
            self._watch(handle)

    def stopService(self) -> Deferred[None]:
        """Cancel what is under way and close everything, within a second or two."""
        super().stopService()
        for each in list(self._opened):
            each.close()
        for waiting in list(self._waiting.values()):
            waiting.cancel()
        return ensureDeferred(self._stop())

    def now(self) -> float:
        """The monotonic clock of this service, in seconds."""
        return 0.0 if self._node is None else self._node.now()

    def resolve(
        self,
        pool: bytes | str,
        *,
        items: int | None = None,
        timeout: float | None = None,
        fresh: bool = False,
        patience: float = 0.0,
    ) -> Deferred[Resolved]:
        """Find elements of a pool (RFC 5352 section 3.3), in the order in which to try them.

        @param items: at most so many; None or 0 for all that the registrar gives.
        @param timeout: seconds until it fails; by default as long as MAX-REQUEST-RETRANSMIT requests may take.
        @param fresh: do not accept what the cache holds.
        @param patience: seconds to wait for a pool that is unknown, past C{timeout} if need be: its only element may be
            about to come again. For one that was never known 5 at most.
        @return: a C{Deferred} that can be cancelled. It fails with L{UnknownPool<rserpool.core.errors.UnknownPool>},
            L{NoRegistrar<rserpool.core.errors.NoRegistrar>} (which names those that were tried) or another
            L{Rejected<rserpool.core.errors.Rejected>}.
        """
        if self._node is None or self._user is None:
            return fail(RuntimeError("the pool user service does not run"))
        handle, request, now = handle_of(pool), object(), self._node.now()
        deadline = now + (self.default_timeout if timeout is None else timeout)
        waiting: Deferred[Resolved] = Deferred(lambda _: self._forget(request))
        self._waiting[request] = waiting
        self._node.perform(
            self._user.resolve(request, handle, now, deadline=deadline, items=items, fresh=fresh, patience=patience)
        )
        return waiting

    @property
    def default_timeout(self) -> float:
        """Seconds that a resolution may take where nothing else is said."""
        return self.profile.resolution

    def recall(self, handle: bytes, items: int | None = None) -> Resolved | None:
        """What L{resolve} would say without asking a registrar; None where there is nothing, or it is stale."""
        return None if self._user is None else self._user.recall(handle, clock_of(self.reactor)(), items)

    def populate(self, pool: bytes | str, *, timeout: float | None = None) -> Deferred[Resolved]:
        """Fill the cache with a pool as the registrar knows it now (RFC 5352 section 6.3).

        @param timeout: seconds, as for L{resolve}.
        @return: as L{resolve} does; it may be ignored, but for its failure.
        """
        return self.resolve(pool, timeout=timeout, fresh=True)

    def purge(self, pool: bytes | str) -> None:
        """Forget what the cache has of a pool (RFC 5352 section 6.4): the next L{resolve} asks."""
        if self._user is not None:
            self._user.purge(handle_of(pool))

    def known(self, pool: bytes | str) -> tuple[PoolElementParameter, ...] | None:
        """The elements of a pool as the cache has them; None if it has none. Nobody is asked."""
        return None if self._user is None else self._user.known(handle_of(pool))

    def report(self, pool: bytes | str, failed: int | PoolElementParameter | TransportAddress) -> None:
        """Tell the registrar that an element does not serve (RFC 5352 sections 3.5 and 6.9.2), and try it last for a
        while.

        @param failed: its PE identifier; or itself; or where it could not be reached, if it was resolved before: one of
            its IP addresses and its port.
        @raise KeyError: if no element of the pool that is known is at this address.
        """
        if self._user is None:
            return
        handle = handle_of(pool)
        if isinstance(failed, TransportAddress):
            failed = next((each for each in self._user.known(handle) or () if is_at(each, failed)), 0)
            if not failed:
                raise KeyError("no element that is known is there")
        identifier = failed if isinstance(failed, int) else failed.identifier
        effects = self._user.report(handle, identifier, clock_of(self.reactor)())
        if self._node is not None:
            self._node.perform(effects)

    def begin(self, handle: bytes, element: PoolElementParameter, instead_of: int = 0) -> Use:
        """Count that an element is given something, for the policies that go by load; see L{PoolUser.begin}."""
        return Use(self._user, handle, element.identifier, instead_of)

    def subscribe(self, pool: bytes | str, callback: Watcher) -> Subscription:
        """Have C{callback} called with each change of the pool, first with its present state.

        This goes on through the loss of registrars, and while the pool does not exist, until the returned object's
        C{stop()} is called.
        """
        return self._subscriptions.add(handle_of(pool), callback)

    def opened(self, by: Closable) -> None:
        """Something, as a session, stands on this service: it is closed when this stops.

        @raise RuntimeError: if this service does not run.
        """
        if self._node is None:
            raise RuntimeError("the pool user service does not run")
        self._opened.add(by)

    def closed(self, by: Closable) -> None:
        """It has ended by itself."""
        self._opened.discard(by)

    def sctp_endpoint(self, address: TransportAddress) -> Any:
        """A client endpoint for an element that serves over SCTP."""
        from rserpool.sctp.one_to_one.endpoints import SctpClientEndpoint

        return SctpClientEndpoint(self.reactor, address, stack=self._given_stack, backend=self._backend)

    # How it is connected

    def _local_hosts(self) -> tuple[str, ...]:
        if self._given_stack is not None:
            return ()
        if any(is_name(host) for registrar in self._registrars for host in registrar.hosts):
            # What they stand for is known when they are dialled, and may change.
            return any_hosts()
        try:
            return local_hosts_towards(self._registrars)
        except ConfigurationError as error:
            # The network may come up later.
            self.log.warn("{error}; using any address of this host", error=error)
            return tuple(dict.fromkeys("::" if ":" in r.hosts[0] else "0.0.0.0" for r in self._registrars))

    def _open(self, hosts: tuple[str, ...]) -> tuple[str, ISctpStack | None]:
        """How registrars are reached, and for SCTP the stack."""
        if self._transport == "tcp":
            return "tcp", None
        if self._given_stack is not None:
            return "sctp", self._given_stack
        try:
            stack = open_stack(self.reactor, backend=self._backend, profile=self.profile, hosts=hosts)
        except (SctpUnavailable, CannotListenError) as error:
            if self._transport == "sctp":
                raise
            self.log.warn("asking registrars over TCP, since there is no SCTP: {error}", error=error)
            return "tcp", None
        return "sctp", stack

    async def _stop(self) -> None:
        node, user, self._node, self._user = self._node, self._user, None, None
        self._subscriptions.forget()
        if node is not None and user is not None:
            node.perform(user.stop())
            await node.close()

    # What comes out of the role

    def _notified(self, event: Any) -> None:
        match event:
            case Resolved(request=request):
                self._homes.answered()
                if waiting := self._waiting.pop(request, None):
                    waiting.callback(event)
            case ResolutionFailed(request=request, error=error):
                if waiting := self._waiting.pop(request, None):
                    waiting.errback(Failure(error))
            case PoolChanged():
                self._subscriptions.changed(event)
            case ErrorReceived(causes=causes):
                text = ", ".join(str(Rejected(cause.code)) for cause in causes)
                self._limited.warn("the registrar reports an error: {text}", text=text)
            case HomeChanged(registrar=registrar):
                self.home_since = None if registrar is None else self.now()
                new = self._homes.new(registrar)
                if new and registrar is None:
                    self._limited.warn("the registrar is lost: looking for another")
                elif new:
                    self._limited.info("the registrar at {registrar} is the home now", registrar=str(registrar))

    def _forget(self, request: object) -> None:
        waiting = self._waiting.pop(request, None)
        if self._user is not None:
            self._user.cancel(request)
        if waiting is not None:
            waiting.errback(Failure(CancelledError()))

    def _watch(self, handle: bytes) -> None:
        if self._node is not None and self._user is not None:
            self._node.perform(self._user.subscribe(handle, self._node.now()))

    def _unwatch(self, handle: bytes) -> None:
        if self._user is not None:
            self._user.unsubscribe(handle)
