"""What came of the demonstration, in words: only what was counted and measured."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from rserpool.cli.demo.traffic import DEADLINE, Requests
from rserpool.cli.terminal import COLUMNS


@dataclass
class Act:
    """One thing that was done to the pool.

    @ivar what: C{"a server was killed"}; with C{fault} false C{"all was well"}, for example.
    @ivar gap: the longest wait of a user meanwhile, in seconds.
    @ivar notes: what else was measured.
    """

    what: str
    fault: bool = True
    gap: float = 0.0
    notes: list[str] = field(default_factory=list)

    def sentence(self) -> str:
        """What came of it."""
        return "; ".join([*self.notes, f"longest wait {ms(self.gap)}"])


def ms(seconds: float) -> str:
    """Seconds, for people."""
    return f"{seconds * 1000:.0f} ms"


def table(acts: Iterable[Act]) -> list[str]:
    """A line for each act, with the longest wait."""
    lines = [f"  {'the longest wait of a user ...':<50}"]
    for act in acts:
        lines.append(f"    {f'when {act.what}':<50}{ms(act.gap):>9}")
        lines += [f"      {note}" for note in act.notes]
    return lines


def verdict(acts: Iterable[Act], requests: Requests) -> list[str]:
    """The result, in whole sentences."""
    acts = list(acts)
    faults = [act.what for act in acts if act.fault]
    happened = f"while {_listed(faults)}" if faults else "in which nothing failed"
    if not requests.answered:
        said = "Nothing was answered at all: no server could be reached. Is something on this machine in the way?"
    elif requests.lost:
        said = (
            f"{_counted(requests.lost, 'request')} of {requests.answered + requests.lost} "
            f"{'was' if requests.lost == 1 else 'were'} lost {happened}: no server answered within {DEADLINE:g} s. "
            "This should not happen, unless this machine is very busy."
        )
    else:
        worst = max(acts, key=lambda act: act.gap, default=None)
        said = (
            f"No request was lost: {requests.answered} were answered {happened}. "
            f"{requests.repeated} of them had to be asked again, as their server was lost; no user has noticed more "
            f"than a wait of {ms(requests.gap)}"
            + (f", the longest of all, when {worst.what}." if worst and worst.gap >= requests.gap else ".")
        )
    return _wrapped(said)


def what_next(here: str = "") -> list[str]:
    """What to try next, as commands that can be copied.

    @param here: the directory of the commands, as it has to be written before them.
    """
    commands = [
        ("rserpool demo --phase 10 --profile fast", "more time to look; failures are noticed sooner"),
        ("twistd -n --pidfile= rserpool-ns", "a registrar of your own"),
        ("twistd -n --pidfile= rserpool-pe -- rserpool-pingpong", "a server that counts; start two"),
        ("rserpool ping", "asks them: kill the one that answers, and look how the count goes on"),
    ]
    lines = ["What to try next, each in a terminal of its own:"]
    for command, why in commands:
        lines += [f"  {here}{command}", f"      {why}"]
    return [
        *lines,
        *_wrapped("docs/tutorial.md does this with a server of your own; examples/ has programs to begin with."),
    ]


def directory_of_commands() -> str:
    """What to write before C{rserpool} and C{twistd}: nothing if they are on the path."""
    from shutil import which

    program = Path(sys.argv[0])
    found = which(program.name)
    if program.name != "rserpool" or (found and Path(found).resolve() == program.resolve()):
        return ""
    parent = program.absolute().parent
    return f"{parent.relative_to(Path.cwd()) if parent.is_relative_to(Path.cwd()) else parent}/"


def _listed(things: list[str]) -> str:
    return ", ".join(things[:-1]) + " and " + things[-1] if len(things) > 1 else things[0]


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, COLUMNS - 1)
