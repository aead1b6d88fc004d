"""Who may have workers run code; the rules are in L{rserpool.core.rules}, as those about elements."""

from __future__ import annotations

from rserpool.core.access import Access, Standing, State
from rserpool.core.rules import RULES
from rserpool.core.ruling import Rule, What, Who


def submits(access: Access, standing: Standing, handle: bytes, accepts: bool = True) -> Rule:
    """Whether somebody may have a worker of a pool run code.

    @param accepts: whether this worker accepts any.
    """
    if not accepts:
        who = Who.TO_NO_TAKER
    elif access.state is not State.REQUIRED or standing.credentials is None:
        who = Who.IN_THE_CLEAR
    else:
        who = Who.SUBMITTER if standing.submits(handle) else Who.NO_SUBMITTER
    return RULES[What.SUBMIT][who]
