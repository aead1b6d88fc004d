"""C{rserpool paint}, over a scope in memory: a picture, and who painted what."""

from __future__ import annotations

import zlib
from io import StringIO
from pathlib import Path
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.trial.unittest import SynchronousTestCase

from rserpool.cli import paint
from rserpool.cli.codes import OK
from rserpool.cli.parser import make_parser
from rserpool.core import ConfigurationError, SessionEnded, UnknownPool
from rserpool.services import FractalFactory
from rserpool.testing import ElementProcess, Scope
from tests.services.test_fractal import Busy


class PaintTests(SynchronousTestCase):
    """Two elements, of which each turn takes 0.3 s."""

    def setUp(self) -> None:
        self.scope = Scope()
        self.addCleanup(self.scope.stop)
        self.out = StringIO()
        self.folder = f"{self.mktemp()}.png"
        Path(self.folder).mkdir()
        self.file = Path(f"{self.mktemp()}.png")

        def setup(element: ElementProcess) -> None:
            element.serve("FractalGeneratorPool", FractalFactory(Busy(element.reactor)), protocol="sctp")

        for _ in range(2):
            self.scope.element(setup=setup)
        self.scope.settle()

    def start(self, *words: str) -> Deferred[int]:
        options = make_parser().parse_args(["paint", "--size", "40x33", "--out", str(self.file), *words])
        user: Any = self.scope.user()
        user.alive = False
        return ensureDeferred(paint.run(user.reactor, options, self.out, user.service))

    def test_picture(self) -> None:
        """An element is killed: the other one goes on, and the picture is whole, in two colours."""
        running = self.start("--tiles", "4", "--limit", "60")
        self.scope.advance(0.5)
        self.scope.kill(self.scope.elements[0])
        self.assertEqual(OK, self.scope.result(running))
        *failovers, summary = self.out.getvalue().splitlines()
        self.assertTrue(failovers)
        self.assertRegex(failovers[0], "--- 0x[0-9a-f]{8} failed: 0x[0-9a-f]{8} at sctp .* goes on")
        self.assertRegex(
            summary, r"40x33 points in [1-9]\d*\.\d s by FractalGeneratorPool: 0x.* \d\d%, 0x.* \d+%; \d failovers$"
        )
        png = self.file.read_bytes()
        rows = zlib.decompress(png[png.index(b"IDAT") + 4 : png.index(b"IEND") - 8])
        self.assertEqual(33 * (1 + 3 * 40), len(rows))
        self.assertNotIn(b"\x18\x18\x18", rows)

    def test_file(self) -> None:
        """Where the picture cannot be written, or would not be what its name says, nobody begins to work."""
        for file, why in (("p.jpg", "are PNG files"), ("no/p.png", "no folder no"), (self.folder, "is a folder")):
            running = self.start("--out", file)
            self.assertIn(why, str(self.failureResultOf(running, ConfigurationError).value))

    def test_bands(self) -> None:
        """They cover the picture, also where there are more of them than rows."""
        for tiles, expected in ((3, [(0, 5), (5, 5), (10, 6)]), (40, [(row, 1) for row in range(16)])):
            self.assertEqual(expected, [(top, each.height) for top, each in paint.bands(20, 16, tiles, 9)])

    def test_interrupted(self) -> None:
        """Nothing is written, and nothing goes on; nor where nobody serves."""
        running = self.start()
        self.scope.advance(0.5)
        running.cancel()
        with self.assertRaises(CancelledError):
            self.scope.result(running)
        with self.assertRaises(UnknownPool):
            self.scope.result(self.start("nowhere"))
        running = self.start("--patience", "2")
        self.scope.advance(0.5)
        self.scope.kill(*self.scope.elements)
        with self.assertRaises(SessionEnded):
            self.scope.result(running)
        self.assertFalse(self.file.exists())
