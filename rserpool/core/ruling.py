"""The words of L{rserpool.core.rules}: what somebody wants, who wants it, and what comes of it."""

from __future__ import annotations

from enum import Enum, StrEnum

from rserpool.core.errors import CauseCode, ImpossibleEvent, Rejected
from rserpool.core.frozen import frozen
from rserpool.core.handlespace.changes import Why


class What(StrEnum):
    """What somebody wants. The value: in words."""

    # An enum's own is a function of Python, and rules are looked up for each message.
    __hash__ = str.__hash__

    REGISTER = "register a new element"
    CHANGE = "register an element that is there"
    DEREGISTER = "deregister an element"
    ACKNOWLEDGE = "answer a keep-alive for an element"
    RESOLVE = "resolve a pool, and hear of its changes"
    REPORT = "report an element unreachable"
    REMOVE = "remove an element unasked"
    SPEAK = "speak as a registrar"
    APPEAR = "announce by multicast that a registrar lives"
    TELL = "tell or ask a registrar something (any message of ENRP)"
    ANNOUNCE = "announce an element (ADD_PE)"
    LIST = "have an element in its handle table"
    DELETE = "announce that an element is gone (DEL_PE)"
    OMIT = "leave an element out of its own table"
    SUGGEST = "suggest that we take an element over"
    CLAIM = "claim a registrar's elements"
    ENFORCE = "take a registrar's elements over"
    DRAIN = "have an element drain, or serve again"
    EVICT = "evict an element for a while"
    RETIRE = "have a registrar hand its elements over, and end"
    SUBMIT = "have a worker run code"


class Who(StrEnum):
    """Who wants it. The value: in words."""

    __hash__ = str.__hash__

    ANYBODY = "anybody"
    CLEAR = "anybody in the clear, where TLS is required"
    PLAIN_USER = "anybody in the clear, where TLS is required and users in the clear are answered"
    NO_ELEMENT = "over TLS, who proves no identity that may serve in the pool"
    ELEMENT = "over TLS, who proves an identity that may serve in the pool"
    NOT_OWNER = "who does not prove the identity that registered it"
    OWNER = "who proves the identity that registered it, over any other association"
    SCTP = "anybody over SCTP, where TLS is not required"
    TCP = "anybody over TCP"
    EVICTED = "anybody, as an element that is evicted for now, or from the same place"
    UNREAL = "with no address of its own association"
    ITSELF = "the association over which it registered, or another from the ASAP transport recorded for it"
    RIVAL = "another association, while the element is ours and has none"
    STRANGER = "any other association"
    NOT_OURS = "anybody, for an element of another registrar"
    ASKED = "its ASAP transport, for an element of another registrar that we asked"
    NAMELESS = "over TLS, who proves no identity"
    FEW = "users at no more than MAX-BAD-PE-REPORT machines, or over TLS of so many identities"
    MANY = "users at more than MAX-BAD-PE-REPORT machines, or over TLS of more identities"
    LIFETIME = "we, when the registration life of one of ours ends"
    SILENCE = "we, when one of ours does not answer a keep-alive"
    NO_WAY = "we, when the ASAP transport of one of ours cannot be reached"
    UNANSWERED = "we, when one of another registrar, which was reported, cannot be reached or does not answer us"
    REVOKED = "we, when the identity that registered one of ours may not serve in the pool any more"
    DRAINING = "we, when one that drains, as it told us itself, comes to us with a takeover"
    MISTAKEN = "we, when somebody else answers where we dial one of ours"
    POOL = "we, when a registrar tells of its pool with smaller attributes (policy, transport type, transport use)"
    ENTITLED = "who proves to be a registrar, and in the clear anybody, unless TLS is required"
    NO_REGISTRAR = "over TLS, who proves to be neither registrar nor operator"
    OPERATOR = "who proves to be an operator alone, and says that it is no registrar (identifier 0)"
    IMPOSTOR = "a registrar that speaks with us by another identity"
    US = "who says that it is us"
    NOBODY = "who says that it is no registrar (identifier 0)"
    SAME = "an association that spoke for it before"
    OTHER = "an association that spoke for another before"
    NEW = "a new association, from its addresses or while it has no other"
    ELSEWHERE = "a new association from other addresses, while it has one"
    CROWD = "a new association, for one registrar more than a machine, or all together, may have"
    SEEN = "from the address of a registrar that we know, unless TLS is required"
    HINT = "anybody, where TLS is required"
    TO_US = "who names us as the receiver, or nobody"
    TO_ANOTHER = "who names another registrar as the receiver"
    OWNERLESS = "any registrar, of an element that no identity registered, where TLS is required"
    OTHER_OWNER = "any registrar but its home, of the element of an identity whose name comes before what it tells"
    OTHER_OWNER_OF_OURS = "the same, of an element that is ours"
    FIRST = "its home registrar, of an element that is new to us"
    MENTOR = "our mentor, while we have no handlespace, of an element of anybody that is new to us"
    HOME = "its home registrar"
    HOME_OF_DEAD = "its home registrar, which says that it did not answer"
    NEW_HOME = "its new home, of an element that was ours until now"
    CLAIMANT = "its new home, of an element of ours that registered over an association that is up"
    NOT_HOME = "any other registrar"
    OF_OURS = "any registrar, of an element that is ours"
    OF_US = "any registrar, of us"
    OF_ANOTHER = "any registrar, of another"
    OF_NOBODY = "any registrar, of one that is no peer of ours and owns nothing"
    OF_A_LIVING = "any registrar, of one that speaks with us"
    UNFAITHFUL = "who claimed them before and let it pass, or anybody once that has happened twice"
    OF_A_SILENT = "we, of one that is silent"
    OF_A_REFUSING = "we, of one that told us that it does not believe us any more"
    GREATER = "a registrar with a greater identifier, while we claim them"
    OPERATES = "an operator, by the admin interface"
    NO_OPERATOR = "anybody else, by the admin interface"
    SUBMITTER = "who proves by a certificate to be a submitter of code in the pool, to a worker that accepts code"
    NO_SUBMITTER = "anybody else over TLS, to a worker that accepts code"
    IN_THE_CLEAR = "anybody in the clear, or in a scope where TLS is not required"
    TO_NO_TAKER = "anybody, to a worker that does not accept code"
    A_REGISTRAR = "any registrar, in a plain scope, or who proves to be one"
    UNPROVED = "any registrar in the clear, where TLS is offered"
    SMALLER = "a registrar with a smaller identifier, while we claim them"


class Ruling(Enum):
    """What comes of it. The value: in words."""

    ALLOWED = "allowed"
    REFUSED = "refused"
    IGNORED = "ignored"
    WAITS = "waits while the element is asked: refused if it answers, else allowed"
    PROBED = "the element is asked whether it lives"
    PASSED_ON = "its home is told (DEL_PE), which asks it and removes it"
    INSISTED = "ignored, and the element is announced again"
    AGREED = "acknowledged, and nothing is changed"
    QUESTIONED = "the registrar is asked whether it lives: ignored if it answers, else allowed"
    DENIED = "ignored, and we announce that we live"
    DISOWNED = "they are its, until they register with us again as they are told to; we announce that we live"
    HINTED = "believed no more than a hint: we dial it, and it has to prove who it is"
    ANSWERED = "questions are answered, all else is ignored"
    CLOSED = "the association is closed"
    ABORTED = "the association is aborted"


@frozen
class Rule:
    """One answer.

    @ivar section: the RFC and its section; C{""} where none says it.
    @ivar cause: what the refusal says.
    @ivar removes: why an element is removed by this.
    """

    ruling: Ruling
    section: str = ""
    cause: CauseCode | None = None
    removes: Why | None = None

    @property
    def allowed(self) -> bool:
        """Whether it may be done."""
        return self.ruling is Ruling.ALLOWED

    @property
    def why(self) -> Why:
        """Why the element is removed; L{ImpossibleEvent} is raised if this rule removes nothing."""
        if self.removes is None:
            raise ImpossibleEvent(self, "a removal")
        return self.removes

    def demand(self, information: bytes = b"") -> None:
        """Go on only if it is not refused; else L{Rejected} is raised, with C{information} about it."""
        if self.cause is not None:
            raise Rejected(self.cause, information)
