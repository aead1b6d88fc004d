"""The blocks of a page: programs, commands, what they show, and the marks that say how each is run."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("[CS]*.md")), *sorted((ROOT / "docs").glob("*.md"))]
MARKS = {
    "not run",
    "file",
    "before",
    "says",
    "until",
    "status",
    "terminal",
    "in",
    "stop",
    "page run by",
    "page not run",
}
"""What may stand in a comment before a block, C{<!-- MARK: VALUE -->}:

  - C{not run}: it is not run, and why
  - C{file}: it is saved under this name, and run by a later command
  - C{before}: commands that are run first, a line each
  - C{says}: what its process says (an expression) before the page goes on; it stays
  - C{until}: what it says before Ctrl-C ends it
  - C{status}: with which exit status it ends, if that is not 0; or C{any}
  - C{terminal}: a name for its process; C{in}: this output is of the process with that name
  - C{stop}: C{all}: every terminal is left by Ctrl-C first
  - C{page run by}: at the top of a page: the test that runs all of its blocks, and why not this one; C{page not run}:
    nothing does, and why
"""
VARIES = re.compile(
    r"(?P<when>(?:\d{4}-\d\d-\d\dT)?\d\d:\d\d:\d\d(?:[+-]\d{4}|\.\d{3}))"
    r"|(?P<address>\b\d+\.\d+\.\d+\.\d+)(?::(?P<port>\d+))?(?:/\d{4,5}\b)?"
    r"|0x(?P<number>[0-9a-f]{8})\b"
    r"|(?P<fraction>\b\d+\.\d+(?= m?s\b|/))"
    r"|(?P<process>(?<=process )\d+)"
    r"|(?P<count>\b\d+(?=, says))"
    r"|(?P<anything>\.\.\.)"
)
"""What differs from run to run, in what is printed as the output of a command."""


class CannotRun(Exception):
    """A block that has no way to be run, and no mark that says why."""


@dataclass
class Block:
    """One block of a page.

    @ivar kind: its language; empty for an indented one.
    @ivar marks: by name, see L{MARKS}.
    @ivar output: what its last command shows, or None.
    """

    kind: str
    text: str
    where: str
    marks: dict[str, str] = field(default_factory=dict)
    output: str | None = None


def blocks(page: Path) -> list[Block]:
    """The blocks of a page that are run, in order; output is with the block that shows it.

    @raise CannotRun: A block is neither run nor marked.
    """
    found: list[Block] = []
    marks: dict[str, str] = {}
    directly = False
    for token in MarkdownIt().parse(page.read_text("utf-8")):
        if token.type == "html_block":
            marks |= dict(re.findall(r"<!-- ([a-z ]+): (.*?) -->", token.content, re.DOTALL))
        if marks.keys() & {"page run by", "page not run"}:
            return []
        directly = directly and token.type not in ("heading_open", "bullet_list_open")
        if token.type not in ("fence", "code_block"):
            marks = marks if token.type == "html_block" else {}
            continue
        if unknown := marks.keys() - MARKS:
            raise CannotRun(f"{page.name} has a mark that nobody knows: {', '.join(unknown)}")
        kind = (token.info.split() or [""])[0]
        if not kind.startswith("{"):  # MyST's own, as a table of contents
            block = Block(kind, token.content, f"{page.relative_to(ROOT)}:{(token.map or [0])[0] + 1}", marks)
            directly = _place(block, found, directly)
        marks = {}
    return found


def _place(block: Block, found: list[Block], directly: bool) -> bool:
    """Put a block where it is run; whether what comes next may be its output."""
    if "not run" in block.marks:
        return False
    if block.kind == "text" and "in" in block.marks:
        found.append(block)
    elif block.kind == "text" and directly and found[-1].output is None:
        found[-1].output = block.text
    elif "file" in block.marks or block.kind in ("python", "sh"):
        found.append(block)
        return "file" not in block.marks
    else:
        raise CannotRun(
            f"{block.where}: there is no way to run a block of the kind {block.kind or 'indented'!r} here. Make it"
            " python, sh, or (right behind these) text; or mark it: <!-- file: NAME --> or <!-- not run: WHY -->"
        )
    return False


def commands(text: str) -> list[str]:
    """The commands of a block of the kind sh, a line each."""
    joined = re.sub(r"\\\n\s*", "", text)
    return [line for line in joined.splitlines() if line.strip() and not line.startswith("#")]


def expression(output: str) -> re.Pattern[str]:
    """What a process has to say, so that it has shown what the page prints.

    What differs from run to run (times, ports, identifiers, processes) may differ; but processes that are the same on
    the page are the same, and others are others. C{...} in a line is anything, and as a line of its own any number of
    lines.
    """
    processes: list[str] = []
    lines = [r"(?:.*\n)*?" if line.strip() == "..." else f"{_line(line, processes)}\n" for line in output.splitlines()]
    return re.compile("".join(lines))


def _line(line: str, processes: list[str]) -> str:
    made, end = "", 0
    for found in VARIES.finditer(line):
        made += re.escape(line[end : found.start()])
        end = found.end()
        if found["address"]:
            port = found["port"] or ""
            drawn = len(port) == 5  # the system drew it
            made += re.escape(found["address"]) + (r":\d+" if drawn else port and f":{port}") + r"(?:/\d+)?"
        elif found["number"]:
            made += r"0x[0-9a-f]{8}"
        elif found["process"]:
            made += _process(found["process"], processes)
        else:
            made += ".*" if found["anything"] else r"\S+"
    return made + re.escape(line[end:].rstrip()) + "[ ]*"


def _process(number: str, processes: list[str]) -> str:
    if number in processes:
        return rf"(?P=process{number})\b"
    others = "".join(rf"(?!(?P=process{other})\b)" for other in processes)
    processes.append(number)
    return rf"{others}(?P<process{number}>\d+)"
