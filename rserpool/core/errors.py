"""Errors that this package raises for others to catch, and the cause codes of RFC 5354 section 3.12."""

from __future__ import annotations

from enum import IntEnum


class CauseCode(IntEnum):
    """Error cause codes (RFC 5354 section 3.12, table 2)."""

    UNSPECIFIED = 0x0
    UNRECOGNIZED_PARAMETER = 0x1
    UNRECOGNIZED_MESSAGE = 0x2
    INVALID_VALUES = 0x3
    NON_UNIQUE_PE_IDENTIFIER = 0x4
    INCONSISTENT_POOLING_POLICY = 0x5
    LACK_OF_RESOURCES = 0x6
    INCONSISTENT_TRANSPORT_TYPE = 0x7
    INCONSISTENT_DATA_CONTROL_CONFIGURATION = 0x8
    UNKNOWN_POOL_HANDLE = 0x9
    REJECTED_FOR_SECURITY = 0xA

    @property
    def sentence(self) -> str:
        """What the cause means, for a person who has to act on it."""
        return _SENTENCES[self]


_SENTENCES = {
    CauseCode.UNSPECIFIED: "unspecified error",
    CauseCode.UNRECOGNIZED_PARAMETER: "a parameter was not recognised",
    CauseCode.UNRECOGNIZED_MESSAGE: "the message type was not recognised",
    CauseCode.INVALID_VALUES: "a value is invalid",
    CauseCode.NON_UNIQUE_PE_IDENTIFIER: "another pool element has this identifier",
    CauseCode.INCONSISTENT_POOLING_POLICY: "the policy differs from that of the pool",
    CauseCode.LACK_OF_RESOURCES: "a limit of the registrar is reached, or it is not ready",
    CauseCode.INCONSISTENT_TRANSPORT_TYPE: "the transport type differs from that of the pool",
    CauseCode.INCONSISTENT_DATA_CONTROL_CONFIGURATION: "the transport use differs from that of the pool",
    CauseCode.UNKNOWN_POOL_HANDLE: "the pool is not known",
    CauseCode.REJECTED_FOR_SECURITY: "rejected for security reasons",
}


class ImpossibleEvent(Exception):
    """A state machine was told what cannot happen in its state: our own mistake, never a peer's.

    What a peer can cause is acted on or ignored, by a line of the machine's own.
    """

    def __init__(self, state: object, event: object) -> None:
        super().__init__(f"{event!r} cannot happen in {state!r}")


class RSerPoolError(Exception):
    """Base of every error that a caller of this package may want to catch."""


class ConfigurationError(RSerPoolError):
    """An option or argument is wrong; the text says which, and what would be right."""


class WireError(RSerPoolError):
    """Bytes from a peer break the rules of RFC 5354.

    @ivar cause: the RFC 5354 cause code that an answer would carry.
    @ivar information: the cause-specific information (the offending TLV where the RFC asks for it).
    @ivar report: False where the RFC's rules say to discard silently (high bits 00).
    """

    def __init__(
        self,
        reason: str,
        *,
        cause: CauseCode = CauseCode.INVALID_VALUES,
        information: bytes = b"",
        report: bool = True,
    ) -> None:
        super().__init__(reason)
        self.cause = cause
        self.information = information
        self.report = report


NONE_TO_SELECT = "the pool has elements, but none for us: their weights are 0, or nobody here reaches their addresses"
"""What Lack of Resources means in an answer about a pool, where L{NOT_SELECTED} is with it."""
NOT_SELECTED = b"none to select  "
"""What this package's registrars put into the cause then (docs/interop.md); it has no information in RFC 5354."""
EVICTED = b"evicted "
"""The same, where an operator evicted the element that wants to register."""
_LACKING = {NOT_SELECTED: NONE_TO_SELECT, EVICTED: "an operator has evicted this element for a while"}


class Rejected(RSerPoolError):
    """A request broke a rule of the registrar, or a registrar answered so.

    @ivar cause: the RFC 5354 cause code; a plain C{int} where a peer used one that the RFC does not name.
    @ivar information: the cause-specific information.
    """

    def __init__(self, cause: int, information: bytes = b"", reason: str = "") -> None:
        self.cause = cause
        self.information = information
        if not reason:
            try:
                reason = CauseCode(cause).sentence
                if cause == CauseCode.LACK_OF_RESOURCES:
                    reason = _LACKING.get(information, reason)
            except ValueError:
                reason = "a cause that RFC 5354 does not name"
        super().__init__(f"{reason} (cause 0x{cause:x})")


def refused_question(cause: int, information: bytes = b"") -> Rejected:
    """The error for a user whose question is refused: only who asks in the clear is, for security's sake (RFC 5352
    section 9.3)."""
    wants_tls = "rejected for security reasons: the registrar wants TLS, and was asked in the clear: say by which keys "
    wants_tls += "or certificates it is asked (--security DIR, security=, or RSERPOOL_SECURITY)"
    return Rejected(cause, information, wants_tls if cause == CauseCode.REJECTED_FOR_SECURITY else "")


class UnknownPool(Rejected):
    """No pool has this handle (cause 0x9).

    @ivar registrar: where the registrar is that says so; empty where that is not known.
    """

    def __init__(self, handle: bytes, registrar: str = "") -> None:
        reason = f"no pool is named {handle.decode('utf-8', 'backslashreplace')!r}"
        if registrar:
            reason += f", says the registrar at {registrar}"
        super().__init__(CauseCode.UNKNOWN_POOL_HANDLE, reason=reason)
        self.registrar = registrar
        self.handle = handle


class NoRegistrar(RSerPoolError):
    """No registrar answered before the deadline, or TLS failed with each; the text names those that were tried.

    @ivar unproved: whether TLS failed with one of them: keys or certificates are not those that they should be.
    """

    def __init__(self, reason: str = "", unproved: bool = False) -> None:
        super().__init__(reason)
        self.unproved = unproved


class Unproved(RSerPoolError):
    """TLS with a peer that was reached has failed, and the text says why.

    @ivar passing: whether that may be otherwise in a moment: it has no time just now, for example.
    """

    def __init__(self, reason: str, passing: bool = False) -> None:
        super().__init__(reason)
        self.passing = passing


class NoElement(RSerPoolError):
    """Every pool element that the pool offered was tried, and none could be used."""


class SessionEnded(RSerPoolError):
    """A session is over, and does not go on at any element; the text says why.

    @ivar reason: why, without whose session it was and how long it looked for an element.
    """

    def __init__(self, text: str, reason: str = "") -> None:
        super().__init__(text)
        self.reason = reason or text


class AnotherService(SessionEnded):
    """Nobody in a pool speaks the service that is wanted; the text says what they did. Perhaps it is another pool's."""


class SessionFull(RSerPoolError):
    """More waits for an element than a session keeps: the sender must wait until it takes more."""


class RequestFailed(RSerPoolError):
    """A request of a session was not answered.

    @ivar perhaps_done: whether an element was given the request, and may have done what it asks.
    """

    def __init__(self, reason: str, perhaps_done: bool = True) -> None:
        super().__init__(reason)
        self.perhaps_done = perhaps_done


class ElementError(RequestFailed):
    """The element was asked, and its application failed at the request: another one would fail, too.

    An application raises it to say why; the sentence of any other exception is not told to users.
    """


class RequestTimeout(RequestFailed):
    """The deadline of a request came before its answer."""


class CookieRefused(RSerPoolError):
    """A cookie is not to be believed: it is forged, foreign, or too old; the text says which."""


class CannotAct(RSerPoolError):
    """What an operator wants of a registrar cannot be done there; the text says why, and what else may help.

    @ivar evicted: seconds for which the element is evicted yet, if that is why.
    """

    def __init__(self, reason: str, evicted: int = 0) -> None:
        super().__init__(reason)
        self.evicted = evicted


class SctpUnavailable(RSerPoolError):
    """No SCTP can be had on this machine; the text says what to install."""
