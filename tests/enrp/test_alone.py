"""A registrar without peers says so to those who want to be peers (RFC 5353 sections 3.2 and 3.4)."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rserpool.enrp.alone import Alone
from rserpool.errors import CauseCode
from rserpool.wire import enrp
from rserpool.wire.parameters import ErrorCause, Policy, PoolElement, SctpTransport, ServerInformation, TcpTransport

OWN, PEER = 1, 2
INFORMATION = ServerInformation(OWN, SctpTransport(9901, 0, ("10.0.0.1",)))


class AloneTests(SynchronousTestCase):
    def setUp(self):
        self.alone = Alone(INFORMATION, lambda: 0xFFFF)

    def test_presents_itself_when_asked(self):
        answer = self.alone.answer(enrp.Presence(PEER, OWN, None, None, reply_required=True))
        self.assertEqual(answer, enrp.Presence(OWN, PEER, 0xFFFF, INFORMATION))
        self.assertIsNone(self.alone.answer(enrp.Presence(PEER, OWN, None, None)))

    def test_rejects_what_it_cannot_give(self):
        answer = self.alone.answer(enrp.ListRequest(PEER, OWN))
        self.assertEqual(answer, enrp.ListResponse(OWN, PEER, rejected=True))
        answer = self.alone.answer(enrp.HandleTableRequest(PEER, OWN))
        self.assertEqual(answer, enrp.HandleTableResponse(OWN, PEER, rejected=True))

    def test_takes_no_updates(self):
        element = PoolElement(7, PEER, 60, TcpTransport(80, "10.0.0.7"), Policy(1))
        answer = self.alone.answer(enrp.HandleUpdate(PEER, 0, enrp.UpdateAction.ADD_PE, b"www", element))
        self.assertEqual(answer, enrp.Error(OWN, PEER, (ErrorCause(CauseCode.LACK_OF_RESOURCES),)))

    def test_leaves_takeovers_alone(self):
        self.assertIsNone(self.alone.answer(enrp.InitTakeover(PEER, OWN, 3)))
