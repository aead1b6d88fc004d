"""What an element of CalcApp does: its jobs share its capacity equally (processor sharing). Messages and time go in."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import TypeAlias

from rserpool.core.errors import WireError
from rserpool.core.frozen import frozen
from rserpool.services.calcapp.messages import CalcApp, Kind, Progress

MOMENT = 1e-6
"""A job is done when its rest takes fewer seconds than this: a clock is no finer."""


SOONEST = 0.001
"""Seconds until the next look at the jobs, at least: whatever an operator asks for, it is not busy with itself."""


@frozen
class Terms:
    """What an element offers.

    @ivar capacity: calculations a second, of all jobs together.
    @ivar jobs: how many at a time; others are rejected.
    @ivar cookie_seconds: at the latest after so many seconds of work a job leaves a cookie with its user,
    @ivar cookie_calculations: or after so many calculations of its own.
    @ivar keep_alive: after so many seconds without a word a user is asked whether it is there,
    @ivar timeout: and has so many to say so.
    """

    capacity: float = 1_000_000.0
    jobs: int = 10
    cookie_seconds: float = 1.0
    cookie_calculations: float = 500_000.0
    keep_alive: float = 2.5
    timeout: float = 2.5


@frozen
class Say:
    """Send a message to the user of a session."""

    session: Hashable
    message: CalcApp


@frozen
class Leave:
    """Leave a state with the user of a session."""

    session: Hashable
    progress: Progress


@frozen
class GoesOn:
    """A job that another element began is accepted."""

    session: Hashable
    progress: Progress


@frozen
class Drop:
    """End a session: its user breaks the rules, or is silent."""

    session: Hashable
    why: str


Effect: TypeAlias = Say | Leave | GoesOn | Drop


@dataclass(slots=True)
class _Job:
    number: int
    size: int
    done: float
    kept: float
    kept_at: float
    heard_by: float
    asked: bool = False

    @property
    def progress(self) -> Progress:
        return Progress(self.number, self.size, min(self.size, int(self.done)))


@dataclass(slots=True)
class Calculator:
    """The jobs of one element; a session has one at a time. All times are monotonic seconds.

    @ivar completed: how many jobs were completed here; C{rejected}: for how many there was no room.
    """

    terms: Terms = field(default_factory=Terms)
    completed: int = 0
    rejected: int = 0
    _jobs: dict[Hashable, _Job] = field(default_factory=dict)
    _now: float = 0.0

    @property
    def load(self) -> float:
        """The part of its jobs that it has, from 0.0 to 1.0."""
        return len(self._jobs) / self.terms.jobs

    def receive(self, session: Hashable, data: bytes, now: float) -> list[Effect]:
        """A message came from the user of a session."""
        effects = self.tick(now)
        try:
            message = CalcApp.decode(data)
        except WireError as error:
            return [*effects, *self._drop(session, str(error))]
        job = self._jobs.get(session)
        if job is not None:
            job.heard_by, job.asked = now + self.terms.keep_alive, False
        match message.kind:
            case Kind.REQUEST if job is None:
                effects += self._begin(session, Progress(message.job, message.size), now)
            case Kind.REQUEST if job is not None:
                effects += self._drop(session, f"job {message.job} is asked for while job {job.number} is under way")
            case Kind.KEEP_ALIVE:
                effects.append(Say(session, CalcApp(Kind.KEEP_ALIVE_ACK, message.job)))
            case Kind.ABORT:
                self.leave(session, now)
            case _:
                # An acknowledgement has done what it is for; all else only elements say.
                pass
        return effects + self.tick(now)

    def resume(self, session: Hashable, cookie: bytes, now: float) -> list[Effect]:
        """A session goes on here, with the cookie that another element left."""
        try:
            progress = Progress.decode(cookie)
        except WireError as error:
            return self._drop(session, str(error))
        effects = [*self.tick(now), *self._begin(session, progress, now)]
        if session in self._jobs:
            effects.append(GoesOn(session, progress))
        return effects + self.tick(now)

    def leave(self, session: Hashable, now: float) -> list[Effect]:
        """A session is about to end, or has ended: its job is no longer done here; the state that it has."""
        effects = self.tick(now)
        job = self._jobs.pop(session, None)
        return effects if job is None else [*effects, Leave(session, job.progress)]

    def tick(self, now: float) -> list[Effect]:
        """Time went by."""
        effects: list[Effect] = []
        self._work(now)
        for session, job in list(self._jobs.items()):
            if self._rest(job) < MOMENT:
                del self._jobs[session]
                self.completed += 1
                effects.append(Say(session, CalcApp(Kind.COMPLETE, job.number, job.size, job.size)))
            elif job.heard_by <= now and job.asked:
                effects += self._drop(session, f"its user has said nothing for {self.terms.timeout:g} s")
            else:
                effects += self._tend(session, job, now)
        return effects

    def next_deadline(self) -> float | None:
        """When L{tick} is due; None for never."""
        if not self._jobs:
            return None
        soonest = min(min(self._rest(job), self._until_kept(job)) for job in self._jobs.values())
        fixed = min(min(job.kept_at + self.terms.cookie_seconds, job.heard_by) for job in self._jobs.values())
        return min(self._now + max(soonest, SOONEST), fixed)

    # Parts

    def _begin(self, session: Hashable, progress: Progress, now: float) -> list[Effect]:
        if len(self._jobs) >= self.terms.jobs:
            self.rejected += 1
            return [Say(session, CalcApp(Kind.REJECT, progress.job))]
        done = float(progress.done)
        self._jobs[session] = _Job(progress.job, progress.size, done, done, now, now + self.terms.keep_alive)
        return [Say(session, CalcApp(Kind.ACCEPT, progress.job))]

    def _drop(self, session: Hashable, why: str) -> list[Effect]:
        self._jobs.pop(session, None)
        return [Drop(session, why)]

    def _tend(self, session: Hashable, job: _Job, now: float) -> list[Effect]:
        effects: list[Effect] = []
        aged = now >= job.kept_at + self.terms.cookie_seconds
        if aged or self._until_kept(job) < MOMENT:
            job.kept, job.kept_at = job.done, now
            effects.append(Leave(session, job.progress))
        if job.heard_by <= now:
            job.heard_by, job.asked = now + self.terms.timeout, True
            effects.append(Say(session, CalcApp(Kind.KEEP_ALIVE, job.number)))
        return effects

    def _work(self, now: float) -> None:
        """All jobs share the time since the last call; what one does not need any more is the others'."""
        left, self._now = now - self._now, now
        while self._jobs and left > 0:
            working = [job for job in self._jobs.values() if self._rest(job) >= MOMENT]
            if not working:
                return
            rate = self.terms.capacity / len(working)
            step = min(left, min(job.size - job.done for job in working) / rate)
            for job in working:
                job.done += step * rate
            left -= step

    def _rate(self) -> float:
        """Calculations a second of one job."""
        return self.terms.capacity / max(1, len(self._jobs))

    def _until_kept(self, job: _Job) -> float:
        """Seconds until a job has done so much that it leaves a cookie."""
        return (job.kept + self.terms.cookie_calculations - job.done) / self._rate()

    def _rest(self, job: _Job) -> float:
        """Seconds that a job takes yet."""
        return (job.size - job.done) / self._rate()
