"""The fractal generator: its messages as rsplib has them, who paints when, and tiles that outlive their elements."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import SessionEnded, WireError
from rserpool.services import FractalFactory, Painter, Painting, Parameter, WantedTile
from rserpool.services.fractal.messages import COMPLETE, MANDELBROT, MANDELBROT_N, MOST_POINTS, Data, State
from rserpool.services.fractal.painter import FRESH, Drop, GoesOn, Leave, Say
from rserpool.services.fractal.tile import Painted
from rserpool.services.wants import Anew, Completed, Elsewhere
from rserpool.services.wants import Say as Tell
from rserpool.testing import ElementProcess, Scope

CAPTURED = Parameter(200, 300, 1000, MANDELBROT_N, -1.2 + 1.1j, 0 - 1.1j, 3.0)
"""What C{fractalpooluser} of rsplib 3.4.4 asked for."""
BODY = (
    "000000c80000012c000003e800000002bff33333333333333ff199999999999a0000000000000000bff199999999999a4008000000000000"
)
COOKIE = f"3c46472d5444313e01000004{BODY}0000008c000000e2"
"""What C{rspserver -fractal} left, here on its way."""
POINTS = [2, 2, 2, 2, 2, 3, 3, 3, 4, 7, 9, 7, 8, 16, 8, 8, 11, 10, 10, 28] + [1000] * 13 + [26, 59] + [1000] * 25
"""And what it painted at the end of the last row."""
SMALL = Parameter(60, 40, 50, MANDELBROT, -1.5 + 1.5j, 1.5 - 1.5j)


class MessageTests(SynchronousTestCase):
    """Bytes."""

    def test_captured(self) -> None:
        """What was captured means what it was for, and is what we send."""
        self.assertEqual(CAPTURED, Parameter.decode(bytes.fromhex(f"0100003c{BODY}")))
        self.assertEqual(f"0100003c{BODY}", CAPTURED.encode().hex())
        self.assertEqual(State(CAPTURED, 226 * 200 + 140), State.decode(bytes.fromhex(COOKIE)))
        self.assertEqual(COOKIE, State(CAPTURED, 226 * 200 + 140).encode().hex())
        data = "020001000000008c0000012b0000003c" + "".join(f"{steps:08x}" for steps in POINTS)
        self.assertEqual(Data(140, 299, tuple(POINTS)), Data.decode(bytes.fromhex(data)))
        self.assertEqual(data, Data(140, 299, tuple(POINTS)).encode().hex())
        self.assertEqual("02000010ffffffffffffffff00000000", COMPLETE.hex())
        self.assertIsNone(Data.decode(COMPLETE))

    def test_painted_alike(self) -> None:
        """We paint what was captured."""
        painter = Painter()
        painter.resume("session", State(CAPTURED, 299 * 200 + 140).encode(), 0.0)
        said = [each.data for each in played(painter) if isinstance(each, Say)]
        self.assertEqual([Data(140, 299, tuple(POINTS)).encode(), COMPLETE], said)

    def test_wrong(self) -> None:
        """What is none, or cannot be painted."""
        good = CAPTURED.encode()
        sizes: tuple[dict[str, Any], ...] = ({"width": 0}, {"height": 2**20}, {"limit": 0}, {"algorithm": 3})
        numbers = ({"n": 0.5}, {"n": 1e9}, {"n": float("nan")}, {"first": complex("inf")})
        wrong = [replace(CAPTURED, **changed).encode() for changed in (*sizes, *numbers)]
        for data in (b"", good[:-1], b"\2" + good[1:], good[:3] + b"\0" + good[4:], *wrong):
            with self.assertRaises(WireError):
                Parameter.decode(data)
        data = Data(1, 2, (3, 4)).encode()
        for bad in (b"", data[:-1], b"\1" + data[1:], data[:3] + b"\0" + data[4:]):
            with self.assertRaises(WireError):
                Data.decode(bad)
        cookie = bytes.fromhex(COOKIE)
        for bad in (b"", b"x" + cookie[1:], cookie[:-1] + b"\xff\xff", cookie[:-8] + b"\xff" * 8):
            with self.assertRaises(WireError):
                State.decode(bad)


def played(painter: Painter, now: float = 0.0) -> list[Any]:
    """What happens until nothing is left to do, in no time."""
    effects = []
    while painter.busy:
        effects += painter.work(now)
    return effects


class PainterTests(SynchronousTestCase):
    """An element."""

    def test_cookies(self) -> None:
        """They say which point is next: none that was not sent before."""
        painter = Painter(cookie_messages=3)
        self.assertEqual([Leave("a", State(SMALL, 0))], painter.receive("a", SMALL.encode(), 0.0))
        effects, sent, kept = played(painter), 0, []
        for effect in effects[:-1]:
            if isinstance(effect, Say):
                points = Data.decode(effect.data)
                assert points is not None
                self.assertEqual(sent, points.y * SMALL.width + points.x)
                sent += len(points.steps)
            else:
                self.assertEqual(sent, effect.state.index)
                kept.append(sent)
        self.assertEqual((2400, [3 * MOST_POINTS, 6 * MOST_POINTS]), (sent, kept))
        self.assertEqual((Say("a", COMPLETE), 1), (effects[-1], painter.completed))

    def test_turns(self) -> None:
        """Two tiles take turns; one whose user takes nothing waits."""
        painter = Painter()
        hard = replace(SMALL, limit=5000)
        for session in "ab":
            painter.receive(session, hard.encode(), 0.0)
        seen = [effect.session for _ in range(40) for effect in painter.work(0.0)]
        self.assertEqual({"a", "b"}, set(seen))
        painter.hold("a", True)
        self.assertEqual({"b"}, {effect.session for _ in range(40) for effect in painter.work(0.0)})
        painter.hold("b", True)
        self.assertFalse(painter.busy)
        self.assertEqual([], painter.work(0.0))
        painter.hold("a", False)
        self.assertEqual({"a"}, {effect.session for effect in played(painter)})

    def test_slow(self) -> None:
        """Few points are told, too, when they are old, and a point of many steps takes many turns."""
        painter = Painter()
        painter.receive("a", replace(SMALL, width=3, height=1, limit=50_000, first=0j, last=0j).encode(), 0.0)
        self.assertEqual([], [effect for _ in range(3) for effect in painter.work(0.5)])
        (said,) = (effect for effect in painter.work(FRESH) if isinstance(effect, Say))
        self.assertEqual(Data(0, 0, (50_000,)).encode(), said.data)

    def test_goes_on(self) -> None:
        """From a cookie; who leaves gives along what is there."""
        painter = Painter()
        effects = painter.resume("a", State(SMALL, 100).encode(), 0.0)
        self.assertEqual([GoesOn("a", State(SMALL, 100)), Leave("a", State(SMALL, 100))], effects)
        painter.receive("b", replace(SMALL, limit=10**6, first=0j, last=0j).encode(), 0.0)
        painter.work(0.0)
        left = painter.leave("a", 0.0)
        self.assertEqual(Leave("a", State(SMALL, 100 + MOST_POINTS)), left[-1])
        self.assertEqual(
            [Leave("b", State(replace(SMALL, limit=10**6, first=0j, last=0j), 0))], painter.leave("b", 0.0)
        )
        self.assertEqual(([], False), (painter.leave("b", 0.0), painter.busy))
        painter.resume("c", State(SMALL, 2400).encode(), 0.0)
        self.assertEqual([Say("c", COMPLETE)], played(painter))

    def test_rules(self) -> None:
        """Who breaks them is dropped."""
        painter = Painter()
        painter.receive("a", SMALL.encode(), 0.0)
        for effects in (painter.receive("a", b"garbage", 0.0), painter.resume("b", b"garbage", 0.0)):
            self.assertIsInstance(effects[-1], Drop)
        self.assertFalse(painter.busy)


class TileTests(SynchronousTestCase):
    """A tile at its user."""

    def test_missing(self) -> None:
        """A tile that is said to be complete, and is not, is asked for anew; what comes twice is taken once."""
        tile = WantedTile(replace(SMALL, width=2, height=2))
        self.assertEqual([Tell(tile.parameter.encode())], tile.served(False, 0.0))
        self.assertEqual([Painted(0, (7, 8))], tile.receive(Data(0, 0, (7, 8)).encode(), 0.1))
        self.assertIsInstance(tile.receive(COMPLETE, 0.2)[0], Anew)
        tile.served(True, 0.3)
        tile.receive(Data(1, 0, (8, 9, 10)).encode(), 0.4)
        self.assertEqual([Completed()], tile.receive(COMPLETE, 0.5))
        self.assertEqual(([7, 8, 9, 10], 0, 1), (list(tile.steps), tile.missing, tile.repeated))
        self.assertEqual([], tile.receive(COMPLETE, 0.6))

    def test_failed(self) -> None:
        """Silence, garbage, and points of another tile: the element has failed."""
        tile = WantedTile(replace(SMALL, width=2, height=2), silence=5.0)
        for data in (b"garbage", Data(0, 2, (1,)).encode(), Data(2, 0, (1,)).encode(), Data(0, 0, (1,) * 5).encode()):
            tile.served(True, 0.0)
            self.assertIsInstance(tile.receive(data, 0.1)[0], Elsewhere)
        tile.served(True, 10.0)
        self.assertEqual([], tile.tick(14.0))
        self.assertEqual([Elsewhere("it has said nothing for 5 s")], tile.tick(tile.next_deadline() or 0.0))
        self.assertEqual([], tile.tick(30.0))


class Busy:
    """A reactor on which a turn takes 0.3 s."""

    def __init__(self, inner: Any) -> None:
        self.seconds = inner.seconds
        self._inner = inner

    def callLater(self, delay: float, *call: Any) -> Any:
        return self._inner.callLater(max(0.3, delay), *call)


class PoolTests(SynchronousTestCase):
    """Elements and a user in memory."""

    def setUp(self) -> None:
        self.scope = Scope()
        self.addCleanup(self.scope.stop)
        self.user = self.scope.user()
        self.factories: dict[str, FractalFactory] = {}

    def serve(self, count: int, protocol: str) -> None:
        def setup(element: ElementProcess) -> None:
            factory = self.factories[element.name] = FractalFactory(Busy(element.reactor), Painter(cookie_messages=2))
            element.serve("pool", factory, protocol=protocol)

        for _ in range(count):
            self.scope.element(setup=setup)
        self.scope.settle()

    def outlives(self, protocol: str) -> None:
        """An element dies each few points: each point comes, and few come twice."""
        self.serve(3, protocol)
        moves: list[Any] = []
        painting = Painting(self.user.service, "pool", SMALL, failed_over=lambda *both: moves.append(both))
        self.addCleanup(painting.close)
        for rest in (2000, 1400, 700):
            self.scope.until(lambda rest=rest: painting.session.element and painting.tile.missing < rest)  # type: ignore[misc]
            element: Any = painting.session.element
            victim = self.by(element.identifier)
            self.scope.kill(victim)
            self.scope.advance(0.1)
            victim.start()
        self.scope.result(painting.done)
        self.assertEqual(0, painting.tile.missing)
        self.assertGreaterEqual(len(moves), 2)
        self.assertLessEqual(painting.tile.repeated, len(moves) * 2 * MOST_POINTS)
        whole = Painter()
        whole.receive("", SMALL.encode(), 0.0)
        said = [Data.decode(each.data) for each in played(whole) if isinstance(each, Say)]
        steps = [step for points in said if points is not None for step in points.steps]
        self.assertEqual(steps, list(painting.tile.steps))

    def by(self, identifier: int) -> ElementProcess:
        return next(each for each in self.scope.elements if each.alive and each.identifier("pool") == identifier)

    def test_sctp(self) -> None:
        """Over SCTP, as rsplib's."""
        self.outlives("sctp")

    def test_tcp(self) -> None:
        """Over TCP."""
        self.outlives("tcp")

    def test_closed(self) -> None:
        """A session that is over ends the tile."""
        self.serve(1, "sctp")
        painting = Painting(self.user.service, "pool", replace(SMALL, limit=10**6))
        painting.session.close()
        self.failureResultOf(painting.done, SessionEnded)

    def test_anew(self) -> None:
        """A tile of which points are missing is begun anew, by a new session."""
        self.serve(1, "sctp")
        painting = Painting(self.user.service, "pool", SMALL)
        first = painting.session
        painting.tile.served(True, 0.0)
        painting._received(COMPLETE)
        self.assertIsNot(first, painting.session)
        self.scope.result(painting.done)
        self.assertEqual((0, 0), (painting.tile.missing, painting.tile.repeated))
