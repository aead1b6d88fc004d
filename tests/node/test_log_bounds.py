"""Nobody fills the log of a registrar, or writes there what a terminal would obey (RFC 5352 section 9.1, threat 8)."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import PolicyParameter, PoolElementParameter, TcpTransport
from rserpool.core.addresses import ENRP_PORT, TransportAddress
from rserpool.core.errors import CauseCode
from rserpool.core.wire import asap, enrp
from rserpool.core.wire.causes import ErrorCause
from rserpool.sctp.base import PPID_ASAP, PPID_ENRP
from rserpool.sctp.log import MOST
from rserpool.testing import Scope
from tests.loglines import LogLines
from tests.node.talker import Talker, talk


class LogBoundsTests(SynchronousTestCase):
    """A registrar, and a stranger who has something to say."""

    def setUp(self) -> None:
        self.scope = Scope()
        self.addCleanup(self.scope.stop)
        self.scope.settle()
        self.registrar = self.scope.registrars[0]
        self.log = LogLines(self)

    def send(self, association: Any, data: bytes, times: int, ppid: int = PPID_ASAP) -> None:
        """The same again and again."""
        for _ in range(times):
            association.send(data, ppid)
        self.scope.advance(1.0)

    def test_errors(self) -> None:
        """20 lines for 5,000 errors of one second, of 200 bytes at most however many causes there are; how many more
        came is told a minute later."""
        _, association = talk(self.scope, self.registrar.address)
        error = asap.encode(asap.Error((ErrorCause(CauseCode.UNSPECIFIED),) * 100))
        self.send(association, error, 5000)
        self.assertEqual(len(self.log.lines), MOST)
        self.assertLess(self.log.size, 200 * MOST)
        self.scope.advance(60.0)
        self.send(association, error, 1)
        self.assertIn("4980 more lines", self.log.lines[MOST])

    def test_long_handles(self) -> None:
        """A pool handle of 1,000 bytes is shown with 100 characters."""
        _, association = talk(self.scope, self.registrar.address)
        transport = TcpTransport(80, "10.9.9.9")
        for number in range(50):
            parameter = PoolElementParameter(7, 0, 60, transport, PolicyParameter(1))
            self.send(association, asap.encode(asap.Registration(bytes([number]) * 1000, parameter)), 1)
        registered = [line for line in self.log.lines if "registered" in line]
        self.assertTrue(registered)
        self.assertLess(max(map(len, registered)), 200)

    def test_errors_of_registrars(self) -> None:
        """The same over ENRP."""
        talker = Talker()
        address = TransportAddress((self.registrar.host,), ENRP_PORT)
        association = self.scope.network.stack("10.9.9.9").open(0, talker).connect(address)
        self.scope.until(lambda: talker.up)
        association.send(enrp.encode(enrp.Presence(7, 0, None, None, False)), PPID_ENRP)
        self.scope.advance(0.1)
        self.log.lines.clear()
        causes = (ErrorCause(CauseCode.UNSPECIFIED),) * 100
        self.send(association, enrp.encode(enrp.Error(7, 0, causes)), 2000, PPID_ENRP)
        self.assertLessEqual(len(self.log.lines), MOST)

    def test_garbage_of_many(self) -> None:
        """Who sends garbage and comes again: 1,000 times, each time on an association of its own."""
        stack = self.scope.network.stack("10.9.9.9")
        for _ in range(1000):
            association = stack.open(0, Talker()).connect(self.registrar.address)
            association.send(b"garbage!", PPID_ASAP)
        self.scope.advance(1.0)
        self.assertLessEqual(len(self.log.lines), MOST)

    def test_announcements(self) -> None:
        """Of one byte, from as many machines as one likes."""
        channel = self.registrar.node.asap
        for number in range(5000):
            channel.announced(b"!", f"10.7.{number >> 8}.{number & 255}")
        self.assertLessEqual(len(self.log.lines), MOST + 1)
        self.assertEqual(sum("more announcements come" in line for line in self.log.lines), 1)

    def test_takeovers(self) -> None:
        """A registrar that comes and goes under a thousand names."""
        stack = self.scope.network.stack("10.9.9.9")
        address = TransportAddress((self.registrar.host,), ENRP_PORT)
        for number in range(1, 300):
            association = stack.open(0, Talker()).connect(address)
            association.send(enrp.encode(enrp.Presence(number, 0, None, None, False)), PPID_ENRP)
        self.scope.advance(30.0)
        self.assertLess(len(self.log.lines), 10 * MOST)
