"""CalcApp: its messages as rsplib has them, what an element does with time, and jobs that outlive their elements."""

from __future__ import annotations

from typing import Any

from twisted.application.internet import StreamServerEndpointService
from twisted.internet.defer import ensureDeferred
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import SessionEnded, WireError
from rserpool.core.policies import FULL_LOAD
from rserpool.services import CalcAppFactory, Calculating, Calculation, Classic, Terms
from rserpool.services.calcapp.calculator import Calculator, Drop, GoesOn, Leave, Say
from rserpool.services.calcapp.job import Job
from rserpool.services.calcapp.messages import CalcApp, Kind, Progress
from rserpool.services.clients import Lost, News
from rserpool.services.wants import Completed, Elsewhere
from rserpool.services.wants import Say as Tell
from rserpool.testing import ElementProcess, Scope

CAPTURED = {
    "0100001800000001000000000010b81b0000000000000000": CalcApp(Kind.REQUEST, 1, 1_095_707),
    "020000180000000100000000000000000000000000000000": CalcApp(Kind.ACCEPT, 1),
    "030000180000000100000000000000000000000000000000": CalcApp(Kind.REJECT, 1),
    "050000180000000200000000000134df00000000000134df": CalcApp(Kind.COMPLETE, 2, 79_071, 79_071),
    "060000180000000500000000000000000000000000000000": CalcApp(Kind.KEEP_ALIVE, 5),
    "070000180000000500000000000000000000000000000000": CalcApp(Kind.KEEP_ALIVE_ACK, 5),
}
"""What C{calcappclient} and C{rspserver -calcapp} of rsplib 3.4.4 sent each other."""
COOKIE = bytes.fromhex("000000050000000000280dff000000000007a180")


class MessageTests(SynchronousTestCase):
    """Bytes."""

    def test_captured(self) -> None:
        """What was captured means what it was for, and is what we send."""
        for text, message in CAPTURED.items():
            self.assertEqual(message, CalcApp.decode(bytes.fromhex(text)))
            self.assertEqual(text, message.encode().hex())
        self.assertEqual(Progress(5, 2_624_999 + 24, 500_096), Progress.decode(COOKIE))
        self.assertEqual(COOKIE, Progress.decode(COOKIE).encode())

    def test_wrong(self) -> None:
        """What is none."""
        request = bytes.fromhex(next(iter(CAPTURED)))
        for data in (b"", request[:-1], request + b"\0", b"\x08" + request[1:], request[:3] + b"\x17" + request[4:]):
            with self.assertRaises(WireError):
                CalcApp.decode(data)
        for data in (b"", COOKIE + b"\0", Progress(1, 5, 6).encode()):
            with self.assertRaises(WireError):
                Progress.decode(data)


def said(effects: list[Any]) -> list[tuple[Any, ...]]:
    """The messages among effects, with their sessions."""
    return [(each.session, each.message.kind, each.message.done) for each in effects if isinstance(each, Say)]


class CalculatorTests(SynchronousTestCase):
    """An element of 1,000 calculations a second."""

    def setUp(self) -> None:
        self.calculator = Calculator(
            Terms(1000.0, jobs=3, cookie_seconds=1.0, cookie_calculations=600.0, keep_alive=50.0)
        )

    def ask(self, session: str, size: int, now: float) -> list[Any]:
        return self.calculator.receive(session, CalcApp(Kind.REQUEST, 1, size).encode(), now)

    def play(self, until: float) -> list[tuple[float, Any]]:
        """What happens, and when."""
        happened = []
        while (due := self.calculator.next_deadline()) is not None and due <= until:
            happened += [(round(due, 3), effect) for effect in self.calculator.tick(due)]
        return happened

    def test_shares(self) -> None:
        """Two jobs have half of it each, and the longer one all when the other is done; both leave cookies."""
        self.assertEqual([("a", Kind.ACCEPT, 0)], said(self.ask("a", 1000, 0.0)))
        self.ask("b", 2000, 0.5)
        self.assertAlmostEqual(2 / 3, self.calculator.load)
        happened = self.play(10.0)
        done = [(when, *said([effect])[0]) for when, effect in happened if isinstance(effect, Say)]
        self.assertEqual([(1.5, "a", Kind.COMPLETE, 1000), (3.0, "b", Kind.COMPLETE, 2000)], done)
        kept = [(when, effect.session, effect.progress.done) for when, effect in happened if isinstance(effect, Leave)]
        self.assertEqual([(0.7, "a", 600), (1.5, "b", 500), (2.1, "b", 1100), (2.7, "b", 1700)], kept)
        self.assertEqual((None, 2, 0.0), (self.calculator.next_deadline(), self.calculator.completed, 0.0))

    def test_goes_on(self) -> None:
        """A job goes on where its cookie says, and is soon done."""
        effects = self.calculator.resume("a", Progress(7, 5000, 4900).encode(), 3.0)
        self.assertEqual([Say("a", CalcApp(Kind.ACCEPT, 7)), GoesOn("a", Progress(7, 5000, 4900))], effects)
        self.assertEqual([(3.1, Say("a", CalcApp(Kind.COMPLETE, 7, 5000, 5000)))], self.play(4.0))

    def test_leaves(self) -> None:
        """Who leaves takes the last state along; its job is no more."""
        self.ask("a", 1000, 0.0)
        self.assertEqual([Leave("a", Progress(1, 1000, 250))], self.calculator.leave("a", 0.25))
        self.assertEqual([], self.calculator.leave("a", 0.5))
        self.assertIsNone(self.calculator.next_deadline())

    def test_no_room(self) -> None:
        """A fourth job is rejected, also one with a cookie; then there is room."""
        for session in "abc":
            self.ask(session, 1000, 0.0)
        self.assertEqual([("d", Kind.REJECT, 0)], said(self.ask("d", 1, 0.0)))
        self.assertEqual([Say("e", CalcApp(Kind.REJECT, 7))], self.calculator.resume("e", Progress(7, 9).encode(), 0.0))
        self.assertEqual(2, self.calculator.rejected)
        self.calculator.receive("a", CalcApp(Kind.ABORT, 1).encode(), 0.0)
        self.assertEqual([("d", Kind.ACCEPT, 0)], said(self.ask("d", 1, 0.0)))

    def test_keep_alive(self) -> None:
        """A user is answered, asked, and dropped when it does not answer."""
        self.ask("a", 10**9, 0.0)
        self.assertEqual(
            [("a", Kind.KEEP_ALIVE_ACK, 0)],
            said(self.calculator.receive("a", CalcApp(Kind.KEEP_ALIVE, 1).encode(), 10.0)),
        )
        told = [(when, effect) for when, effect in self.play(100.0) if not isinstance(effect, Leave)]
        self.assertEqual((60.0, Say("a", CalcApp(Kind.KEEP_ALIVE, 1))), told[0])
        self.assertEqual((62.5, Drop("a", "its user has said nothing for 2.5 s")), told[1])
        self.ask("b", 10**9, 100.0)
        self.play(150.0)
        self.calculator.receive("b", CalcApp(Kind.KEEP_ALIVE_ACK, 1).encode(), 151.0)
        self.assertFalse([effect for _, effect in self.play(200.0) if isinstance(effect, Drop)])

    def test_rules(self) -> None:
        """Who breaks them is dropped, and its job, too."""
        self.ask("a", 1000, 0.0)
        self.assertIsInstance(self.ask("a", 1000, 0.1)[-1], Drop)
        self.assertIsInstance(self.calculator.receive("b", b"garbage", 0.1)[-1], Drop)
        self.assertIsInstance(self.calculator.resume("c", b"garbage", 0.1)[-1], Drop)
        self.assertIsNone(self.calculator.next_deadline())


class JobTests(SynchronousTestCase):
    """A job at its user."""

    def hear(self, job: Job, kind: Kind, now: float, number: int = 7) -> list[Any]:
        return job.receive(CalcApp(kind, number).encode(), now)

    def test_silence(self) -> None:
        """An element that accepts in time, and is silent then, is asked, and left."""
        job = Job(7, 1000)
        self.assertEqual([Tell(CalcApp(Kind.REQUEST, 7, 1000).encode())], job.served(False, 0.0))
        self.assertEqual([], self.hear(job, Kind.ACCEPT, 1.0))
        self.assertEqual([Tell(CalcApp(Kind.KEEP_ALIVE_ACK, 7).encode())], self.hear(job, Kind.KEEP_ALIVE, 2.0))
        self.assertEqual(4.5, job.next_deadline())
        self.assertEqual([Tell(CalcApp(Kind.KEEP_ALIVE, 7).encode())], job.tick(4.5))
        self.assertEqual([Elsewhere("it has said nothing for 2.5 s", failed=True)], job.tick(7.0))
        self.assertEqual([Tell(CalcApp(Kind.KEEP_ALIVE, 7).encode())], job.served(True, 8.0))
        self.assertEqual([Elsewhere("it has said nothing for 2.5 s", failed=True)], job.tick(10.5))
        self.assertEqual([], job.tick(20.0))

    def test_no_room(self) -> None:
        """Without room it goes elsewhere after a while, that grows; nobody is blamed."""
        job, now = Job(7, 1000), 0.0
        for pause in (0.25, 0.5, 1.0, 2.0, 2.0):
            job.served(False, now)
            self.hear(job, Kind.REJECT, now)
            self.assertEqual([], job.tick(now + pause / 2))
            now += pause
            self.assertEqual([Elsewhere("it has no room", failed=False)], job.tick(now))

    def test_others(self) -> None:
        """Words about another job are passed over; an element that gives up is left; garbage is no answer."""
        job = Job(7, 1000)
        job.served(False, 0.0)
        self.assertEqual([], self.hear(job, Kind.COMPLETE, 0.1, 8))
        self.assertEqual([Elsewhere("it gave the job up", failed=True)], self.hear(job, Kind.ABORT, 0.1))
        self.assertEqual([True], [isinstance(each, Elsewhere) and each.failed for each in job.receive(b"?", 0.2)])
        self.assertEqual([Completed()], self.hear(job, Kind.COMPLETE, 0.3))
        self.assertIsNone(job.next_deadline())


class PoolTests(SynchronousTestCase):
    """Elements and a user in memory; an element does 1,000 calculations a second."""

    def setUp(self) -> None:
        self.scope = Scope()
        self.addCleanup(self.scope.stop)
        self.user = self.scope.user()
        self.factories: dict[str, CalcAppFactory] = {}

    def serve(self, count: int, protocol: str = "sctp", **terms: Any) -> None:
        def setup(element: ElementProcess) -> None:
            factory = self.factories[element.name] = CalcAppFactory(element.reactor, Terms(1000.0, **terms))
            element.serve("pool", factory, protocol=protocol)

        for _ in range(count):
            self.scope.element(setup=setup)
        self.scope.settle()

    def calculate(self, size: int, **options: Any) -> Calculation:
        calculation = Calculation(self.user.service, "pool", size, **options)
        self.addCleanup(calculation.close)
        return calculation

    def serving(self, calculation: Calculation) -> ElementProcess:
        element: Any = calculation.session.element
        return next(
            each for each in self.scope.elements if each.alive and each.identifier("pool") == element.identifier
        )

    def outlives(self, protocol: str) -> None:
        """A job of 20 s whose elements are killed five times takes hardly longer."""
        self.serve(3, protocol)
        began, moves = self.scope.now, []
        calculation = self.calculate(20_000, failed_over=lambda old, new: moves.append(new))
        for number in range(1, 6):
            self.scope.until(lambda number=number: self.scope.now > began + 3.3 * number)  # type: ignore[misc]
            victim = self.serving(calculation)
            self.scope.kill(victim)
            self.scope.advance(1.0)
            victim.start()
        self.scope.result(calculation.done)
        self.assertEqual(5, len(moves))
        self.assertLess(self.scope.now - began, 26.0)

    def test_sctp(self) -> None:
        """Over SCTP, as rsplib's."""
        self.outlives("sctp")

    def test_tcp(self) -> None:
        """Over TCP."""
        self.outlives("tcp")

    def test_order(self) -> None:
        """A job goes where its own order of elements says."""
        self.serve(3)
        wanted = sorted(each.identifier("pool") for each in self.scope.elements)[-1]
        for _ in range(3):
            calculation = self.calculate(10, order=lambda elements: sorted(elements, key=lambda each: -each.identifier))
            self.assertEqual(wanted, self.scope.result(calculation.done).identifier)

    def test_stops(self) -> None:
        """An element that takes its leave gives the state of this very moment along."""
        self.serve(2)
        calculation = self.calculate(10_000)
        self.scope.until(lambda: calculation.session.cookie is not None)
        self.scope.advance(0.6)
        for session in self.factories[self.serving(calculation).name].sessions.copy():
            session.go_elsewhere()
        self.scope.advance(0.01)
        kept = Progress.decode(calculation.session.cookie or b"").done
        self.assertGreater(kept, 1500)

    def test_drains(self) -> None:
        """An element that is asked to stop does not wait for its jobs: they go on elsewhere, from where they are."""
        elements = [self.scope.element() for _ in range(2)]
        for process in elements:
            factory = CalcAppFactory(process.reactor, Terms(1000.0, cookie_seconds=60.0, cookie_calculations=1e9))
            process.run(StreamServerEndpointService(TCP4ServerEndpoint(process.reactor, 0), factory), "pool")
        self.scope.settle()
        calculation = self.calculate(10_000)
        self.scope.advance(4.0)
        began = self.scope.now
        self.assertIsNone(calculation.session.cookie)
        self.serving(calculation).stop()
        self.scope.result(calculation.done)
        self.assertLess(self.scope.now - began, 7.0)

    def test_full(self) -> None:
        """Four jobs at two elements that take one each: all are done, two after the others."""
        self.serve(2, jobs=1)
        began = self.scope.now
        for calculation in [self.calculate(2000, number=number) for number in range(4)]:
            self.scope.result(calculation.done)
        self.assertLess(self.scope.now - began, 8.0)
        self.assertTrue(sum(each.calculator.rejected for each in self.factories.values()))

    def least_used(self, factory: Any) -> Any:
        """A service in a pool whose policy goes by the load that it tells."""
        process = self.scope.element()
        service = StreamServerEndpointService(TCP4ServerEndpoint(process.reactor, 0), factory(process.reactor))
        refused: list[Any] = []
        process.run(service, "pool", policy="least-used:load=service", refused=refused.append)
        return refused

    def test_load(self) -> None:
        """Registrars are told how much of its jobs an element has, where its policy goes by that."""
        self.assertEqual([], self.least_used(lambda reactor: CalcAppFactory(reactor, Terms(1000.0, jobs=4))))
        self.scope.settle()
        seen = self.user.watch("pool")
        for number in range(3):
            self.calculate(10**6, number=number)
        expected = (3 * FULL_LOAD // 4).to_bytes(4, "big")
        self.scope.until(lambda: [each.policy.data for each in seen.elements.values()] == [expected])

    def test_no_load(self) -> None:
        """A service that tells none cannot be in such a pool: a sentence says so."""
        refused = self.least_used(lambda reactor: Classic("echo", reactor))
        self.scope.until(lambda: refused)
        self.assertIn("this service tells no load of its own", str(refused[0].value))

    def test_frozen(self) -> None:
        """An element that falls silent is left before anybody else notices."""
        self.serve(2)
        calculation = self.calculate(8_000)
        self.scope.until(lambda: calculation.session.cookie is not None)
        self.scope.silence(self.serving(calculation))
        began = self.scope.now
        self.scope.result(calculation.done)
        self.assertLess(self.scope.now - began, 15.0)

    def test_client(self) -> None:
        """The client counts what is done, and what is lost when nobody is left."""
        self.serve(1)
        news: list[News] = []
        client = Calculating(self.user.service, "pool", interval=1.0, count=4, size=500, patience=3.0, tell=news.append)
        done = ensureDeferred(client.run())
        self.scope.until(lambda: client.tally.answered == 2)
        self.scope.kill(*self.scope.elements)
        tally = self.scope.result(done)
        self.assertEqual((4, 2, 2, False), (tally.sent, tally.answered, tally.lost, tally.clean))
        self.assertEqual(2, len([each for each in news if isinstance(each, Lost)]))

    def test_closed(self) -> None:
        """Who is not interested any more cancels; a session that is over ends the job."""
        self.serve(1)
        calculation = self.calculate(10_000)
        calculation.done.cancel()
        self.failureResultOf(calculation.done)
        calculation = self.calculate(10_000)
        calculation.session.close()
        self.failureResultOf(calculation.done, SessionEnded)
