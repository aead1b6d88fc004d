"""Secured scopes with faults, by seed, over real TLS: everybody who lives is there in the end, and nobody else."""

from __future__ import annotations

from random import Random
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rserpool.testing import Process, Scope

SEEDS = range(12)
FAULTS = 6
POOL = "pool"


class Faulty:
    """One scope, and what happens to it."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.scope = Scope(3, secure=True, seed=seed)
        self.elements = [self.scope.element(POOL) for _ in range(5)]
        self.users = [self.scope.user(), self.scope.user(transport="tcp")]
        for user in self.users:
            user.watch(POOL)
        self.scope.settle()

    def pause(self, seconds: float) -> None:
        self.scope.advance(self.random.uniform(0.0, seconds))

    def one(self) -> Process:
        living = [each for each in [*self.scope.registrars, *self.elements] if each.alive]
        return self.random.choice(living)

    def kill(self) -> None:
        self.one().kill()
        self.pause(4)

    def stop(self) -> None:
        self.one().stop()
        self.pause(4)

    def part(self) -> None:
        everybody = [each for each in [*self.scope.registrars, *self.elements] if each.alive]
        some = self.random.sample(everybody, len(everybody) // 2)
        self.scope.partition(some, [each for each in everybody if each not in some])
        self.pause(12)
        self.scope.heal()

    def freeze(self) -> None:
        frozen = self.one()
        self.scope.freeze(frozen)
        self.pause(10)
        self.scope.thaw(frozen)

    def change_key(self) -> None:
        """A second key, and soon the first one is good no more."""
        security, name = self.scope.security, self.one().name
        own = security.secured[name].current.own
        assert own is not None
        security.renew(name)
        self.pause(1)
        security.revoke(own.name)

    def run(self) -> None:
        """Faults, and some of the dead come back each time; all of them in the end."""
        faults: list[Any] = [self.kill, self.kill, self.stop, self.part, self.freeze, self.change_key]
        for _ in range(FAULTS):
            self.random.choice(faults)()
            self.revive(0.6)
            self.pause(3)
        self.revive(1.0)
        self.scope.settle()

    def revive(self, share: float) -> None:
        everybody = [*self.scope.registrars, *self.elements]
        for each in everybody:
            if not each.alive and (self.random.random() < share or not any(one.alive for one in everybody)):
                each.start()


class SeedTests(SynchronousTestCase):
    def test_seeds(self) -> None:
        """The scope settles; users who watch know what registrars know."""
        for seed in SEEDS:
            faulty = Faulty(seed)
            try:
                faulty.run()
                serving = {each.identifier(POOL) for each in faulty.elements}
                for user in faulty.users:
                    resolved = faulty.scope.result(user.service.resolve(POOL, fresh=True, timeout=60))
                    self.assertEqual(serving, {each.identifier for each in resolved.elements})
            except Exception as error:
                raise AssertionError(f"seed {seed}: {error}") from error
            finally:
                faulty.scope.stop()
