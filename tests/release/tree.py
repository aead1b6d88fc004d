"""What a release is built from: what is committed, and what is made of it."""

from __future__ import annotations

import io
import re
import subprocess
import tarfile
from configparser import ConfigParser
from pathlib import Path

from rserpool.cli.completion import SHELLS, SHIPPED, made
from tests.release import manual

ROOT = Path(__file__).resolve().parent.parent.parent
LINK = re.compile(r"(!?)\[([^]]*)\]\((?!https?:|mailto:|#)([^) ]+)\)", re.DOTALL)


def git(*words: str) -> bytes:
    """Ask git about this checkout, whoever owns it."""
    done = subprocess.run(["git", "-C", str(ROOT), "-c", "safe.directory=*", *words], capture_output=True, check=False)
    if done.returncode:
        raise SystemExit(f"make dist: git {words[0]}: {done.stderr.decode().strip()}")
    return done.stdout


def lay(tree: Path) -> set[str]:
    """Lay out what is committed, with manual pages, completions, and a README that stands without its neighbours.

    @return: the names of the committed files.
    """
    with tarfile.open(fileobj=io.BytesIO(git("archive", "HEAD"))) as archive:
        archive.extractall(tree, filter="data")
        committed = {member.name for member in archive.getmembers() if member.isfile()}
    manual.main(tree / "share" / "man" / "man1")
    for shell in SHELLS:
        text = made(shell)
        assert text is not None, "shtab is part of the dev extra"
        path = tree / SHIPPED[shell]
        path.parent.mkdir(parents=True)
        path.write_text(text, encoding="utf-8")
    with (tree / "MANIFEST.in").open("a", encoding="utf-8") as manifest:
        # All that lies here is wanted; in a checkout that would be too much.
        manifest.write("graft .\nprune build\n")
    setup = ConfigParser()
    setup.read(tree / "setup.cfg", encoding="utf-8")
    readme = tree / "README.md"
    text = readme.read_text(encoding="utf-8")
    readme.write_text(standing_alone(text, source_of(setup), setup["metadata"]["version"]), encoding="utf-8")
    return committed


def source_of(setup: ConfigParser) -> str | None:
    """Where C{project_urls} says that the source is."""
    urls = setup["metadata"].get("project_urls", "")
    found = re.search(r"^Source *= *(\S+)$", urls, re.MULTILINE)
    return found[1].rstrip("/") if found else None


def standing_alone(text: str, source: str | None, version: str) -> str:
    """A page without links to its neighbours: an index of packages has none of them.

    @param source: the repository on a forge, where the links then go; without it only their texts stay.
    """

    def elsewhere(found: re.Match[str]) -> str:
        picture, said, name = found.groups()
        if source is None:
            return "" if picture else said
        return f"{picture}[{said}]({source}/{'raw' if picture else 'blob'}/v{version}/{name})"

    return LINK.sub(elsewhere, text)
