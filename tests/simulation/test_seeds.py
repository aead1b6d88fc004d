"""Seeds that found something once; C{make test} plays 200 more, and C{python -m tests.simulation.run} any number."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.simulation.schedule import play

FOUND = {
    4: "an element without a pool that had heard announcements ran its timer in circles",
    10: "registrars that are configured with one only never met again after a split",
    14: "the same, in a chain",
    18: "the same, of four",
    28: "the acknowledgement of another registrar's element, which a user had reported, bound it to us",
    103: "the same, at two elements",
    115: "the same, with a moved element",
    817: "an eviction that was on its way when all was calm counted as a fault of the registrars",
    1275: "an element that was told to drain while its former home was cut off was handed out by that one for ever",
    1754: "a process whose clocks had stood still did nothing any more: the clock forgot what was moved on",
}
"""What each seed found when the schedule was younger: what it does changes with the schedule, so each bug has a
scenario of its own, too."""


class SeedTests(SynchronousTestCase):
    """They find nothing any more."""

    def test_found_once(self) -> None:
        for seed, what in FOUND.items():
            report = play(seed)
            if report.faults:
                self.fail("\n".join([f"seed {seed} ({what})", *report.faults, report.trace]))
