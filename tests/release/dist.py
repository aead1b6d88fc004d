"""Builds sdist and wheel of what is committed, looks into them, and tries them in empty environments.

C{python -m tests.release.dist [--to DIR] [--with PYTHON]...}: with other Pythons, each gets the wheel and the sdist in
environments of their own, and runs a registrar and the demonstration there.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

from rserpool.cli.completion import SHIPPED
from tests.release.tree import ROOT, git, lay
from tests.release.trying import Environment

PLUGINS = "twisted/plugins/rserpool_plugins.py"
IN_WHEEL = {"rserpool/py.typed", "rserpool/__main__.py", PLUGINS}
IN_SHARE = {*SHIPPED.values(), "share/man/man1/rserpool.1", "share/man/man1/rserpool-ns.1"}
TOO_MUCH = (".pyc", "dropin.cache", "/.coverage", "__pycache__/")


def say(text: str) -> None:
    """Tell what is done."""
    print(f"make dist: {text}", flush=True)


def tool(*words: object) -> None:
    """Run a tool of our environment; what it prints is shown if it fails."""
    done = subprocess.run(
        [sys.executable, "-m", *map(str, words)], stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"{done.stdout}{done.stderr}make dist: {words[0]} failed, see above")


def build(tree: Path, place: Path) -> tuple[Path, Path]:
    """Build the sdist, and from it the wheel.

    @return: their names.
    """
    tool("build", "--no-isolation", "--outdir", place, tree)
    [sdist] = place.glob("*.tar.gz")
    [wheel] = place.glob("*.whl")
    return sdist, wheel


def check(sdist: Path, wheel: Path, committed: set[str]) -> None:
    """Whether all is there that should be, and nothing else.

    @raise SystemExit: if not; the text says what.
    """
    tool("twine", "check", "--strict", sdist, wheel)
    # Of the folder twisted/ the plugins alone are ours: two names at the top are right.
    tool("check_wheel_contents", "--ignore", "W009", wheel)
    with tarfile.open(sdist) as archive:
        names = {member.name.partition("/")[2] for member in archive.getmembers() if member.isfile()}
    complain(sdist, "lacks", (committed | IN_SHARE) - names)
    complain(sdist, "should not have", (name for name in names if any(part in name for part in TOO_MUCH)))
    with zipfile.ZipFile(wheel) as zipped:
        inside = set(zipped.namelist())
    modules = {name for name in committed if name.startswith("rserpool/")}
    data = f"{wheel.name.removesuffix('-py3-none-any.whl')}.data/data"
    complain(wheel, "lacks", (modules | IN_WHEEL | {f"{data}/{name}" for name in IN_SHARE}) - inside)
    tops = ("rserpool/", PLUGINS, f"{data}/share/", data.replace(".data/data", ".dist-info/"))
    complain(wheel, "should not have", (name for name in inside if not name.startswith(tops)))


def complain(file: Path, what: str, names: Iterable[str]) -> None:
    """End with a sentence, if there are any."""
    found = sorted(names)
    if found:
        raise SystemExit(f"make dist: {file.name} {what} {', '.join(found[:10])}{' ...' if found[10:] else ''}")


def main() -> None:
    """Do it all."""
    parser = argparse.ArgumentParser(prog="make dist", description="Build sdist and wheel, and look at them.")
    parser.add_argument("--to", metavar="DIR", type=Path, default=ROOT / "dist", help="where to put them (dist)")
    parser.add_argument(
        "--with",
        metavar="PYTHON",
        dest="pythons",
        action="append",
        default=[],
        help="try them with it; may be repeated",
    )
    options = parser.parse_args()
    if git("status", "--porcelain", "--untracked-files=no"):
        say("what is not committed is left out")
    os.environ["SOURCE_DATE_EPOCH"] = git("log", "-1", "--format=%ct").decode().strip()
    with tempfile.TemporaryDirectory(prefix="rserpool-dist-") as name:
        place = Path(name)
        committed = lay(place / "tree")
        say("building sdist and wheel")
        sdist, wheel = build(place / "tree", place / "built")
        check(sdist, wheel, committed)
        for python in options.pythons or [sys.executable]:
            for file in (wheel, sdist) if options.pythons else (wheel,):
                environment = Environment(python, place / "environment")
                say(f"trying {file.name} with {environment.version()}")
                environment.install(file)
                environment.look()
                if options.pythons:
                    environment.serve()
                    environment.demonstrate()
                shutil.rmtree(place / "environment")
        options.to.mkdir(parents=True, exist_ok=True)
        for file in (sdist, wheel):
            say(f"{shutil.copy(file, options.to)}: {file.stat().st_size >> 10} KiB")


if __name__ == "__main__":
    main()
