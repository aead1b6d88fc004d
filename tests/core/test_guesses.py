"""Registrars that nobody named are looked for at several UDP ports of this host: the first of them that answers counts,
in their order (RFC 5352 section 3.6)."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import Close, Connect, Effect, StopConnecting, TransportAddress, UnknownPool
from rserpool.core.addresses import REGISTRAR_ENCAPSULATION_PORTS
from rserpool.core.deadlines import Deadlines, Timers
from rserpool.core.profiles import DEFAULT
from rserpool.core.server_hunt import GUESS, ServerHunt
from rserpool.registrar import RegistrarService
from rserpool.testing import Scope
from rserpool.user import PoolUserService
from tests.node.talker import Talker

GUESSES = [TransportAddress(("127.0.0.1",), 3863, udp) for udp in REGISTRAR_ENCAPSULATION_PORTS]
REAL, ROGUE, *_ = GUESSES


class GuessTests(SynchronousTestCase):
    """A hunt by hand; associations are named by UDP ports."""

    def setUp(self) -> None:
        self.now = 0.0
        self.timers: Timers = Deadlines()
        self.hunt = ServerHunt(GUESSES, DEFAULT, self.timers)
        self.assertEqual(self.hunt.hunt(self.now), [Connect(each) for each in GUESSES[:3]])

    def up(self, peer: TransportAddress) -> list[Effect]:
        return self.hunt.association_up(peer.encapsulation, peer, self.now)

    def due(self) -> list[Effect]:
        """The next timers."""
        self.now = self.timers.next() or self.now
        return [effect for key in self.timers.due(self.now) for effect in self.hunt.due(key, self.now)]

    def test_the_real_one_answers(self) -> None:
        """Who answers at 9898 first is not believed: 9899 does, too, and the other one is left."""
        self.assertEqual(self.up(ROGUE), [])
        self.assertIsNone(self.hunt.home)
        effects = self.up(REAL)
        self.assertEqual(self.hunt.home, 9899)
        self.assertIn(Close(9898), effects)

    def test_nobody_at_the_first(self) -> None:
        """Where nobody has 9899, 9898 is the home at once."""
        self.assertEqual(self.up(ROGUE), [])
        self.assertEqual(self.hunt.connect_failed(REAL, self.now), [Connect(ROGUE)])
        self.up(ROGUE)
        self.assertEqual((self.hunt.home, self.hunt.address), (9898, ROGUE))

    def test_silence_at_the_first(self) -> None:
        """Where 9899 says nothing, 9898 waits for 0.3 s."""
        self.up(ROGUE)
        self.assertEqual(self.due(), [StopConnecting(REAL), Connect(ROGUE)])
        self.assertEqual(self.now, GUESS)
        self.up(ROGUE)
        self.assertEqual(self.hunt.home, 9898)

    def test_the_better_of_two(self) -> None:
        """Of several that wait the first of the list is taken."""
        third = GUESSES[2]
        self.up(third)
        self.up(ROGUE)
        self.assertEqual(self.hunt.connect_failed(REAL, self.now), [Connect(ROGUE)])
        self.assertEqual(self.up(ROGUE), [Close(third.encapsulation)])

    def test_the_hunt_is_over_meanwhile(self) -> None:
        """Who waits is left, if nobody wants a registrar any more."""
        self.up(ROGUE)
        self.assertIn(Close(9898), self.hunt.stop())
        self.assertIsNone(self.timers.next())

    def test_who_just_failed(self) -> None:
        """The one that was just lost is not waited for."""
        self.up(REAL)
        self.hunt.association_lost(9899, self.now)
        self.up(ROGUE)
        self.assertEqual(self.hunt.home, 9898)

    def test_t5(self) -> None:
        """A new set is not tried while one waits."""
        self.up(ROGUE)
        effects = self.hunt.due(("hunt", "T5"), self.now)
        self.assertIn(Connect(ROGUE), effects)
        self.assertNotIn(Connect(GUESSES[3]), effects)

    def test_registrars_that_are_named(self) -> None:
        """Several hosts are no guesses: the first that answers is the home (SH3)."""
        named = [TransportAddress((f"10.0.0.{n}",), 3863) for n in (1, 2)]
        hunt = ServerHunt(named, DEFAULT, Deadlines())
        hunt.hunt(0.0)
        hunt.association_up("second", named[1], 0.0)
        self.assertEqual(hunt.home, "second")


class ScopeTests(SynchronousTestCase):
    """Two registrars on one host, as elements and users find them that nobody has told anything."""

    def test_all_at_the_first(self) -> None:
        """Twenty users: none has the second one as its home, whoever answers faster."""
        scope = Scope()
        self.addCleanup(scope.stop)
        scope.settle()
        host = scope.registrars[0].host
        scope.registrars[0].stop()
        scope.advance(2.0)
        real = RegistrarService(
            scope.clock,
            asap=REAL,
            stack=scope.network.stack("127.0.0.1", host, encapsulation=9899),
            tcp=False,
            tame_garbage=False,
        )
        real.startService()
        self.addCleanup(real.stopService)
        rogue = Talker()
        scope.network.stack("127.0.0.1", host, encapsulation=9898).open(3863, rogue, listening=True)
        users = []
        for _ in range(20):
            stack = scope.network.stack("127.0.0.1", host)
            users.append(PoolUserService(scope.clock, registrars=GUESSES, stack=stack))
            users[-1].startService()
            self.addCleanup(users[-1].stopService)
        for user in users:
            self.assertRaises(UnknownPool, scope.result, user.resolve("pool"))
        self.assertEqual({user.home for user in users}, {REAL})
        self.assertEqual(rogue.data, [])
