"""What a server hunt does not let others do: dial without a pause, and hints without end (RFC 5352 section 3.6)."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import SctpTransport
from rserpool.core.profiles import RFC
from rserpool.core.wire import asap
from rserpool.core.wire.parameters import DATA_PLUS_CONTROL
from tests.core.test_server_hunt import Hunting, numbers, registrar


class NoSuccessTests(SynchronousTestCase):
    """A registrar that accepts and hangs up is none: a pause ends with its first good answer."""

    def dials(self, hunting: Hunting, seconds: float, good: bool = False) -> int:
        """How often it was dialled while it always accepts, gives a good answer or none, and hangs up."""
        hunting.dialled.clear()
        end = hunting.now + seconds
        while hunting.now < end:
            if hunting.dialling:
                hunting.up(1)
                if good:
                    hunting.hunt.answered()
                hunting.do(hunting.hunt.association_lost(registrar(1), hunting.now))
            hunting.pass_time(0.0005)
        return len(hunting.dialled)

    def test_accepts_and_hangs_up(self) -> None:
        """It is dialled again after pauses, each twice as long as the one before, up to 2 s."""
        hunting = Hunting(1)
        hunting.start()
        self.assertLess(self.dials(hunting, 10), 14)
        self.assertLess(self.dials(hunting, 10), 7)

    def test_answers_and_hangs_up(self) -> None:
        """Who answers and hangs up each time is dialled a bounded number of times, too."""
        hunting = Hunting(1)
        hunting.start()
        self.assertLess(self.dials(hunting, 5, good=True), 110)

    def test_good_answer(self) -> None:
        """After a good answer, a home that is lost is dialled again at once."""
        hunting = Hunting(1)
        hunting.start()
        self.dials(hunting, 10)
        while not hunting.dialling:
            hunting.pass_time(0.01)
        hunting.up(1)
        hunting.hunt.answered()
        hunting.pass_time(1)
        hunting.do(hunting.hunt.association_lost(registrar(1), hunting.now))
        self.assertEqual(numbers(hunting.dialling), [1])

    def test_others(self) -> None:
        """Nobody else waits for its pause."""
        hunting = Hunting(1)
        hunting.start()
        self.dials(hunting, 10)
        hunting.pass_time(0.0005)
        hunting.dialling.clear()
        hunting.announced(asap.ServerAnnounce(1), "10.0.0.9")
        self.assertEqual(numbers(hunting.dialling), [9])


class FloodTests(SynchronousTestCase):
    """Strangers announce what they like: that is bounded, and hides nobody."""

    def test_one_message(self) -> None:
        """One message with hundreds of transports."""
        hunting = Hunting(1)
        transports = tuple(SctpTransport(1 + n, DATA_PLUS_CONTROL, ("10.0.9.9",)) for n in range(400))
        for number in range(16):
            hunting.announced(asap.ServerAnnounce(number, transports), "10.0.9.9")
        self.assertLess(len(hunting.hunt.known), 10)

    def test_one_machine(self) -> None:
        """One machine with thousands of addresses loses its own: others are known on."""
        hunting = Hunting(1)
        hunting.announced(asap.ServerAnnounce(1), "10.0.0.9")
        for number in range(5000):
            transport = SctpTransport(1 + number, DATA_PLUS_CONTROL, ("10.0.9.9",))
            hunting.announced(asap.ServerAnnounce(number, (transport,)), "10.0.9.9")
        self.assertIn(registrar(9), hunting.hunt.known)
        self.assertLess(len(hunting.hunt.known), 12)

    def test_many_machines(self) -> None:
        """Many machines: a bounded number is known, who is configured first, and who speaks again is known again."""
        hunting = Hunting(1)
        for number in range(5000):
            hunting.announced(asap.ServerAnnounce(1), f"10.1.{number // 250}.{number % 250}")
        hunting.announced(asap.ServerAnnounce(1), "10.0.0.9")
        known = hunting.hunt.known
        self.assertLess(len(known), 40)
        self.assertEqual(known[0], registrar(1))
        self.assertIn(registrar(9), known)
        hunting.pass_time(RFC.t7_enrp_outdate)
        self.assertEqual(hunting.hunt.known, [registrar(1)])
