"""A scope on its way to TLS: registrars that offer it, and those that speak in the clear (RFC 5355 section 2.15.3)."""

from __future__ import annotations

from typing import Any

from twisted.logger import ILogObserver, LogEvent, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import provider

from rserpool.core.access import State
from rserpool.core.addresses import TransportAddress
from rserpool.core.identity import Identity
from rserpool.monitor.status import registrar_status
from rserpool.registrar.securing import LOOK
from rserpool.testing import RegistrarProcess, Scope, UserProcess

POOL = "pool"
CLEAR: dict[str, Any] = {"security": False}


class OfferedTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.scope = Scope(2, secure=True, start=False)
        self.addCleanup(self.scope.stop)
        self.scope.security.state = State.OFFERED

    def owners(self, registrar: RegistrarProcess) -> set[object]:
        return {element.owner for element in registrar.elements(POOL).values()}

    def resolved(self, user: UserProcess) -> int:
        return len(self.scope.result(user.service.resolve(POOL, fresh=True)).elements)

    def states(self) -> set[State]:
        return {each.service.registrar.access.state for each in self.scope.registrars}

    def test_both(self) -> None:
        """Who speaks TLS and who does not are elements of one pool, users of both kinds see them; and each is dialled
        as it came, when another registrar takes it over."""
        one, two = self.scope.registrar(), self.scope.registrar()
        clear, secured = self.scope.element(POOL, service=CLEAR), self.scope.element(POOL)
        users = [self.scope.user(), self.scope.user(security=False), self.scope.user(transport="tcp", security=False)]
        self.scope.settle()
        self.assertEqual({None, Identity("psk", secured.name)}, self.owners(one))
        self.assertEqual({None, Identity("psk", secured.name)}, self.owners(two))
        self.assertEqual([2, 2, 2], [self.resolved(user) for user in users])
        dead = next(each for each in (one, two) if each.host in clear.homes)
        lives = two if dead is one else one
        dead.kill()
        self.scope.until(lambda: clear.homes == secured.homes == {lives.host}, 60)
        for _ in range(30):
            self.scope.advance(1)
            self.assertEqual(2, len(lives.elements(POOL)))

    def test_told(self) -> None:
        """The log says who is in the clear, while TLS is offered."""
        lines: list[str] = []

        @provider(ILogObserver)
        def observer(event: LogEvent) -> None:
            lines.append(formatEvent(event))

        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        self.scope.registrar()
        clear, secured = self.scope.element(POOL, service=CLEAR), self.scope.element(POOL)
        self.scope.settle()
        self.scope.advance(70)
        (line,) = [line for line in lines if "this scope is not secure yet: " in line]
        self.assertIn(f"0x{clear.identifier(POOL):08x}", line)
        self.assertNotIn(f"0x{secured.identifier(POOL):08x}", line)

    def test_from_plain(self) -> None:
        """A plain registrar and one that offers TLS are peers: a scope changes one registrar after the other."""
        plain = self.scope.registrar(**CLEAR)
        element = self.scope.element(POOL, service=CLEAR)
        self.scope.settle()
        offering = self.scope.registrar()
        self.scope.settle()
        self.assertEqual({plain.identifier}, offering.peers)
        plain.stop()
        self.scope.until(lambda: element.homes == {offering.host}, 60)
        plain.start(security=None)
        self.scope.settle()
        self.assertEqual({plain.identifier}, offering.peers)
        self.assertEqual(1, len(plain.elements(POOL)))

    def test_to_required(self) -> None:
        """That TLS is required is refused while an element has no owner; nothing is lost on the way."""
        one, two = self.scope.registrar(), self.scope.registrar()
        clear, secured = self.scope.element(POOL, service=CLEAR), self.scope.element(POOL)
        user = self.scope.user()
        self.scope.settle()
        self.scope.security.require()
        self.scope.advance(2)
        self.assertEqual({State.OFFERED}, self.states())
        self.assertEqual(2, self.resolved(user))
        clear.restart(security=None)
        self.scope.settle()
        for registrar in (one, two):
            registrar.stop()
            self.scope.advance(5)
            registrar.start()
            self.scope.settle()
            self.assertEqual(2, self.resolved(user))
        self.assertEqual({State.REQUIRED}, self.states())
        self.assertEqual({Identity("psk", clear.name), Identity("psk", secured.name)}, self.owners(one))
        self.assertEqual({two.identifier}, one.peers)

    def test_while_it_runs(self) -> None:
        """Running registrars come to require TLS, one after the other; nothing is lost, and nobody is dialled in the
        clear any more."""
        one, two = self.scope.registrar(), self.scope.registrar()
        element, user = self.scope.element(POOL), self.scope.user()
        self.scope.settle()
        self.scope.security.require()
        for _ in range(20):
            self.scope.advance(1)
            self.assertEqual(1, self.resolved(user))
        self.assertEqual({State.REQUIRED}, self.states())
        self.assertEqual([{two.identifier}, {one.identifier}], [one.peers, two.peers])
        for registrar in (one, two):
            self.assertEqual([0, 0], [channel.clear.associations for channel in registrar.node.channels.values()])
        self.assertEqual({Identity("psk", element.name)}, self.owners(two))

    def test_announced(self) -> None:
        """A registrar that offers TLS announces itself so that those in the clear find it, and the others as well."""
        self.scope.registrar(announce=True)
        self.scope.registrar()
        nowhere = [TransportAddress(("10.0.0.99",), 3863)]
        users = [
            self.scope.user(registrars=nowhere, announcements=True, **options)
            for options in ({}, CLEAR, {"transport": "tcp"}, {"transport": "tcp", **CLEAR})
        ]
        self.scope.element(POOL)
        self.scope.settle()
        for user in users:
            user.service.subscribe(POOL, lambda change: None)
        self.scope.advance(60)
        self.assertEqual([1] * 4, [self.resolved(user) for user in users])
        ports = [user.service.home.port for user in users if user.service.home is not None]
        self.assertEqual([3863] * 4, ports)

    def test_as_soon_as_nothing_is_lost(self) -> None:
        """It was refused, and is done by itself when everybody has come over; until then the log says who has not."""
        self.scope.registrar(), self.scope.registrar()
        clear = self.scope.element(POOL, service=CLEAR)
        self.scope.settle()
        lines: list[str] = []
        observer: Any = lambda event: lines.append(str(formatEvent(event)))  # noqa: E731
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        self.scope.advance(LOOK)
        named = f"elements that nobody has proved to own: 1 ({POOL} 0x{clear.identifier(POOL):08x})"
        warned = [line for line in lines if line.startswith("this scope is not secure yet: ")]
        self.assertEqual((2, True), (len(warned), all(named in line for line in warned)))
        self.assertIn("not secure yet: 1 element without", registrar_status(self.scope.registrars[0].service)[0].text)
        self.scope.security.require()
        self.scope.advance(LOOK)
        self.assertEqual({State.OFFERED}, self.states())
        self.assertIn(f"TLS is not required yet, but will be without them: {named}", lines)
        required = "TLS is required from now on: who speaks in the clear is refused"
        self.assertNotIn(required, lines)
        clear.restart(security=None)
        self.scope.settle()
        self.scope.advance(LOOK)
        self.assertEqual({State.REQUIRED}, self.states())
        self.assertEqual(2, lines.count(required))
        self.assertNotIn("not secure yet", registrar_status(self.scope.registrars[0].service)[0].text)
