"""The pool element: serves in one or several pools, and keeps itself registered (RFC 5352 section 4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from rserpool.core.addresses import TransportAddress, same_place
from rserpool.core.complaints import about, discarded
from rserpool.core.deadlines import Deadlines, Timers
from rserpool.core.dice import Dice
from rserpool.core.effects import Abort, Association, Effect, Notify, Send
from rserpool.core.element import registration
from rserpool.core.element.alike import Alike
from rserpool.core.element.asked import Asked
from rserpool.core.element.events import ErrorReceived, NoRegistrarFound, OutOfPlace
from rserpool.core.element.facts import Facts
from rserpool.core.element.former import FormerHome
from rserpool.core.element.membership import TELL_AFTER, Membership, awaited, check_use
from rserpool.core.element.registration import Action
from rserpool.core.errors import ConfigurationError, Unproved
from rserpool.core.identity import Credentials
from rserpool.core.profiles import Profile
from rserpool.core.server_hunt import HomeChanged, ServerHunt
from rserpool.core.wire import asap
from rserpool.core.wire.parameters import ErrorCause, PolicyParameter, UserTransport
from rserpool.core.wire.private import Draining


class PoolElement(Facts):
    """Holds the procedures of a pool element.

    Every method that takes C{now} (monotonic seconds) returns the effects that the caller must perform, in order.

    @ivar secured: whether it has an identity, which it proves over TLS: then nobody is believed who has proved nothing,
        and nothing is sent in the clear (RFC 5355 sections 2.1 and 2.6).
    @ivar distrust: with which registrars TLS failed.
    @ivar connections: C{connections(handle)}: how many connections to what serves in a pool are open; None where that
        is not known.
    """

    secured = False

    def __init__(self, registrars: Sequence[TransportAddress], *, profile: Profile, random: Dice) -> None:
        self._profile = profile
        self._random = random
        self._timers: Timers = Deadlines()
        self._hunt = ServerHunt(registrars, profile, self._timers)
        self.distrust = self._hunt.distrust
        self._peers: dict[Association, TransportAddress] = {}
        self._memberships: dict[bytes, Membership] = {}
        self._said: tuple[Association, int] | None = None
        self._former = FormerHome()
        self._asked = Asked(profile.keep_alive_interval)
        self._alike = Alike()
        self.connections: Callable[[bytes], int | None] = lambda handle: None

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
        membership = self._memberships[handle] = Membership(
            handle,
            user_transport,
            policy,
            self._profile,
            lambda: 1 + self._random.randrange(2**32 - 1),
            identifier=identifier,
            life=life,
            framing=framing,
        )
        membership.secured = self.secured
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
            check_use(user_transport)
        membership.element = replace(
            old, user_transport=user_transport or old.user_transport, policy=policy or old.policy
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
        if membership is None:
            return []
        # Where it is registered, if the present home has granted nothing yet.
        return [*self._home_again(now), *self._step(membership, registration.Stop(), now)]

    def association_up(
        self,
        association: Association,
        peer: TransportAddress,
        now: float,
        outbound: bool = False,
        credentials: Credentials = None,
    ) -> list[Effect]:
        """An association is up: one that the hunt opened, or a registrar's."""
        if self.secured and not credentials:
            return [Abort(association), *(self.connect_failed(peer, now) if outbound else ())]
        self._peers[association] = peer
        if not outbound:
            registrar = next((known for known in self._hunt.known if same_place(known, peer)), None)
            if registrar is None or self._hunt.home is not None or not self._hunt.hunting:
                return []
            # A registrar asks us whether we live, while we look for it in vain.
            peer = registrar
        effects = self._hunt.association_up(association, peer, now)
        return effects + self._home_changed(now) if self._hunt.home == association else effects

    def identity_changed(self, now: float) -> list[Effect]:
        """It has another key or certificate: it proves that to its home, and registers anew."""
        return [*self._hunt.again(now), *self._home_changed(now)] if self._hunt.home is not None else []

    def connect_failed(self, peer: TransportAddress, now: float, failure: Unproved | None = None) -> list[Effect]:
        """A registrar could not be reached; C{failure} is what TLS said."""
        rounds, effects = self._hunt.rounds, self._hunt.connect_failed(peer, now, failure)
        if self._hunt.rounds > rounds and self._hunt.rounds in TELL_AFTER:
            effects.append(Notify(NoRegistrarFound(tuple(self._hunt.known), self._hunt.distrust.why())))
        return effects

    def association_lost(self, association: Association, now: float, _: Unproved | None = None) -> list[Effect]:
        """An association is gone; if it was the home's, the hunt begins."""
        self._peers.pop(association, None)
        if association == self._former.association:
            self._former.take()
        if association != self._hunt.home:
            return []
        again = self._home_again(now, lost=True)
        return again or self._hunt.association_lost(association, now) + self._home_changed(now)

    def association_paused(self, association: Association, now: float) -> list[Effect]:
        """The registrar reads too slowly; an element sends too little to care."""
        return []

    association_resumed = association_paused

    def receive(self, association: Association, message: asap.Message, now: float) -> list[Effect]:
        """An ASAP message arrived."""
        if self.secured and association not in self._peers:
            return []
        match message:
            case asap.EndpointKeepAlive():
                return self._keep_alive(association, message, now)
            case asap.RegistrationResponse() | asap.DeregistrationResponse():
                membership = self._memberships.get(message.handle)
                if (
                    membership is None
                    or message.identifier != membership.element.identifier
                    or association != self._hunt.home
                ):
                    return []
                return self._answered(membership, message, now)
            case asap.Error(causes=causes):
                return [Notify(ErrorReceived(causes)), *self._complained(association, causes, now)]
        return []

    def at_once(self, association: Association, data: bytes, now: float) -> bytes | None:
        """The answer to a keep-alive, if nothing else follows from it; None: decode it, and L{receive} it."""
        kept = self._alike.find(association, data)
        if kept is None or association != self._hunt.home:
            return None
        membership, server, answer = kept
        if self._memberships.get(membership.handle) is not membership or not self._asked.as_usual(now):
            return None
        self._said = association, server
        return answer

    def announcement(self, message: asap.Message, source: str, now: float) -> list[Effect]:
        """Something arrived at the multicast group of ASAP from the IP address C{source}."""
        if not isinstance(message, asap.ServerAnnounce):
            return []
        return self._hunt.announcement(message, source, now)

    def tick(self, now: float) -> list[Effect]:
        """Do what is due; to be called at L{next_deadline}."""
        # Without a pool there is nothing to hunt for; announcements outdate all the same.
        effects = [] if self._memberships else self._hunt.stop()
        for key in self._timers.due(now):
            match key:
                case ("registration", bytes(handle)):
                    effects += self._step(self._memberships[handle], registration.TimeOut(), now)
                case _:
                    effects += self._hunt.due(key, now)
        return effects

    def next_deadline(self) -> float | None:
        """When C{tick} must be called next (monotonic seconds), or None."""
        return self._timers.next()

    def _answered(
        self, membership: Membership, message: asap.RegistrationResponse | asap.DeregistrationResponse, now: float
    ) -> list[Effect]:
        registered = isinstance(message, asap.RegistrationResponse)
        refused = message.rejected if isinstance(message, asap.RegistrationResponse) else bool(message.causes)
        if registered and refused and (again := self._home_again(now)):
            return again
        if not refused:
            self._hunt.answered()
        before = membership.state
        effects = self._step(membership, membership.answer(message), now)
        if isinstance(message, asap.RegistrationResponse):
            effects += membership.warned(message)
            effects += [] if refused else self._former.granted()
        if membership.state is not before:
            return effects
        response = "" if registered else "DE"
        return [Notify(OutOfPlace(message.handle, f"ASAP_{response}REGISTRATION_RESPONSE"))]

    def _keep_alive(self, association: Association, message: asap.EndpointKeepAlive, now: float) -> list[Effect]:
        membership = self._memberships.get(message.handle)
        # KA1: a pool handle that is not ours is discarded silently.
        if membership is None or message.identifier not in (None, membership.element.identifier) or membership.out:
            return []
        drained = self._drain(membership, association, message, now) if message.draining is not None else []
        acknowledgement = asap.EndpointKeepAliveAck(message.handle, membership.element.identifier, True)
        if message.draining is not None:
            state = Draining(registration.drains(membership.state), self.connections(message.handle))
            acknowledgement = replace(acknowledgement, draining=state)
        effects: list[Effect] = [Send(association, acknowledgement), *drained]
        address = self._peers.get(association)
        # An association that was given up before it was up may have brought this: that is no address.
        if association != self._hunt.home and address is not None:
            if message.home and (self._hunt.home is None or self._former.trusts(address, now)):
                effects += self._adopt(association, address, now)
            else:
                effects += self._hunt.heard(address, now)
        if registration.drains(membership.state):
            effects += self._mistaken(membership, association, message)
        if association == self._hunt.home:
            self._said = association, message.server
            effects += self._asked.heard(now)
            if len(effects) == 1 and message.draining is None:
                self._alike.keep(association, membership, message, acknowledgement)
        return effects

    def _drain(
        self, membership: Membership, association: Association, message: asap.EndpointKeepAlive, now: float
    ) -> list[Effect]:
        """An operator wants it to drain, or to serve again: so says its home, and nobody else is heeded."""
        wanted = message.draining is not None and message.draining.drains
        if association != self._hunt.home or registration.drains(membership.state) is wanted:
            return []
        return self._step(membership, registration.Drain() if wanted else registration.Serve(), now)

    def _mistaken(
        self, membership: Membership, association: Association, message: asap.EndpointKeepAlive
    ) -> list[Effect]:
        """It drains, and whoever asks whether it lives has it among those that serve: it deregisters there as well.

        So does a registrar that was its home, and was cut off from the one that had it drain; or its home, if it took
        over what that one had. Its home alone looks after it, and asks it how far it is.
        """
        at_home = association == self._hunt.home
        if at_home and not (isinstance(membership.state, registration.Draining) and message.draining is None):
            return []
        return [Send(association, asap.Deregistration(membership.handle, membership.element.identifier, at_home))]

    def _complained(self, association: Association, causes: tuple[ErrorCause, ...], now: float) -> list[Effect]:
        """2.2.14: the registrar does not answer a request: no need to wait until it is late."""
        cause = discarded(causes, asap.Registration.TYPE, asap.Deregistration.TYPE)
        if cause is None or association != self._hunt.home:
            return []
        handle = about(cause, awaited(self._memberships.values()))
        if handle is None:
            return []
        membership = self._memberships[handle]
        return self._home_again(now) or self._step(membership, membership.complained(cause), now)

    def _adopt(self, association: Association, address: TransportAddress, now: float) -> list[Effect]:
        """KA2.4: the sender is the new home registrar; the one before it stays until this one grants something."""
        stands = any(registration.stands(membership.state) for membership in self._memberships.values())
        effects = self._former.replaced(self._hunt, stands, by=association)
        return [*effects, *self._hunt.adopt(association, address, now), *self._home_changed(now)]

    def _home_again(self, now: float, lost: bool = False) -> list[Effect]:
        """Who wanted to be the home grants nothing, or is gone: the one before it is our home, as for all others."""
        if self._former.association is None:
            return []
        return [*self._former.restored(self._hunt, lost, now), *self._home_changed(now)]

    def _home_changed(self, now: float) -> list[Effect]:
        event = registration.HomeLost() if self._hunt.home is None else registration.HomeFound()
        effects: list[Effect] = [Notify(HomeChanged(self._hunt.address)), *self._asked.forget()]
        for membership in list(self._memberships.values()):
            effects += self._step(membership, event, now)
        return effects

    def _step(self, membership: Membership, event: registration.Event, now: float) -> list[Effect]:
        effects: list[Effect] = []
        home, identifier = self._hunt.home, membership.element.identifier
        for action in membership.step(event, now):
            match action:
                case Action.REGISTER | Action.DEREGISTER if home is not None:
                    effects.append(membership.ask(action, home, self._hunt.address))
                case Action.HUNT | Action.HUNT_ELSEWHERE:
                    refused = action is Action.HUNT_ELSEWHERE
                    effects += self._home_again(now) or self._hunt.fail(now, refused) + self._home_changed(now)
                case _:
                    effects += membership.tell(action, identifier, self._hunt.address)
        timer, deadline = ("registration", membership.handle), membership.deadline()
        if deadline is not None:
            self._timers.set(timer, deadline)
            return effects
        self._timers.cancel(timer)
        if isinstance(membership.state, registration.Gone):
            del self._memberships[membership.handle]
        return effects
