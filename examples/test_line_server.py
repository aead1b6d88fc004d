"""A test of a service of one's own in a pool, in memory: no process, no port, no waiting, the same each time.

    $ python examples/test_line_server.py
    ..
    ----------------------------------------------------------------------
    Ran 2 tests in ...s
    <BLANKLINE>
    OK

What is tested is the service of line_server.py, on machines that rserpool.testing plays: docs/testing.md. Trial, too,
runs it, in this directory: python -m twisted.trial test_line_server
"""

from __future__ import annotations

import stage  # noqa: F401

import unittest

from line_server import Shout, ask
from twisted.internet.defer import ensureDeferred
from twisted.internet.protocol import Factory
from twisted.trial import unittest as trial

from rserpool.testing import Scope


class LineServerTests(trial.SynchronousTestCase):
    """Two registrars, two servers, one user: each on a host of its own."""

    def setUp(self) -> None:
        self.scope = Scope(registrars=2)
        self.addCleanup(self.scope.stop)
        self.servers = [self.scope.element("lines", Factory.forProtocol(Shout)) for _ in range(2)]
        self.endpoint = self.scope.user().endpoint("lines")
        self.scope.settle()

    def answer(self, line: str) -> str:
        """What the pool answers."""
        return self.scope.result(ensureDeferred(ask(self.endpoint, line)))

    def test_answers(self) -> None:
        """A line comes back in capital letters."""
        self.assertEqual("HELLO, says nobody", self.answer("hello"))

    def test_killed(self) -> None:
        """One server and one registrar are killed at once; there is an answer all the same."""
        self.scope.kill(self.servers[0], self.scope.registrars[0])
        self.assertEqual("HELLO, says nobody", self.answer("hello"))


if __name__ == "__main__":
    unittest.main()
