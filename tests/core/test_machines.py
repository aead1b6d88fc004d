"""Every state machine meets every event, and docs/machines shows what comes of it."""

from __future__ import annotations

from typing import get_args

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core.element import registration
from rserpool.core.errors import ImpossibleEvent
from rserpool.core.peering import arbitration, mentor
from rserpool.core.session import failover
from tests.machines import FOLDER, MACHINES, documents


class MachineTests(SynchronousTestCase):
    """The tables are whole, and as they are documented."""

    def test_documented(self) -> None:
        """After a change of a machine, C{python -m tests.machines} writes the tables anew; read what has changed."""
        for name, text in documents().items():
            self.assertEqual((FOLDER / name).read_text(encoding="utf-8"), text, f"docs/machines/{name} is out of date")

    def test_all_states_and_events(self) -> None:
        """No state and no event of a machine is left out."""
        modules = {"registration": registration, "takeover": arbitration, "session": failover}
        for machine in MACHINES:
            module = modules.get(machine.name, mentor)
            self.assertEqual({type(state) for state in machine.states.values()}, set(get_args(module.State)))
            self.assertEqual({type(event) for event in machine.events.values()}, set(get_args(module.Event)))

    def test_closed(self) -> None:
        """Whatever comes, in any order: no machine gets stuck without a deadline where it waits for something."""
        resting = (
            registration.Homeless,
            registration.LeavingHomeless,
            registration.Draining,
            registration.Refused,
            registration.Gone,
            mentor.Ready,
            arbitration.Monitored,
            # It is left in the same instant: what comes next is asked.
            failover.Seeking,
            failover.Serving,
            failover.Ended,
        )
        for machine in MACHINES:
            seen = list(machine.states.values())
            for state in seen:
                self.assertTrue(machine.deadline(state) is not None or isinstance(state, resting), state)
                for event in machine.events.values():
                    try:
                        after, _ = machine.step(state, event)
                    except ImpossibleEvent:
                        continue
                    if after not in seen and len(seen) < 200:
                        seen.append(after)
