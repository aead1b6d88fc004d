"""Every state machine meets every event, and the tables go to docs/machines: C{python -m tests.machines} writes them.

A table shows, for each state and event, the next state and what the caller must do. "ignored": the event is allowed,
and changes nothing; "impossible": only our own mistake can cause it, and the machine raises L{ImpossibleEvent}.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rserpool.core import CauseCode, PolicyParameter, PoolElementParameter, TcpTransport
from rserpool.core.element import registration
from rserpool.core.errors import ImpossibleEvent, NoRegistrar, SessionEnded
from rserpool.core.peering import arbitration, mentor
from rserpool.core.session import failover
from rserpool.core.session.traits import Traits
from rserpool.core.user import trying

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "machines"
NOW = 100.0


@dataclass(frozen=True)
class Machine:
    """One machine with an example of each state and event; C{step(state, event)} gives state and actions."""

    name: str
    title: str
    about: str
    states: dict[str, Any]
    events: dict[str, Any]
    step: Callable[[Any, Any], tuple[Any, tuple[Any, ...]]]
    deadline: Callable[[Any], float | None]


def _register(state: Any, event: Any) -> tuple[Any, tuple[Any, ...]]:
    return registration.step(state, event, NOW, registration.Timers(t2=2.0, t3=3.0, t4=20.0))


def _failover(state: Any, event: Any) -> tuple[Any, tuple[Any, ...]]:
    return failover.step(state, event, NOW)


def _mentor(others: tuple[int, ...]) -> Callable[[Any, Any], tuple[Any, tuple[Any, ...]]]:
    return lambda state, event: mentor.step(state, event, NOW, 1.0, others)


def _takeover(state: Any, event: Any) -> tuple[Any, tuple[Any, ...]]:
    return arbitration.step(5, state, event, NOW, arbitration.Durations(claim=1.2, probe=1.0, yielded=4.0))


_FIVE = PoolElementParameter(5, 0, 60, TcpTransport(80, "10.0.0.5"), PolicyParameter(1))
_MENTOR_STATES = {
    "Searching": mentor.Searching(103.0),
    "Listing, mentor 5": mentor.Listing(5, 101.0, 103.0),
    "Waiting": mentor.Waiting(100.5, 103.0),
    "Waiting, too long": mentor.Waiting(100.0, 100.0),
    "Downloading, mentor 5": mentor.Downloading(5, 101.0, 103.0),
    "Ready": mentor.Ready(5),
}
_MENTOR_EVENTS = {
    "peer 5 is up": mentor.PeerUp(5),
    "peer 5 is down": mentor.PeerDown(5),
    "peer 4 is down": mentor.PeerDown(4),
    "list of 5": mentor.Listed(5, False),
    "5 rejects: list": mentor.Listed(5, True),
    "list of 4": mentor.Listed(4, False),
    "table of 5, more": mentor.Table(5, False, True),
    "table of 5, last": mentor.Table(5, False, False),
    "5 rejects: table": mentor.Table(5, True, False),
    "table of 4": mentor.Table(4, False, False),
    "time-out": mentor.TimeOut(),
}

MACHINES = (
    Machine(
        "registration",
        "Registration at the pool element",
        "RFC 5352 sections 3.1, 3.2 and 3.6; `rserpool.core.element.registration`. Now is 100; T2 = 2, T3 = 3,"
        " T4 = 20.",
        {
            "Homeless": registration.Homeless(),
            "Homeless, known": registration.Homeless(True),
            "Registering": registration.Registering(101.0),
            "Registering, changed": registration.Registering(101.0, True),
            "Registering, held": registration.Registering(101.0, held=110.0),
            "Member": registration.Member(110.0),
            "Refused": registration.Refused(5),
            "Refused, held": registration.Refused(5, 110.0),
            "Postponed": registration.Postponed(101.0, 0.5),
            "Postponed, held": registration.Postponed(101.0, 0.5, 110.0),
            "Leaving": registration.Leaving(101.0),
            "LeavingHomeless": registration.LeavingHomeless(),
            "Leaving, stays": registration.Leaving(101.0, True),
            "LeavingHomeless, stays": registration.LeavingHomeless(True),
            "Draining": registration.Draining(),
            "Gone": registration.Gone(),
        },
        {
            "home found": registration.HomeFound(),
            "home lost": registration.HomeLost(),
            "granted": registration.Granted(),
            "rejected: not unique": registration.Rejection(CauseCode.NON_UNIQUE_PE_IDENTIFIER),
            "rejected: no resources": registration.Rejection(CauseCode.LACK_OF_RESOURCES),
            "rejected: other policy": registration.Rejection(CauseCode.INCONSISTENT_POOLING_POLICY),
            "rejected: other policy than granted": registration.Rejection(CauseCode.INCONSISTENT_POOLING_POLICY, True),
            "rejected: other policy, as granted": registration.Rejection(
                CauseCode.INCONSISTENT_POOLING_POLICY, granted=True
            ),
            "deregistered": registration.Deregistered(),
            "changed": registration.Changed(),
            "stop": registration.Stop(),
            "drain": registration.Drain(),
            "serve": registration.Serve(),
            "time-out": registration.TimeOut(),
        },
        _register,
        registration.deadline,
    ),
    Machine(
        "initialization",
        "Initialization of a registrar, with backup mentors",
        "RFC 5353 section 3.2; `rserpool.core.peering.mentor`. Now is 100; MAX-TIME-NO-RESPONSE = 1; the peers"
        " 3 and 7 are up.",
        _MENTOR_STATES,
        _MENTOR_EVENTS,
        _mentor((3, 7)),
        mentor.deadline,
    ),
    Machine(
        "initialization-one-peer",
        "Initialization of a registrar, without backup mentors",
        "RFC 5353 section 3.2; `rserpool.core.peering.mentor`. Now is 100; MAX-TIME-NO-RESPONSE = 1; no other"
        " peer is up.",
        _MENTOR_STATES,
        _MENTOR_EVENTS,
        _mentor(()),
        mentor.deadline,
    ),
    Machine(
        "takeover",
        "Takeover of one peer",
        "RFC 5353 section 3.5; `rserpool.core.peering.arbitration`. We are registrar 5; now is 100; a claim lasts 1.2,"
        " a probe 1, a yield 4.",
        {
            "Monitored": arbitration.Monitored(),
            "Doubting 7": arbitration.Doubting(7, 101.0),
            "Claiming, 3 pending": arbitration.Claiming(frozenset({3}), 101.0),
            "Claiming, 3 and 7 pending": arbitration.Claiming(frozenset({3, 7}), 101.0),
            "Probing, 3 pending": arbitration.Probing(frozenset({3}), frozenset(), 101.0),
            "Probing, 3 pending, alive": arbitration.Probing(frozenset({3}), frozenset({3}), 101.0),
            "Yielded to 7": arbitration.Yielded(7, 104.0),
        },
        {
            "failed; peers 3, 7": arbitration.Failed(frozenset({3, 7})),
            "failed; no peers": arbitration.Failed(frozenset()),
            "claim of 3": arbitration.Claim(3),
            "claim of 7": arbitration.Claim(7),
            "3 acknowledges": arbitration.Acknowledged(3),
            "7 acknowledges": arbitration.Acknowledged(7),
            "3 is heard": arbitration.Heard(3),
            "3 is gone": arbitration.PeerGone(3),
            "7 is gone": arbitration.PeerGone(7),
            "target is heard": arbitration.TargetHeard(),
            "7 enforces": arbitration.Enforced(7),
            "7 enforces; the target lives": arbitration.Enforced(7, True),
            "time-out": arbitration.TimeOut(),
        },
        _takeover,
        arbitration.deadline,
    ),
    Machine(
        "session",
        "Failover of a session",
        "RFC 5352 sections 3.5, 3.8 and 6.5.1; `rserpool.core.session.failover`. Now is 100; a connection"
        " has proved itself after 1. What the search for an element (`rserpool.core.user.trying`) says next is an"
        " event.",
        {
            "Seeking": failover.Seeking(),
            "Resolving": failover.Resolving(130.0, False),
            "Connecting": failover.Connecting(101.0),
            "Unproven": failover.Unproven(101.0),
            "Serving": failover.Serving(),
            "Pausing": failover.Pausing(100.05),
            "Ended": failover.Ended(),
        },
        {
            "search: ask": trying.Ask(30.0, False),
            "search: ask the registrar itself": trying.Ask(20.0, True),
            "search: try 5": trying.Attempt(_FIVE, 1.0),
            "search: report 5": trying.Report(_FIVE),
            "search: pause": trying.Pause(0.05),
            "search: give up": trying.GiveUp(SessionEnded("nobody accepts")),
            "resolved": failover.Found((_FIVE,)),
            "not resolved": failover.NotFound(NoRegistrar("nobody answers")),
            "connected": failover.Connected(Traits(control=True, numbered=True, messages=True)),
            "failed": failover.LinkLost("connection refused"),
            "left": failover.LinkLost("it took its leave", broken=False),
            "progress": failover.Progress(),
            "time-out": failover.TimeOut(),
            "stop": failover.Stop(),
        },
        _failover,
        failover.deadline,
    ),
)


_ABOUT = """\
Generated by `python -m tests.machines`; a test compares.

An event that is *ignored* is allowed in this state, and changes nothing: a peer or a race may cause it. One that is
**impossible** only a mistake of this package's own can cause: the machine raises `ImpossibleEvent`."""


def table(machine: Machine) -> str:
    """The machine as a Markdown document."""
    lines = [f"# {machine.title}", "", machine.about, ""]
    for state_name, state in machine.states.items():
        when = machine.deadline(state)
        timer = "no deadline" if when is None else f"deadline {when:g}"
        lines += [f"## {state_name}", "", f"`{_shown(state)}`; {timer}.", "", "| event | next state | actions |"]
        lines.append("| --- | --- | --- |")
        for event_name, event in machine.events.items():
            lines.append(f"| {event_name} | {_outcome(machine, state, event)} |")
        lines.append("")
    return "\n".join(lines)


def _outcome(machine: Machine, state: Any, event: Any) -> str:
    try:
        after, actions = machine.step(state, event)
    except ImpossibleEvent:
        return "**impossible** |"
    if after == state and not actions:
        return "ignored |"
    return f"`{_shown(after)}` | {', '.join(action.name for action in actions)}"


def documents() -> dict[str, str]:
    """File names and contents."""
    index = ["# State machines", "", *_ABOUT.splitlines(), "", "```{toctree}"]
    index += [machine.name for machine in MACHINES]
    index += ["```", ""]
    found = {f"{machine.name}.md": table(machine) for machine in MACHINES}
    found["index.md"] = "\n".join(index)
    return found


def _shown(value: Any) -> str:
    text = repr(value).replace("frozenset({", "{").replace("})", "}").replace("frozenset()", "{}")
    return text.replace("rserpool.", "")


def main() -> int:
    """Write the documents."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in documents().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
        print(f"docs/machines/{name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
