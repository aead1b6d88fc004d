"""What a monitor shows of whom: one entry for each registrar, element and user, in groups, of which most are pools.

An element is known by its own reports, by what a registrar tells of it over its admin interface, or by both.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from enum import Enum
from typing import Any, NamedTuple, TypeAlias

from rserpool.cli.monitor.components import association_text, component_text, kind_text, plain, state
from rserpool.core.frozen import frozen
from rserpool.core.monitoring.components import Known
from rserpool.core.monitoring.report import Kind
from rserpool.monitor.status import pool_of

Described: TypeAlias = Mapping[str, Any]
"""As the admin interface describes it."""


class Mood(Enum):
    """How somebody is; its state says more."""

    GOOD = "good"
    DOUBTFUL = "doubtful"
    BAD = "bad"


class Group(NamedTuple):
    """A pool, or all that are in none.

    @ivar rank: where it stands among others.
    @ivar title: a pool's name, in words where it is none.
    """

    rank: int
    title: str


REGISTRARS, POOLS, NO_POOL, USERS = Group(0, "registrars"), 1, Group(2, "elements that name no pool"), Group(3, "users")
BIT = 100
"""So many entries are made at a time."""
Key: TypeAlias = tuple[Group, str]
"""Which entry: in which group, and its identifier."""


@frozen
class Entry:
    """Somebody.

    @ivar name: the identifier, as text.
    @ivar state: in a word or two.
    @ivar load: from 0.0 to 1.0; None where it has none.
    @ivar heard: seconds since it was heard of, by the registrar or here; None where nobody knows.
    @ivar uptime: seconds since it started, or was registered; None where nobody knows.
    @ivar where: its addresses.
    @ivar says: what else there is to say in a line.
    @ivar known: its latest report, if it sends any.
    @ivar told: what the registrar tells of it, if one is asked.
    """

    group: Group
    name: str
    state: str
    mood: Mood
    load: float | None = None
    heard: float | None = None
    uptime: float | None = None
    where: str = ""
    says: str = ""
    known: Known | None = None
    told: Described | None = None

    @property
    def policy(self) -> str:
        """The policy of its pool, where the registrar tells of it."""
        return str(((self.told or {}).get("policy") or {}).get("name", ""))

    @property
    def key(self) -> Key:
        """Which entry it is."""
        return self.group, self.name

    def has(self, text: str) -> bool:
        """Whether a text stands in it; in small letters."""
        return any(text in each.casefold() for each in (self.group.title, self.name, self.state, self.where, self.says))

    def details(self) -> Iterator[str]:
        """All else that is known of it."""
        yield ", ".join(filter(None, (self.where, self.says))) or "nothing else is known"
        if self.told is not None:
            yield from _told_details(self.told)
        if self.known is not None:
            yield f"reports every {self.known.report.interval:g} s from {self.known.source}"
            yield from (f"-> {association_text(one)}" for one in self.known.report.associations)
            more = self.known.count - len(self.known.report.associations)
            if more:
                yield f"-> and {more} more"


def gather(found: dict[Key, Entry], known: Iterable[Known], now: float, told: Iterable[Entry] = ()) -> Iterator[None]:
    """All of them, bit by bit.

    @param found: they are put there.
    @param known: those that report.
    @param now: the time of the monitor's clock.
    @param told: those of whom a registrar tells (L{told_elements}, L{told_registrars}).
    """
    for number, entry in enumerate(told):
        found[entry.key] = entry
        if number % BIT == 0:
            yield
    by_name = {name: group for group, name in found if group.rank == POOLS}
    for number, each in enumerate(known):
        entry = reported(each, now)
        if entry.group == NO_POOL and entry.name in by_name:
            entry = replace(entry, group=by_name[entry.name])
        found[entry.key] = _both(found.get(entry.key), entry)
        if number % BIT == 0:
            yield


def _both(told: Entry | None, entry: Entry) -> Entry:
    """What is known of somebody who reports, and of whom a registrar tells, whose word on the state counts."""
    if told is None:
        return entry
    heard = entry.heard if told.heard is None else told.heard
    silent = entry.mood is Mood.BAD
    return replace(
        told,
        load=entry.load if told.load is None else told.load,
        heard=heard,
        uptime=told.uptime if silent else entry.uptime,
        where=told.where or entry.where,
        says=", ".join(filter(None, (told.says, "its reports have ended" if silent else entry.says))),
        known=entry.known,
    )


def reported(known: Known, now: float) -> Entry:
    """Somebody by the latest report."""
    report = known.report
    status, word, mood = plain(report.status), state(known), Mood.GOOD
    if known.gone is not None:
        mood = Mood.DOUBTFUL if known.farewell else Mood.BAD
    group = {Kind.REGISTRAR: REGISTRARS, Kind.POOL_ELEMENT: NO_POOL, Kind.POOL_USER: USERS}.get(
        report.sender.kind,  # type: ignore[call-overload]
        Group(4, f"{kind_text(report.sender)}"),
    )
    named = pool_of(status) if group == NO_POOL else None
    if named is not None:
        pool, status = named
        group = Group(POOLS, pool)
        if known.gone is None:
            # registered, registering, refused, leaving, looking for a registrar, left
            word = status.partition(":")[0].split(" ")[0].rstrip(",")
            mood = Mood.GOOD if word == "registered" else Mood.BAD if word == "refused" else Mood.DOUBTFUL
            status = "" if status == word else status
    elif group == REGISTRARS and status.startswith("not ready"):
        word, mood = ("not ready", Mood.DOUBTFUL) if known.gone is None else (word, mood)
    return Entry(
        group,
        component_text(report.sender),
        word,
        mood,
        report.workload,
        max(0.0, now - known.heard),
        known.uptime(now),
        plain(report.location) or known.source,
        status,
        known,
    )


def told_elements(elements: Iterable[Described]) -> Iterator[Entry]:
    """The elements of which an admin interface tells."""
    for element in elements:
        policy, transport = element.get("policy") or {}, element.get("transport")
        word, mood = _told_state(element)
        delay, home = element.get("delay"), element.get("home")
        says = (
            None if delay is None else f"{1000 * delay:.1f} ms",
            None if home is None else f"home {home}",
        )
        yield Entry(
            Group(POOLS, plain(str(element["pool"]))),
            str(element["identifier"]),
            word,
            mood,
            policy.get("load"),
            element.get("answered"),
            element.get("age"),
            "" if transport is None else _place(transport),
            plain(", ".join(filter(None, says))),
            told=element,
        )


def _told_state(element: Described) -> tuple[str, Mood]:
    if element.get("removed"):
        return "removed", Mood.BAD
    if element.get("evicted"):
        return "evicted", Mood.BAD
    if element.get("draining"):
        return "draining", Mood.DOUBTFUL
    if element.get("registered") is False:
        return "registering", Mood.DOUBTFUL
    if element.get("reports"):
        return "reported", Mood.DOUBTFUL
    return "registered", Mood.GOOD


def _place(transport: Described) -> str:
    hosts = ",".join(f"[{host}]" if ":" in host else host for host in transport["addresses"])
    return f"{transport['protocol']} {hosts}:{transport['port']}"


def _told_details(told: Described) -> Iterator[str]:
    """What the line has no room for."""
    if told.get("seconds") is not None:
        yield f"evicted for another {told['seconds']:g} s"
    if told.get("connections") is not None:
        yield f"{told['connections']} of its connections are open"
    if told.get("reports"):
        yield f"{told['reports']} users report it"
    policy = told.get("policy")
    if policy:
        values = (f"{name} {value}" for name, value in policy.items() if name not in ("type", "name"))
        yield ", ".join((f"policy: {policy['name']}", *values))
    if told.get("owner"):
        yield f"owner: {plain(str(told['owner']))}"


def told_registrars(registrars: Iterable[Described]) -> Iterator[Entry]:
    """The registrars of which an admin interface tells."""
    for each in registrars:
        word = plain(str(each["state"]))
        parts = [] if each.get("elements") is None else [f"home of {each['elements']}"]
        parts += [f"checksum {each['checksum']}"] if each.get("checksum") else []
        parts += ["is asked"] if each.get("own") else []
        good = word in ("ready", "connected", "home", "known")
        yield Entry(
            REGISTRARS,
            str(each.get("identifier") or "not known"),
            word,
            Mood.GOOD if good else Mood.DOUBTFUL if word != "silent" else Mood.BAD,
            heard=0.0 if each.get("own") else each.get("heard"),
            uptime=each.get("since"),
            where=plain(str(each.get("address") or "")),
            says=plain(", ".join(parts)),
            told=each,
        )
