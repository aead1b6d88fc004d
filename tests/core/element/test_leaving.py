"""An element that leaves while registrars refuse to serve."""

from __future__ import annotations

from rserpool.core import CauseCode, Connect
from rserpool.core.wire import asap
from rserpool.core.wire.parameters import ErrorCause
from tests.core.element.stage import POOL, ElementTestCase


class BusyRegistrarsTests(ElementTestCase):
    """RFC 5352 section 3.2, where every registrar answers that it is not ready."""

    def test_each_rests(self):
        """They are asked again and again, less and less often."""
        self.serve(identifier=7)
        effects = self.at_home()
        effects += self.element.receive("home", asap.RegistrationResponse(POOL, 7), self.now)
        effects = self.element.leave(POOL, self.now)
        asked, home, end = 0, "home", self.now + 10
        refusal = asap.DeregistrationResponse(POOL, 7, (ErrorCause(CauseCode.LACK_OF_RESOURCES),))
        while self.now < end:
            while effects:
                if self.sent(effects, home):
                    asked += 1
                    effects = self.element.receive(home, refusal, self.now)
                    continue
                dialled = next((effect.peer for effect in effects if isinstance(effect, Connect)), None)
                effects = []
                if dialled is not None:
                    home = f"home {asked}"
                    effects = self.element.association_up(home, dialled, self.now)
            self.now = max(self.now, self.element.next_deadline() or end)
            effects = self.element.tick(self.now)
        self.assertTrue(5 < asked < 50, asked)
