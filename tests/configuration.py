"""The keys of configuration files, as docs/configuration.md shows them.

C{python -m tests.configuration} writes the part of the page that is made from the options; a test compares.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rserpool.config.keys import Key, Kind, keys_of
from rserpool.config.user_keys import USER_KEYS
from rserpool.tap.ns import RegistrarOptions
from rserpool.tap.pe import ElementOptions
from rserpool.tap.proxy import ProxyOptions
from rserpool.tap.worker import WorkerOptions

PAGE = Path(__file__).resolve().parent.parent / "docs" / "configuration.md"
MARK = "<!-- What follows is generated from the options by `python -m tests.configuration`; a test compares. -->\n"
TABLES: dict[str, tuple[str, Any]] = {
    "registrar": ("`twistd rserpool-ns`", RegistrarOptions),
    "element": ("`twistd rserpool-pe`", ElementOptions),
    "proxy": ("`twistd rserpool-proxy` and `rserpool proxy`", ProxyOptions),
    "worker": ("`twistd rserpool-worker`", WorkerOptions),
}
KINDS = {
    Kind.FLAG: "`true` or `false`",
    Kind.VALUE: "text or number",
    Kind.TEXTS: "text, or array of texts",
    Kind.PAIRS: "table of numbers",
}


def generated() -> str:
    """The part of the page that is generated."""
    parts = [
        _table(f"[{name}]", f"Read by {who}.", keys_of(options()).values()) for name, (who, options) in TABLES.items()
    ]
    user = "In the files of users, see [](#what-users-go-by)."
    return "\n".join([*parts, _table("[user]", user, USER_KEYS.values())])


def _table(title: str, who: str, keys: Iterable[Key]) -> str:
    rows = [
        f"| `{key.name}` | {KINDS[key.kind]} | {_cell(key.default)} | {_cell(key.meaning)} |"
        for key in sorted(keys, key=lambda key: key.name)
    ]
    heading = ["| key | value | default | meaning |", "| --- | --- | --- | --- |"]
    return "\n".join([f"### `{title}`", "", who, "", *heading, *rows, ""])


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("*", "\\*") or "none"


def page() -> str:
    """The page as it ought to be."""
    written, mark, _ = PAGE.read_text(encoding="utf-8").partition(MARK)
    assert mark, f"{PAGE} has lost its mark"
    return f"{written}{MARK}\n{generated()}"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.exit(0)
