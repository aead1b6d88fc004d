"""A secured scope in memory."""

from __future__ import annotations

from typing import Any

from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import SynchronousTestCase

from rserpool.core.errors import NoRegistrar, Rejected
from rserpool.core.identity import Identity
from rserpool.core.registrar.events import ElementRemoved
from rserpool.core.wire import asap, enrp
from rserpool.testing import RegistrarProcess, Scope, UserProcess
from tests.conformance import rfc
from tests.loglines import LogLines

POOL = "pool"


class Hello(Protocol):
    def connectionMade(self) -> None:
        self.transport.write(b"hello")


class SecureTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.scope = Scope(2, secure=True)
        self.addCleanup(self.scope.stop)
        self.reg1, self.reg2 = self.scope.registrars

    def owners(self, registrar: RegistrarProcess) -> list[object]:
        return [element.owner for element in registrar.elements(POOL).values()]

    def resolved(self, user: UserProcess) -> list[int]:
        return [each.identifier for each in self.scope.result(user.service.resolve(POOL, fresh=True)).elements]

    @rfc(
        "5352",
        "9.2",
        "TLS supports all these requirements",
        "ENRP servers, PEs, and PUs MUST implement TLS",
        "among themselves using PSK",
        "ENRP servers and PEs MUST support mutual authentication using PSK",
        "MUST support TLS with SCTP",
    )
    @rfc(
        "5353",
        "6.2",
        "TLS supports all these requirements",
        "ENRP servers, PEs, and PUs MUST implement TLS",
        "among themselves using PSK",
        "ENRP servers and PEs MUST support mutual authentication using PSK",
        "MUST support TLS with SCTP",
    )
    @rfc("5355", "2.10.3", "The interfaces that MUST implement integrity")
    def test_everybody_speaks(self) -> None:
        """Registrars are peers, an element registers by its key, a user without one resolves; and a session is had."""
        element = self.scope.element(POOL, Factory.forProtocol(Hello))
        user = self.scope.user()
        self.scope.settle()
        self.assertEqual({self.reg2.identifier}, self.reg1.peers)
        self.assertEqual([Identity("psk", "e1")], self.owners(self.reg1))
        self.assertEqual([Identity("psk", "e1")], self.owners(self.reg2))
        self.assertEqual([element.identifier(POOL)], self.resolved(user))

    def test_trace(self) -> None:
        """The trace has what is said within TLS, and nothing of TLS itself."""
        self.scope.element(POOL)
        self.scope.settle()
        (registration,) = self.scope.trace.messages(asap.RegistrationResponse, target="e1")[-1:]
        self.assertEqual(POOL.encode(), registration.message.handle)
        self.assertTrue(self.scope.trace.messages(enrp.HandleUpdate, source=registration.source))
        self.assertNotIn("garbage", self.scope.trace.text())

    def test_refused_again(self) -> None:
        """An element in the clear goes on trying, and tells once why it is not in the pool."""
        stranger = self.scope.element(service={"security": False})
        log = LogLines(self)
        stranger.serve(POOL)
        self.scope.until(lambda: bool(stranger.refused))
        self.scope.advance(60.0)
        self.assertGreater(len(self.scope.trace.messages(asap.Registration, source=stranger.name)), 10)
        self.assertEqual(1, len([line for line in log.lines if "the registrar wants TLS" in line]), log.lines)

    def test_ports(self) -> None:
        """What is served is served at the ports of TLS."""
        node: Any = self.reg1.service.node
        self.assertEqual((3864, 9902), (node.asap.sctp.port, node.channels["enrp"].sctp.port))

    @rfc("5352", "9.2", "MUST support TLS with SCTP")
    @rfc("5353", "6.2", "MUST support TLS with SCTP")
    def test_tcp(self) -> None:
        """A user asks over TLS over TCP."""
        element, user = self.scope.element(POOL), self.scope.user(transport="tcp")
        self.scope.settle()
        self.assertEqual([element.identifier(POOL)], self.resolved(user))
        self.assertEqual((3864, "tcp"), (user.service.home.port, user.service.home.protocol))

    def test_clear_user_over_tcp(self) -> None:
        """A user in the clear hears over TCP, too, that the scope is secured."""
        user = self.scope.user(transport="tcp", security=False)
        error = self.failureResultOf(self.asked(user)).value
        assert isinstance(error, Rejected)
        self.assertEqual(0xA, error.cause)

    def test_clear_element(self) -> None:
        """An element in the clear is refused, and nothing of it is there."""
        element = self.scope.element(service={"security": False})
        element.serve(POOL)
        self.scope.until(lambda: bool(element.refused), 20)
        (failure,) = element.refused.values()
        error = failure.value
        assert isinstance(error, Rejected)
        self.assertEqual(0xA, error.cause)
        self.assertEqual([{}, {}], [each.elements(POOL) for each in self.scope.registrars])

    def test_clear_user(self) -> None:
        """A user in the clear hears that the scope is secured."""
        self.scope.element(POOL)
        user = self.scope.user(security=False)
        self.scope.settle()
        error = self.failureResultOf(self.asked(user)).value
        self.assertIsInstance(error, Rejected)
        self.assertEqual(0xA, error.cause)

    def test_secured_user_never_in_the_clear(self) -> None:
        """In a scope that is not secured a secured user finds no registrar."""
        plain = Scope(1)
        self.addCleanup(plain.stop)
        user = plain.user(security=self.scope.security.of("u9", "u"))
        asked = user.service.resolve(POOL)
        plain.advance(30)
        self.assertIsInstance(self.failureResultOf(asked).value, NoRegistrar)

    def test_takeover(self) -> None:
        """The other registrar takes the element over, and dials it over TLS; it stays its owner's."""
        element = self.scope.element(POOL)
        self.scope.settle()
        home = next(each for each in self.scope.registrars if each.host in element.homes)
        other = self.reg2 if home is self.reg1 else self.reg1
        home.kill()
        self.scope.until(lambda: element.homes == {other.host}, 60)
        self.scope.advance(10)
        self.assertEqual([Identity("psk", "e1")], self.owners(other))
        # The element dials the registrar while that dials it: one association, and it lives.
        self.assertEqual([], self.scope.trace.events(ElementRemoved))

    def asked(self, user: UserProcess) -> object:
        asked = user.service.resolve(POOL)
        self.scope.advance(10)
        return asked

    def test_second_key(self) -> None:
        """An element goes on with another key: nothing is lost, and it is the same owner; then the first one goes."""
        element = self.scope.element(POOL)
        self.scope.settle()
        identifier = element.identifier(POOL)
        self.scope.security.renew("e1")
        self.scope.settle()
        self.scope.security.revoke("e1")
        for _ in range(20):
            self.scope.advance(1)
            self.assertEqual([[identifier]] * 2, [list(each.elements(POOL)) for each in self.scope.registrars])
        self.assertEqual([Identity("psk", "e1")], self.owners(self.reg1))

    def test_key_alone_revoked(self) -> None:
        """Who goes on with the first key, when that is taken away, is cut off, though its bearer is known: perhaps
        another one has stolen it."""
        thief = self.scope.element(POOL)
        self.scope.settle()
        first = self.scope.security.secured["e1"].current
        self.scope.security.renew("e1")
        self.scope.security.secured["e1"].replace(first)
        self.scope.settle()
        self.scope.security.revoke("e1")
        self.scope.until(lambda: not any(each.elements(POOL) for each in self.scope.registrars), 60)
        self.scope.security.renew("e1")
        self.scope.until(lambda: all(each.elements(POOL) for each in self.scope.registrars), 60)
        self.assertEqual([thief.identifier(POOL)], list(self.reg1.elements(POOL)))

    def test_revoked(self) -> None:
        """Whose key no registrar knows any more is cut off, and gone everywhere; others stay."""
        revoked, stays = self.scope.element(POOL), self.scope.element(POOL)
        self.scope.settle()
        self.assertIsNotNone(revoked)
        self.scope.security.revoke("e1")
        self.scope.until(lambda: all(len(each.elements(POOL)) == 1 for each in self.scope.registrars), 60)
        self.scope.advance(60)
        for registrar in self.scope.registrars:
            self.assertEqual([stays.identifier(POOL)], list(registrar.elements(POOL)))
