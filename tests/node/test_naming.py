"""Hosts by their names: registrars of elements and users, peers of registrars, monitors."""

from __future__ import annotations

from typing import Any

from twisted.internet.error import DNSLookupError
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import NoRegistrar, TransportAddress, parse_transport_address
from rserpool.sctp import SctpClientEndpoint
from rserpool.testing import Scope


class NameTests(SynchronousTestCase):
    """A scope with two registrars; its name server is changed as the tests like."""

    def setUp(self) -> None:
        self.scope = Scope(2)
        self.addCleanup(self.scope.stop)
        self.first, self.second = (registrar.host for registrar in self.scope.registrars)
        self.names: dict[str, list[str]] = {"registrar.example": [self.first, self.second]}
        self.asked: list[str] = []
        resolver: Any = type(self.scope.registrars[0].reactor.nameResolver)
        before = resolver.resolveHostName

        def resolve(resolver: Any, receiver: Any, name: str, *arguments: Any, **options: Any) -> Any:
            self.asked.append(name)
            if name not in self.names:
                return before(resolver, receiver, name, *arguments, **options)
            for host in self.names[name]:
                before(resolver, _Inner(receiver), host, *arguments, **options)
            receiver.resolutionComplete()
            return None

        self.patch(resolver, "resolveHostName", resolve)
        self.where = [parse_transport_address("Registrar.Example:3863")]

    def test_user_and_element(self) -> None:
        """Both find their registrar by its name, over SCTP and over TCP."""
        element = self.scope.element("pool", identifier=1, service={"registrars": self.where})
        self.scope.until(lambda: element.pools[b"pool"])
        for transport in ("sctp", "tcp"):
            user = self.scope.user(registrars=self.where, transport=transport)
            resolved = self.scope.result(user.service.resolve("pool"))
            self.assertEqual([1], [each.identifier for each in resolved.elements])
            self.assertEqual(("registrar.example",), user.service.home.hosts)

    def test_all_addresses(self) -> None:
        """The first address is of a host that is down; the next one serves, and so after a failure."""
        self.scope.silence(self.scope.registrars[0])
        self.scope.element("pool", identifier=1)
        user = self.scope.user(registrars=self.where)
        seen = user.watch("pool")
        self.scope.until(lambda: seen.history and seen.history[-1] == (1,))
        self.scope.unsilence(self.scope.registrars[0])
        self.scope.settle()
        self.scope.kill(self.scope.registrars[1])
        self.scope.until(lambda: user.service.home is None)
        self.scope.until(lambda: user.service.home is not None)

    def test_looked_up_again(self) -> None:
        """The name is another host's when the hunt begins anew."""
        self.names["registrar.example"] = [self.first]
        user = self.scope.user(registrars=self.where)
        user.watch("pool")
        self.scope.until(lambda: user.service.home is not None)
        asked = len(self.asked)
        self.names["registrar.example"] = [self.second]
        self.scope.kill(self.scope.registrars[0])
        self.scope.until(lambda: user.service.home is None)
        self.scope.until(lambda: user.service.home is not None)
        self.assertGreater(len(self.asked), asked)

    def test_unknown(self) -> None:
        """A name that nobody knows is no registrar, until somebody does."""
        self.names["registrar.example"] = []
        user = self.scope.user(registrars=self.where)
        with self.assertRaises(NoRegistrar) as raised:
            self.scope.result(user.service.resolve("pool"))
        self.assertIn("registrar.example:3863", str(raised.exception))
        user.watch("pool")
        self.names["registrar.example"] = [self.first]
        self.scope.until(lambda: user.service.home is not None)

    def test_given_up(self) -> None:
        """The end comes while a name is looked up."""
        user = self.scope.user(registrars=self.where)
        user.watch("pool")
        self.scope.result(user.service.stopService())

    def test_peer(self) -> None:
        """A registrar that knows another by its name alone: they meet, and meet again."""
        third = self.scope.registrar(peers=[TransportAddress(("registrar.example",), 9901)])
        self.names["registrar.example"] = [self.first]
        self.scope.until(lambda: len(third.peers) == 2)
        self.scope.kill(self.scope.registrars[0])
        self.scope.until(lambda: len(third.peers) == 1)
        self.scope.registrars[0].start()
        self.scope.until(lambda: len(third.peers) == 2)

    def test_one_name_for_all(self) -> None:
        """A name that stands for all registrars: none dials itself, and they meet."""
        self.scope.registrar(peers=[])
        third = self.scope.registrars[-1]
        self.names["registrars.example"] = [third.host, self.first]
        self.scope.kill(third)
        third.start(peers=[TransportAddress(("registrars.example",), 9901)])
        self.scope.until(lambda: len(third.peers) == 2)

    def test_one_to_one(self) -> None:
        """An SCTP client endpoint looks its peer's name up."""
        element = self.scope.element("pool", Factory.forProtocol(Protocol), protocol="sctp", identifier=1)
        user = self.scope.user()
        resolved = self.scope.result(user.service.resolve("pool"))
        port = resolved.elements[0].user_transport.port
        for name in ("e1", "nobody.example"):
            peer = TransportAddress((name,), port, element.stack.encapsulation_port)
            endpoint = SctpClientEndpoint(user.reactor, peer, stack=user.stack)
            connecting: Any = endpoint.connect(Factory.forProtocol(Protocol))
            if name == "e1":
                self.assertEqual(element.host, self.scope.result(connecting).transport.getPeer().host)
            else:
                with self.assertRaises(DNSLookupError) as raised:
                    self.scope.result(connecting)
                self.assertIn(name, str(raised.exception))


class _Inner:
    """Passes addresses on alone."""

    def __init__(self, receiver: Any) -> None:
        self.addressResolved = receiver.addressResolved

    def resolutionBegan(self, resolution: Any) -> None:
        pass

    def resolutionComplete(self) -> None:
        pass
