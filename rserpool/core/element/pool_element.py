"""The pool element: serves in one or several pools, and keeps itself registered (RFC 5352 section 4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rserpool.core.addresses import TransportAddress, same_place
from rserpool.core.dice import Dice
from rserpool.core.effects import Association, Effect, Notify, Send
from rserpool.core.element import registration
from rserpool.core.element.registration import Action, Timers
from rserpool.core.errors import CauseCode, ConfigurationError
from rserpool.core.profiles import Profile
from rserpool.core.server_hunt import ServerHunt
from rserpool.core.wire import asap
from rserpool.core.wire.parameters import (
    DATA_ONLY,
    DATA_PLUS_CONTROL,
    ErrorCause,
    PolicyParameter,
    PoolElementParameter,
    UserTransport,
)


@dataclass(frozen=True, slots=True)
class Registered:
    """The element is in the pool: registered, or registered again."""

    handle: bytes
    identifier: int
    registrar: TransportAddress | None


@dataclass(frozen=True, slots=True)
class RegistrationRefused:
    """The registrar refused for good.

    @ivar cause: an RFC 5354 cause code.
    @ivar information: its cause-specific information: the policy of the pool, say.
    """

    handle: bytes
    identifier: int
    cause: int
    information: bytes = b""


@dataclass(frozen=True, slots=True)
class RegistrationPostponed:
    """The registrar refused for now: the element tries again in C{pause} seconds, and goes on."""

    handle: bytes
    identifier: int
    cause: int
    pause: float


@dataclass(frozen=True, slots=True)
class Left:
    """The element is not in the pool any more, as it wanted."""

    handle: bytes


@dataclass(frozen=True, slots=True)
class HomeChanged:
    """The home registrar is now another, or (None) there is none and the hunt is on."""

    registrar: TransportAddress | None


@dataclass(frozen=True, slots=True)
class NoRegistrarFound:
    """None of these registrars can be reached; the hunt goes on."""

    tried: tuple[TransportAddress, ...]


@dataclass(frozen=True, slots=True)
class ErrorReceived:
    """A registrar reported an error."""

    causes: tuple[ErrorCause, ...]


_TELL_AFTER = (2, 10, 100, 1000)
"""After so many rounds of the hunt without success the user is told."""


class _Membership:
    """One pool that the element serves in."""

    def __init__(self, handle: bytes, element: PoolElementParameter, fixed: bool, timers: Timers) -> None:
        self.handle = handle
        self.element = element
        self.fixed = fixed
        self.timers = timers
        self.state: registration.State = registration.Homeless()
        self.refused = ErrorCause(CauseCode.UNSPECIFIED)


class PoolElement:
    """Holds the procedures of a pool element.

    Every method that takes C{now} (monotonic seconds) returns the effects that the caller must perform, in order.
    """

    def __init__(self, registrars: Sequence[TransportAddress], *, profile: Profile, random: Dice) -> None:
        self._profile = profile
        self._random = random
        self._hunt = ServerHunt(registrars, profile)
        self._peers: dict[Association, TransportAddress] = {}
        self._memberships: dict[bytes, _Membership] = {}
        self._said: tuple[Association, int] | None = None

    @property
    def home(self) -> TransportAddress | None:
        """Where the home registrar is."""
        return self._hunt.address

    @property
    def home_identifier(self) -> int:
        """The server identifier of the home registrar; 0 until a keep-alive has told it."""
        return self._said[1] if self._said is not None and self._said[0] == self._hunt.home else 0

    @property
    def known_registrars(self) -> list[TransportAddress]:
        """Every registrar that a hunt would try."""
        return self._hunt.known

    @property
    def pools(self) -> list[bytes]:
        """The pools that it serves in, or has not left yet."""
        return list(self._memberships)

    def identifier(self, handle: bytes) -> int:
        """The PE identifier in the pool C{handle}.

        @raise KeyError: if the element does not serve in this pool.
        """
        return self._memberships[handle].element.identifier

    def element(self, handle: bytes) -> PoolElementParameter:
        """What is registered, or to be registered, in the pool C{handle}.

        @raise KeyError: if the element does not serve in this pool.
        """
        return self._memberships[handle].element

    def state_of(self, handle: bytes) -> registration.State:
        """How far the registration in the pool C{handle} is.

        @raise KeyError: if the element does not serve in this pool.
        """
        return self._memberships[handle].state

    def is_registered(self, handle: bytes) -> bool:
        """Whether the element is registered in the pool C{handle}, as far as it knows."""
        membership = self._memberships.get(handle)
        return membership is not None and isinstance(
            membership.state, registration.Registered | registration.Registering
        )

    def serve(
        self,
        handle: bytes,
        user_transport: UserTransport,
        policy: PolicyParameter,
        now: float,
        *,
        identifier: int | None = None,
        life: int | None = None,
        framing: int = 0,
    ) -> list[Effect]:
        """3.1: join the pool C{handle}, and stay in it.

        @param identifier: the PE identifier; drawn at random if None (R2.2).
        @param life: registration life in seconds; that of the profile if None.
        @param framing: the version of the session framing that is spoken at the user transport; 0 if none.
        @raise ConfigurationError: if the element serves in this pool already, or a value cannot be.
        """
        if handle in self._memberships:
            raise ConfigurationError(f"this element serves in pool {handle!r} already")
        if identifier is not None and not 0 < identifier < 2**32:
            raise ConfigurationError(f"a PE identifier is a number from 1 to 0xffffffff, not {identifier}")
        life = self._profile.registration_life if life is None else life
        if life < 1:
            raise ConfigurationError(f"a registration life is at least 1 second, not {life}")
        _check_use(user_transport)
        # 7.1: T4 is 10 minutes, or 20 s less than the lifetime; with a short life half of it.
        again = min(self._profile.t4_reregistration, life - 20 if life > 40 else life / 2)
        element = PoolElementParameter(
            self._draw_identifier() if identifier is None else identifier,
            0,
            life,
            user_transport,
            policy,
            framing=framing,
        )
        timers = Timers(self._profile.t2_registration, self._profile.t3_deregistration, again)
        membership = self._memberships[handle] = _Membership(handle, element, identifier is not None, timers)
        if self._hunt.home is None:
            return self._hunt.hunt(now)
        return self._step(membership, registration.HomeFound(), now)

    def change(
        self,
        handle: bytes,
        now: float,
        *,
        policy: PolicyParameter | None = None,
        user_transport: UserTransport | None = None,
    ) -> list[Effect]:
        """Register again with other policy values or addresses; without a difference nothing happens.

        @raise KeyError: if the element does not serve in this pool.
        @raise ConfigurationError: if the transport use cannot be.
        """
        membership = self._memberships[handle]
        old = membership.element
        if user_transport is not None:
            _check_use(user_transport)
        membership.element = PoolElementParameter(
            old.identifier,
            0,
            old.life,
            user_transport or old.user_transport,
            policy or old.policy,
            framing=old.framing,
        )
        if membership.element == old:
            return []
        return self._step(membership, registration.Changed(), now)

    def register_again(self, handle: bytes, now: float) -> list[Effect]:
        """Register again, without a difference.

        @raise KeyError: if the element does not serve in this pool.
        """
        return self._step(self._memberships[handle], registration.Changed(), now)

    def leave(self, handle: bytes, now: float) -> list[Effect]:
        """3.2: deregister from the pool C{handle}; L{Left} is notified when that is done."""
        membership = self._memberships.get(handle)
        return [] if membership is None else self._step(membership, registration.Stop(), now)

    def association_up(
        self, association: Association, peer: TransportAddress, now: float, outbound: bool = False
    ) -> list[Effect]:
        """An association is up: one that the hunt opened, or a registrar's."""
        self._peers[association] = peer
        if not outbound:
            registrar = next((known for known in self._hunt.known if same_place(known, peer)), None)
            if registrar is None or self._hunt.home is not None or not self._hunt.hunting:
                return []
            # A registrar asks us whether we live, while we look for it in vain.
            peer = registrar
        effects = self._hunt.association_up(association, peer)
        return effects + self._home_found(now) if self._hunt.home == association else effects

    def connect_failed(self, peer: TransportAddress, now: float) -> list[Effect]:
        """A registrar could not be reached."""
        rounds = self._hunt.rounds
        effects = self._hunt.connect_failed(peer, now)
        if self._hunt.rounds > rounds and self._hunt.rounds in _TELL_AFTER:
            effects.append(Notify(NoRegistrarFound(tuple(self._hunt.known))))
        return effects

    def association_lost(self, association: Association, now: float) -> list[Effect]:
        """An association is gone; if it was the home's, the hunt begins."""
        self._peers.pop(association, None)
        if association != self._hunt.home:
            return []
        return self._hunt.association_lost(association, now) + self._home_lost(now)

    def association_paused(self, association: Association, now: float) -> list[Effect]:
        """The registrar reads too slowly; an element sends too little to care."""
        return []

    def association_resumed(self, association: Association, now: float) -> list[Effect]:
        """The registrar reads again."""
        return []

    def receive(self, association: Association, message: Any, now: float) -> list[Effect]:
        """An ASAP message arrived."""
        match message:
            case asap.EndpointKeepAlive():
                return self._keep_alive(association, message, now)
            case asap.RegistrationResponse(handle=handle, identifier=identifier):
                membership = self._of(handle, identifier)
                if membership is None or association != self._hunt.home:
                    return []
                cause = message.causes[0] if message.causes else ErrorCause(CauseCode.UNSPECIFIED)
                membership.refused = cause
                event = registration.Rejection(cause.code) if message.rejected else registration.Granted()
                return self._step(membership, event, now)
            case asap.DeregistrationResponse(handle=handle, identifier=identifier):
                membership = self._of(handle, identifier)
                if membership is None or association != self._hunt.home:
                    return []
                if any(cause.code == CauseCode.LACK_OF_RESOURCES for cause in message.causes):
                    return self._step(membership, registration.Rejection(CauseCode.LACK_OF_RESOURCES), now)
                return self._step(membership, registration.Deregistered(), now)
            case asap.Error(causes=causes):
                return [Notify(ErrorReceived(causes))]
            case _:
                return []

    def announcement(self, message: Any, source: str, now: float) -> list[Effect]:
        """Something arrived at the multicast group of ASAP from the IP address C{source}."""
        if not isinstance(message, asap.ServerAnnounce):
            return []
        return self._hunt.announcement(message, source, now)

    def tick(self, now: float) -> list[Effect]:
        """Do what is due; to be called at L{next_deadline}."""
        # Without a pool there is nothing to hunt for; announcements outdate all the same.
        effects = [] if self._memberships else self._hunt.stop()
        effects += self._hunt.tick(now)
        for membership in list(self._memberships.values()):
            deadline = registration.deadline(membership.state)
            if deadline is not None and now >= deadline:
                effects += self._step(membership, registration.TimeOut(), now)
        return effects

    def next_deadline(self) -> float | None:
        """When C{tick} must be called next (monotonic seconds), or None."""
        deadlines = [self._hunt.next_deadline()]
        deadlines += [registration.deadline(membership.state) for membership in self._memberships.values()]
        return min((deadline for deadline in deadlines if deadline is not None), default=None)

    def _keep_alive(self, association: Association, message: asap.EndpointKeepAlive, now: float) -> list[Effect]:
        membership = self._memberships.get(message.handle)
        # KA1: a pool handle that is not ours is discarded silently.
        if membership is None or message.identifier not in (None, membership.element.identifier):
            return []
        if isinstance(membership.state, registration.Left | registration.Refused):
            return []
        acknowledgement = asap.EndpointKeepAliveAck(message.handle, membership.element.identifier)
        effects: list[Effect] = [Send(association, acknowledgement)]
        self._said = association, message.server
        address = self._peers.get(association)
        # An association that was given up before it was up may have brought this.
        if message.home and association != self._hunt.home and address is not None:
            # KA2.4: adopt the sender as the new home registrar.
            effects += self._hunt.adopt(association, address, now)
            effects.append(Notify(HomeChanged(self._hunt.address)))
            for other in list(self._memberships.values()):
                effects += self._step(other, registration.HomeFound(), now)
        return effects

    def _home_found(self, now: float) -> list[Effect]:
        effects: list[Effect] = [Notify(HomeChanged(self._hunt.address))]
        for membership in list(self._memberships.values()):
            effects += self._step(membership, registration.HomeFound(), now)
        return effects

    def _home_lost(self, now: float) -> list[Effect]:
        effects: list[Effect] = [Notify(HomeChanged(None))]
        for membership in list(self._memberships.values()):
            effects += self._step(membership, registration.HomeLost(), now)
        return effects

    def _step(self, membership: _Membership, event: registration.Event, now: float) -> list[Effect]:
        membership.state, actions = registration.step(membership.state, event, now, membership.timers)
        effects: list[Effect] = []
        handle, element = membership.handle, membership.element
        for action in actions:
            match action:
                case Action.REGISTER if self._hunt.home is not None:
                    effects.append(Send(self._hunt.home, asap.Registration(handle, element)))
                case Action.DEREGISTER if self._hunt.home is not None:
                    effects.append(Send(self._hunt.home, asap.Deregistration(handle, element.identifier)))
                case Action.HUNT:
                    effects += self._hunt.fail(now) + self._home_lost(now)
                case Action.NEW_IDENTIFIER if not membership.fixed:
                    membership.element = PoolElementParameter(
                        self._draw_identifier(),
                        0,
                        element.life,
                        element.user_transport,
                        element.policy,
                        framing=element.framing,
                    )
                case Action.TELL_REGISTERED:
                    effects.append(Notify(Registered(handle, element.identifier, self._hunt.address)))
                case Action.TELL_REFUSED if isinstance(membership.state, registration.Refused):
                    why = membership.refused
                    effects.append(Notify(RegistrationRefused(handle, element.identifier, why.code, why.information)))
                case Action.TELL_POSTPONED if isinstance(event, registration.Rejection):
                    pause = getattr(membership.state, "pause", 0.0)
                    effects.append(Notify(RegistrationPostponed(handle, element.identifier, event.cause, pause)))
                case Action.TELL_LEFT:
                    del self._memberships[handle]
                    effects.append(Notify(Left(handle)))
                case _:
                    pass
        return effects

    def _of(self, handle: bytes, identifier: int) -> _Membership | None:
        membership = self._memberships.get(handle)
        return membership if membership is not None and membership.element.identifier == identifier else None

    def _draw_identifier(self) -> int:
        return 1 + self._random.randrange(2**32 - 1)


def _check_use(transport: UserTransport) -> None:
    # RFC 5354 section 3.4.
    if transport.use not in (DATA_ONLY, DATA_PLUS_CONTROL):
        raise ConfigurationError(f"a transport use is 0 (data) or 1 (data and control), not {transport.use}")
