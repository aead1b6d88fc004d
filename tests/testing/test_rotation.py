"""Every key and certificate of a scope is changed while requests go on: nothing is lost."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import SynchronousTestCase

from rserpool.security.making import new_ca, new_certificate
from rserpool.security.settings import Certificate
from rserpool.testing import Scope, UserProcess
from rserpool.testing.security import SCOPE

POOL = "pool"
ELEMENTS = 8
EVERY = 0.1
"""Seconds between two requests of a user."""


class Answer(Protocol):
    """What elements serve: an answer, and the end."""

    def connectionMade(self) -> None:
        self.transport.write(b"done")
        self.transport.loseConnection()


class Ask(Protocol):
    """What users speak."""

    received = b""

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def connectionLost(self, reason: Any = None) -> None:
        self.factory.over.callback(self.received)  # type: ignore[union-attr,attr-defined]


class RotationTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.scope = Scope(3, secure=True)
        self.addCleanup(self.scope.stop)
        factory = Factory.forProtocol(Answer)
        self.elements = [self.scope.element(POOL, factory) for _ in range(ELEMENTS)]
        self.users = [self.scope.user(transport=transport) for transport in ("sctp", "tcp")]
        self.scope.settle()
        self.identifiers = sorted(each.identifier(POOL) for each in self.elements)
        self.answered = 0
        self.lost: list[Any] = []

    def ask(self, user: UserProcess) -> None:
        factory: Any = Factory.forProtocol(Ask)
        factory.over = Deferred()

        def over(received: bytes) -> None:
            if received == b"done":
                self.answered += 1
            else:
                self.lost.append(received)

        factory.over.addCallback(over)
        user.endpoint(POOL).connect(factory).addErrback(self.lost.append)

    def go_on(self, seconds: float) -> None:
        """Requests go on; every registrar has every element all the while."""
        for _ in range(round(seconds / EVERY)):
            for user in self.users:
                user.service.purge(POOL)
                self.ask(user)
            self.scope.advance(EVERY)
            for registrar in self.scope.registrars:
                self.assertEqual(self.identifiers, sorted(registrar.elements(POOL)))

    def end(self) -> None:
        self.scope.advance(5)
        self.assertEqual([], self.lost)
        self.assertGreater(self.answered, 50)
        self.scope.settle()

    def test_elements(self) -> None:
        """Each element gets another key; then the first ones are taken away."""
        for element in self.elements:
            self.scope.security.renew(element.name)
            self.go_on(0.3)
        for element in self.elements:
            self.scope.security.revoke(element.name)
            self.go_on(0.3)
        self.end()

    def test_registrars(self) -> None:
        """Each registrar gets another key; then the first ones are taken away."""
        names = [registrar.name for registrar in self.scope.registrars]
        for name in names:
            self.scope.security.renew(name)
            self.go_on(1)
        for name in names:
            self.scope.security.revoke(name)
            self.go_on(1)
        self.end()
        identifiers = {registrar.identifier for registrar in self.scope.registrars}
        for registrar in self.scope.registrars:
            self.assertEqual(identifiers - {registrar.identifier}, registrar.peers)

    def test_certificates(self) -> None:
        """Another CA: users trust both, then registrars show certificates of the new one, then users trust it alone."""
        secured = self.scope.security.secured
        now = datetime.now(UTC)
        ca = new_ca(SCOPE, now)
        issued = new_certificate(ca, [SCOPE], now, 30)
        first = secured["u1"].current.server_ca or b""
        for anchors in (first + ca.certificate, None, ca.certificate):
            for name, each in secured.items():
                if anchors is not None and name.startswith("u"):
                    each.replace(replace(each.current, server_ca=anchors))
                elif anchors is None and name.startswith("r"):
                    certificate = Certificate(issued.certificate, issued.private_key)
                    each.replace(replace(each.current, certificate=certificate))
            self.go_on(1.5)
        self.end()
