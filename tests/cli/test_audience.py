"""Who reads what a command prints."""

from __future__ import annotations

import os
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from rserpool.cli.audience import Audience


class AudienceTests(TestCase):
    timeout = 20

    def audience(self, out: Any) -> Deferred[None]:
        """Fires when nobody reads C{out} any more."""
        gone: Deferred[None] = Deferred()
        audience = Audience(reactor, out, lambda: gone.callback(None))
        audience.start()
        self.addCleanup(audience.stop)
        return gone

    async def test_a_pipe(self) -> None:
        """It is told when the other end is closed, though nothing is written."""
        reads, writes = os.pipe()
        with os.fdopen(writes, "w") as out:
            gone = self.audience(out)
            self.assertNoResult(gone)
            os.close(reads)
            await gone

    async def test_a_pipe_that_nobody_ever_read(self) -> None:
        """Its other end was closed before."""
        reads, writes = os.pipe()
        os.close(reads)
        with os.fdopen(writes, "w") as out:
            await self.audience(out)

    def test_a_file(self) -> None:
        """There is nobody to watch; the reactor is not asked to."""
        with open(self.mktemp(), "w") as out:
            self.assertNoResult(self.audience(out))
