"""C{rserpool fractal}, without its processes: tiles, the picture, the page."""

from __future__ import annotations

import json
import struct
import zlib
from typing import Any

import treq
from twisted.internet import reactor
from twisted.trial.unittest import SynchronousTestCase, TestCase

from rserpool.cli.fractal.page import Page
from rserpool.cli.fractal.picture import LIMIT, TILE, Picture
from rserpool.cli.fractal.tiles import ROWS, steps, tile
from rserpool.core.compute import frames
from rserpool.job.telling import here


class TileTests(SynchronousTestCase):
    """What workers compute."""

    def test_steps(self) -> None:
        self.assertEqual([steps(point, LIMIT) for point in (0j, -1 + 0j, 2 + 0j, 1 + 1j, 0.3 + 0.5j)], [0, 0, 2, 2, 0])

    def test_goes_on(self) -> None:
        """From each of its checkpoints a tile becomes the same, and says how many rows it found."""
        points = Picture(60, 50).points(Picture(60, 50).tiles()[0])
        states: list[bytes] = []
        telling = here()
        self.addCleanup(setattr, telling, "state", None)
        self.addCleanup(setattr, telling, "send", None)
        telling.send = lambda tag, message: states.append(frames.decode(message)[1]) if tag == ord("c") else None
        whole = tile(*points, LIMIT)
        self.assertEqual(len(states), len(points[1]))
        for row in (0, 7, len(states) - 1):
            telling.state = states[row]
            again = tile(*points, LIMIT)
            self.assertEqual((again[:ROWS], again[ROWS:]), ((row + 1).to_bytes(2, "big"), whole[ROWS:]))


class PictureTests(SynchronousTestCase):
    """What becomes of the tiles."""

    def test_tiles(self) -> None:
        """They cover it, once."""
        picture = Picture(2 * TILE + 5, TILE + 3)
        tiles = picture.tiles()
        self.assertEqual(sum(each.width * each.height for each in tiles), picture.width * picture.height)
        self.assertEqual(len({(each.left, each.top) for each in tiles}), 6)
        for each in tiles:
            columns, rows = picture.points(each)
            self.assertEqual((len(columns), len(rows)), (each.width, each.height))

    def test_png(self) -> None:
        """A reader of PNG finds what is in it: a dark rest, and a tile in its worker's colours."""
        picture = Picture(TILE + 1, TILE)
        first = picture.tiles()[0]
        picture.made[first] = bytes([0, 200] * (first.width * first.height // 2)), 3
        data = picture.png()
        self.assertEqual((data[:8], struct.unpack("!II", data[16:24])), (b"\x89PNG\r\n\x1a\n", (TILE + 1, TILE)))
        start = data.index(b"IDAT") + 4
        rows = zlib.decompress(data[start : data.index(b"IEND") - 8])
        self.assertEqual(len(rows), TILE * (1 + 3 * (TILE + 1)))
        self.assertEqual(len(set(rows[1:7])) > 1, True)
        self.assertEqual(rows[-3:], b"\x18\x18\x18")

    def test_terminal(self) -> None:
        """As many lines as there is room for, whatever the size of the picture."""
        for size in ((640, 400), (17, 16)):
            self.assertEqual(len(list(Picture(*size).lines(76, 18))), 18)


class PageTests(TestCase):
    """What a browser gets."""

    async def test_stream(self) -> None:
        """Who comes late hears all of it, and who goes away disturbs nobody."""
        picture = Picture(TILE, TILE)
        page = Page(reactor, picture)
        where = await page.listen(0)
        one = picture.tiles()[0]
        page.tile(one, bytes(TILE * TILE), 7)
        self.assertIn("<canvas", await (await treq.get(where, persistent=False)).text())
        leaves: Any = await treq.get(f"{where}events", persistent=False)
        stays: Any = await treq.get(f"{where}events", persistent=False)
        page.event("worker 7 was killed", 7)
        text = stays.text()
        await page.close()
        told = [json.loads(line[6:]) for line in (await text).split("\n\n") if line]
        await leaves.content()
        self.assertEqual(told[0], {"size": [TILE, TILE]})
        self.assertEqual([set(each) for each in told[1:3]], [{"worker", "palette"}, {"tile", "worker", "points"}])
        self.assertEqual(told[3]["killed"], 7)
