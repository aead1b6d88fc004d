"""The pool element as a Twisted service: registers transports in pools, and keeps them registered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from random import Random, SystemRandom
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from rserpool.core.addresses import TransportAddress, check_registrable
from rserpool.core.effects import Effect
from rserpool.core.element import PoolElement, events
from rserpool.core.errors import ConfigurationError
from rserpool.core.handles import handle_of, handle_text
from rserpool.core.policies import ParsedPolicy
from rserpool.core.profiles import DEFAULT, Profile
from rserpool.core.server_hunt import HomeChanged
from rserpool.core.wire.parameters import PolicyParameter, UserTransport
from rserpool.element import heartbeats
from rserpool.element.attending import Attending, Wanted
from rserpool.element.emptying import Emptying
from rserpool.element.load import parse_policy, policy_parameter, probe
from rserpool.element.log import ElementLog
from rserpool.element.measuring import Measuring
from rserpool.element.moving import Moving
from rserpool.element.refusal import refusal
from rserpool.node.candidates import local_hosts_towards
from rserpool.node.closing import fire_within
from rserpool.node.lifetime import Lifetime
from rserpool.node.multicast import default_group
from rserpool.node.node import Node
from rserpool.node.own_addresses import OwnAddresses, wildcard
from rserpool.node.securing import SecurityOption, registrars_by, secured_from
from rserpool.node.shutdown import Ending
from rserpool.sctp.interfaces import ISctpStack
from rserpool.sctp.stack import open_stack

LONGEST_GOODBYE = 10.0
"""Seconds after which an element that is to leave waits for no registrar any more."""
ALONE = 0.8
"""The same while it has no home registrar: another one may be found, or the last one has just stopped, too."""


class PoolElementService(Service):
    """One process's membership in any number of pools.

    @param registrars: where registrars are; by default as L{registrars_from} says without a text.
    @param hosts: our own IP addresses, which the registered transports must be at; by default those that reach
        the first registrar. C{0.0.0.0} and C{::} stand for all addresses of a family that reach beyond this host:
        when one of them comes or goes, associations follow where the kernel may (RFC 5061), and the transports that
        are at these addresses are registered again.
    @param at: where transports are registered, if the system has chosen that (by default it has): it is followed.
    @param announcements: whether to listen for announcements of registrars too.
    @param security: what secures it, as L{SecurityOption<rserpool.node.securing.SecurityOption>} has it.
    @param stack: an SCTP stack that the caller opened and will close; None to open one.
    @param checked: whether a transport is registered only while somebody listens there, in this process or another one
        of this host, as far as the system tells; without it C{serve} is believed.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        *,
        registrars: Sequence[TransportAddress] | None = None,
        hosts: tuple[str, ...] = (),
        at: tuple[str, ...] = (),
        encapsulation: int | None = None,
        profile: Profile = DEFAULT,
        backend: str = "auto",
        announcements: bool = False,
        announce_group: TransportAddress | None = None,
        security: SecurityOption = None,
        random: Random | None = None,
        stack: ISctpStack | None = None,
        checked: bool = True,
    ) -> None:
        self._reactor = reactor
        self._hosts = hosts
        self._own: OwnAddresses | None = None
        self._at = at
        self._encapsulation = encapsulation
        self._profile = profile
        self._backend = backend
        self._announcements = announcements
        self._announce_group = announce_group
        self._given_stack = stack
        self._registered: dict[bytes, Deferred[int]] = {}
        self._refusals: dict[bytes, str] = {}
        self._left: dict[bytes, Deferred[None]] = {}
        self._loads: dict[bytes, Measuring] = {}
        self._checked = checked
        self._early: list[Effect] = []
        self.home_since: float | None = None
        self._random = random or Random(SystemRandom().getrandbits(128))
        self.secured = secured_from(security, reactor)
        self._registrars = registrars_by(registrars, self.secured)
        self._begin()
        self._life = Lifetime("the element", self._begin)
        self._ending = Ending(reactor, lambda: self._life.end(self._stop()), self.stopService)

    def _begin(self) -> None:
        """An element that serves in no pool yet."""
        self.element = PoolElement(self._registrars, profile=self._profile, random=self._random)
        self.node = Node(self._reactor, self.element, self._notified)
        self.element.secured = self.secured is not None
        self.node.asap.secure(self.secured, "element", self._registrars)
        self._emptying = Emptying(self._reactor, self.element)
        self._told = ElementLog(self._reactor, self._log, self.node.now, lambda: self.hosts)
        self._attending = Attending(self._reactor, self._join, self._part, self._present)
        follow = self._attending.moved
        self._moving = Moving(self._reactor, self.node, self.element, self._log, follow, self._at)

    @property
    def hosts(self) -> tuple[str, ...]:
        """Our own IP addresses; the transports that are registered must be at one of them."""
        if self._own is not None:
            return self._own.present
        return self._hosts or local_hosts_towards(self._registrars[:1])

    def joining(self, pool: bytes | str) -> bool:
        """Whether the element is to serve in this pool and was never registered there yet."""
        return handle_of(pool) in self._registered

    def startService(self) -> None:
        """Open SCTP; the hunt for a registrar begins with the first pool.

        @raise twisted.internet.error.CannotListenError: if a port is taken or an address is not of this host.
        @raise rserpool.core.errors.SctpUnavailable: if there is no SCTP on this machine.
        @raise RuntimeError: if it was stopped, and has not ended yet.
        """
        self._life.begin()
        try:
            if wildcard(self._hosts) and not self._encapsulation:
                self._own = OwnAddresses(self._reactor, self._hosts, self._moving.changed)
                self._own.start()
            self._open(self.hosts)
        except Exception:
            self._look_no_more()
            self.node.abandon()
            raise
        super().startService()
        self._ending.arm()
        early, self._early = self._early, []
        self.node.perform(early)
        self._attending.start()

    def _open(self, hosts: tuple[str, ...]) -> None:
        stack = self._given_stack or open_stack(
            self._reactor,
            backend=self._backend,
            profile=self._profile,
            hosts=hosts,
            encapsulation=self._encapsulation,
        )
        self.node.take(stack, own=self._given_stack is None)
        self.node.asap.open(0, hosts)
        self.node.follow(self._registrars[:1], self._at or (() if self._hosts else hosts), self._moving.changed)
        self.element.guess_ports(bool(stack.encapsulation_port))
        if self._announcements:
            self.node.asap.join(self._announce_group or default_group(hosts[0]), hosts[0])

    def serve(
        self,
        pool: bytes | str,
        transport: UserTransport,
        policy: ParsedPolicy | str = "round-robin",
        *,
        values: Mapping[str, Callable[[], float]] | None = None,
        identifier: int | None = None,
        life: int | None = None,
        framing: int = 0,
    ) -> Deferred[int]:
        """Register a transport in a pool, and keep it registered until L{leave} or the end of the service.

        Before the service runs this waits for its start.

        @param policy: for example C{"weighted-round-robin:weight=5"} or C{"least-used:load=cpu"}.
        @param values: what measures a value of the policy: C{{"load": callable}}, from 0.0 to 1.0.
        @param life: the registration life in seconds; that of the profile by default.
        @param framing: 1 if sessions of L{rserpool.session} are spoken there; 0 for anything else.
        @return: a C{Deferred} that fires with the PE identifier when the element is registered for the first time, or
            fails with L{Rejected} when a registrar refuses it for good. It waits as long as no registrar is found.
        @raise ConfigurationError: if a value is wrong, or the element serves in this pool already.
        @raise RuntimeError: if it was stopped, and has not ended yet.
        """
        self._life.begin()
        handle = handle_of(pool)
        check_registrable(transport.addresses)
        parsed = parse_policy(policy) if isinstance(policy, str) else policy
        values = values or {}
        measured = {field: probe(name) for field, name in parsed.probes.items() if field not in values}
        for field, measure in values.items():
            if field not in parsed.values:
                raise ConfigurationError(f"{parsed.policy.name} has no value {field!r}")
            measured[field] = measure
        if handle in self._attending.wanted:
            raise ConfigurationError(f"this element serves in pool {handle_text(handle)!r} already")
        registered: Deferred[int] = Deferred()
        self._registered[handle] = registered
        wanted = Wanted(transport, policy_parameter(parsed, measured), identifier, life, framing)
        try:
            self._attending.add(handle, wanted, self._checked)
        except BaseException:
            del self._registered[handle]
            raise
        if measured:
            self._loads[handle] = Measuring(self._reactor, parsed, measured, partial(self._change, handle))
        return registered

    def _join(self, handle: bytes) -> None:
        how = self._attending.wanted[handle]
        options: dict[str, Any] = {"identifier": how.identifier, "life": how.life, "framing": how.framing}
        effects = self.element.serve(handle, how.transport, how.policy, self.node.now(), **options)
        if self.running:
            self.node.perform(effects)
        else:
            self._early += effects

    def _part(self, handle: bytes) -> None:
        # It is the same element when it comes back.
        wanted, element = self._attending.wanted[handle], self.element.element(handle)
        wanted.identifier, wanted.transport = element.identifier, element.user_transport
        self.node.perform(self.element.leave(handle, self.node.now()))

    def _present(self, handle: bytes) -> UserTransport | None:
        return self.element.element(handle).user_transport if handle in self.element.pools else None

    def _change(self, handle: bytes, policy: PolicyParameter | None, transport: UserTransport | None = None) -> None:
        wanted = self._attending.wanted[handle]
        wanted.policy, wanted.transport = policy or wanted.policy, transport or wanted.transport
        if handle in self.element.pools:
            self.node.perform(self.element.change(handle, self.node.now(), policy=policy, user_transport=transport))

    def change(
        self,
        pool: bytes | str,
        *,
        policy: ParsedPolicy | str | None = None,
        transport: UserTransport | None = None,
    ) -> None:
        """Register again at once with other policy values or another address.

        @raise KeyError: if the element does not serve in this pool.
        """
        parsed = parse_policy(policy) if isinstance(policy, str) else policy
        self._change(handle_of(pool), None if parsed is None else policy_parameter(parsed, {}), transport)

    def leave(self, pool: bytes | str) -> Deferred[None]:
        """Deregister.

        @return: a C{Deferred} that fires when a registrar has answered, or after twice T3 (10 s) at the latest;
            while no registrar is found, after L{ALONE} seconds.
        """
        handle = handle_of(pool)
        self._attending.forget(handle)
        loop = self._loads.pop(handle, None)
        if loop is not None:
            loop.stop()
        left: Deferred[None] = Deferred()
        self._left[handle] = left
        left.addTimeout(min(2 * self._profile.t3_deregistration, LONGEST_GOODBYE), self._reactor, lambda *_: None)
        self.node.perform(self.element.leave(handle, self.node.now()))
        if handle not in self.element.pools and not left.called:
            left.callback(None)
        if self.home_since is None:
            fire_within(self._reactor, left, ALONE)
        return left

    def stopService(self) -> Deferred[None]:
        """Leave every pool, wait for the answers (twice T3 or 10 s at most), and close.

        It is called before the reactor shuts down, unless it was before.
        """
        super().stopService()
        return self._ending.begin()

    async def _stop(self) -> None:
        for left in [self.leave(handle) for handle in self.element.pools]:
            await left
        await self.close()

    async def close(self) -> None:
        """Close without leaving the pools."""
        await self._life.end(self._close())

    async def _close(self) -> None:
        self._ending.disarm()
        self._attending.stop()
        for loop in self._loads.values():
            loop.stop()
        self._loads.clear()
        self._look_no_more()
        self._emptying.stop()
        self._told.stop()
        await self.node.close()

    def _look_no_more(self) -> None:
        if self._own is not None:
            self._own.stop()
            self._own = None
        self._moving.stop()

    def _notified(self, event: Any) -> None:
        match event:
            case events.AskedEvery(seconds=seconds):
                heartbeats.follow(self.node.asap.sctp, self._profile, seconds)
            case events.Registered(handle=handle, identifier=identifier, registrar=registrar):
                self._refusals.pop(handle, None)
                registered = self._registered.pop(handle, None)
                if registered is not None:
                    self._log.info(
                        "{pool}: registered as 0x{identifier:08x} with {registrar}",
                        event="registered",
                        pool=handle_text(handle),
                        identifier=identifier,
                        registrar=str(registrar),
                    )
                    registered.callback(identifier)
            case events.RegistrationRefused(handle=handle, cause=cause, information=information, stands=stands):
                error = refusal(cause, information, self.secured is not None)
                what = " a change (the registration stands)" if stands else ""
                text = f"{handle_text(handle)}: the registrar refused{what}: {error}"
                # Each registrar that it finds says so again.
                if text != self._refusals.get(handle):
                    self._refusals[handle] = text
                    self._log.error(
                        "{text}", event="registration-refused", text=text, pool=handle_text(handle), cause=cause
                    )
                if handle in self._registered:
                    self._registered.pop(handle).errback(error)
            case events.Drains():
                self._emptying.begin()
            case events.Left(handle=handle) if self._attending.left(handle):
                self._registered.pop(handle, None)
                left = self._left.pop(handle, None)
                if left is not None and not left.called:
                    left.callback(None)
            case HomeChanged(registrar=registrar):
                self.home_since = None if registrar is None else self.node.now()
                for left in list(self._left.values()) if registrar is None else ():
                    fire_within(self._reactor, left, ALONE)
        self._told.tell(event)
