"""What the Containerfile says, without running it: that is C{make container-check}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rserpool.tap.ns import RegistrarOptions
from tests.container.check import FILE, ROOT
from tests.container.containerfile import parse


class ContainerfileTests(SynchronousTestCase):
    """It can be read, and what it names is there."""

    def test_instructions(self) -> None:
        """Lines that go on, comments between them, and what is run in the end."""
        found = parse("FROM a\nRUN one \\\n# not this\n  && two\nCOPY x y /z/\nENV A=1 B='2 3'\nUSER me\nCMD [\"c\"]\n")
        self.assertEqual([("RUN", ["one    && two"]), ("COPY", ["x", "y", "/z/"])], found.steps)
        self.assertEqual(
            ("a", {"A": "1", "B": "2 3"}, "me", ["c"]), (found.base, found.environment, found.user, found.command)
        )
        for text in ("ADD x y", "FROM a\nFROM b", "COPY --from=a x y"):
            self.assertRaises(ValueError, parse, text)

    def test_ours(self) -> None:
        """Nobody runs it as root, what it copies is there, and its registrar would start."""
        found = parse(FILE.read_text())
        self.assertEqual("rserpool", found.user)
        sources = [source for word, parts in found.steps if word == "COPY" for source in parts[:-1]]
        self.assertEqual([], [source for source in sources if not (ROOT / source).exists()])
        options = RegistrarOptions()
        options.parseOptions(["--config", str(FILE.parent / "registrar.toml")])
        self.assertEqual(("127.0.0.1",), options.settings["asap"].hosts)
