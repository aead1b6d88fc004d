"""Sphinx: the prose, in MyST Markdown. The API reference beside it is made by pydoctor (settings in setup.cfg)."""

from __future__ import annotations

from configparser import ConfigParser
from pathlib import Path

_setup = ConfigParser()
_setup.read(Path(__file__).resolve().parent.parent / "setup.cfg", encoding="utf-8")

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
