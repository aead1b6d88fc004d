"""C{rserpool fractal}: a picture is computed by a pool while its workers are killed, and others started."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any, TextIO

from twisted.internet.defer import CancelledError, ensureDeferred
from twisted.internet.task import LoopingCall
from twisted.python.failure import Failure

from rserpool.cli.demo.run import to_the_end
from rserpool.cli.fractal.farm import POOL, Farm
from rserpool.cli.fractal.picture import LIMIT, Picture, Tile, size_of
from rserpool.cli.fractal.show import Show
from rserpool.cli.fractal.tiles import ROWS
from rserpool.cli.options import number
from rserpool.cli.signals import ENDING, on_signals
from rserpool.compute import Job, Jobs
from rserpool.core.compute import frames
from rserpool.core.errors import RSerPoolError
from rserpool.sctp.stack import open_stack
from rserpool.user import PoolUserService


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of C{rserpool fractal}."""
    parser.set_defaults(quiet=True)
    whole = number(int)
    parser.add_argument("--workers", type=whole, default=3, metavar="N", help="so many at a time (3)")
    parser.add_argument("--kills", type=_count, default=4, metavar="N", help="so many are killed, one by one (4)")
    parser.add_argument(
        "--size", type=size_of, default=(640, 400), metavar="WxH", help="points of the picture (640x400)"
    )
    parser.add_argument("--web", type=_count, metavar="PORT", help="show it in a browser, too; 0 for any port")
    parser.add_argument("--out", type=Path, default=Path("fractal.png"), metavar="FILE", help="(fractal.png)")


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) < 65536):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 to 65535")
    return int(text)


async def run(reactor: Any, options: argparse.Namespace, out: TextIO) -> int:
    """Compute it; 1 if a tile is missing.

    @raise SctpUnavailable: if there is no SCTP here, before anything starts.
    """
    await open_stack(reactor).close()
    with tempfile.TemporaryDirectory() as folder:
        farm = Farm(reactor, Path(folder))
        fractal = Fractal(reactor, farm, options, out)
        running = ensureDeferred(fractal.run())
        fractal.broken = running.cancel
        try:
            return await running
        except CancelledError:
            if fractal.show.error is not None:
                raise fractal.show.error from None
            raise
        finally:
            # Who cannot wait ends them at once.
            restore = on_signals(reactor, ENDING, lambda _: farm.kill_all())
            await to_the_end(fractal.end())
            restore()


class Fractal:
    """One picture.

    @ivar broken: called when nobody sees it any more.
    """

    def __init__(self, reactor: Any, farm: Farm, options: argparse.Namespace, out: TextIO) -> None:
        self._reactor = reactor
        self._farm = farm
        self._options = options
        self._picture = Picture(*options.size)
        self._tiles = self._picture.tiles()
        self._restored: list[int] = []
        self._failed: list[str] = []
        self._jobs: dict[Job, Tile] = {}
        self._at = [len(self._tiles) * (each + 1) // (options.kills + 2) for each in range(options.kills)]
        self._page: Any = None
        self._user: Any = None
        self._farmed: Jobs | None = None
        self._drawing = LoopingCall(self._draw)
        self._drawing.clock = reactor
        self.show = Show(out, self._picture, len(self._tiles))
        self.broken: Any = lambda: None

    async def run(self) -> int:
        """Compute it.

        @return: the exit status.
        """
        if self._options.web is not None:
            from rserpool.cli.fractal.page import Page

            self._page = Page(self._reactor, self._picture)
            self.show.event(f"to be seen at {await self._page.listen(self._options.web)}")
        self._event(f"a registrar and {self._options.workers} workers are started, each a process of its own")
        await self._farm.begin(self._options.workers)
        self._drawing.start(0.25)
        user = self._user = PoolUserService(self._reactor, [self._farm.registrar], transport="sctp", backend="usrsctp")
        user.startService()
        jobs = self._farmed = Jobs(user, POOL, patience=60.0)
        for tile in self._tiles:
            job = Job("tile", frames.work("tile", (*self._picture.points(tile), LIMIT), {}))
            self._jobs[job] = tile
            job.result.addCallback(self._made, job)
            job.result.addErrback(self._lost)
            jobs.begin(job)
        self._event(f"{len(self._tiles)} tiles are given to the pool {POOL!r}")
        # One after the other: who cancels this cancels no job by it.
        for job in self._jobs:
            await job.settled()
        await jobs.close()
        self._drawing.stop()
        return self._end(jobs.progress.repeated)

    async def end(self) -> None:
        """End whatever runs."""
        if self._drawing.running:
            self._drawing.stop()
        if self._farmed is not None:
            await self._farmed.close(cancel=True)
        if self._user is not None:
            await self._user.stopService()
        await self._farm.end()
        if self._page is not None:
            await self._page.close()

    def _made(self, outcome: bytes, job: Job) -> None:
        tile, restored, points = self._jobs[job], int.from_bytes(outcome[:ROWS], "big"), outcome[ROWS:]
        if restored:
            self._restored.append(restored)
            self._event(f"worker {job.worker} went on with a tile from row {restored} of {tile.height}")
        self._picture.made[tile] = points, job.worker
        if self._page is not None:
            self._page.tile(tile, points, job.worker)
        if self._at and len(self._picture.made) >= self._at[0]:
            self._kill()

    def _lost(self, failure: Failure) -> None:
        if failure.check(CancelledError) is None:
            self._failed.append(failure.getErrorMessage())

    def _kill(self) -> None:
        """Kill a worker in the middle of a tile, and start another one; if none is there, after the next tile."""
        busy = [
            job.lease.worker
            for job in self._jobs
            if job.lease is not None and job.lease.worker in self._farm.workers and 0.1 < job.progress < 0.9
        ]
        if not busy:
            return
        del self._at[0]
        self._farm.kill(busy[0])
        new = self._farm.start()
        self._event(f"worker {busy[0]} was killed (SIGKILL) in the middle of a tile; worker {new} is started", busy[0])

    def _event(self, text: str, killed: int = 0) -> None:
        self.show.event(text)
        if self._page is not None:
            self._page.event(text, killed)

    def _draw(self) -> None:
        self.show.draw(self._farm.workers)
        if self.show.error is not None:
            self._reactor.callLater(0, self.broken)

    def _end(self, repeated: int) -> int:
        made, out = len(self._picture.made), self._options.out
        lines = [
            f"{made} of {len(self._tiles)} tiles are there. {self._farm.killed} workers were killed in the middle",
            f"of one; {repeated} tiles went on at another worker, from their last checkpoints:",
            f"{sum(self._restored)} rows that the dead had computed were not computed again.",
        ]
        if made == len(self._tiles):
            try:
                out.write_bytes(self._picture.png())
            except OSError as error:
                raise RSerPoolError(f"{out}: {error.strerror}") from None
            lines.append(f"The picture is in {out}; its colours say which worker made a tile.")
        else:
            lines += ["What failed:", *sorted(set(self._failed))[:5]]
        self.show.close(self._farm.workers, lines)
        if self._page is not None:
            self._page.event(" ".join(lines), over=True)
        return 0 if made == len(self._tiles) else 1
