"""C{rserpool paint}: a picture by a pool of fractal generators, in the colours of who painted what."""

from __future__ import annotations

import argparse
import os
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

from twisted.internet.defer import FirstError, gatherResults

from rserpool.cli.codes import OK
from rserpool.cli.fractal.picture import palette_of, png, size_of
from rserpool.cli.options import add_reporting_options, add_user_options, number, reporting, user_from
from rserpool.cli.show import Lines, identifier_text
from rserpool.core.errors import ConfigurationError
from rserpool.core.handles import handle_text
from rserpool.core.user.places import describe
from rserpool.core.wire.parameters import PoolElementParameter
from rserpool.services.fractal.messages import MANDELBROT, Parameter
from rserpool.services.fractal.user import Painting
from rserpool.services.names import POOLS
from rserpool.user.service import PoolUserService

CENTRE, WIDTH = 0.5 + 0j, 3.0
"""What of the set is shown, and how wide it is."""


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of C{rserpool paint}."""
    add_user_options(parser, json=False, pool=POOLS["fractal"])
    add_reporting_options(parser)
    parser.add_argument(
        "--size", type=size_of, default=(320, 200), metavar="WxH", help="points of the picture (320x200)"
    )
    parser.add_argument(
        "--tiles", type=number(int), default=4, metavar="N", help="so many at a time, one a session (4)"
    )
    parser.add_argument(
        "--limit", type=number(int), default=200, metavar="N", help="steps of each point, at most (200)"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("picture.png"), metavar="FILE", help="a PNG file (picture.png)"
    )
    parser.add_argument(
        "--patience",
        metavar="SECONDS",
        type=number(float),
        default=30.0,
        help="until a tile is given up for which no element serves (default: 30)",
    )


class Canvas:
    """A picture in the making.

    @ivar points: how many points each element has painted.
    """

    def __init__(self, width: int, height: int, limit: int) -> None:
        self.points: Counter[int] = Counter()
        self._width, self._limit = width, limit
        self._rows = [bytearray(b"\x18" * (3 * width)) for _ in range(height)]
        self._palettes: dict[int, list[bytes]] = {}

    def paint(self, index: int, steps: Sequence[int], element: PoolElementParameter) -> None:
        """Points came, of which the first has this number, counted from the upper left."""
        palette = self._palettes.setdefault(element.identifier, palette_of(element.identifier))
        self.points[element.identifier] += len(steps)
        for place, step in enumerate(steps, index):
            shade = 0 if step >= self._limit else 1 + step * 254 // self._limit
            y, x = divmod(place, self._width)
            self._rows[y][3 * x : 3 * x + 3] = palette[shade]

    def png(self) -> bytes:
        """The picture as a PNG file."""
        return png(self._width, self._rows)


def bands(width: int, height: int, tiles: int, limit: int) -> list[tuple[int, Parameter]]:
    """The tiles, as bands above each other, and the row in which each begins."""
    step = WIDTH / width
    left, top = CENTRE.real - WIDTH / 2, CENTRE.imag + step * height / 2
    edges = sorted({height * part // tiles for part in range(tiles + 1)})
    return [
        (
            begin,
            Parameter(
                width,
                end - begin,
                limit,
                MANDELBROT,
                complex(left, top - step * begin),
                complex(left + WIDTH, top - step * end),
            ),
        )
        for begin, end in zip(edges, edges[1:], strict=False)
    ]


def check_file(file: Path) -> None:
    """Whether a picture can be written there, before others work for it.

    @raise ConfigurationError: if it cannot.
    """
    if file.suffix.lower() != ".png":
        raise ConfigurationError(f"--out {file}: pictures are PNG files: name one that ends with .png")
    folder = file.parent
    if not folder.is_dir():
        raise ConfigurationError(f"--out {file}: there is no folder {folder}")
    if file.is_dir():
        raise ConfigurationError(f"--out {file}: this is a folder")
    if not os.access(file if file.exists() else folder, os.W_OK):
        raise ConfigurationError(f"--out {file}: it cannot be written")


async def run(reactor: Any, options: argparse.Namespace, out: TextIO, user: PoolUserService | None = None) -> int:
    """Paint it.

    @raise ConfigurationError: if the picture could not be written.
    @raise UnknownPool: if there is no such pool at the start.
    @raise NoRegistrar: if no registrar is found at the start.
    @raise SessionEnded: if no element serves for too long.
    """
    check_file(options.out)
    user = user or user_from(reactor, options)
    service = reporting(reactor, options, user)
    service.startService()
    width, height = options.size
    canvas = Canvas(width, height, options.limit)
    lines, began = Lines(out, False, time.time), user.now()
    moves: list[PoolElementParameter] = []

    def failed_over(old: PoolElementParameter, new: PoolElementParameter) -> None:
        moves.append(new)
        lines.show(f"--- {identifier_text(old.identifier)} failed: {describe(new)} goes on")

    paintings: list[Painting] = []
    try:
        await user.resolve(options.pool, timeout=options.timeout)
        for top, parameter in bands(width, height, options.tiles, options.limit):

            def painted(index: int, steps: Sequence[int], element: PoolElementParameter, top: int = top) -> None:
                canvas.paint(top * width + index, steps, element)

            paintings.append(
                Painting(
                    user, options.pool, parameter, painted=painted, failed_over=failed_over, patience=options.patience
                )
            )
        try:
            await gatherResults([each.done for each in paintings], consumeErrors=True)
        except FirstError as error:
            error.subFailure.raiseException()
        # A service that has stopped knows no time.
        took = user.now() - began
    finally:
        for each in paintings:
            each.close()
        await service.stopService()
    options.out.write_bytes(canvas.png())
    whole = sum(canvas.points.values())
    by = ", ".join(f"{identifier_text(each)} {points / whole:.0%}" for each, points in canvas.points.most_common())
    print(
        f"{options.out}: {width}x{height} points in {took:.1f} s by {handle_text(options.pool)}: {by}; "
        f"{len(moves)} failovers",
        file=out,
        flush=True,
    )
    return OK
