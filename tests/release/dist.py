"""Builds sdist and wheels of what is committed, looks into them, and tries them in empty environments.

One wheel is for all machines, in Python alone. The other one has what is compiled, and libusrsctp, for ones like this.

C{python -m tests.release.dist [--to DIR] [--with PYTHON]...}: with other Pythons, each gets the wheels and the sdist in
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
from tests.release.binary import COMPILED, FOLDER, LIBRARY, LICENCE, bundle, find_tools
from tests.release.tree import ROOT, git, lay
from tests.release.trying import Environment

PLUGINS = "twisted/plugins/rserpool_plugins.py"
IN_WHEEL = {"rserpool/py.typed", "rserpool/__main__.py", PLUGINS}
IN_SHARE = {*SHIPPED.values(), "share/man/man1/rserpool.1", "share/man/man1/rserpool-ns.1"}
TOO_MUCH = (".pyc", "dropin.cache", "/.coverage", "__pycache__/")


def say(text: str) -> None:
    """Tell what is done."""
    print(f"make dist: {text}", flush=True)


def tool(*words: object, **environment: str) -> None:
    """Run a tool of our environment; what it prints is shown if it fails."""
    done = subprocess.run(
        [sys.executable, "-m", *map(str, words)], stdin=subprocess.DEVNULL, capture_output=True, text=True,
        env=os.environ | environment,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{done.stdout}{done.stderr}make dist: {words[0]} failed, see above")


def build(tree: Path, place: Path) -> tuple[Path, Path, Path]:
    """Build the sdist, from it the wheel in Python alone, and then the one with what is compiled.

    @return: their names.
    """
    tool("build", "--no-isolation", "--outdir", place, tree, RSERPOOL_PURE="1")
    [sdist] = place.glob("*.tar.gz")
    [wheel] = place.glob("*.whl")
    say(f"building the binary wheel, with {bundle(tree)}")
    tool(
        "build", "--no-isolation", "--wheel", "--outdir", place / "here", tree, RSERPOOL_PURE="", RSERPOOL_COMPILED="1"
    )
    [unnamed] = (place / "here").glob("*.whl")
    # It is given the name of the oldest systems that it fits.
    tool("auditwheel", "repair", "--wheel-dir", place / "named", unnamed)
    [binary] = (place / "named").glob("*.whl")
    return sdist, wheel, binary


def check(sdist: Path, wheel: Path, binary: Path, committed: set[str]) -> None:
    """Whether all is there that should be, and nothing else.

    @raise SystemExit: if not; the text says what.
    """
    tool("twine", "check", "--strict", sdist, wheel, binary)
    # Of the folder twisted/ the plugins alone are ours: two names at the top are right.
    tool("check_wheel_contents", "--ignore", "W009", wheel, binary)
    with tarfile.open(sdist) as archive:
        names = {member.name.partition("/")[2] for member in archive.getmembers() if member.isfile()}
    complain(sdist, "lacks", (committed | IN_SHARE) - names)
    complain(sdist, "should not have", (name for name in names if any(part in name for part in TOO_MUCH)))
    modules = {name for name in committed if name.startswith("rserpool/") and not name.endswith(".c")}
    check_wheel(wheel, "-py3-none-any.whl", modules)
    check_wheel(binary, "manylinux", modules | COMPILED | {f"{FOLDER}/{LIBRARY}"}, LICENCE)


def check_wheel(wheel: Path, named: str, modules: set[str], *licences: str) -> None:
    """Whether a wheel has these modules, manual pages and completions, and nothing else.

    @param named: what its name says of the systems that it fits.
    @param licences: those of others.
    @raise SystemExit: if not; the text says what.
    """
    complain(wheel, "is not named", [] if named in wheel.name else [named])
    with zipfile.ZipFile(wheel) as zipped:
        inside = {each.filename for each in zipped.infolist() if not each.is_dir()}
    stem = "-".join(wheel.name.split("-")[:2])
    shared = {f"{stem}.data/data/{name}" for name in IN_SHARE}
    legal = {f"{stem}.dist-info/licenses/{name}" for name in ("LICENSE", *licences)}
    complain(wheel, "lacks", (modules | IN_WHEEL | shared | legal) - inside)
    tops = (PLUGINS, f"{stem}.data/data/share/", f"{stem}.dist-info/")
    complain(wheel, "should not have", (name for name in inside - modules if not name.startswith(tops)))


def complain(file: Path, what: str, names: Iterable[str]) -> None:
    """End with a sentence, if there are any."""
    found = sorted(names)
    if found:
        raise SystemExit(f"make dist: {file.name} {what} {', '.join(found[:10])}{' ...' if found[10:] else ''}")


def main() -> None:
    """Do it all."""
    parser = argparse.ArgumentParser(prog="make dist", description="Build sdist and wheels, and look at them.")
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
    find_tools()
    os.environ["SOURCE_DATE_EPOCH"] = git("log", "-1", "--format=%ct").decode().strip()
    with tempfile.TemporaryDirectory(prefix="rserpool-dist-") as name:
        place = Path(name)
        committed = lay(place / "tree")
        say("building sdist and wheel")
        sdist, wheel, binary = build(place / "tree", place / "built")
        check(sdist, wheel, binary, committed)
        for python in options.pythons or [sys.executable]:
            for file in (wheel, binary, sdist) if options.pythons else (wheel, binary):
                environment = Environment(python, place / "environment")
                say(f"trying {file.name} with {environment.version()}")
                environment.install(file)
                environment.look()
                if file is binary:
                    # Nothing of the system's is needed.
                    environment.hide(LIBRARY)
                    environment.serve(*COMPILED, f"{FOLDER}/{LIBRARY}")
                elif options.pythons:
                    environment.serve()
                if options.pythons:
                    environment.demonstrate()
                shutil.rmtree(place / "environment")
        options.to.mkdir(parents=True, exist_ok=True)
        for file in (sdist, wheel, binary):
            say(f"{shutil.copy(file, options.to)}: {file.stat().st_size >> 10} KiB")


if __name__ == "__main__":
    main()
