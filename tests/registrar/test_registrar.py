"""The registrar as a service, with real elements and users: faults of others do not hold it up."""

from __future__ import annotations

from typing import Any

from twisted.internet.error import CannotListenError
from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import TransportAddress
from rserpool.core.profiles import RFC
from rserpool.core.registrar import Limits
from rserpool.core.wire import asap
from rserpool.node.strangers import MOST
from rserpool.registrar import RegistrarService
from rserpool.sctp.base import PPID_ASAP, SctpHandler
from tests.node.scene import Scene, Seen


class Talker(SctpHandler):
    """Speaks by hand."""

    def __init__(self) -> None:
        self.messages: list[Any] = []
        self.up = 0
        self.lost = 0

    def associationUp(self, association: Any) -> None:
        self.up += 1

    def messageReceived(self, association: Any, data: bytes, ppid: int, stream: int, unordered: bool) -> None:
        self.messages.append(asap.decode(data).message)

    def associationLost(self, association: Any, reason: Any) -> None:
        self.lost += 1


class RegistrarTests(SynchronousTestCase):
    """One registrar."""

    def setUp(self) -> None:
        self.scene = Scene(self)

    def member(self, registrar: RegistrarService, identifier: int) -> Any:
        """An element in the pool."""
        element = self.scene.element(registrar)
        self.scene.result(element.serve("pool", self.scene.transport(element), identifier=identifier))
        return element

    def talk(self, registrar: RegistrarService) -> tuple[Talker, Any]:
        """An association by hand."""
        _, stack = self.scene._stack()
        talker = Talker()
        association = stack.open(0, talker).connect(self.scene.address(registrar))
        self.scene.until(lambda: talker.up)
        return talker, association

    def test_stop_beside_a_silent_peer(self) -> None:
        """With the timers of the RFC a silent peer would hold its end up for minutes."""
        registrar = self.scene.registrar(profile=RFC)
        self.scene.network.detection = 300.0
        element = self.member(registrar, 1)
        self.scene.network.silence(self.scene.stacks[element])
        stopped = registrar.stopService()
        self.assertLess(self.scene.until(lambda: stopped.called), 3.0)

    def test_element_stops_beside_a_silent_registrar(self) -> None:
        """Twice T3 for the answer, and a second for the associations."""
        registrar = self.scene.registrar()
        self.scene.network.detection = 300.0
        element = self.member(registrar, 1)
        self.scene.network.silence(self.scene.stacks[registrar])
        stopped = element.stopService()
        self.assertLess(self.scene.until(lambda: stopped.called), 6.0)

    def test_silent_element(self) -> None:
        """A host falls silent: its element is gone within 2 s, and back when the host is."""
        registrar = self.scene.registrar()
        first, _ = self.member(registrar, 1), self.member(registrar, 2)
        seen = Seen(self.scene.user(registrar))
        self.scene.until(lambda: seen.history == [(1, 2)])
        self.scene.network.silence(self.scene.stacks[first])
        self.assertLess(self.scene.until(lambda: seen.history[-1] == (2,)), 2.0)
        self.scene.network.unsilence(self.scene.stacks[first])
        self.assertLess(self.scene.until(lambda: seen.history[-1] == (1, 2)), 3.0)

    def test_crashed_element(self) -> None:
        """A process dies on a living host: gone at once."""
        registrar = self.scene.registrar()
        first = self.member(registrar, 1)
        seen = Seen(self.scene.user(registrar))
        self.scene.until(lambda: seen.history == [(1,)])
        self.scene.crash(first)
        self.assertLess(self.scene.until(lambda: seen.history[-1] is None), 0.3)

    def test_garbage(self) -> None:
        """Messages that are not ASAP: errors where they are due, and the end of the association when it goes on."""
        registrar = self.scene.registrar()
        talker, association = self.talk(registrar)
        association.send(b"\x01\x00\x00\x04", PPID_ASAP)
        association.send(b"nonsense", PPID_ASAP)
        association.send(b"anything", 0)
        self.scene.pass_time(0.1)
        self.assertEqual({asap.Error}, {type(message) for message in talker.messages})
        association.send(asap.encode(asap.HandleResolution(b"pool")), PPID_ASAP)
        self.scene.until(lambda: isinstance(talker.messages[-1], asap.HandleResolutionResponse))
        self.assertEqual(0, talker.lost)
        for _ in range(MOST):
            association.send(b"garbage!", PPID_ASAP)
        self.scene.until(lambda: talker.lost)
        self.assertEqual(1, self.scene.result(self.member(registrar, 1).leave("pool")) or 1)

    def test_limits(self) -> None:
        """A peer that asks too much hears so; it is served again a little later, others at any time."""
        registrar = self.scene.registrar(limits=Limits(requests_per_second=5))
        talker, association = self.talk(registrar)
        for _ in range(20):
            association.send(asap.encode(asap.HandleResolution(b"pool")), PPID_ASAP)
        self.scene.until(lambda: len(talker.messages) == 20)
        causes = [message.causes[0].code for message in talker.messages]
        self.assertEqual([0x9] * 5 + [0x6] * 15, causes)
        self.member(registrar, 1)
        self.scene.pass_time(1.0)
        association.send(asap.encode(asap.HandleResolution(b"pool")), PPID_ASAP)
        self.scene.until(lambda: len(talker.messages) == 21)
        self.assertEqual(1, len(talker.messages[-1].elements))

    def test_taken(self) -> None:
        """A port that is taken: it says so, and leaves nothing behind."""
        first = self.scene.registrar()
        (host,) = self.scene.stacks[first].hosts
        second = RegistrarService(
            self.scene.clock, asap=TransportAddress((host,), 3863), tcp=False, stack=self.scene.stacks[first]
        )
        with self.assertRaises(CannotListenError):
            second.startService()
        self.assertFalse(second.running)
        self.member(first, 1)
