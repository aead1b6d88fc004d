"""Keep-alives of the home registrar that are like one before (RFC 5352 section 3.4): the answer is there already.

An idle element does little else than to answer them, in the same bytes each time. To understand them anew takes most
of the processor time of such an element.
"""

from __future__ import annotations

from typing import Final

from rserpool.core.effects import Association
from rserpool.core.element import registration
from rserpool.core.element.membership import Membership
from rserpool.core.wire import asap

MOST: Final = 16
"""So many of them are kept: one for each pool is enough."""


class Alike:
    """What was asked, and answered."""

    def __init__(self) -> None:
        self._answers: dict[bytes, tuple[Association, Membership, int, int, bytes]] = {}

    def keep(
        self,
        home: Association,
        membership: Membership,
        question: asap.EndpointKeepAlive,
        answer: asap.EndpointKeepAliveAck,
    ) -> None:
        """The home has asked this, and nothing but the answer followed."""
        if len(self._answers) >= MOST:
            self._answers.clear()
        # Where a question held more than we understand it had other bytes, and is answered otherwise.
        asked = asap.encode(question)
        self._answers[asked] = home, membership, answer.identifier, question.server, asap.encode(answer)

    def find(self, association: Association, question: bytes) -> tuple[Membership, int, bytes] | None:
        """If it was asked this over the association: for whom, by which server, and the answer as it was then."""
        kept = self._answers.get(question)
        if kept is None:
            return None
        home, membership, identifier, server, answer = kept
        if home != association or membership.element.identifier != identifier or membership.out:
            return None
        if type(membership.state) is registration.Draining:
            # Who asks so does not know that: more follows from it than the answer.
            return None
        return membership, server, answer
