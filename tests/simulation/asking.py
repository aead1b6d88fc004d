"""A user that asks again and again, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass

from twisted.python.failure import Failure

from rserpool.core.handles import handle_text
from rserpool.testing import UserProcess
from rserpool.user import Resolved


@dataclass
class Question:
    """One resolution; times are seconds of the scope's clock.

    @ivar fresh: whether the cache would not do.
    @ivar until: when it was answered, or failed; None before.
    @ivar elements: the identifiers in the answer.
    """

    handle: bytes
    since: float
    fresh: bool
    until: float | None = None
    elements: frozenset[int] = frozenset()
    error: BaseException | None = None


class Asker:
    """Asks for a user.

    @ivar answers: the last answer for each pool.
    @ivar failures: the questions that failed, but for those that wanted to be asked afresh.
    """

    def __init__(self, user: UserProcess) -> None:
        self.user = user
        self.answers: dict[bytes, Question] = {}
        self.failures: list[Question] = []

    def ask(self, handle: bytes, fresh: bool = False) -> Question:
        """Resolve a pool."""
        user = self.user
        question = Question(handle, user.scope.now, fresh)

        def answered(resolved: Resolved) -> None:
            question.until = user.scope.now
            question.elements = frozenset(element.identifier for element in resolved.elements)
            self.answers[handle] = question

        def failed(failure: Failure) -> None:
            question.until, question.error = user.scope.now, failure.value
            if not fresh:
                self.failures.append(question)

        user.note(f"asks for {handle_text(handle)}{' afresh' if fresh else ''}")
        user.service.resolve(handle, fresh=fresh).addCallbacks(answered, failed)
        return question
