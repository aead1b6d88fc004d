"""Every rule about elements and registrars: who may do what, and what comes of it; docs/authority.md shows this table.

L{rserpool.core.authority} finds out who asks.
"""

from __future__ import annotations

from typing import Final

from rserpool.core.errors import CauseCode
from rserpool.core.handlespace.changes import Why
from rserpool.core.ruling import Rule, Ruling, What, Who

_SECURITY = Rule(Ruling.REFUSED, "5352 2.1", CauseCode.REJECTED_FOR_SECURITY)
_CLEAR = Rule(Ruling.REFUSED, "5352 9.3", CauseCode.REJECTED_FOR_SECURITY)
_NOBODY = Rule(Ruling.REFUSED, "5355 2.1", CauseCode.REJECTED_FOR_SECURITY)
_FOREIGN = Rule(Ruling.REFUSED, "5352 3.2", CauseCode.REJECTED_FOR_SECURITY)
_IGNORED = Rule(Ruling.IGNORED)
_OWNERS: Final = {
    Who.OWNERLESS: Rule(Ruling.IGNORED, "5355 2.15"),
    Who.OTHER_OWNER: Rule(Ruling.IGNORED, "5355 2.2"),
    Who.OTHER_OWNER_OF_OURS: Rule(Ruling.INSISTED, "5355 2.2"),
}

_OPERATORS: Final = {
    Who.OPERATES: Rule(Ruling.ALLOWED),
    Who.NO_OPERATOR: Rule(Ruling.REFUSED, "", CauseCode.REJECTED_FOR_SECURITY),
}

RULES: Final[dict[What, dict[Who, Rule]]] = {
    What.REGISTER: {
        Who.SCTP: Rule(Ruling.ALLOWED, "5352 3.1"),
        Who.CLEAR: _CLEAR,
        Who.NO_ELEMENT: _NOBODY,
        Who.ELEMENT: Rule(Ruling.ALLOWED, "5355 2.1"),
        Who.EVICTED: Rule(Ruling.REFUSED, "", CauseCode.LACK_OF_RESOURCES),
        Who.UNREAL: Rule(Ruling.REFUSED, "5352 2.2.1", CauseCode.INVALID_VALUES),
        Who.TCP: _SECURITY,
    },
    What.CHANGE: {
        Who.ITSELF: Rule(Ruling.ALLOWED, "5352 3.1"),
        Who.RIVAL: Rule(Ruling.WAITS, "5352 3.5"),
        Who.STRANGER: Rule(Ruling.REFUSED, "5354 3.12", CauseCode.NON_UNIQUE_PE_IDENTIFIER),
        Who.OWNER: Rule(Ruling.WAITS, "5355 2.2"),
        Who.NOT_OWNER: Rule(Ruling.REFUSED, "5355 2.2", CauseCode.NON_UNIQUE_PE_IDENTIFIER),
        Who.CLEAR: _CLEAR,
        Who.NO_ELEMENT: _NOBODY,
        Who.TCP: _SECURITY,
    },
    What.DEREGISTER: {
        Who.SCTP: Rule(Ruling.ALLOWED, "5352 3.2"),
        Who.ELEMENT: Rule(Ruling.ALLOWED, "5352 3.2"),
        Who.ITSELF: Rule(Ruling.ALLOWED, "5352 3.2", removes=Why.DEREGISTERED),
        Who.OWNER: Rule(Ruling.ALLOWED, "5355 2.3", removes=Why.DEREGISTERED),
        Who.RIVAL: _FOREIGN,
        Who.STRANGER: _FOREIGN,
        Who.NOT_OWNER: Rule(Ruling.REFUSED, "5355 2.3", CauseCode.REJECTED_FOR_SECURITY),
        Who.CLEAR: _CLEAR,
        Who.NO_ELEMENT: _NOBODY,
        Who.TCP: _SECURITY,
    },
    What.ACKNOWLEDGE: {
        Who.ITSELF: Rule(Ruling.ALLOWED, "5352 3.4"),
        Who.ASKED: Rule(Ruling.ALLOWED, "5352 3.5"),
        **dict.fromkeys((Who.RIVAL, Who.STRANGER, Who.OWNER, Who.TCP, Who.NOT_OURS), _IGNORED),
        **dict.fromkeys((Who.NOT_OWNER, Who.CLEAR, Who.NO_ELEMENT), Rule(Ruling.IGNORED, "5355 2.6")),
    },
    What.RESOLVE: {
        Who.ANYBODY: Rule(Ruling.ALLOWED, "5352 3.3"),
        Who.PLAIN_USER: Rule(Ruling.ALLOWED, "5352 9.3"),
        Who.CLEAR: _CLEAR,
    },
    What.REPORT: {
        Who.CLEAR: _CLEAR,
        Who.NOT_OURS: Rule(Ruling.PROBED, "5352 3.5"),
        Who.NAMELESS: Rule(Ruling.PROBED, "5355 2.13"),
        Who.FEW: Rule(Ruling.PROBED, "5352 3.5"),
        Who.MANY: Rule(Ruling.ALLOWED, "5352 3.5", removes=Why.REPORTED),
    },
    What.REMOVE: {
        Who.LIFETIME: Rule(Ruling.ALLOWED, "5352 2.2.1", removes=Why.EXPIRED),
        Who.SILENCE: Rule(Ruling.ALLOWED, "5352 3.5", removes=Why.SILENT),
        Who.NO_WAY: Rule(Ruling.ALLOWED, "5352 3.5", removes=Why.UNREACHABLE),
        Who.MISTAKEN: Rule(Ruling.ALLOWED, "5355 2.6", removes=Why.UNREACHABLE),
        Who.DRAINING: Rule(Ruling.ALLOWED, "5352 3.2", removes=Why.DEREGISTERED),
        Who.REVOKED: Rule(Ruling.ALLOWED, "5355 2.1", removes=Why.REVOKED),
        Who.UNANSWERED: Rule(Ruling.PASSED_ON, "5352 3.5"),
        Who.POOL: Rule(Ruling.ALLOWED, "5352 3.1", removes=Why.INCONSISTENT),
    },
    What.SPEAK: {
        Who.CLEAR: Rule(Ruling.REFUSED, "5355 2.5", CauseCode.REJECTED_FOR_SECURITY),
        Who.NO_REGISTRAR: Rule(Ruling.ABORTED, "5355 2.5"),
        Who.OPERATOR: Rule(Ruling.ANSWERED),
        Who.IMPOSTOR: Rule(Ruling.IGNORED, "5355 2.5"),
        Who.ENTITLED: Rule(Ruling.ALLOWED, "5355 2.5"),
        Who.SAME: Rule(Ruling.ALLOWED, "5353 3.4.1"),
        Who.NEW: Rule(Ruling.ALLOWED, "5353 3.4.1"),
        Who.ELSEWHERE: _IGNORED,
        Who.CROWD: _IGNORED,
        Who.OTHER: Rule(Ruling.ABORTED),
        Who.US: Rule(Ruling.CLOSED),
        Who.NOBODY: Rule(Ruling.ANSWERED, "5353 3.1"),
    },
    What.APPEAR: {
        Who.SEEN: Rule(Ruling.ALLOWED, "5353 3.1"),
        Who.HINT: Rule(Ruling.HINTED, "5355 2.5"),
    },
    What.TELL: {
        Who.TO_US: Rule(Ruling.ALLOWED, "5353 2.1"),
        Who.TO_ANOTHER: _IGNORED,
    },
    What.ANNOUNCE: {
        **_OWNERS,
        **dict.fromkeys((Who.FIRST, Who.HOME, Who.NEW_HOME), Rule(Ruling.ALLOWED, "5353 3.3.1")),
        **dict.fromkeys((Who.NOT_HOME, Who.OF_OURS), _IGNORED),
    },
    What.LIST: {
        **_OWNERS,
        **dict.fromkeys((Who.FIRST, Who.HOME, Who.NEW_HOME), Rule(Ruling.ALLOWED, "5353 3.6.3")),
        Who.MENTOR: Rule(Ruling.ALLOWED, "5353 3.2.3"),
        Who.CLAIMANT: Rule(Ruling.INSISTED),
        **dict.fromkeys((Who.NOT_HOME, Who.OF_OURS), _IGNORED),
    },
    What.DELETE: {
        Who.HOME: Rule(Ruling.ALLOWED, "5353 3.3.2", removes=Why.DELETED),
        Who.HOME_OF_DEAD: Rule(Ruling.ALLOWED, "5353 3.3.2", removes=Why.DIED),
        Who.OF_OURS: Rule(Ruling.PROBED, "5352 3.5"),
        Who.NOT_HOME: _IGNORED,
    },
    What.OMIT: {
        Who.HOME: Rule(Ruling.ALLOWED, "5353 3.6.3", removes=Why.UNMENTIONED),
        **dict.fromkeys((Who.NOT_HOME, Who.OF_OURS), _IGNORED),
    },
    What.SUGGEST: {
        Who.HOME: Rule(Ruling.ALLOWED),
        **dict.fromkeys((Who.NOT_HOME, Who.OF_OURS), _IGNORED),
    },
    What.CLAIM: {
        Who.OF_US: Rule(Ruling.DENIED, "5353 3.5.1"),
        Who.OF_ANOTHER: Rule(Ruling.ALLOWED, "5353 3.5.1"),
        Who.OF_NOBODY: Rule(Ruling.AGREED, "5353 3.5.1"),
        Who.UNFAITHFUL: _IGNORED,
        Who.OF_A_SILENT: Rule(Ruling.ALLOWED, "5353 3.5.1"),
        Who.OF_A_REFUSING: _IGNORED,
        Who.GREATER: Rule(Ruling.ALLOWED, "5353 3.5.1"),
        Who.SMALLER: Rule(Ruling.IGNORED, "5353 3.5.1"),
    },
    What.ENFORCE: {
        Who.OF_US: Rule(Ruling.DISOWNED, "5353 3.5.2"),
        Who.OF_ANOTHER: Rule(Ruling.ALLOWED, "5353 3.5.2"),
        Who.OF_A_LIVING: Rule(Ruling.QUESTIONED),
        Who.OF_NOBODY: _IGNORED,
    },
    What.DRAIN: {
        **_OPERATORS,
        Who.A_REGISTRAR: Rule(Ruling.ALLOWED),
        Who.UNPROVED: Rule(Ruling.REFUSED, "", CauseCode.REJECTED_FOR_SECURITY),
    },
    What.EVICT: {
        **_OPERATORS,
        Who.OPERATES: Rule(Ruling.ALLOWED, removes=Why.EVICTED),
        Who.A_REGISTRAR: Rule(Ruling.ALLOWED, removes=Why.EVICTED),
        Who.UNPROVED: _IGNORED,
    },
    What.RETIRE: _OPERATORS,
    What.SUBMIT: {
        Who.SUBMITTER: Rule(Ruling.ALLOWED),
        **dict.fromkeys(
            (Who.NO_SUBMITTER, Who.IN_THE_CLEAR, Who.TO_NO_TAKER),
            Rule(Ruling.REFUSED, "", CauseCode.REJECTED_FOR_SECURITY),
        ),
    },
}
