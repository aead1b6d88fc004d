"""The table as pages of docs/conformance, in Markdown."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from tests.conformance.table import CATEGORIES, IN_PART, LEVELS, PROCEDURE, ROOT, Requirement, Table

DIRECTORY = ROOT / "docs" / "conformance"
TITLES = {
    "5352": "ASAP",
    "5353": "ENRP",
    "5354": "common parameters",
    "5355": "threats",
    "5356": "policies",
}
STATES = ("proved", *CATEGORIES)
GENERATED = "<!-- Made by `python -m tests.conformance --update` from the tests. -->\n"


def pages(table: Table) -> dict[str, str]:
    """File name to text."""
    rows = list(table.requirements.values())
    made = {"index.md": index(rows)}
    for number in TITLES:
        made[f"rfc{number}.md"] = page(number, [row for row in rows if row.rfc == number])
    return made


def index(rows: list[Requirement]) -> str:
    """The counts, and what is not done."""
    lines = [
        GENERATED,
        "# Conformance\n",
        "One row for each capitalised keyword of the RFCs, with the tests that prove its sentence, or with the reason",
        "why there is none; and rows for sentences without a keyword that say what is to be done (*procedure*).",
        "Sentences are shortened; the RFC says the whole. A check fails when a row has neither. What is kept *in part*",
        "has tests and says where, on purpose, we do otherwise; [](../interop.md) says why.\n",
        "```{toctree}",
        *(f"rfc{number}" for number in TITLES),
        "```\n",
        f"| RFC | level | {' | '.join(STATES)} | all |",
        f"| --- | --- |{' --: |' * (len(STATES) + 1)}",
    ]
    for number in TITLES:
        for level in (*LEVELS, PROCEDURE):
            of_level = [row for row in rows if (row.rfc, row.level) == (number, level)]
            if of_level:
                lines.append(f"| [{number}](rfc{number}.md) | {level} | {counts(of_level)} |")
    lines.append(f"| all | | {counts(rows)} |")
    for state, title in (("not done", "Not done"), (IN_PART, "In part")):
        lines += ["", f"## {title}\n"]
        told = [row for row in rows if row.state == state]
        lines += [f"- {row.identifier}, {row.level}: {text(row.sentence)} **{text(row.words)}**" for row in told]
        lines += [] if told else ["Nothing."]
    return "\n".join(lines) + "\n"


def counts(rows: Iterable[Requirement]) -> str:
    """The cells of one line: a number for each state, and the sum."""
    states = Counter(row.state for row in rows)
    return " | ".join(str(number or "") for number in (*(states[state] for state in STATES), states.total()))


def page(number: str, rows: list[Requirement]) -> str:
    """All rows of one RFC, a table for each section."""
    lines = [GENERATED, f"# RFC {number}: {TITLES[number]}\n"]
    section = ""
    for row in rows:
        if row.section != section:
            section = row.section
            title = "Abstract" if section == "0" else f"Section {section}"
            anchor = "" if section == "0" else f"#section-{section}"
            lines += [
                f"\n## {title}\n",
                f"[The text](https://www.rfc-editor.org/rfc/rfc{number}{anchor})\n",
                "| row | level | sentence | test or reason |",
                "| --- | --- | --- | --- |",
            ]
        proof = "<br>".join(
            [f"`{test}`" for test in row.tests] + ([f"*{row.category}*: {text(row.words)}"] if row.category else [])
        )
        lines.append(f"| {row.identifier} | {row.level} | {text(row.sentence)} | {proof} |")
    return "\n".join(lines) + "\n"


def text(words: str) -> str:
    """Plain words as Markdown."""
    return re.sub(r"([*|<>\[\]_`])", r"\\\1", words)
