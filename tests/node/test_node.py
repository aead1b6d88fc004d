"""A Node with a real registrar behind it: whatever is sent to it, it answers or says nothing, and goes on."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import (
    Connect,
    Notify,
    PolicyParameter,
    PoolElementParameter,
    SctpTransport,
    StopConnecting,
    TcpTransport,
    TransportAddress,
    WireError,
)
from rserpool.core.element import PoolElement
from rserpool.core.profiles import DEFAULT
from rserpool.core.wire import asap
from rserpool.core.wire.parameters import ErrorCause
from rserpool.node.node import Node
from rserpool.sctp.base import PPID_ASAP, PPID_ENRP
from rserpool.testing import Scope
from tests.conformance import rfc
from tests.node.talker import Talker, talk

PARAMETER = PoolElementParameter(7, 0, 60, TcpTransport(80, "10.0.0.9"), PolicyParameter(0x1))


def every_message(handle: bytes, extra: int = 0) -> list[Any]:
    """One ASAP message of each type; those that carry something of any length carry so many bytes."""
    return [
        asap.Registration(handle, PARAMETER),
        asap.Deregistration(handle, 7),
        asap.RegistrationResponse(handle, 7, True, (ErrorCause(5, bytes(extra)),)),
        asap.DeregistrationResponse(handle, 7),
        asap.HandleResolution(handle, True, 3),
        asap.HandleResolutionResponse(handle, PolicyParameter(0x1), (PARAMETER,)),
        asap.EndpointKeepAlive(5, handle, True, 7),
        asap.EndpointKeepAliveAck(handle, 7),
        asap.EndpointUnreachable(handle, 7),
        asap.ServerAnnounce(5, (SctpTransport(3863, 1, ("10.0.0.1",)),)),
        asap.Cookie(bytes(extra + 1)),
        asap.CookieEcho(bytes(extra + 1)),
        asap.BusinessCard(handle, (PARAMETER,)),
        asap.Error((ErrorCause(1, bytes(extra)),)),
    ]


class NodeTests(SynchronousTestCase):
    """An exception that the node lets out fails these tests: it is logged."""

    def setUp(self) -> None:
        self.scope = Scope()
        self.addCleanup(self.scope.stop)
        self.talker, self.association = self.talk()

    def talk(self) -> tuple[Talker, Any]:
        return talk(self.scope, self.scope.addresses[0])

    def send(self, data: bytes, ppid: int = PPID_ASAP) -> list[Any]:
        """The answers."""
        before = len(self.talker.answers)
        self.association.send(data, ppid)
        self.scope.advance(0.05)
        return self.talker.answers[before:]

    def alive(self) -> None:
        """It answers somebody else."""
        talker, association = self.talk()
        association.send(asap.encode(asap.HandleResolution(b"nothing")), PPID_ASAP)
        self.scope.until(lambda: talker.answers)
        self.assertEqual(0x9, talker.answers[0].causes[0].code)

    def test_every_message(self) -> None:
        """Each type of message, whether it belongs to a registrar or not."""
        for message in every_message(b"pool"):
            for answer in self.send(asap.encode(message)):
                self.assertIsInstance(
                    answer,
                    asap.RegistrationResponse
                    | asap.DeregistrationResponse
                    | asap.HandleResolutionResponse
                    | asap.Error,
                )
        self.alive()

    def test_largest_messages(self) -> None:
        """Handles and values as long as they can be: an answer never exceeds what a length of 16 bits holds."""
        for length in (1024, 1025, 30000, *range(65440, 65536)):
            for message in every_message(b"h" * length, length):
                try:
                    data = asap.encode(message)
                except ValueError:
                    continue
                self.association.send(data, PPID_ASAP)
            self.scope.advance(0.05)
            if self.talker.lost:
                # It asked for too much that no answer holds.
                self.talker, self.association = self.talk()
        self.assertFalse(self.talker.lost)
        self.assertTrue(all(len(data) <= 65536 for data in self.talker.data))
        self.alive()

    def test_largest_question_is_answered(self) -> None:
        """Who asks for a handle of any length that fits hears that there is no such pool, or that none can be."""
        for length in range(65500, 65536):
            try:
                data = asap.encode(asap.HandleResolution(b"h" * length))
            except ValueError:
                break
            self.assertEqual(1, len(self.send(data)), length)

    def test_mutations(self) -> None:
        """Messages with some bytes changed, cut or doubled."""
        random = Random(5)
        valid = [asap.encode(message) for message in every_message(b"pool", 5)]
        for round_ in range(60):
            talker, association = self.talk()
            for _ in range(50):
                data: bytes | bytearray = bytearray(random.choice(valid))
                for _ in range(random.randrange(4)):
                    at = random.randrange(len(data))
                    data = data[:at] + bytes([random.randrange(256)]) + data[at + 1 :]
                if random.random() < 0.2:
                    data = data[: random.randrange(1, len(data) + 1)]
                elif random.random() < 0.1:
                    data = data + data
                association.send(bytes(data), random.choice((PPID_ASAP, PPID_ASAP, PPID_ASAP, PPID_ENRP)))
            self.scope.advance(0.02)
            for answer in talker.data:
                asap.decode(answer)
            if round_ % 20 == 0:
                self.alive()
        self.scope.advance(60.0)
        self.alive()

    def test_an_error_is_not_answered(self) -> None:
        """Two that do not understand each other's errors would never end."""
        with self.assertRaises(WireError):
            asap.decode(b"\x0e\x00\x00\x05x\0\0\0")
        self.assertEqual([], self.send(b"\x0e\x00\x00\x05x\0\0\0"))
        # Nor is one with a parameter that wants to be reported.
        self.assertEqual([], self.send(b"\x0e\x00\x00\x08\xc1\x11\x00\x04"))
        self.alive()

    def test_unrecognized(self) -> None:
        """A parameter that wants to be reported is, and the message counts; an unknown message is reported."""
        plain = asap.encode(asap.HandleResolution(b"pool"))
        unknown = b"\xc1\x11\x00\x04"
        length = len(plain) + len(unknown)
        data = plain[:2] + length.to_bytes(2, "big") + plain[4:] + unknown
        error, answer = self.send(data)
        self.assertIsInstance(error, asap.Error)
        self.assertEqual((0x1, unknown), (error.causes[0].code, error.causes[0].information))
        self.assertIsInstance(answer, asap.HandleResolutionResponse)
        (error,) = self.send(b"\x77\x00\x00\x04")
        self.assertEqual(0x2, error.causes[0].code)

    @rfc(
        "5352", "3.1", "MUST reply to the requesting PE", "setting the R flag in the ASAP_REGISTRATION_RESPONSE to '1'"
    )
    def test_requests_that_cannot_be_understood(self) -> None:
        """They have their responses, as those have that can be: nobody waits for T1, T2 or T3."""
        registration = asap.encode(asap.Registration(b"pool", PARAMETER))
        (refused,) = self.send(registration.replace(b"\0\x08\0\x08\0\0\0\1", b"\0\x06\0\x08\0\0\0\1"))
        assert isinstance(refused, asap.RegistrationResponse)
        self.assertEqual((b"pool", 7, True, 0x3), (*_of(refused), refused.rejected, refused.causes[0].code))
        (refused,) = self.send(asap.encode(asap.Deregistration(b"pool", 7))[:-2])
        assert isinstance(refused, asap.DeregistrationResponse)
        self.assertEqual((b"pool", 0, 0x3), (*_of(refused), refused.causes[0].code))
        (refused,) = self.send(asap.encode(asap.HandleResolution(b"pool")) * 2)
        assert isinstance(refused, asap.HandleResolutionResponse)
        self.assertEqual((b"pool", 0x3), (refused.handle, refused.causes[0].code))
        # A parameter that wants to be discarded with its message, and reported; one that wants it in silence.
        for kind, answers in ((b"\x41\x11", 1), (b"\x01\x11", 0)):
            data = asap.encode(asap.HandleResolution(b"pool")) + kind + b"\0\4"
            found = self.send(data[:2] + len(data).to_bytes(2, "big") + data[4:])
            self.assertEqual([0x1] * answers, [answer.causes[0].code for answer in found])
        self.alive()


def _of(answer: asap.RegistrationResponse | asap.DeregistrationResponse) -> tuple[bytes, int]:
    return answer.handle, answer.identifier


class DialTests(SynchronousTestCase):
    """How a Node opens associations."""

    class Role:
        """Notes what it is told."""

        def __init__(self) -> None:
            self.told: list[Any] = []

        def association_up(
            self, association: Any, peer: Any, now: float, outbound: bool = False, credentials: Any = None
        ) -> list[Any]:
            self.told.append(("up", peer, outbound))
            return []

        def connect_failed(self, peer: Any, now: float, failure: Any = None) -> list[Any]:
            self.told.append(("failed", peer))
            return []

        def association_lost(self, association: Any, now: float, failure: Any = None) -> list[Any]:
            self.told.append(("lost", association.peer))
            return [Notify("lost")]

        def tick(self, now: float) -> list[Any]:
            return []

        deadline: float | None = None

        def next_deadline(self) -> float | None:
            return self.deadline

    def setUp(self) -> None:
        self.scope = Scope()
        self.addCleanup(self.scope.stop)
        (self.where,) = self.scope.addresses
        self.role = self.Role()
        self.notified: list[Any] = []
        self.node = Node(self.scope.clock, self.role, self.notified.append)  # type: ignore[arg-type]
        self.node.asap.sctp = self.scope.network.stack("10.9.9.9").open(0, self.node.asap)

    def test_up_and_lost(self) -> None:
        """The role hears of it."""
        self.node.perform([Connect(self.where), Connect(self.where)])
        self.scope.advance(1.0)
        self.assertEqual([("up", self.where, True)], self.role.told)
        self.scope.kill(*self.scope.registrars)
        self.scope.until(lambda: self.notified == ["lost"])
        self.assertEqual(("lost", self.where), self.role.told[-1])

    def test_who_has_dialled_us(self) -> None:
        """An element is not dialled back: it registers over the association of the registrar that asks if it lives."""
        registrar, host = Talker(), "10.9.9.2"
        theirs = self.scope.network.stack("10.9.9.1", encapsulation=9899).open(3863, registrar)
        element = PoolElement([TransportAddress(("10.9.9.1",), 3863, 9899)], profile=DEFAULT, random=Random(1))
        node = Node(self.scope.clock, element, lambda event: None)
        ours = node.asap.sctp = self.scope.network.stack(host, encapsulation=9899).open(5000, node.asap)
        theirs.connect(TransportAddress((host,), 5000, 9899))
        self.scope.until(lambda: registrar.up)
        node.perform(element.serve(b"pool", TcpTransport(80, host), PolicyParameter(1), node.now()))
        self.scope.advance(0.1)
        self.assertEqual([asap.Registration], [type(message) for message in registrar.answers])
        self.assertEqual((1, 1), (ours.associations, theirs.associations))

    def test_nobody(self) -> None:
        """Nobody listens, or there is no way: both are failures, which come after the call."""
        nobody = TransportAddress(("10.0.0.1",), 1, 9899)
        over_tcp = TransportAddress(("10.0.0.1",), 3863, protocol="tcp")
        self.node.perform([Connect(nobody), Connect(over_tcp)])
        self.assertEqual([], self.role.told)
        self.scope.advance(3.0)
        self.assertEqual({("failed", nobody), ("failed", over_tcp)}, set(self.role.told))

    def test_by_two_addresses(self) -> None:
        """One endpoint, by the address that was configured and by the one that it told: one attempt, two answers."""
        told = replace(self.where, encapsulation=9899)
        self.node.perform([Connect(self.where), Connect(told)])
        self.scope.advance(1.0)
        self.assertEqual([("up", self.where, True), ("up", told, True)], self.role.told)

    def test_nobody_by_two_addresses(self) -> None:
        """Both hear that it failed, when it did; who gave up hears nothing."""
        self.scope.silence(*self.scope.registrars)
        told, other = (
            replace(self.where, encapsulation=9899),
            replace(self.where, hosts=(*self.where.hosts, "10.7.7.7")),
        )
        self.node.perform([Connect(self.where), Connect(told), Connect(other), StopConnecting(self.where)])
        self.scope.advance(1.0)
        self.assertEqual([], self.role.told)
        self.scope.advance(2.0)
        self.assertEqual([("failed", told), ("failed", other)], self.role.told)

    def test_given_up(self) -> None:
        """An attempt that is given up is heard of no more."""
        self.node.perform([Connect(self.where), StopConnecting(self.where)])
        self.scope.advance(3.0)
        self.assertEqual([], self.role.told)

    def test_stopped(self) -> None:
        """A Node that was stopped does nothing more."""
        self.node.stop()
        self.node.perform([Connect(self.where), Notify("never")])
        self.scope.advance(3.0)
        self.assertEqual(([], []), (self.role.told, self.notified))

    def test_stopped_by_who_hears_of_the_end(self) -> None:
        """Whoever is told may stop it there and then: no timer is left."""
        before = len(self.scope.clock.getDelayedCalls())
        self.role.deadline = self.scope.clock.seconds() + 5.0
        node = Node(self.scope.clock, self.role, lambda event: node.stop())  # type: ignore[arg-type]
        node.perform([Notify("the end")])
        self.assertEqual(before, len(self.scope.clock.getDelayedCalls()))

    def test_no_such_effect(self) -> None:
        """A mistake of ours is loud."""
        with self.assertRaises(TypeError):
            self.node.perform(["nonsense"])  # type: ignore[list-item]
        self.assertIsInstance(self.scope.clock, Clock)
