"""An operator in a random run: elements drain and serve again, are evicted for a while, registrars retire."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rserpool.core.errors import CannotAct, UnknownPool
from rserpool.testing import RegistrarProcess
from tests.simulation.havoc import Havoc


class Operated(Havoc):
    """A run with an operator, who asks whichever registrar: what that cannot do, it refuses."""

    def _kinds(self) -> tuple[tuple[int, Callable[[], None]], ...]:
        return (*super()._kinds(), (3, self._drain), (1, self._serve_again), (1, self._evict), (1, self._hand_over))

    def _element(self) -> tuple[RegistrarProcess | None, bytes, int]:
        """A registrar, and an element that it knows, most often its own."""
        registrar = self._some(self.cluster.living)
        known = [] if registrar is None else list(registrar.role.handlespace.pools.values())
        elements = [each for pool in known for each in pool.elements.values()]
        if registrar is None or registrar.reactor.stalled or not elements:
            return None, b"", 0
        own = [each for each in elements if each.home == registrar.identifier]
        element = self.dice.choice(own if own and self.dice.random() < 0.8 else elements)
        return registrar, element.handle, element.identifier

    def _drain(self) -> None:
        registrar, handle, identifier = self._element()
        if registrar is not None:
            self.cluster.operated.add((handle, identifier))
            registrar.note(f"is to have 0x{identifier:x} of {handle!r} drain")
            registrar.service.drain(handle, identifier).addErrback(_refused)
            self._for_a_while(self._serve_again)

    def _serve_again(self) -> None:
        """Everybody who drains is to serve, as far as registrars know; any of them is asked."""
        able = [each for each in self.cluster.living if not each.reactor.stalled]
        for home in able:
            for held in home.service.draining:
                asked = home if self.dice.random() < 0.5 else self.dice.choice(able)
                asked.note(f"is to have 0x{held.identifier:x} of {held.handle!r} serve again")
                asked.service.undrain(held.handle, held.identifier).addErrback(_refused)

    def _evict(self) -> None:
        registrar, handle, identifier = self._element()
        if registrar is not None:
            self.cluster.operated.add((handle, identifier))
            seconds = self.dice.randint(1, 4)
            registrar.note(f"is to evict 0x{identifier:x} of {handle!r} for {seconds} s")
            registrar.service.evict(handle, identifier, seconds).addErrback(_refused)

    def _hand_over(self) -> None:
        registrar = self._some(self.cluster.living)
        if registrar is None or registrar.reactor.stalled:
            return
        registrar.note("is to retire")
        service = registrar.service

        def over(number: int) -> None:
            if registrar.alive and registrar.service is service:
                registrar.stop()
                self._for_a_while(self._restart, registrar)

        service.retire().addCallbacks(over, _refused)


def _refused(failure: Any) -> None:
    failure.trap(CannotAct, UnknownPool)
