"""C{rserpool map}: a job for each line of standard input, done by the workers of a pool."""

from __future__ import annotations

import argparse
import io
import json
import sys
from collections import Counter, deque
from contextlib import suppress
from typing import Any, BinaryIO, TextIO

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.python.failure import Failure

from rserpool.cli.codes import EXIT_CODES, OK, OTHER
from rserpool.cli.options import add_user_options, user_from
from rserpool.cli.submit import add_job_options, jobs_from, shown
from rserpool.compute.job import Job
from rserpool.compute.jobs import Jobs
from rserpool.core.compute import frames
from rserpool.core.compute.errors import JobFailed
from rserpool.core.errors import ConfigurationError
from rserpool.core.handles import printable

USAGE = "rserpool map [options] POOL -- FUNCTION < lines"
TAKES_COMMAND = True
EPILOG = f"""a line is given to the worker's program as it is, with its end, and what the program prints is printed;
            with --json lines are JSON values, and results too. What failed, and who did what, is told on standard
            error. {EXIT_CODES}"""

AHEAD = 1000
"""So many jobs are under way, or done before one that comes first."""
WRONG_KINDS = ("TypeError", "AttributeError")
"""What functions raise that were given bytes in place of numbers, text, or lists."""
HINT = " (it was given the line as bytes: where lines are JSON, numbers for example, say --json)"
SHOWN = 0.1
"""Seconds between two looks at the progress."""


def configure(parser: argparse.ArgumentParser) -> None:
    add_user_options(parser, json=False)
    parser.add_argument("--json", action="store_true", help="lines are JSON, one value each: the function's argument")
    parser.add_argument("--as-they-come", action="store_true", help="print results as they come, not in order")
    add_job_options(parser)
    parser.add_argument("--quiet", action="store_true", help="tell on standard error of failures alone")


async def run(
    reactor: Any, options: argparse.Namespace, out: TextIO, lines: BinaryIO | None = None, told: TextIO | None = None
) -> int:
    """Do what is on C{lines}, standard input by default.

    @param told: where failures and progress are told, standard error by default.
    """
    if len(options.command) != 1:
        raise ConfigurationError(f"name one function, or program, after --: {USAGE}")
    user = user_from(reactor, options)
    user.startService()
    try:
        mapping = Mapping(reactor, jobs_from(user, options), options, out, told or sys.stderr)
        nothing = io.BytesIO() if sys.stdin is None else sys.stdin.buffer
        return await mapping.run(lines or nothing)
    finally:
        await user.stopService()


class Mapping:
    """One run of C{rserpool map}."""

    def __init__(self, reactor: Any, jobs: Jobs, options: argparse.Namespace, out: TextIO, told: TextIO) -> None:
        self._reactor = reactor
        self._jobs = jobs
        self._function = options.command[0].rpartition("/")[2]
        self._json = options.json
        self._in_order = not options.as_they_come
        self._quiet = options.quiet
        self._out = out
        self._told = told
        self._began = reactor.seconds()
        self._by: Counter[int] = Counter()
        self._number = self._failed = 0
        self._hinted = False
        # Those that are not printed yet, in order; with None in place of what is to come.
        self._window: deque[list[Any]] = deque()
        self._room: Deferred[None] | None = None
        # Nobody takes results any more: since it ends, or they cannot be written, and why.
        self._ends = False
        self._unwritable: OSError | None = None
        self._on_screen = ""
        self._look: Any = None

    async def run(self, lines: BinaryIO) -> int:
        """Read them to their end, and print what comes of them."""
        if not self._quiet and self._told.isatty():
            self._show()
        try:
            await self._do_all(lines)
        except CancelledError:
            # Interrupted: who asked for so much wants to know how far it came.
            with suppress(OSError):  # its terminal may be closed
                self._summarize()
            raise
        self._summarize()
        return OTHER if self._failed else OK

    async def _do_all(self, lines: BinaryIO) -> None:
        try:
            pool = self._reactor.getThreadPool()
            while line := await deferToThreadPool(self._reactor, pool, lines.readline):
                self._look_at_output()
                self._number += 1
                self._submit(self._number, line)
                while len(self._window) >= AHEAD:
                    await self._more_room()
            while self._window:
                await self._more_room()
        finally:
            self._ends = True
            if self._look is not None:
                self._look.cancel()
                self._clear()
            await self._jobs.close(cancel=True)

    def _submit(self, number: int, line: bytes) -> None:
        entry: list[Any] = [None]
        self._window.append(entry)
        try:
            given = json.loads(line) if self._json else line
            job = Job(self._function, frames.work(self._function, (given,), {}))
        except (ValueError, RecursionError) as error:
            self._end(entry, None, f"line {number} is not JSON: {error}")
            return
        self._jobs.begin(job)
        job.result.addCallbacks(
            lambda value: self._end(entry, job, self._text(value)),
            lambda failure: self._fails(entry, number, job, failure),
        )

    def _text(self, value: Any) -> str:
        return shown(value).removesuffix("\n") + "\n"

    def _fails(self, entry: list[Any], number: int, job: Job, failure: Failure) -> None:
        error = failure.value
        text = f"line {number}: {error}"
        if not self._json and not self._hinted and isinstance(error, JobFailed) and error.kind in WRONG_KINDS:
            self._hinted = True
            text += HINT
        self._end(entry, None, text)

    def _end(self, entry: list[Any], job: Job | None, text: str) -> None:
        if self._ends:
            return
        try:
            self._print(entry, job, text)
        except OSError as error:
            self._ends, self._unwritable = True, error
        room, self._room = self._room, None
        if room is not None:
            room.callback(None)

    def _print(self, entry: list[Any], job: Job | None, text: str) -> None:
        self._clear()
        if job is None:
            self._failed += 1
            self._told.write(printable(text, 4000) + "\n")
            text = ""
        else:
            self._by[job.worker] += 1
        entry[0] = text
        if self._in_order:
            while self._window and self._window[0][0] is not None:
                self._out.write(self._window.popleft()[0])
        else:
            self._window.remove(entry)
            self._out.write(text)
        self._out.flush()

    async def _more_room(self) -> None:
        self._look_at_output()
        self._room = Deferred()
        await self._room
        self._look_at_output()

    def _look_at_output(self) -> None:
        """
        @raise OSError: if it cannot be written.
        """
        if self._unwritable is not None:
            raise self._unwritable

    # Progress

    def _show(self) -> None:
        self._look = self._reactor.callLater(SHOWN, self._show)
        progress = self._jobs.progress
        self._clear()
        self._on_screen = (
            f"{progress.done} done, {progress.running} running, {progress.waiting} waiting, {progress.workers} workers"
        )
        self._told.write(self._on_screen)
        self._told.flush()

    def _clear(self) -> None:
        if self._on_screen:
            self._told.write("\r" + " " * len(self._on_screen) + "\r")
            self._on_screen = ""

    def _summarize(self) -> None:
        if not self._quiet:
            self._told.write(self._summary())

    def _summary(self) -> str:
        seconds = self._reactor.seconds() - self._began
        done = sum(self._by.values())
        line = f"{self._number} jobs in {seconds:.1f} s: {done} done, {self._failed} failed"
        if missing := self._number - done - self._failed:
            line += f", {missing} cancelled"
        lines = [f"{line}, {self._jobs.progress.repeated} given to a second worker"]
        if unprinted := sum(bool(text) for (text,) in self._window):
            lines.append(f"  {unprinted} of them were done and not printed, since one that comes before them was not")
        lines += [f"  0x{worker:08x} did {count}" for worker, count in sorted(self._by.items())]
        return "\n".join(lines) + "\n"
