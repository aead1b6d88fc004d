"""Registration as the element sees it: every state meets every event (RFC 5352 sections 3.1 and 3.2)."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import CauseCode
from rserpool.core.element.registration import (
    Action,
    Changed,
    Deregistered,
    Event,
    Gone,
    Granted,
    HomeFound,
    Homeless,
    HomeLost,
    Leaving,
    LeavingHomeless,
    Member,
    Postponed,
    Refused,
    Registering,
    Rejection,
    State,
    Stop,
    TimeOut,
    Timers,
    deadline,
    step,
)
from rserpool.core.errors import ImpossibleEvent

NOW = 100.0
TIMERS = Timers(t2=2.0, t3=3.0, t4=20.0)
REGISTER, DEREGISTER, HUNT = (Action.REGISTER,), (Action.DEREGISTER,), (Action.HUNT,)
POSTPONED = (Action.TELL_POSTPONED,)
TAKEN = (Action.NEW_IDENTIFIER, *POSTPONED)

FRESH = Registering(102.0)
STATES: dict[str, State] = {
    "homeless": Homeless(),
    "homeless, known": Homeless(True),
    "registering": Registering(101.0),
    "registering, changed": Registering(101.0, True),
    "registered": Member(110.0),
    "refused": Refused(5),
    "postponed": Postponed(101.0, 0.5),
    "leaving": Leaving(101.0),
    "leaving, homeless": LeavingHomeless(),
    "left": Gone(),
}
EVENTS: dict[str, Event] = {
    "home found": HomeFound(),
    "home lost": HomeLost(),
    "granted": Granted(),
    "not unique": Rejection(CauseCode.NON_UNIQUE_PE_IDENTIFIER),
    "no resources": Rejection(CauseCode.LACK_OF_RESOURCES),
    "other policy": Rejection(CauseCode.INCONSISTENT_POOLING_POLICY),
    "deregistered": Deregistered(),
    "changed": Changed(),
    "stop": Stop(),
    "time-out": TimeOut(),
}
# What only our own mistake can cause.
IMPOSSIBLE = {
    *(("left", event) for event in EVENTS),
    *(
        (state, event)
        for state in ("homeless", "homeless, known", "leaving, homeless")
        for event in ("granted", "not unique", "no resources", "other policy", "deregistered", "time-out")
    ),
    ("refused", "time-out"),
}
# What moves; everything else stays as it is and asks for nothing.
MOVES = {
    ("homeless", "home found"): (FRESH, REGISTER),
    ("homeless", "stop"): (Gone(), (Action.TELL_LEFT,)),
    ("homeless, known", "home found"): (FRESH, REGISTER),
    ("homeless, known", "stop"): (LeavingHomeless(), ()),
    ("registering", "home found"): (FRESH, REGISTER),
    ("registering", "home lost"): (Homeless(True), ()),
    ("registering", "granted"): (Member(120.0), (Action.TELL_REGISTERED,)),
    ("registering", "not unique"): (Postponed(100.5, 0.5), TAKEN),
    ("registering", "no resources"): (Postponed(100.5, 0.5), POSTPONED),
    ("registering", "other policy"): (Refused(5), (Action.TELL_REFUSED,)),
    ("registering", "changed"): (Registering(101.0, True), ()),
    ("registering", "stop"): (Leaving(103.0), DEREGISTER),
    ("registering", "time-out"): (Homeless(True), HUNT),
    ("registering, changed", "home found"): (FRESH, REGISTER),
    ("registering, changed", "home lost"): (Homeless(True), ()),
    ("registering, changed", "granted"): (FRESH, REGISTER),
    ("registering, changed", "not unique"): (Postponed(100.5, 0.5), TAKEN),
    ("registering, changed", "no resources"): (Postponed(100.5, 0.5), POSTPONED),
    ("registering, changed", "other policy"): (Refused(5), (Action.TELL_REFUSED,)),
    ("registering, changed", "stop"): (Leaving(103.0), DEREGISTER),
    ("registering, changed", "time-out"): (Homeless(True), HUNT),
    ("registered", "home found"): (FRESH, REGISTER),
    ("registered", "home lost"): (Homeless(True), ()),
    ("registered", "granted"): (Member(120.0), (Action.TELL_REGISTERED,)),
    ("registered", "not unique"): (Postponed(100.5, 0.5), TAKEN),
    ("registered", "no resources"): (Postponed(100.5, 0.5), POSTPONED),
    ("registered", "other policy"): (Refused(5), (Action.TELL_REFUSED,)),
    ("registered", "deregistered"): (FRESH, REGISTER),
    ("registered", "changed"): (FRESH, REGISTER),
    ("registered", "stop"): (Leaving(103.0), DEREGISTER),
    ("registered", "time-out"): (FRESH, REGISTER),
    ("refused", "home found"): (FRESH, REGISTER),
    ("refused", "home lost"): (Homeless(), ()),
    ("refused", "changed"): (FRESH, REGISTER),
    ("refused", "stop"): (Gone(), (Action.TELL_LEFT,)),
    ("postponed", "home found"): (FRESH, REGISTER),
    ("postponed", "home lost"): (Homeless(), ()),
    ("postponed", "granted"): (Member(120.0), (Action.TELL_REGISTERED,)),
    ("postponed", "not unique"): (Postponed(101.0, 1.0), TAKEN),
    ("postponed", "no resources"): (Postponed(101.0, 1.0), POSTPONED),
    ("postponed", "other policy"): (Refused(5), (Action.TELL_REFUSED,)),
    ("postponed", "stop"): (Gone(), (Action.TELL_LEFT,)),
    ("postponed", "time-out"): (Registering(102.0, pause=0.5), REGISTER),
    ("leaving", "home found"): (Leaving(103.0), DEREGISTER),
    ("leaving", "home lost"): (LeavingHomeless(), ()),
    ("leaving", "deregistered"): (Gone(), (Action.TELL_LEFT,)),
    ("leaving", "no resources"): (LeavingHomeless(), HUNT),
    ("leaving", "time-out"): (LeavingHomeless(), HUNT),
    ("leaving, homeless", "home found"): (Leaving(103.0), DEREGISTER),
}


class EveryStateMeetsEveryEvent(SynchronousTestCase):
    """The whole table."""

    def test_table(self):
        for state_name, state in STATES.items():
            for event_name, event in EVENTS.items():
                if (state_name, event_name) in IMPOSSIBLE:
                    self.assertRaises(ImpossibleEvent, step, state, event, NOW, TIMERS)
                    continue
                expected = MOVES.get((state_name, event_name), (state, ()))
                self.assertEqual(step(state, event, NOW, TIMERS), expected, f"{state_name} meets {event_name}")

    def test_deadlines(self):
        self.assertEqual(
            [deadline(state) for state in STATES.values()],
            [None, None, 101.0, 101.0, 110.0, None, 101.0, 101.0, None, None],
        )

    def test_postponements_grow_up_to_a_bound(self):
        state: State = FRESH
        pauses = []
        told = []
        for _ in range(8):
            state, actions = step(state, EVENTS["no resources"], NOW, TIMERS)
            assert isinstance(state, Postponed)
            pauses.append(state.pause)
            told.append(bool(actions))
            state, _ = step(state, TimeOut(), NOW, TIMERS)
        self.assertEqual(pauses, [0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0, 10.0])
        self.assertEqual(told, [True] * 6 + [False] * 2)
