"""What a Containerfile says: its instructions, one after the other."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass, field

KNOWN = frozenset("FROM RUN COPY ENV USER WORKDIR EXPOSE STOPSIGNAL ENTRYPOINT CMD LABEL".split())


@dataclass
class Containerfile:
    """What is run to make an image, and what an image runs.

    @ivar base: the image that it begins with.
    @ivar steps: C{RUN} and C{COPY}, with what each has.
    @ivar user: who runs the command.
    @ivar command: C{ENTRYPOINT} and C{CMD}.
    """

    base: str = ""
    steps: list[tuple[str, list[str]]] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    user: str = "root"
    command: list[str] = field(default_factory=list)


def parse(text: str) -> Containerfile:
    """Read one.

    @raise ValueError: if it has what nobody here can do: it is told.
    """
    found = Containerfile()
    for line in _lines(text):
        word, _, rest = line.partition(" ")
        rest = rest.strip()
        if word not in KNOWN:
            raise ValueError(f"{word} is no instruction that can be run here")
        if word == "FROM":
            if found.base:
                raise ValueError("one FROM is enough here")
            found.base = rest
        elif word == "RUN":
            found.steps.append(("RUN", [rest]))
        elif word == "COPY":
            parts = shlex.split(rest)
            if any(part.startswith("--") for part in parts):
                raise ValueError("COPY with options cannot be run here")
            found.steps.append(("COPY", parts))
        elif word == "ENV":
            pairs = [part.partition("=") for part in shlex.split(rest)]
            found.environment.update({name: value for name, _, value in pairs})
        elif word == "USER":
            found.user = rest
        elif word in ("ENTRYPOINT", "CMD"):
            found.command += json.loads(rest)
    return found


def _lines(text: str) -> list[str]:
    kept = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    return [line.strip() for line in kept.replace("\\\n", " ").splitlines() if line.strip()]
