"""C{python -m tests.mutants [--minutes M] [--seed N] [FILE ...]}: break the core in one place at a time, by lot.

Standard output has what survived and is not in C{docs/mutants.md}, and at the end how many there were; the exit status
is 1 if there was any. Files are those of the core, or those below a folder: C{rserpool/core/peering}.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from random import Random

from tests.mutants.known import ROOT, reasons
from tests.mutants.mutations import mutation, places
from tests.mutants.trial import SURVIVED, outcome

REGISTRAR = ("tests.core.registrar", "tests.core.peering", "tests.core.handlespace", "tests.core.test_authority")
FAR = ("tests.scenarios",)
TESTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "rserpool/core/element/": (("tests.core.element", "tests.conformance.test_elements"), FAR),
    "rserpool/core/handlespace/": ((*REGISTRAR, "tests.core.policies"), FAR),
    "rserpool/core/monitoring/": (("tests.core.monitoring",), ("tests.monitor",)),
    "rserpool/core/peering/": ((*REGISTRAR, "tests.conformance"), FAR),
    "rserpool/core/policies/": (
        ("tests.core.policies", "tests.core.handlespace"),
        ("tests.core.user", "tests.core.registrar"),
    ),
    "rserpool/core/registrar/": ((*REGISTRAR, "tests.conformance"), ("tests.registrar", *FAR)),
    "rserpool/core/session/": (("tests.core.session", "tests.conformance.test_sessions"), ("tests.session",)),
    "rserpool/core/user/": (("tests.core.user", "tests.conformance.test_users"), ("tests.core.session", *FAR)),
    "rserpool/core/wire/": (("tests.core.wire",), ("tests.conformance", "tests.core.registrar")),
    "rserpool/core/": (("tests.core",), ("tests.conformance", *FAR)),
}
"""The tests that are asked first, those beside the code; and those that are asked about what these let pass."""
SECONDS = 20.0
"""So long, and ten times what they take as a rule, tests may take."""


def main(arguments: list[str]) -> int:
    """Run, and say how it went."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--minutes", type=float, default=25.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("files", nargs="*", metavar="FILE", default=["rserpool/core"])
    options = parser.parse_args(arguments)
    random, end = Random(options.seed), time.monotonic() + 60 * options.minutes
    found = [place for path in paths(options.files) for place in places(ROOT, path, random)]
    random.shuffle(found)
    print(f"{len(found)} places", file=sys.stderr)
    known, counts = reasons(), Counter[str]()
    usual: dict[tuple[str, ...], float] = {}
    for place in found:
        if time.monotonic() >= end:
            break
        broken = mutation(ROOT, place)
        if broken is None:
            continue
        result = SURVIVED
        for tests in next(tests for folder, tests in TESTS.items() if broken.path.startswith(folder)):
            if tests not in usual:
                unbroken, usual[tests] = outcome(tests, None, 300.0)
                if unbroken != SURVIVED:
                    print(f"without a mutation some of {', '.join(tests)} fail", file=sys.stderr)
                    return 2
            if result == SURVIVED:
                result, _ = outcome(tests, broken, SECONDS + 10 * usual[tests])
        if result == SURVIVED and (broken.path, broken.before, broken.after) in known:
            result = "known"
        counts[result] += 1
        if result == SURVIVED:
            print(broken, flush=True)
        if not counts.total() % 50:
            print(told(counts), file=sys.stderr, flush=True)
    print(f"{counts.total()} of {len(found)} places, seed {options.seed}: {told(counts)}")
    return 1 if counts[SURVIVED] else 0


def paths(files: list[str]) -> list[str]:
    """The files of code among these, and below these folders."""
    found = {path for each in map(ROOT.joinpath, files) for path in ([each] if each.is_file() else each.rglob("*.py"))}
    return sorted(str(path.relative_to(ROOT)) for path in found if path.name != "__init__.py")


def told(counts: Counter[str]) -> str:
    return ", ".join(f"{number} {name}" for name, number in sorted(counts.items()))
