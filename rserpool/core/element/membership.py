"""One pool that an element serves in: what is registered there, and how far that is (RFC 5352 section 3.1)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from math import inf

from rserpool.core.addresses import TransportAddress
from rserpool.core.effects import Association, Effect, Notify, Send
from rserpool.core.element import registration
from rserpool.core.element.events import (
    Drains,
    Left,
    Registered,
    RegistrationPostponed,
    RegistrationRefused,
    RegistrationUnanswered,
    RegistrationWarned,
)
from rserpool.core.element.plain import Plain
from rserpool.core.element.registration import Action, Timers
from rserpool.core.errors import CauseCode, ConfigurationError
from rserpool.core.profiles import Profile
from rserpool.core.wire import asap
from rserpool.core.wire.parameters import (
    DATA_ONLY,
    DATA_PLUS_CONTROL,
    ErrorCause,
    PolicyParameter,
    PoolElementParameter,
    UserTransport,
)

INSISTENCE = 10.0
"""Seconds for which an element may insist on the identifier that was granted to it; where it would take longer to get
it back, it takes another one at once."""
TELL_AFTER = (2, 10, 100, 1000)
"""After so many attempts without success the user is told."""


class Membership:
    """The element in one pool.

    @ivar element: what is registered, or to be registered.
    @ivar state: how far that is.
    @ivar secured: whether the element has an identity.
    """

    secured = False

    def __init__(
        self,
        handle: bytes,
        user_transport: UserTransport,
        policy: PolicyParameter,
        profile: Profile,
        draw: Callable[[], int],
        *,
        identifier: int | None,
        life: int | None,
        framing: int,
    ) -> None:
        """
        @param draw: draws a PE identifier (R2.2), if C{identifier} is None, or where that is taken.
        @raise ConfigurationError: if a value cannot be.
        """
        if identifier is not None and not 0 < identifier < 2**32:
            raise ConfigurationError(f"a PE identifier is a number from 1 to 0xffffffff, not {identifier}")
        life = profile.registration_life if life is None else life
        if life < 1:
            raise ConfigurationError(f"a registration life is at least 1 second, not {life}")
        check_use(user_transport)
        self._draw = draw
        self._fixed = identifier is not None
        self.handle = handle
        self.element = PoolElementParameter(
            draw() if identifier is None else identifier, 0, life, user_transport, policy, framing=framing
        )
        # 7.1: T4 is 10 minutes, or 20 s less than the lifetime; with a short life half of it.
        again = min(profile.t4_reregistration, life - 20 if life > 40 else life / 2)
        self._timers = Timers(profile.t2_registration, profile.t3_deregistration, again)
        self._refused = ErrorCause(CauseCode.UNSPECIFIED)
        # Until then the registrar has found out that nobody is at an address that we have left (3.5).
        found_out = 2 * profile.keep_alive_interval + profile.keep_alive_timeout
        self._insistence = found_out if found_out <= INSISTENCE else 0.0
        self._ours_until = -inf
        self._unanswered = 0
        self._warned: tuple[ErrorCause, ...] = ()
        self._sent = self.element
        self._granted: PoolElementParameter | None = None
        self._plain = Plain()
        self.state: registration.State = registration.Homeless()

    @property
    def out(self) -> bool:
        """Whether it was refused for good, and nothing stands."""
        return isinstance(self.state, registration.Refused) and not registration.stands(self.state)

    def answer(self, message: asap.RegistrationResponse | asap.DeregistrationResponse) -> registration.Event:
        """What a response of the home registrar means."""
        if isinstance(message, asap.RegistrationResponse):
            self._plain.answered()
            self._refused = message.causes[0] if message.causes else ErrorCause(CauseCode.UNSPECIFIED)
            if message.rejected:
                granted = self._granted is not None and self._sent == self._granted
                others = self._granted is not None and not granted
                # Without an identity of its own nothing makes it welcome again.
                corrected = granted and (self.secured or self._refused.code != CauseCode.REJECTED_FOR_SECURITY)
                return registration.Rejection(self._refused.code, others, corrected)
            self._granted = self._sent
            return registration.Granted()
        lack = next((cause for cause in message.causes if cause.code == CauseCode.LACK_OF_RESOURCES), None)
        if lack is None:
            return registration.Deregistered()
        self._refused = lack
        return registration.Rejection(lack.code)

    def complained(self, cause: ErrorCause) -> registration.Event:
        """2.2.14: in place of a response came an error: it is not answered any more."""
        self._refused = cause
        if isinstance(self.state, registration.Leaving):
            # Another registrar may do it.
            return registration.Rejection(CauseCode.LACK_OF_RESOURCES)
        if cause.code == CauseCode.UNRECOGNIZED_PARAMETER and self._sent.framing and self._plain.complained():
            # Again, without what that registrar does not know.
            return registration.Rejection(CauseCode.LACK_OF_RESOURCES)
        return registration.Rejection(cause.code, self._granted is not None and self._sent != self._granted)

    def warned(self, message: asap.RegistrationResponse) -> list[Effect]:
        """2.2.3: an error without the R flag is a warning; the same is told once."""
        if message.rejected or message.causes == self._warned:
            return []
        self._warned = message.causes
        warned = RegistrationWarned(self.handle, self.element.identifier, message.causes)
        return [Notify(warned)] if message.causes else []

    def step(self, event: registration.Event, now: float) -> tuple[Action, ...]:
        """Something happened to the registration."""
        before = self.state
        self.state, actions = registration.step(before, event, now, self._timers)
        if isinstance(event, registration.Granted | registration.Rejection):
            self._unanswered = 0
        elif isinstance(before, registration.Registering) and isinstance(event, _UNANSWERED):
            self._plain.unanswered()
            self._unanswered += 1
            if self._unanswered in TELL_AFTER:
                actions = (Action.TELL_UNANSWERED, *actions)
        if Action.NEW_IDENTIFIER in actions:
            # What stands under it is somebody else's, or still our own at an address that we have left.
            if self._granted is not None:
                self._ours_until = now + self._insistence
            self._granted = None
            if not self._fixed and now >= self._ours_until:
                self.element = replace(self.element, identifier=self._draw())
        if Action.RESTORE in actions and self._granted is not None:
            self.element = self._granted
        return actions

    def deadline(self) -> float | None:
        """When the state's deadline is (monotonic seconds)."""
        return registration.deadline(self.state)

    def ask(self, action: Action, home: Association, place: TransportAddress | None) -> Send:
        """What is sent to the home registrar, which is at C{place}."""
        if action is Action.REGISTER:
            self._sent = element = self.element
            if self._plain.asks(place) and element.framing:
                element = replace(element, framing=0)
            return Send(home, asap.Registration(self.handle, element))
        return Send(home, asap.Deregistration(self.handle, self.element.identifier, registration.drains(self.state)))

    def tell(self, action: Action, identifier: int, registrar: TransportAddress | None) -> list[Effect]:
        """What the user is told.

        @param identifier: the PE identifier before L{step}.
        """
        handle, why = self.handle, self._refused
        match action, self.state:
            case Action.TELL_REGISTERED, _:
                return [Notify(Registered(handle, identifier, registrar))]
            case Action.TELL_REFUSED, _:
                stands = registration.stands(self.state)
                return [Notify(RegistrationRefused(handle, identifier, why.code, why.information, stands))]
            case Action.TELL_POSTPONED, registration.Postponed(pause=pause):
                return [Notify(RegistrationPostponed(handle, identifier, why.code, pause, why.information))]
            case Action.TELL_UNANSWERED, _:
                return [Notify(RegistrationUnanswered(handle, identifier, self._unanswered))]
            case Action.TELL_DRAINING, _:
                return [Notify(Drains(handle, identifier))]
            case Action.TELL_LEFT, _:
                return [Notify(Left(handle, never=self._granted is None))]
        return []


_UNANSWERED = registration.TimeOut, registration.HomeLost


def awaited(memberships: Iterable[Membership]) -> list[bytes]:
    """The pools in which the home's answer is awaited, the longest first."""
    waiting = [
        (membership.state.answer_by, membership.handle)
        for membership in memberships
        if isinstance(membership.state, registration.Registering | registration.Leaving)
    ]
    return [handle for _, handle in sorted(waiting)]


def check_use(transport: UserTransport) -> None:
    """RFC 5354 section 3.4.

    @raise ConfigurationError: if the transport use cannot be.
    """
    if transport.use not in (DATA_ONLY, DATA_PLUS_CONTROL):
        raise ConfigurationError(f"a transport use is 0 (data) or 1 (data and control), not {transport.use}")
