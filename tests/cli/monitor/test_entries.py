"""Who is known by reports, by a registrar's word, or by both; and a registrar that is asked again and again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rserpool.admin.client import AdminClient
from rserpool.cli.monitor.asked import Answer, Told
from rserpool.cli.monitor.entries import NO_POOL, USERS, Entry, Key, Mood, gather, told_elements
from rserpool.core.monitoring.components import Known
from rserpool.core.monitoring.report import AssociationReport, Component, Kind, Report

ELEMENT = Component(Kind.POOL_ELEMENT, 7)
DESCRIBED: dict[str, Any] = {
    "pool": "www",
    "identifier": "0x00000007",
    "transport": {"protocol": "tcp", "addresses": ["::1"], "port": 80},
    "policy": {"type": 0x40000001, "name": "least-used", "load": 0.25},
    "home": "0x000000aa",
    "age": 40.0,
    "answered": 1.5,
    "delay": 0.0021,
    "reports": 0,
}
REGISTRAR = {"identifier": "0x000000aa", "own": True, "state": "ready", "elements": 1, "checksum": "0x1234"}


def known(status: str, sender: Component = ELEMENT, **more: Any) -> Known:
    """Who reports."""
    report = Report(sender, 100.0, 1.0, "host: [::1]:80", status, 0.5)
    return replace(Known(report, 0, "::1", 10.0), **more)


def one(*reports: Known, told: Any = ()) -> Entry:
    """The only entry that comes of it."""
    (entry,) = all_of(reports, told)
    return entry


def all_of(reports: Iterable[Known], told: Iterable[Any]) -> list[Entry]:
    """The entries that come of it."""
    found: dict[Key, Entry] = {}
    for _ in gather(found, reports, 12.0, told_elements(told)):
        pass
    return list(found.values())


class ReportedTests(SynchronousTestCase):
    """What somebody reports."""

    def test_element(self) -> None:
        """Its pool and how far its registration is, as our elements say it."""
        for status, title, state, mood, says in (
            ("www: registered", "www", "registered", Mood.GOOD, ""),
            ("a: b: registering", "a: b", "registering", Mood.DOUBTFUL, ""),
            ("www: looking for a registrar", "www", "looking", Mood.DOUBTFUL, "looking for a registrar"),
            ("www: refused: the policy differs", "www", "refused", Mood.BAD, "refused: the policy differs"),
            ("www: refused for now, trying again", "www", "refused", Mood.BAD, "refused for now, trying again"),
            ("1 Session", NO_POOL.title, "up", Mood.GOOD, "1 Session"),
        ):
            entry = one(known(status))
            self.assertEqual((entry.group.title, entry.state, entry.mood, entry.says), (title, state, mood, says))
        self.assertEqual((entry.load, entry.heard, entry.uptime), (0.5, 2.0, 102.0))

    def test_gone(self) -> None:
        """Who has said goodbye, and who has not."""
        for farewell, state, mood in ((True, "gone", Mood.DOUBTFUL), (False, "silent", Mood.BAD)):
            entry = one(known("www: registered", gone=11.0, farewell=farewell))
            self.assertEqual((entry.state, entry.mood, entry.group.title), (state, mood, "www"))

    def test_others(self) -> None:
        user, registrar = Component(Kind.POOL_USER, 9), Component(Kind.REGISTRAR, 0xAA)
        self.assertEqual(one(known("x", user)).group, USERS)
        self.assertEqual(one(known("x", Component(77, 1))).group.title, "kind 77")
        self.assertEqual(one(known("not ready: waits", registrar)).state, "not ready")

    def test_details(self) -> None:
        """All there is."""
        peer = AssociationReport(Component(Kind.REGISTRAR, 0xAA), 132, 11, 5.0)
        report = Report(ELEMENT, 1.0, 1.0, "here", "www: registered", None, (peer,))
        self.assertEqual(
            list(one(Known(report, 3, "10.0.0.1", 10.0)).details()),
            [
                "here",
                "reports every 1 s from 10.0.0.1",
                "-> registrar 0x000000aa, ASAP over sctp, 0:00:05",
                "-> and 2 more",
            ],
        )


class ToldTests(SynchronousTestCase):
    """What a registrar tells of its elements."""

    def test_told(self) -> None:
        entry = one(told=[DESCRIBED])
        self.assertEqual((entry.group.title, entry.state, entry.mood), ("www", "registered", Mood.GOOD))
        self.assertEqual((entry.load, entry.heard, entry.uptime), (0.25, 1.5, 40.0))
        self.assertEqual((entry.where, entry.says), ("tcp [::1]:80", "2.1 ms, home 0x000000aa"))

    def test_states(self) -> None:
        for more, state, mood in (
            ({"reports": 2}, "reported", Mood.DOUBTFUL), ({"draining": True}, "draining", Mood.DOUBTFUL),
            ({"evicted": True, "seconds": 60.0}, "evicted", Mood.BAD), ({"removed": True}, "removed", Mood.BAD),
            ({"registered": False}, "registering", Mood.DOUBTFUL),
        ):  # fmt: skip
            entry = one(told=[DESCRIBED | more])
            self.assertEqual((entry.state, entry.mood), (state, mood))
        self.assertIn("evicted for another 60 s", list(one(told=[DESCRIBED | {"seconds": 60.0}]).details()))

    def test_sparse(self) -> None:
        """One that drains may be known by its identifier alone."""
        entry = one(told=[{"pool": "w\x1bw", "identifier": "0x7", "draining": True, "connections": 3}])
        self.assertEqual((entry.group.title, entry.where, entry.says), ("w?w", "", ""))
        self.assertEqual(list(entry.details()), ["nothing else is known", "3 of its connections are open"])

    def test_both(self) -> None:
        """The registrar's word on the state and its last answer count; uptime is known by the element itself."""
        entry = one(known("www: registered"), told=[DESCRIBED])
        self.assertEqual((entry.state, entry.heard, entry.uptime, entry.load), ("registered", 1.5, 102.0, 0.25))
        silent = one(known("www: registered", gone=11.0), told=[DESCRIBED])
        self.assertEqual((silent.state, silent.uptime), ("registered", 40.0))
        self.assertIn("its reports have ended", silent.says)

    def test_pool_of_rsplibs(self) -> None:
        """Its own report names no pool; the registrar does."""
        self.assertEqual(one(known("1 Session"), told=[DESCRIBED]).group.title, "www")

    def test_same_identifier(self) -> None:
        """In two pools these are two elements."""
        there = all_of([], [DESCRIBED, DESCRIBED | {"pool": "ftp"}])
        self.assertEqual(sorted(each.group.title for each in there), ["ftp", "www"])


class AskedTests(SynchronousTestCase):
    """What is known from one answer to the next."""

    def setUp(self) -> None:
        self.time = 5.0
        self.told = Told(AdminClient("/run/x.sock"), 10.0, lambda: self.time)
        self.told.heard(Answer("registrar 0x000000aa at /run/x.sock", [REGISTRAR], [DESCRIBED]))

    def states(self) -> list[str]:
        """Of the registrar and the elements."""
        return [entry.state for entry in self.told.entries()]

    def test_removed(self) -> None:
        """Who is not told of any more is shown for a while, as long as it does not come again."""
        self.assertEqual(self.states(), ["ready", "registered"])
        self.told.heard(Answer("", [REGISTRAR], []))
        self.assertEqual(self.states(), ["ready", "removed"])
        self.time = 14.0
        self.assertEqual(self.states(), ["ready", "removed"])
        self.told.heard(Answer("", [REGISTRAR], [DESCRIBED]))
        self.assertEqual(self.states(), ["ready", "registered"])
        self.told.heard(Answer("", [REGISTRAR], []))
        self.time = 24.0
        self.assertEqual(self.states(), ["ready"])

    def test_trouble(self) -> None:
        """What was told last is still there, with its age and what is wrong."""
        self.assertEqual(self.told.trouble, "")
        self.told.failed("nobody answers at /run/x.sock")
        self.time = 12.0
        self.assertEqual(self.told.trouble, "7 s old: nobody answers at /run/x.sock")
        self.assertEqual(self.states(), ["ready", "registered"])
        self.told.heard(Answer("", [REGISTRAR], [DESCRIBED]))
        self.assertEqual(self.told.trouble, "")
