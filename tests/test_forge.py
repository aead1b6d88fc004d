"""The forge's CI file does what C{.ci/run} does, with every Python that is promised."""

from __future__ import annotations

import re
from configparser import ConfigParser
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).resolve().parent.parent


def listed(name: str) -> list[str]:
    """What stands in a list of the matrix."""
    text = (ROOT / ".github" / "workflows" / "ci.yml").read_text()
    [found] = re.findall(rf"^ +{name}: \[(.*)\]$", text, re.MULTILINE)
    return [word.strip('" ') for word in found.split(",")]


class ForgeTests(SynchronousTestCase):
    """C{.github/workflows/ci.yml}."""

    def test_steps(self) -> None:
        """Each target that one of them makes the other one makes, too; and it is there."""
        run = re.findall(r"^(?:step )?make (\w+)", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)
        self.assertEqual(sorted(run), sorted(listed("step")))
        targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
        self.assertEqual(set(), set(run) - targets)

    def test_pythons(self) -> None:
        """Those of the classifiers; tox knows them, too."""
        setup = ConfigParser()
        setup.read(ROOT / "setup.cfg", encoding="utf-8")
        promised = re.findall(r"Python :: (3\.\d+)", setup["metadata"]["classifiers"])
        self.assertEqual(promised, listed("python"))
        self.assertEqual(setup["options"]["python_requires"], f">={promised[0]}")
        tox = (ROOT / "tox.ini").read_text()
        self.assertEqual([version.replace(".", "") for version in promised], re.findall(r"py(3\d+)", tox))
