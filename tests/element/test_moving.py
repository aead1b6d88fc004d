"""An element's own address changes: it registers at the new one, over a new association."""

from __future__ import annotations

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SkipTest, SynchronousTestCase, TestCase

from rserpool.core import PolicyParameter, SctpUnavailable, TcpTransport, TransportAddress
from rserpool.core.profiles import FAST
from rserpool.element import PoolElementService
from rserpool.element.attending import Attending, Wanted
from rserpool.registrar import RegistrarService
from rserpool.user import PoolChanged, PoolUserService

OLD, NEW, THERE = "127.0.93.1", "127.0.93.2", "127.0.93.9"


class MovingTests(TestCase):
    """Over SCTP over UDP, between addresses of this host."""

    timeout = 20

    async def test_registered_again(self) -> None:
        """Its sockets, its association and what is registered are at the new address."""
        registrar = RegistrarService(
            reactor, asap=TransportAddress((THERE,), 3863), tcp=False, profile=FAST, backend="usrsctp"
        )
        try:
            registrar.startService()
        except SctpUnavailable as error:
            raise SkipTest(str(error)) from None
        self.addCleanup(registrar.stopService)
        where = [TransportAddress((THERE,), 3863, registrar.encapsulation_port)]
        element = PoolElementService(
            reactor, registrars=where, hosts=(OLD,), profile=FAST, backend="usrsctp", checked=False
        )
        element.startService()
        self.addCleanup(element.stopService)
        await element.serve("pool", TcpTransport(80, OLD), identifier=7)
        user = PoolUserService(reactor, where, transport="sctp", profile=FAST, backend="usrsctp")
        user.startService()
        self.addCleanup(user.stopService)
        seen: dict[str, Deferred[None]] = {OLD: Deferred(), NEW: Deferred()}

        def changed(change: PoolChanged) -> None:
            for each in change.elements or ():
                waiting = seen[each.user_transport.addresses[0]]
                if not waiting.called:
                    waiting.callback(None)

        user.subscribe("pool", changed)
        await seen[OLD]
        # What the system would tell (rserpool.node.towards).
        element._moving.changed((NEW,))
        await seen[NEW]
        assert element.node.asap.sctp is not None
        self.assertEqual((NEW,), element.node.asap.sctp.hosts)


class WantedTests(SynchronousTestCase):
    """What is in no pool just now, since nobody listens there."""

    def test_moved(self) -> None:
        """When it comes back it is at the new address, too."""
        attending = Attending(Clock(), lambda handle: None, lambda handle: None, lambda handle: None)
        wanted = Wanted(TcpTransport(80, OLD), PolicyParameter(1), None, None, 0)
        attending.add(b"pool", wanted, checked=False)
        attending.moved((OLD,), (NEW,))
        self.assertEqual(TcpTransport(80, NEW), wanted.transport)
