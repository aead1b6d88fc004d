"""What a pool element notifies its user of, besides what every role does."""

from __future__ import annotations

from rserpool.core.addresses import TransportAddress
from rserpool.core.frozen import frozen
from rserpool.core.wire.causes import ErrorCause


@frozen
class Registered:
    """The element is in the pool: registered, or registered again."""

    handle: bytes
    identifier: int
    registrar: TransportAddress | None


@frozen
class AskedEvery:
    """The home registrar asks every C{seconds} whether the element lives, as a mean; at least as the profile has it."""

    seconds: float


@frozen
class RegistrationRefused:
    """The registrar refused for good.

    @ivar cause: an RFC 5354 cause code.
    @ivar information: its cause-specific information: the policy of the pool, say.
    @ivar stands: whether an earlier registration stands, with the values that were granted then.
    """

    handle: bytes
    identifier: int
    cause: int
    information: bytes = b""
    stands: bool = False


@frozen
class RegistrationPostponed:
    """The registrar refused for now: the element tries again in C{pause} seconds, and goes on.

    @ivar cause: an RFC 5354 cause code; C{information} is its cause-specific information.
    """

    handle: bytes
    identifier: int
    cause: int
    pause: float
    information: bytes = b""


@frozen
class RegistrationUnanswered:
    """So many registrations were not answered since one was (3.1); the element goes on."""

    handle: bytes
    identifier: int
    attempts: int


@frozen
class RegistrationWarned:
    """The registrar granted the registration, but not all of it (2.2.3): addresses were left out, say."""

    handle: bytes
    identifier: int
    causes: tuple[ErrorCause, ...]


@frozen
class Drains:
    """It is not in the pool any more, as an operator wants, until that one wants it to serve again."""

    handle: bytes
    identifier: int


@frozen
class Left:
    """The element is not in the pool any more, as it wanted.

    @ivar never: whether it never was.
    """

    handle: bytes
    never: bool = False


@frozen
class NoRegistrarFound:
    """None of these registrars can be used; the hunt goes on.

    @ivar why: what TLS said, if it said something.
    """

    tried: tuple[TransportAddress, ...]
    why: str = ""


@frozen
class OutOfPlace:
    """The home registrar answered what was not asked, or not any more; it is ignored."""

    handle: bytes
    message: str


@frozen
class ErrorReceived:
    """A registrar reported an error."""

    causes: tuple[ErrorCause, ...]
