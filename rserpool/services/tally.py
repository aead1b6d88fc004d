"""What became of numbered messages that were sent to a pool: answered, lost, doubled; failovers and their gaps."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median


@dataclass
class Tally:
    """Counts; all times are seconds of one monotonic clock.

    @ivar sent: how many messages were sent, repetitions not counted.
    @ivar answered: how many of them were answered.
    @ivar lost: how many were given up.
    @ivar doubled: how many answers came once more, or after their message was given up.
    @ivar skipped: how many reply numbers were passed over: an element counted an answer that never came.
    @ivar repeated: how many reply numbers came again: an element did not know of an answer that came.
    @ivar failovers: how often another element went on.
    @ivar gaps: for each failover the time between the last answer before and the first after it.
    @ivar round_trips: for each answer the time since its message was sent first.
    @ivar waiting: when those that wait for an answer were sent.
    """

    sent: int = 0
    answered: int = 0
    lost: int = 0
    doubled: int = 0
    skipped: int = 0
    repeated: int = 0
    failovers: int = 0
    gaps: list[float] = field(default_factory=list)
    round_trips: list[float] = field(default_factory=list)
    waiting: dict[int, float] = field(default_factory=dict)
    _last_answer: float | None = None
    _last_reply: int | None = None
    _failing: bool = False

    def sending(self, now: float) -> int:
        """The number, from 1, of a message that is sent now."""
        self.sent += 1
        self.waiting[self.sent] = now
        return self.sent

    def answer(self, number: int, now: float, reply: int | None = None) -> float | None:
        """An answer came.

        @param number: that of the message.
        @param reply: its own number, where the service counts its answers.
        @return: the round trip in seconds; None if nobody waits for this answer.
        """
        if reply is not None:
            expected = 1 if self._last_reply is None else self._last_reply + 1
            self.skipped += max(0, reply - expected)
            self.repeated += reply < expected
            self._last_reply = max(reply, expected - 1)
        since = self.waiting.pop(number, None)
        if self._failing:
            self._failing = False
            if self._last_answer is not None:
                self.gaps.append(now - self._last_answer)
        self._last_answer = now
        if since is None:
            self.doubled += 1
            return None
        self.answered += 1
        self.round_trips.append(now - since)
        return now - since

    def give_up(self, number: int) -> bool:
        """No answer is expected any more; whether one was until now."""
        if self.waiting.pop(number, None) is None:
            return False
        self.lost += 1
        return True

    def failed_over(self) -> None:
        """Another element goes on."""
        self.failovers += 1
        self._failing = True

    @property
    def clean(self) -> bool:
        """Whether nothing was lost or doubled."""
        return not (self.lost or self.doubled or self.skipped or self.repeated)

    def as_json(self) -> dict[str, object]:
        """The figures for C{json.dumps}; times in seconds."""
        trips, gaps = self.round_trips, self.gaps
        return {
            "sent": self.sent,
            "answered": self.answered,
            "lost": self.lost,
            "waiting": len(self.waiting),
            "doubled": self.doubled,
            "replies_skipped": self.skipped,
            "replies_repeated": self.repeated,
            "failovers": self.failovers,
            "gaps": [round(gap, 6) for gap in gaps],
            "round_trip": [round(each, 6) for each in (min(trips), median(trips), max(trips))] if trips else None,
        }

    def summary(self, what: str) -> str:
        """The figures in a few lines; C{what} is what was sent: C{"pings"}."""
        answers = f"{self.sent} {what}, {self.answered} answered, {self.lost} lost, {self.doubled} doubled"
        if self.waiting:
            answers += f", {len(self.waiting)} not answered yet"
        if self._last_reply is not None:
            answers += f"; reply numbers: {self.skipped} skipped, {self.repeated} repeated"
        lines = [answers]
        if self.failovers:
            times = "1 failover" if self.failovers == 1 else f"{self.failovers} failovers"
            if self.gaps:
                times += f", without an answer median/longest {milliseconds(median(self.gaps), max(self.gaps))}"
            lines.append(times)
        if self.round_trips:
            trips = self.round_trips
            lines.append(f"round trip min/median/max {milliseconds(min(trips), median(trips), max(trips))}")
        return "\n".join(lines)


def milliseconds(*seconds: float) -> str:
    """Times as people read them: C{0.3/0.5/2.0 ms}."""
    return "/".join(f"{1000 * each:.1f}" for each in seconds) + " ms"
