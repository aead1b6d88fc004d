"""C{rserpool ping}, C{echo} and C{calcapp}, over a scope in memory: lines, figures, exit codes."""

from __future__ import annotations

import json
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.trial.unittest import SynchronousTestCase

from rserpool.cli import calcapp, echo, paint, ping
from rserpool.cli.codes import OK, OTHER
from rserpool.cli.parser import make_parser
from rserpool.cli.running import explain
from rserpool.core import AnotherService, SessionEnded, UnknownPool
from rserpool.services import CalcAppFactory, Classic, FractalFactory, PingPongFactory
from rserpool.testing import Scope


class AskingTests(SynchronousTestCase):
    """Two elements of each service."""

    def setUp(self) -> None:
        self.scope = Scope()
        self.addCleanup(self.scope.stop)
        self.out = StringIO()
        for _ in range(2):
            self.scope.element("PingPongPool", PingPongFactory(), protocol="sctp")
            self.scope.element("EchoPool", Classic("echo", self.scope.clock), protocol="sctp")
        self.scope.settle()

    def start(self, command: Any, *words: str) -> Deferred[int]:
        """Run it."""
        options = make_parser().parse_args([command.__name__.rpartition(".")[2], *words])
        user = self.scope.user()
        user.alive = False
        return ensureDeferred(command.run(user.reactor, options, self.out, user.service))

    def lines(self) -> list[str]:
        return self.out.getvalue().splitlines()

    def test_count(self) -> None:
        """So many pings, a line each, and a summary."""
        self.assertEqual(OK, self.scope.result(self.start(ping, "--count", "3", "--interval", "0.1")))
        *answers, summary, trips = self.lines()
        for number, line in enumerate(answers, 1):
            self.assertRegex(line, rf"^\d\d:\d\d:\d\d\.\d{{3}} {number}: 0x[0-9a-f]{{8}} at sctp .*, reply {number}, ")
        self.assertEqual(
            "PingPongPool: 3 pings, 3 answered, 0 lost, 0 doubled; reply numbers: 0 skipped, 0 repeated", summary
        )
        self.assertRegex(trips, r"^round trip min/median/max [\d.]+/[\d.]+/[\d.]+ ms$")

    def test_failover(self) -> None:
        """The element is killed: who goes on, and how long nobody answered."""
        running = self.start(ping, "--count", "20", "--interval", "0.1", "--quiet", "PingPongPool")
        self.scope.advance(1.0)
        (serving,) = (
            element
            for element in self.scope.elements
            if any(getattr(port, "associations", 0) for port in _ports(element))
        )
        serving.kill()
        self.assertEqual(OK, self.scope.result(running))
        failover, gap, summary, times, _ = self.lines()
        self.assertRegex(failover, "--- 0x[0-9a-f]{8} failed: 0x[0-9a-f]{8} at sctp .* goes on")
        self.assertRegex(gap, r"--- [\d.]+ ms without an answer")
        self.assertIn("20 pings, 20 answered, 0 lost, 0 doubled; reply numbers: 0 skipped, 0 repeated", summary)
        self.assertRegex(times, r"^1 failover, without an answer median/longest [\d.]+/[\d.]+ ms$")

    def test_calcapp(self) -> None:
        """Jobs, each of which takes its time."""
        self.scope.element("CalcAppPool", CalcAppFactory(self.scope.clock), protocol="sctp")
        self.scope.settle()
        running = self.start(calcapp, "--count", "2", "--interval", "0.1", "--size", "500000")
        self.assertEqual(OK, self.scope.result(running))
        first, second, summary, trips = self.lines()
        self.assertRegex(first, r" 1: 0x[0-9a-f]{8} at sctp .*, 9\d\d\.\d ms$")
        self.assertIn(" 2: ", second)
        self.assertEqual("CalcAppPool: 2 jobs, 2 answered, 0 lost, 0 doubled", summary)
        with self.assertRaises(SystemExit):
            self.start(calcapp, "--size", "many")

    def test_interrupted(self) -> None:
        """The summary comes, and the exit code says whether all went well."""
        running = self.start(echo, "--json", "--size", "50")
        self.scope.advance(1.2)
        running.cancel()
        self.assertEqual(OK, self.scope.result(running))
        *answers, summary = map(json.loads, self.lines())
        self.assertEqual([("answer", n) for n in (1, 2, 3)], [(each["event"], each["number"]) for each in answers])
        self.assertEqual((3, 3, 0, 0), tuple(summary[each] for each in ("sent", "answered", "lost", "doubled")))

    def test_nobody(self) -> None:
        """No pool; and a pool whose elements all die."""
        with self.assertRaises(UnknownPool):
            self.scope.result(self.start(ping, "nowhere"))
        self.assertEqual([], self.lines())
        running = self.start(echo, "--patience", "2", "--interval", "0.2")
        self.scope.advance(1.0)
        self.scope.kill(*self.scope.elements)
        with self.assertRaises(SessionEnded):
            self.scope.result(running)
        self.assertIn("EchoPool: ", self.out.getvalue())

    def test_lost(self) -> None:
        """A service that answers nothing."""
        self.scope.element("silent", Classic("discard", self.scope.clock), protocol="tcp")
        self.scope.settle()
        words = ("silent", "--count", "2", "--patience", "1")
        self.assertEqual(OTHER, self.scope.result(self.start(echo, *words)))
        self.assertIn("1: LOST: no answer within 1 s", self.out.getvalue())
        with self.assertRaises(SystemExit):
            self.start(echo, "--size", "100000")

    def test_another_service(self) -> None:
        """The pool is another service's, over SCTP and TCP: the command ends, says so, and has a status of its own."""
        pools: dict[str, Any] = {
            "pingpong": PingPongFactory,
            "calcapp": lambda: CalcAppFactory(self.scope.clock),
            "fractal": lambda: FractalFactory(self.scope.clock),
        } | {name: partial(Classic, name, self.scope.clock) for name in ("echo", "daytime")}
        picture = ("--out", str(Path(self.mktemp() + ".png")), "--size", "64x64")
        wanted = {ping: ("pingpong", ()), echo: ("echo", ()), calcapp: ("calcapp", ()), paint: ("fractal", picture)}
        for protocol in ("sctp", "tcp"):
            for name, factory in pools.items():
                for _ in range(2):
                    self.scope.element(f"{name}-{protocol}", factory(), protocol=protocol)
        self.scope.settle()
        for command, (service, words) in wanted.items():
            for pool in (f"{name}-{protocol}" for protocol in ("sctp", "tcp") for name in pools if name != service):
                self.out.truncate(0)
                with self.assertRaises(AnotherService, msg=f"{service}: {pool}") as caught:
                    self.scope.result(self.start(command, pool, *words))
                self.assertIn(f"the elements of pool '{pool}' do not speak ", str(caught.exception))
                self.assertLess(len(self.lines()), 40, f"{service}: {pool}")
                self.assertEqual(5, explain(caught.exception)[0])

    def test_one_of_ours(self) -> None:
        """A pool in which one speaks the service, and one another's, is used."""
        self.scope.element("mixed", Classic("echo", self.scope.clock), protocol="sctp")
        self.scope.element("mixed", PingPongFactory(), protocol="sctp")
        self.scope.settle()
        self.scope.result(self.start(ping, "mixed", "--count", "10", "--interval", "0.1"))
        self.assertRegex(self.out.getvalue(), r"10 pings, (9|10) answered, [01] lost, 0 doubled")


def _ports(element: Any) -> Any:
    from rserpool.sctp.one_to_one.ports import sctp_ports

    return sctp_ports(element.reactor)
