"""Single messages: what goes wrong, and who hears of it."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from rserpool.core import NoElement, UdpTransport
from rserpool.user.dialling import address_of
from tests.session.sending import SenderCase


class SenderTests(SenderCase):
    """Elements, addresses and receivers that fail."""

    def test_silent_element(self) -> None:
        """One that does not answer is passed over after C{attempt} seconds; messages to it wait for one association."""
        one, other = self.elements(2)
        self.scope.silence(one)
        sender = self.sender(attempt=0.5)
        sending = [sender.send("pool", b"%d" % number) for number in range(4)]
        peers = {self.done(sent).element.identifier for sent in sending}
        self.assertEqual({other.identifier("pool")}, peers)
        self.assertEqual(4, len(self.inbox[other.identifier("pool")]))

    def test_closed_meanwhile(self) -> None:
        """What waits for an association when it is closed fails."""
        (element,) = self.elements(1)
        self.scope.result(self.user.service.populate("pool"))
        self.scope.silence(element)
        sender = self.sender()
        sending = sender.send("pool", b"data")
        self.scope.advance(0.1)
        self.scope.result(Deferred.fromCoroutine(sender.close()))
        with self.assertRaisesRegex(NoElement, "the sender is closed"):
            self.scope.result(sending)

    def test_other_transports(self) -> None:
        """An element that serves over neither TCP nor SCTP."""
        self.scope.element(setup=lambda element: element.register("pool", UdpTransport(80, element.host)))
        self.scope.settle()
        sender = self.sender()
        for send in (sender.send, sender.send_to_all):
            with self.assertRaisesRegex(NoElement, "neither TCP nor SCTP"):
                self.done(send("pool", b"data"))

    def test_bad_receiver(self) -> None:
        """A receiver that raises is told in the log; a sender without one takes what comes."""
        self.elements(1)
        sender = self.sender()
        known: dict[bytes, bytes] = {}
        sender.received = lambda data, peer: known[data]
        self.done(sender.send("pool", b"data"))
        self.assertEqual(1, len(self.flushLoggedErrors(KeyError)))
        sender.received = None
        self.done(sender.send("pool", b"data"))

    def test_nobody_left(self) -> None:
        """What is not delivered, and cannot be delivered to anybody else, is reported; or else told in the log."""
        (element,) = self.elements(1)
        for report in (True, False):
            sender = self.sender(attempt=0.5)
            if not report:
                sender.undelivered = None
            peer = self.done(sender.send("pool", b"first"))
            self.scope.partition([self.user], [element])
            self.scope.result(sender.send("pool", b"lost"))
            self.scope.advance(30.0)
            self.assertEqual([(peer, b"lost")], self.reports)
            self.scope.heal()
            self.scope.settle()

    def test_address_that_goes(self) -> None:
        """Nobody else is tried in place of an address."""
        (element, _) = self.elements(2)
        (known, *_) = self.scope.result(self.user.service.resolve("pool")).elements
        address = address_of(known)
        sender = self.sender()
        self.done(sender.send(address, b"first"))
        self.scope.partition([self.user], self.scope.elements)
        self.scope.result(sender.send(address, b"lost"))
        self.scope.advance(10.0)
        self.assertEqual([(address, b"lost")], self.reports)

    def test_connection_that_goes(self) -> None:
        """Over TCP nothing is given back; the next message opens a new connection."""
        (element,) = self.elements(1, "tcp")
        sender = self.sender()
        self.done(sender.send("pool", b"first"))
        self.scope.restart(element)
        self.scope.settle()
        self.scope.result(self.user.service.populate("pool"))
        self.done(sender.send("pool", b"second"))
        self.assertEqual([], self.reports)
