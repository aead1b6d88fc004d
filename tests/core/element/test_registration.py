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
TELL_REFUSED = (Action.TELL_REFUSED,)
RESTORED = (Action.RESTORE, *TELL_REFUSED)

FRESH = Registering(102.0)
CHANGING = Registering(102.0, held=110.0)
STATES: dict[str, State] = {
    "homeless": Homeless(),
    "homeless, known": Homeless(True),
    "registering": Registering(101.0),
    "registering, changed": Registering(101.0, True),
    "changing": Registering(101.0, held=110.0),
    "changing, changed": Registering(101.0, True, held=110.0),
    "registered": Member(110.0),
    "refused": Refused(5),
    "refused, held": Refused(5, 110.0),
    "postponed": Postponed(101.0, 0.5),
    "postponed, held": Postponed(101.0, 0.5, 110.0),
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
    "other policy than before": Rejection(CauseCode.INCONSISTENT_POOLING_POLICY, True),
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
        for event in EVENTS
        if event not in ("home found", "home lost", "changed", "stop")
    ),
    ("refused", "time-out"),
    ("refused, held", "time-out"),
}
# What moves; everything else stays as it is and asks for nothing.
MOVES = {
    ("homeless", "home found"): (FRESH, REGISTER),
    ("homeless", "stop"): (Gone(), (Action.TELL_LEFT,)),
    ("homeless, known", "home found"): (Registering(102.0, held=100.0), REGISTER),
    ("homeless, known", "stop"): (LeavingHomeless(), ()),
    ("registering", "home found"): (FRESH, REGISTER),
    ("registering", "home lost"): (Homeless(True), ()),
    ("registering", "granted"): (Member(120.0), (Action.TELL_REGISTERED,)),
    ("registering", "not unique"): (Postponed(100.5, 0.5), TAKEN),
    ("registering", "no resources"): (Postponed(100.5, 0.5), POSTPONED),
    ("registering", "other policy"): (Refused(5), (Action.TELL_REFUSED,)),
    ("registering", "other policy than before"): (FRESH, (*RESTORED, *REGISTER)),
    ("registering", "changed"): (Registering(101.0, True), ()),
    ("registering", "stop"): (Leaving(103.0), DEREGISTER),
    ("registering", "time-out"): (Homeless(True), HUNT),
    ("registering, changed", "home found"): (FRESH, REGISTER),
    ("registering, changed", "home lost"): (Homeless(True), ()),
    ("registering, changed", "granted"): (Registering(102.0, held=120.0), REGISTER),
    ("registering, changed", "not unique"): (Postponed(100.5, 0.5), TAKEN),
    ("registering, changed", "no resources"): (Postponed(100.5, 0.5), POSTPONED),
    ("registering, changed", "other policy"): (Refused(5), (Action.TELL_REFUSED,)),
    ("registering, changed", "other policy than before"): (FRESH, (*TELL_REFUSED, *REGISTER)),
    ("registering, changed", "stop"): (Leaving(103.0), DEREGISTER),
    ("registering, changed", "time-out"): (Homeless(True), HUNT),
    ("changing", "home found"): (CHANGING, REGISTER),
    ("changing", "home lost"): (Homeless(True), ()),
    ("changing", "granted"): (Member(120.0), (Action.TELL_REGISTERED,)),
    ("changing", "not unique"): (Postponed(100.5, 0.5), TAKEN),
    ("changing", "no resources"): (Postponed(100.5, 0.5, 110.0), POSTPONED),
    ("changing", "other policy"): (Refused(5, 110.0), TELL_REFUSED),
    ("changing", "other policy than before"): (Member(110.0), RESTORED),
    ("changing", "deregistered"): (Registering(101.0), ()),
    ("changing", "changed"): (Registering(101.0, True, held=110.0), ()),
    ("changing", "stop"): (Leaving(103.0), DEREGISTER),
    ("changing", "time-out"): (Homeless(True), HUNT),
    ("changing, changed", "home found"): (CHANGING, REGISTER),
    ("changing, changed", "home lost"): (Homeless(True), ()),
    ("changing, changed", "granted"): (Registering(102.0, held=120.0), REGISTER),
    ("changing, changed", "not unique"): (Postponed(100.5, 0.5), TAKEN),
    ("changing, changed", "no resources"): (Postponed(100.5, 0.5, 110.0), POSTPONED),
    ("changing, changed", "other policy"): (Refused(5, 110.0), TELL_REFUSED),
    ("changing, changed", "other policy than before"): (CHANGING, (*TELL_REFUSED, *REGISTER)),
    ("changing, changed", "deregistered"): (Registering(101.0, True), ()),
    ("changing, changed", "stop"): (Leaving(103.0), DEREGISTER),
    ("changing, changed", "time-out"): (Homeless(True), HUNT),
    ("registered", "home found"): (CHANGING, REGISTER),
    ("registered", "home lost"): (Homeless(True), ()),
    ("registered", "granted"): (Member(120.0), (Action.TELL_REGISTERED,)),
    ("registered", "not unique"): (Postponed(100.5, 0.5), TAKEN),
    ("registered", "no resources"): (Postponed(100.5, 0.5, 110.0), POSTPONED),
    ("registered", "other policy"): (Refused(5, 110.0), (Action.TELL_REFUSED,)),
    ("registered", "other policy than before"): (Member(110.0), RESTORED),
    ("registered", "deregistered"): (FRESH, REGISTER),
    ("registered", "changed"): (CHANGING, REGISTER),
    ("registered", "stop"): (Leaving(103.0), DEREGISTER),
    ("registered", "time-out"): (CHANGING, REGISTER),
    ("refused", "home found"): (FRESH, REGISTER),
    ("refused", "home lost"): (Homeless(), ()),
    ("refused", "changed"): (FRESH, REGISTER),
    ("refused", "stop"): (Gone(), (Action.TELL_LEFT,)),
    ("refused, held", "home found"): (CHANGING, REGISTER),
    ("refused, held", "home lost"): (Homeless(True), ()),
    ("refused, held", "deregistered"): (Refused(5), ()),
    ("refused, held", "changed"): (CHANGING, REGISTER),
    ("refused, held", "stop"): (Leaving(103.0), DEREGISTER),
    ("postponed", "home found"): (FRESH, REGISTER),
    ("postponed", "home lost"): (Homeless(), ()),
    ("postponed", "granted"): (Member(120.0), (Action.TELL_REGISTERED,)),
    ("postponed", "not unique"): (Postponed(101.0, 1.0), TAKEN),
    ("postponed", "no resources"): (Postponed(101.0, 1.0), POSTPONED),
    ("postponed", "other policy"): (Refused(5), (Action.TELL_REFUSED,)),
    ("postponed", "other policy than before"): (FRESH, (*RESTORED, *REGISTER)),
    ("postponed", "stop"): (Gone(), (Action.TELL_LEFT,)),
    ("postponed", "time-out"): (Registering(102.0, pause=0.5), REGISTER),
    ("postponed, held", "home found"): (CHANGING, REGISTER),
    ("postponed, held", "home lost"): (Homeless(True), ()),
    ("postponed, held", "granted"): (Member(120.0), (Action.TELL_REGISTERED,)),
    ("postponed, held", "not unique"): (Postponed(101.0, 1.0), TAKEN),
    ("postponed, held", "no resources"): (Postponed(101.0, 1.0, 110.0), POSTPONED),
    ("postponed, held", "other policy"): (Refused(5, 110.0), TELL_REFUSED),
    ("postponed, held", "other policy than before"): (Member(110.0), RESTORED),
    ("postponed, held", "deregistered"): (Postponed(101.0, 0.5), ()),
    ("postponed, held", "stop"): (Leaving(103.0), DEREGISTER),
    ("postponed, held", "time-out"): (Registering(102.0, pause=0.5, held=110.0), REGISTER),
    ("leaving", "home found"): (Leaving(103.0), DEREGISTER),
    ("leaving", "home lost"): (LeavingHomeless(), ()),
    ("leaving", "deregistered"): (Gone(), (Action.TELL_LEFT,)),
    ("leaving", "no resources"): (LeavingHomeless(), (Action.HUNT_ELSEWHERE,)),
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
            [None, None, *4 * (101.0,), 110.0, None, None, *3 * (101.0,), None, None],
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
