"""Sphinx: the prose, in MyST Markdown. The API reference beside it is made by pydoctor (settings in setup.cfg)."""

from __future__ import annotations

import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path
from typing import Any

_setup = ConfigParser()
_root = Path(__file__).resolve().parent.parent
_setup.read(_root / "setup.cfg", encoding="utf-8")

project = "rserpool"
author = "the rserpool developers"
copyright = "2026, the rserpool developers"
release = version = _setup["metadata"]["version"]

extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build", "changelog.d"]
myst_heading_anchors = 3
myst_enable_extensions = ["deflist"]
html_theme = "alabaster"
html_theme_options = {"description": "Reliable Server Pooling for Twisted", "page_width": "1000px"}

_RELEASES = "<!-- releases -->"


def _unreleased(app: Any, page: str, text: list[str]) -> None:
    """Show what the news fragments say, where they will stand."""
    if page == "changelog":
        app.env.note_reread()
        words = [
            "--draft",
            "--config",
            "docs/changelog.d/towncrier.toml",
            "--dir",
            ".",
            "--version",
            "The next release",
        ]
        command = [sys.executable, "-m", "towncrier", "build", *words, "--date", "not there yet"]
        draft = subprocess.run(
            command, cwd=_root, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True
        )
        text[0] = text[0].replace(_RELEASES, f"{_RELEASES}\n\n{draft.stdout}")


def setup(app: Any) -> None:
    """Called by Sphinx."""
    app.connect("source-read", _unreleased)
