"""C{rserpool status} in a scope in memory: whom it asks."""

from __future__ import annotations

from io import StringIO
from typing import Any

from twisted.internet.defer import ensureDeferred
from twisted.trial.unittest import SynchronousTestCase

from rserpool.cli import status
from rserpool.cli.parser import make_parser
from rserpool.node import neighbours
from rserpool.testing import Scope


class StatusTests(SynchronousTestCase):
    """Two registrars."""

    def setUp(self) -> None:
        self.scope = Scope(2)
        self.addCleanup(self.scope.stop)
        self.scope.settle()
        self.process = self.scope.user()
        self.patch(neighbours, "local_host_towards", lambda host: self.process.host)
        self.patch(status, "local_hosts_towards", lambda addresses: (self.process.host,))

    def asks(self, *words: str) -> str:
        options = make_parser("status").parse_args(["status", *words])
        out = StringIO()
        running: Any = ensureDeferred(status.run(self.process.reactor, options, out, self.process.stack))
        self.assertEqual(0, self.scope.result(running))
        return out.getvalue()

    def test_named(self) -> None:
        """As with other commands, or by its place alone; who names its port for ASAP means the registrar."""
        plain = self.asks("10.0.0.1:9901")
        self.assertRegex(plain, r"0x[0-9a-f]{8} +10\.0\.0\.1:9901\S* +ready")
        for words in (("10.0.0.1",), ("10.0.0.1:9901",), ("10.0.0.1:3863",)):
            self.assertEqual(plain, self.asks("--registrar", *words))
        both = self.asks("--registrar", "10.0.0.1", "--registrar", "10.0.0.2")
        self.assertEqual(both, self.asks("10.0.0.1", "--registrar", "10.0.0.2"))
        self.assertIn(" 10.0.0.2:9901", both)
