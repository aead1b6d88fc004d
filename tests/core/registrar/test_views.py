"""Pools some of whose elements not everybody can use: who is chosen, and what that costs (RFC 5352 section 3.3)."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import PolicyParameter, PoolElementParameter, SctpTransport, TransportAddress
from rserpool.core.handlespace.view import AT_ONCE
from rserpool.core.policies import parse
from rserpool.core.wire import asap
from tests.core.registrar.stage import RegistrarStage
from tests.core.stage import element
from tests.work import calls

POOL = b"pool"
LUD = "least-used-degradation:load=0.{load},degradation=0.1"


class ViewTests(SynchronousTestCase):
    """A user elsewhere; elements 1 to 9 are elsewhere, those from 10 on at loopback alone."""

    def setUp(self) -> None:
        self.stage = RegistrarStage()
        self.stage.up("far", host="10.0.0.1")
        self.stage.up("near", host="127.0.0.1")
        self.stage.up("user", host="10.0.0.9")
        self.stage.up("local", host="127.0.0.9")

    def register(self, identifier: int, policy: str = "round-robin") -> None:
        far = identifier < 10
        parameter = element(identifier, policy, host="10.0.0.1" if far else "127.0.0.1")
        [answer] = self.stage.register("far" if far else "near", POOL, parameter)
        self.assertFalse(answer.rejected)

    def ask(self, times: int, items: int = 1, who: str = "user") -> list[Any]:
        answers = [self.stage.resolve(who, POOL, items=items) for _ in range(times)]
        return [answer.elements[0].identifier for answer in answers]

    def test_least_used_with_degradation(self) -> None:
        """Who is given a request counts it, and nobody else does."""
        for identifier in (1, 2, 10, 11):
            self.register(identifier, LUD.format(load=1))
        self.assertEqual(self.ask(4), [1, 2, 1, 2])
        self.assertEqual(self.ask(6, items=3), [1, 2] * 3)
        self.assertEqual(self.ask(4, who="local"), [1, 2, 10, 11])

    def test_round_robin(self) -> None:
        """Those that cannot be used are no turn of anybody's."""
        for identifier in (1, 10, 11, 2, 12, 3):
            self.register(identifier)
        self.assertEqual(self.ask(6), [1, 2, 3, 1, 2, 3])
        self.assertEqual(self.ask(6, who="local"), [1, 10, 11, 2, 12, 3])

    def test_what_changes(self) -> None:
        """Who comes, registers anew and goes does so for everybody, also while not all were looked at yet."""
        for identifier in (1, 2, 10):
            self.register(identifier, LUD.format(load=5))
        self.assertEqual(self.ask(2), [1, 2])
        self.register(3, LUD.format(load=1))
        self.assertEqual(self.ask(1), [3])
        self.register(2, LUD.format(load=0))
        self.assertEqual(self.ask(1), [2])
        self.stage.tell("far", asap.Deregistration(POOL, 2))
        self.stage.tell("far", asap.Deregistration(POOL, 3))
        self.assertEqual(self.ask(2), [1, 1])
        self.stage.tell("far", asap.Deregistration(POOL, 1))
        self.assertEqual(self.stage.resolve("user", POOL).elements, ())
        self.register(4, LUD.format(load=9))
        self.assertEqual(self.ask(1), [4])

    def test_some_of_its_addresses(self) -> None:
        """Of an element with several a user is told those that it can use; the first answer and all others."""
        hosts = ("10.0.0.1", "127.0.0.1")
        self.stage.note(
            self.stage.registrar.association_up("both", TransportAddress(hosts, 5000, 40000), self.stage.now)
        )
        policy = parse("round-robin")
        both = PoolElementParameter(
            1, 0, 60, SctpTransport(80, 0, hosts), PolicyParameter(policy.policy.number, policy.data)
        )
        self.stage.register("both", POOL, both)
        for who, told in (("user", hosts[:1]), ("user", hosts[:1]), ("local", hosts)):
            [found] = self.stage.resolve(who, POOL).elements
            self.assertEqual(found.user_transport.addresses, told)

    def test_what_it_costs(self) -> None:
        """A resolution in a pool of 2,000 elements, half of which cannot be used, is as cheap as in any other."""
        for number in range(2_000):
            far = number % 2
            host = "10.0.0.1" if far else "127.0.0.1"
            parameter = element(number + 1, LUD.format(load=1), host=host)
            self.stage.register("far" if far else "near", POOL, parameter)
            if far:
                self.stage.register("far", b"plain", parameter)

        def work(handle: bytes) -> int:
            message = asap.HandleResolution(handle, items=1)
            return calls(lambda: self.stage.registrar.receive("user", message, self.stage.now))

        plain = work(b"plain")
        self.assertLess(work(POOL), 200 * plain)
        for _ in range(2_000 // AT_ONCE + 1):
            work(POOL)
        self.assertLess(work(POOL), 1.5 * plain)
        self.assertEqual(len(set(self.ask(1_000))), 1_000)
