"""The wheel: what a person gets who installs it, away from this checkout."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).resolve().parent.parent


def run(*command: object, cwd: Path) -> str:
    """Run a command in a directory that is not the checkout, and return what it printed."""
    done = subprocess.run(
        [str(word) for word in command], cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300
    )
    if done.returncode:
        raise AssertionError(f"{command} exited with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


class Checkout(SynchronousTestCase):
    """What is here is also found."""

    def test_every_test_is_found(self) -> None:
        """A directory without C{__init__.py} would be passed over silently by trial."""
        directories = {path.parent for path in (ROOT / "tests").rglob("test_*.py")}
        self.assertEqual([path for path in directories if not (path / "__init__.py").exists()], [])

    def test_nothing_hides_twisted(self) -> None:
        """An C{__init__.py} beside the plugins would make them a package of their own."""
        self.assertEqual(list((ROOT / "twisted").rglob("__init__.py")), [])


class Wheel(SynchronousTestCase):
    """Built from the files of the checkout, and installed with its dependencies in an empty environment."""

    timeout = 600

    def setUp(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="rserpool-wheel-"))
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)

    def build(self) -> Path:
        """The wheel, built from a copy: neither leftovers in build/ nor an egg-info help or harm."""
        source = self.directory / "source"
        source.mkdir()
        for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(ROOT / name, source)
        for name in ("rserpool", "twisted"):
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "dropin.cache"))
        run(
            *(sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet", "--no-deps"),
            *("--wheel-dir", self.directory, source),
            cwd=self.directory,
        )
        (wheel,) = self.directory.glob("rserpool-*.whl")
        return wheel

    def test_installed(self) -> None:
        """The plugins are in C{twistd --help}, the type information and every module are there, the script runs."""
        wheel = self.build()
        with zipfile.ZipFile(wheel) as archive:
            names = set(archive.namelist())
        self.assertIn("rserpool/py.typed", names)
        self.assertIn("twisted/plugins/rserpool_plugins.py", names)
        # An __init__.py there would hide Twisted's own plugins, or Twisted itself.
        self.assertEqual([name for name in names if name.startswith("twisted/") and name.endswith("__init__.py")], [])
        self.assertEqual([name for name in names if name.startswith(("tests/", "docs/", "bench/"))], [])
        modules = {str(path.relative_to(ROOT)) for path in (ROOT / "rserpool").rglob("*.py")}
        self.assertEqual(modules - names, set())

        environment = self.directory / "environment"
        venv.create(environment, symlinks=True)
        programs = environment / "bin"
        run(
            *(sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", programs / "python"),
            *("install", "--quiet", wheel),
            cwd=self.directory,
        )
        for plugin in ("rserpool-ns", "rserpool-pe"):
            self.assertIn(plugin, run(programs / "twistd", "--help", cwd=self.directory))
            self.assertIn("--profile", run(programs / "twistd", plugin, "--help", cwd=self.directory))
        self.assertIn("resolve", run(programs / "rserpool", "--help", cwd=self.directory))
        where = run(
            programs / "python",
            "-c",
            "import rserpool, importlib.resources as r; print(r.files(rserpool) / 'py.typed')",
            cwd=self.directory,
        )
        self.assertTrue(Path(where.strip()).is_file(), where)
        self.assertTrue(Path(where.strip()).is_relative_to(environment), where)
