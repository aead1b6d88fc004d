"""The picture: its tiles, who made which, and how it is shown, as a PNG and on a terminal."""

from __future__ import annotations

import argparse
import colorsys
import re
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

CENTRE, WIDTH = complex(-0.7453, 0.1127), 0.0065
"""What of the set is shown, and how wide it is."""
LIMIT = 255
TILE = 40
"""Points of a tile in each direction."""


@dataclass(frozen=True)
class Tile:
    """A part of the picture, in points from the left and from above."""

    left: int
    top: int
    width: int
    height: int


@dataclass
class Picture:
    """A picture in the making.

    @ivar made: what is there of each tile: its points and the number of the worker that made it.
    """

    width: int
    height: int
    made: dict[Tile, tuple[bytes, int]] = field(default_factory=dict)

    def tiles(self) -> list[Tile]:
        """All of them, those in the middle first."""
        found = [
            Tile(left, top, min(TILE, self.width - left), min(TILE, self.height - top))
            for top in range(0, self.height, TILE)
            for left in range(0, self.width, TILE)
        ]
        middle = self.width / 2, self.height / 2

        def far(tile: Tile) -> float:
            return (tile.left + TILE / 2 - middle[0]) ** 2 + (tile.top + TILE / 2 - middle[1]) ** 2

        return sorted(found, key=far)

    def points(self, tile: Tile) -> tuple[list[float], list[float]]:
        """The real parts of its columns, and the imaginary parts of its rows."""
        step = WIDTH / self.width
        columns = [CENTRE.real + (tile.left + x - self.width / 2) * step for x in range(tile.width)]
        return columns, [CENTRE.imag - (tile.top + y - self.height / 2) * step for y in range(tile.height)]

    def colours(self) -> list[bytearray]:
        """Its rows, three bytes a point: the colour is that of the worker."""
        rows = [bytearray(b"\x18" * (3 * self.width)) for _ in range(self.height)]
        for tile, (points, worker) in self.made.items():
            palette = palette_of(worker)
            for y in range(tile.height):
                line = points[y * tile.width : (y + 1) * tile.width]
                rows[tile.top + y][3 * tile.left : 3 * (tile.left + tile.width)] = b"".join(
                    palette[point] for point in line
                )
        return rows

    def png(self) -> bytes:
        """The picture as a PNG file (ISO/IEC 15948)."""
        return png(self.width, self.colours())

    def lines(self, columns: int, lines: int) -> Iterator[str]:
        """The picture for a terminal that has 256 colours: two points above each other in a character."""
        colours = self.colours()
        for line in range(lines):
            cells = []
            for column in range(columns):
                x = (2 * column + 1) * self.width // (2 * columns)
                upper, lower = ((4 * line + n) * self.height // (4 * lines) for n in (1, 3))
                over, under = (of_256(colours[y][3 * x : 3 * x + 3]) for y in (upper, lower))
                cells.append(f"\x1b[38;5;{over};48;5;{under}m▀")
            yield "".join(cells) + "\x1b[0m"


def png(width: int, rows: Sequence[bytes | bytearray]) -> bytes:
    """Rows of a picture, three bytes a point, as a PNG file (ISO/IEC 15948)."""
    raw = zlib.compress(b"".join(b"\0" + row for row in rows), 6)
    head = struct.pack("!IIBBBBB", width, len(rows), 8, 2, 0, 0, 0)
    parts = _chunk(b"IHDR", head) + _chunk(b"IDAT", raw) + _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def size_of(text: str) -> tuple[int, int]:
    """Read C{WIDTHxHEIGHT}, for C{argparse}.

    @raise argparse.ArgumentTypeError: if it is none, or one is not from 16 to 8192.
    """
    found = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text)
    if found is None or not all(16 <= int(each) <= 8192 for each in found.groups()):
        raise argparse.ArgumentTypeError(f"{text!r} is not WIDTHxHEIGHT, each from 16 to 8192")
    return int(found[1]), int(found[2])


def palette_of(worker: int) -> list[bytes]:
    """The colours of a worker: what never leaves is dark, what leaves late is bright."""
    hue = (worker * 0.381966) % 1.0
    shades = [b"\x08\x08\x0c"]
    for step in range(1, 256):
        part = (step / 255) ** 0.55
        rgb = colorsys.hsv_to_rgb((hue + 0.07 * part) % 1.0, 1.0 - 0.55 * part, 0.25 + 0.75 * part)
        shades.append(bytes(round(255 * each) for each in rgb))
    return shades


def of_256(rgb: bytes | bytearray) -> int:
    """The nearest of a terminal's colour cube."""
    red, green, blue = (round(each / 255 * 5) for each in rgb)
    return 16 + 36 * red + 6 * green + blue


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack("!I", len(data)) + name + data + struct.pack("!I", zlib.crc32(name + data))
