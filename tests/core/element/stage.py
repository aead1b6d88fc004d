"""A pool element on a stage: two registrars, associations by name, time by hand."""

from __future__ import annotations

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import (
    Notify,
    PolicyParameter,
    Send,
    TcpTransport,
    TransportAddress,
)
from rserpool.core.element import PoolElement
from rserpool.core.profiles import DEFAULT
from rserpool.core.wire import asap
from tests.core.stage import Stage

POOL = b"www"
FIRST, SECOND = (TransportAddress(("10.0.0.1",), 3863, udp) for udp in (9899, 9898))
WEB = TcpTransport(80, "10.0.0.7")
ROUND_ROBIN = PolicyParameter(1)


class ElementTestCase(Stage, SynchronousTestCase):
    """One element, two registrars, effects by hand."""

    def setUp(self):
        self.role = self.element = PoolElement([FIRST, SECOND], profile=DEFAULT, random=Random(7))

    def serve(self, **options):
        return self.element.serve(POOL, WEB, ROUND_ROBIN, self.now, **options)

    def at_home(self, association="home", peer=FIRST):
        return self.element.association_up(association, peer, self.now, True)

    def registered(self):
        self.serve(identifier=7)
        self.at_home()
        return self.element.receive("home", asap.RegistrationResponse(POOL, 7), self.now)

    @staticmethod
    def sent(effects, association="home"):
        return [e.message for e in effects if isinstance(e, Send) and e.association == association]

    @staticmethod
    def events(effects):
        return [e.event for e in effects if isinstance(e, Notify)]
