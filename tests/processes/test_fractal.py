"""C{rserpool fractal} with its processes, of which one is killed."""

from __future__ import annotations

from pathlib import Path

from tests.processes.harness import ProcessTests


class FractalTests(ProcessTests):
    """The whole of it, small."""

    async def test_picture(self) -> None:
        out = Path(self.mktemp()).absolute()
        fractal = self.rserpool("fractal", "--size=200x120", "--workers=2", "--kills=1", "--out", str(out))
        self.assertEqual(await fractal.ended, 0, fractal.text)
        self.assertIn("15 of 15 tiles are there", fractal.text)
        self.assertEqual(out.read_bytes()[:8], b"\x89PNG\r\n\x1a\n")
        self.no_traceback(fractal)

    async def test_interrupted(self) -> None:
        """Ctrl-C ends it, and its processes."""
        fractal = self.rserpool("fractal", "--size=2000x1200", "--workers=1", "--kills=0")
        await fractal.says("tiles are given to the pool")
        fractal.signal("INT")
        self.assertEqual(await fractal.ended, 130)
        self.no_traceback(fractal)

    async def test_wrong(self) -> None:
        for option, says in (("--size=1x1", "is not WIDTHxHEIGHT"), ("--kills=x", "is not a whole number")):
            wrong = self.rserpool("fractal", option)
            self.assertEqual(await wrong.ended, 2)
            self.assertIn(says, wrong.text)
