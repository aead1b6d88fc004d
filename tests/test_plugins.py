"""Policies and load probes as plugins: C{examples/sticky-policy} is installed, and used."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "examples" / "sticky-policy"
RIVAL = """
from rserpool.plugins import LoadProbe, PolicyPlugin
from sticky_policy import STICKY, MemoryLoad
from dataclasses import replace
other = {other}
"""
LOGGED = """
import sys
from twisted.logger import globalLogBeginner, textFileLogObserver
globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stderr)], redirectStandardIO=False)
"""


@cache
def place() -> Path:
    """A directory that the end of this process removes."""
    directory = Path(tempfile.mkdtemp(prefix="rserpool-plugins-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    return directory


@cache
def installed() -> Path:
    """Where the example is installed, from a copy that may be built in."""
    source = shutil.copytree(EXAMPLE, place() / "source", ignore=shutil.ignore_patterns("__pycache__"))
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps"]
    subprocess.run([*pip, "--target", place() / "installed", source], check=True)
    return place() / "installed"


class PluginTests(SynchronousTestCase):
    """In processes that find the plugins of a directory."""

    timeout = 300

    def setUp(self) -> None:
        self.directory = place()
        self.target = installed()

    def rival(self, other: str) -> Path:
        """A directory with one more plugin."""
        plugins = self.directory / "rival" / "twisted" / "plugins"
        plugins.mkdir(parents=True)
        self.addCleanup(shutil.rmtree, self.directory / "rival")
        (plugins / "rival_plugins.py").write_text(RIVAL.format(other=other))
        return self.directory / "rival"

    def python(self, *arguments: str, where: tuple[Path, ...]) -> subprocess.CompletedProcess[str]:
        """Run Python with directories on its path."""
        path = os.pathsep.join(map(str, (*where, ROOT)))
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=self.directory,
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            timeout=60,
        )

    def test_used(self) -> None:
        """Each user keeps its element while it lives, by name C{sticky}; a load is measured by C{memory}."""
        done = self.python("-m", "tests.plugged", where=(self.target,))
        self.assertEqual((0, ""), (done.returncode, done.stderr), done.stdout)

    def test_known_to_commands(self) -> None:
        """C{twistd rserpool-pe --help} and a wrong probe's sentence name them."""
        pe = ("-m", "twisted", "rserpool-pe")
        self.assertIn("sticky", self.python(*pe, "--help", where=(self.target,)).stdout)
        done = self.python(*pe, "--pool", "p", "--policy", "LU:load=disk", "--", "web", where=(self.target,))
        self.assertIn("there is no load probe 'disk'; choose cpu, service, memory or a number", done.stderr)

    def test_two_of_one_name(self) -> None:
        """A sentence that names both plugins, and status 1."""
        ours = r"of twisted\.plugins\.sticky_policy_plugins\.(sticky|memory)"
        theirs = r"of twisted\.plugins\.rival_plugins\.other"
        for other, sentence in (
            ("PolicyPlugin(replace(STICKY, name='mine', abbreviation='MINE'))", "two policies cannot live together: "),
            ("PolicyPlugin(replace(STICKY, number=0x80000101))", "two policies cannot live together: "),
            ("LoadProbe('memory', MemoryLoad)", "two load probes are named memory: "),
        ):
            done = self.python(
                *("-m", "twisted", "rserpool-pe", "--pool", "p", "--policy", "LU:load=memory", "--", "web"),
                where=(self.target, self.rival(other)),
            )
            self.doCleanups()
            self.assertEqual(1, done.returncode)
            self.assertIn(sentence, done.stderr)
            self.assertRegex(done.stderr, f"{ours}.*{theirs}|{theirs}.*{ours}")
            self.assertNotIn("Traceback", done.stderr)

    def test_cannot_be_loaded(self) -> None:
        """What is wrong with one plugin is logged, and the others are there."""
        rival = self.rival("PolicyPlugin(STICKY)")
        asked = "from rserpool import plugins; plugins.add_policies(); print(plugins.load_probes())"
        program = f"{LOGGED}\n{asked}"
        self.python("-c", asked, where=(self.target, rival))
        (rival / "twisted" / "plugins" / "rival_plugins.py").write_text("other = broken")
        done = self.python("-c", program, where=(self.target, rival))
        self.assertIn("memory", done.stdout)
        self.assertIn("NameError", done.stderr)
