"""The primitives of RFC 5352 section 6, each by its name here (docs/primitives.md)."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.error import ConnectionRefusedError

from rserpool.core import NoElement, TransportAddress, UdpTransport, UnknownPool
from rserpool.session import PoolElementHandle, Session, SessionFactory, SessionProtocol, UnsignedCookies
from rserpool.session.lines import Message
from rserpool.user.dialling import address_of
from tests.conformance import rfc
from tests.session.sending import SenderCase


class Counting(SessionProtocol):
    """Counts its requests."""

    def sessionStarted(self, state: bytes | None) -> None:
        self.count = int(state or b"0")

    def messageReceived(self, data: bytes) -> bytes:
        self.count += 1
        self.session.set_state(b"%d" % self.count)
        return b"%d" % self.count


class PrimitiveTests(SenderCase):
    """What is offered."""

    # 6.1, 6.2

    def test_registration_and_deregistration(self) -> None:
        """C{PoolElementService.serve} and C{leave}."""
        element = self.scope.element(setup=lambda element: None)
        self.scope.result(element.service.serve("pool", UdpTransport(80, element.host)))
        self.assertEqual(1, len(self.scope.registrars[0].elements("pool")))
        self.scope.result(element.service.leave("pool"))
        self.assertEqual({}, self.scope.registrars[0].elements("pool"))

    # 6.3, 6.4, 6.9.1

    def test_cache(self) -> None:
        """C{populate}, C{purge} and C{known}; C{resolve} is the translation request."""
        service = self.user.service
        (element,) = self.elements(1)
        self.assertIs(None, service.known("pool"))
        self.scope.result(service.populate("pool"))
        (known,) = service.known("pool") or ()
        self.assertEqual(element.identifier("pool"), known.identifier)
        # Whoever resolves it now needs no registrar.
        self.scope.partition([self.user])
        translated = self.scope.result(service.resolve("pool"), 0.0)
        self.assertEqual(known.user_transport, translated.elements[0].user_transport)
        service.purge("pool")
        self.assertIs(None, service.known("pool"))
        self.scope.heal()
        self.scope.kill(element)
        self.scope.settle()
        with self.assertRaises(UnknownPool):
            self.scope.result(service.populate("pool"))

    # 6.5.1, 6.5.2

    def test_to_a_pool(self) -> None:
        """Each message to the element that the policy chooses; answers come with their sender."""
        self.elements(3)
        sender = self.sender(ppid=7)
        peers = [self.done(sender.send("pool", b"%d" % number)) for number in range(6)]
        self.assertEqual([2, 2, 2], [len(received) for received in self.inbox.values()])
        for number, peer in enumerate(peers):
            self.assertIn((b"%d" % number, 7, 0, False), self.inbox[peer.element.identifier])
            self.assertIn((b"re: %d" % number, peer), self.got)

    def test_no_such_pool(self) -> None:
        """There is nobody."""
        with self.assertRaises(UnknownPool):
            self.done(self.sender().send("pool", b"data"))

    def test_over_tcp(self) -> None:
        """The same over TCP, without boundaries."""
        self.elements(2, "tcp")
        sender = self.sender()
        for number in range(4):
            self.done(sender.send("pool", b"%d" % number))
        self.assertEqual([2, 2], [len(received) for received in self.inbox.values()])
        self.assertEqual(4, len(self.got))

    # 6.5.3

    def test_to_an_element(self) -> None:
        """To the element that a handle names; the cache is filled meanwhile."""
        self.elements(3)
        sender = self.sender()
        peer = self.done(sender.send("pool", b"first"))
        self.user.service.purge("pool")
        for _ in range(3):
            self.assertEqual(peer, self.done(sender.send(peer, b"more")))
        self.assertEqual(4, len(self.inbox[peer.element.identifier]))
        self.assertEqual(3, len(self.user.service.known("pool") or ()))

    # 6.5.4

    @rfc("5352", "6.6", "B) If there is no local cache")
    def test_to_an_address(self) -> None:
        """Past all of RSerPool."""
        (element,) = self.elements(1)
        sender = self.sender()
        (known,) = self.scope.result(self.user.service.resolve("pool")).elements
        address = address_of(known)
        self.assertEqual(address, self.done(sender.send(address, b"direct")))
        self.assertEqual([(b"re: direct", address)], self.got)
        self.scope.kill(element)
        self.scope.advance(1.0)
        with self.assertRaises(ConnectionRefusedError):
            self.done(sender.send(address, b"direct"))

    # 6.5.5

    def test_failover(self) -> None:
        """With it the next element has the message; without it that is an error. Both are reported (3.5)."""
        one, other = self.elements(2)
        sender = self.sender()
        first = self.done(sender.send("pool", b"1"))
        victim = one if one.identifier("pool") == first.element.identifier else other
        self.scope.kill(victim)
        self.scope.advance(0.1)
        second = self.done(sender.send(first, b"2"))
        self.assertNotEqual(first, second)
        self.assertEqual(self.inbox[second.element.identifier][-1][0], b"2")
        with self.assertRaisesRegex(NoElement, "could be used: 0x"):
            self.done(sender.send(first, b"3", failover=False))

    @rfc("5352", "6.7", "An error.report should be generated")
    def test_undelivered(self) -> None:
        """What SCTP gives back goes to another element, or is reported with the message (6.7)."""
        for failover in (True, False):
            self.elements(2)
            sender = self.sender(failover=failover)
            peer: PoolElementHandle = self.done(sender.send("pool", b"hello"))
            victim = next(
                each
                for each in self.scope.elements
                if each.alive and each.identifier("pool") == peer.element.identifier
            )
            self.scope.partition([self.user], [victim])
            self.scope.result(sender.send_to_last("pool", b"important"))
            self.scope.advance(10.0)
            took = [key for key, received in self.inbox.items() if b"important" in [each[0] for each in received]]
            if failover:
                self.assertEqual(([], 1), (self.reports, len(took)))
                self.assertNotEqual(peer.element.identifier, took[0])
            else:
                self.assertEqual(([(peer, b"important")], []), (self.reports, took))
            self.scope.heal()
            self.scope.kill(*self.scope.elements)
            self.scope.settle()
            self.inbox.clear()

    def test_three_victims(self) -> None:
        """A message that three elements broke over is reported, and sent to no other."""
        self.elements(2)
        sender = self.sender()
        peer: PoolElementHandle = self.done(sender.send("pool", b"hello"))
        line = self.scope.result(ensureDeferred(sender.line(address_of(peer.element), peer)))
        sender.failed(line, Message(b"1", again=True, broke=1))
        self.assertEqual([], self.reports)
        sender.failed(line, Message(b"2", again=True, broke=2))
        self.assertEqual([(peer, b"2")], self.reports)
        self.scope.advance(1.0)
        took = [each[0] for received in self.inbox.values() for each in received]
        self.assertEqual([b"1", b"hello"], sorted(took))

    def test_to_last(self) -> None:
        """ASAP_SEND_TO_LAST."""
        self.elements(3)
        sender = self.sender()
        self.assertIs(None, sender.last("pool"))
        first = self.done(sender.send_to_last("pool", b"1"))
        for _ in range(3):
            self.assertEqual(first, self.done(sender.send_to_last("pool", b"more")))
        self.assertEqual(first, sender.last("pool"))
        self.assertNotEqual(first, self.done(sender.send("pool", b"next")))

    def test_to_all(self) -> None:
        """ASAP_SEND_TO_ALL, without ourselves but with ASAP_SEND_TO_SELF; those who are gone are reported."""
        one, two, three = self.elements(3)
        self.scope.result(self.user.service.populate("pool"))
        sender = self.sender(own=one.service)
        reached = self.done(sender.send_to_all("pool", b"all"))
        self.assertEqual(
            {two.identifier("pool"), three.identifier("pool")}, {peer.element.identifier for peer in reached}
        )
        self.assertEqual([0, 1, 1], [len(received) for received in self.inbox.values()])
        self.scope.kill(three)
        reached = self.done(sender.send_to_all("pool", b"all", to_self=True))
        self.assertEqual([1, 2, 1], [len(received) for received in self.inbox.values()])
        self.assertEqual([b"all"], [data for _, data in self.reports])
        self.scope.kill(one, two)
        with self.assertRaises(NoElement):
            self.done(self.sender(attempt=0.5).send_to_all("pool", b"all"))

    def test_unordered(self) -> None:
        """ASAP_SCTP_UNORDER, a stream, and a PPID of one message."""
        self.elements(1)
        self.done(self.sender().send("pool", b"data", unordered=True, stream=3, ppid=9))
        self.assertEqual([[(b"data", 9, 3, True)]], list(self.inbox.values()))
        for ppid, data in ((11, b"data"), (0, b"")):
            with self.assertRaises(ValueError):
                self.done(self.sender().send("pool", data, ppid=ppid))

    # 6.9.2

    def test_transport_failure(self) -> None:
        """C{report} takes an identifier, an element, or an address; the registrar asks the element (3.5)."""
        (element,) = self.elements(1)
        (known,) = self.scope.result(self.user.service.resolve("pool")).elements
        transport: Any = known.user_transport
        with self.assertRaises(KeyError):
            self.user.service.report("pool", TransportAddress((element.host,), 1))
        self.scope.silence(element)
        self.user.service.report("pool", TransportAddress((element.host,), transport.port))
        self.user.service.report("pool", known)
        took = self.scope.until(lambda: not self.scope.registrars[0].elements("pool"))
        self.assertLess(took, self.scope.profile.keep_alive_interval + self.scope.profile.keep_alive_timeout)

    def test_close(self) -> None:
        """What was sent is delivered; then nothing more can be."""
        self.elements(1)
        sender = self.sender()
        self.scope.result(sender.send("pool", b"last"))
        self.scope.result(Deferred.fromCoroutine(sender.close()))
        self.scope.advance(0.1)
        self.assertEqual([1], [len(received) for received in self.inbox.values()])
        with self.assertRaises(NoElement):
            self.done(sender.send("pool", b"later"))

    def test_forced_failover(self) -> None:
        """C{Session.fail_over}: the session goes on elsewhere, with its state."""
        for _ in range(2):
            self.scope.element("pool", SessionFactory(Counting, cookies=UnsignedCookies()), protocol="sctp")
        self.scope.settle()
        moves: list[tuple[int, int]] = []
        session = Session(
            self.user.service, "pool", failed_over=lambda old, new: moves.append((old.identifier, new.identifier))
        )
        session.fail_over()
        self.assertEqual(b"1", self.scope.result(session.request(b"")))
        session.fail_over(report=True)
        self.assertEqual(b"2", self.scope.result(session.request(b"")))
        self.assertEqual(1, len(moves))
        self.assertNotEqual(*moves[0])
        self.scope.result(session.close())
