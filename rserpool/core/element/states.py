"""The states of a registration, and what may happen to it: the words of C{rserpool.core.element.registration}."""

from __future__ import annotations

from rserpool.core.frozen import frozen


@frozen
class Homeless:
    """Wants to be registered; there is no home registrar.

    @ivar known: whether some registrar may still have the element in its handlespace.
    """

    known: bool = False


@frozen
class Registering:
    """ASAP_REGISTRATION was sent; the answer is due by C{answer_by} (T2).

    @ivar changed: whether the values changed after it was sent.
    @ivar pause: how long the last postponement was, in seconds.
    @ivar held: when the registration that stands until this one is granted is to be renewed; None if none stands.
    """

    answer_by: float
    changed: bool = False
    pause: float = 0.0
    held: float | None = None


@frozen
class Member:
    """Registered; registers again at C{again_at} (T4)."""

    again_at: float


@frozen
class Refused:
    """The registrar refused for good; only changed values or another registrar may help. C{held} as before."""

    cause: int
    held: float | None = None


@frozen
class Postponed:
    """The registrar lacked resources (or is not ready); tries again at C{again_at}. C{held} as before."""

    again_at: float
    pause: float
    held: float | None = None


@frozen
class Leaving:
    """ASAP_DEREGISTRATION was sent; the answer is due by C{answer_by} (T3).

    @ivar stays: whether it goes no further, and drains.
    """

    answer_by: float
    stays: bool = False


@frozen
class LeavingHomeless:
    """Wants to deregister; there is no home registrar. C{stays} as before."""

    stays: bool = False


@frozen
class Draining:
    """Deregistered, as an operator wants it, until it is to serve again; its home knows that."""


@frozen
class Gone:
    """Deregistered, or never registered: nothing is to come any more."""


State = Homeless | Registering | Member | Refused | Postponed | Leaving | LeavingHomeless | Draining | Gone


@frozen
class HomeFound:
    """There is a home registrar now (a different one than before)."""


@frozen
class HomeLost:
    """The home registrar is gone."""


@frozen
class Granted:
    """ASAP_REGISTRATION_RESPONSE without the R flag."""


@frozen
class Rejection:
    """ASAP_REGISTRATION_RESPONSE with the R flag, or the registrar is too busy for a deregistration.

    @ivar others: whether other values than these were granted last.
    @ivar granted: whether just these values were granted last: it is not us that changed.
    """

    cause: int
    others: bool = False
    granted: bool = False


@frozen
class Deregistered:
    """ASAP_DEREGISTRATION_RESPONSE, asked for or not."""


@frozen
class Changed:
    """Policy values or addresses changed."""


@frozen
class Stop:
    """The element is to leave the pool."""


@frozen
class Drain:
    """An operator, by the home registrar: no new users."""


@frozen
class Serve:
    """An operator, by the home registrar: serve again."""


@frozen
class TimeOut:
    """The state's deadline has passed."""


Event = HomeFound | HomeLost | Granted | Rejection | Deregistered | Changed | Stop | Drain | Serve | TimeOut
