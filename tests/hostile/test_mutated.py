"""A small run of the mutated messages: the same each time (C{python -m tests.hostile.run} sends a million)."""

from __future__ import annotations

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core.wire import asap, enrp
from tests.core.wire.test_captures import MULTICAST, REGISTRARS, messages
from tests.hostile.arena import Arena
from tests.hostile.mutation import Mutator, Target, parse
from tests.hostile.run import memory
from tests.hostile.tls_arena import TlsArena

SEED = 7


class MutatedTests(SynchronousTestCase):
    def test_nobody_is_disturbed(self) -> None:
        """Over every lane, ENRP among them."""
        self.assertIn("3,000 through memory", memory(SEED, 3000, 1000))

    def test_over_asap_not_for_a_moment(self) -> None:
        """Without ENRP: bystanders are where they were all the time."""
        arena = Arena(SEED, lanes=("asap", "rogue", "multicast"))
        self.addCleanup(arena.close)
        arena.attack(1500)
        arena.quiet()
        self.assertGreater(sum(stranger.heard for stranger in arena.asap_strangers), 100)

    def test_tls(self) -> None:
        """A secured scope: before, in and after the handshake; who may speak is heard, and disturbs nobody."""
        arena = TlsArena(SEED)
        self.addCleanup(arena.close)
        arena.attack(800)
        arena.quiet()
        self.assertEqual([True, True], [stranger.heard > 0 for stranger in arena.speaking])
        self.assertGreater(arena.reconnected, 100)

    def test_repeats(self) -> None:
        """The same seed, the same messages."""
        first, second = (Mutator(Random(SEED), Target()) for _ in range(2))
        for codec in (asap, enrp):
            self.assertEqual([first.message(codec) for _ in range(500)], [second.message(codec) for _ in range(500)])

    def test_both_kinds(self) -> None:
        """Some are valid, most are not, and some lie about no length at all."""
        mutator = Mutator(Random(SEED), Target())
        for codec in (asap, enrp):
            valid = 0
            for _ in range(1000):
                try:
                    codec.decode(mutator.message(codec))
                except Exception:  # noqa: BLE001, S112
                    continue
                valid += 1
            self.assertTrue(150 < valid < 850, valid)

    def test_structure(self) -> None:
        """What was captured is taken apart and put together again."""
        parsed = 0
        for path in (REGISTRARS, MULTICAST):
            for protocol, message in messages(path):
                if protocol is asap and message.data[0] in (1, 5):
                    parameters = parse(message.data[4:])
                    assert parameters is not None
                    self.assertEqual(b"".join(each.octets() for each in parameters), message.data[4:])
                    parsed += 1
        self.assertGreater(parsed, 20)
