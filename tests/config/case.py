"""Files for tests of configuration."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

from twisted.trial.unittest import SynchronousTestCase


class FileTests(SynchronousTestCase):
    """Writes files in a folder of the test's own."""

    def write(self, text: str, name: str = "file.toml", mode: int = 0o644) -> Path:
        """A new file with this text."""
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        path = folder / name
        path.write_text(dedent(text), encoding="utf-8", newline="")
        path.chmod(mode)
        return path
