"""Who must be at an address: who was named, by that name; who was learned, by the scope's (RFC 5352 section 9.2)."""

from __future__ import annotations

from typing import Any

from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import NoRegistrar, TransportAddress, parse_transport_address
from rserpool.core.identity import Identity
from rserpool.security.following import Secured
from rserpool.security.settings import Security
from rserpool.security.sides import expected
from rserpool.testing import Scope, security
from rserpool.testing.security import SCOPE
from tests.conformance import rfc
from tests.node.test_naming import _Inner
from tests.security.pair import authority, certificate

NAME = "reg1.pool.example"
POOL = "pool"


class ExpectedTests(SynchronousTestCase):
    """The rule."""

    def test_rule(self) -> None:
        """A host's name is who it is; an IP address is one where people have named it; the scope's name is the rest."""
        scope, name = Identity("dns", "scope.example"), Identity("dns", NAME)
        address, other = Identity("ip", "192.0.2.1"), Identity("ip", "2001:db8::1")
        for configured in (True, False):
            self.assertEqual((name,), expected(["Reg1.Pool.example"], "scope.example", configured))
            self.assertEqual((name, address), expected([NAME, "192.0.2.1"], "scope.example", configured))
        self.assertEqual((address, other, scope), expected(["192.0.2.1", "2001:db8::1%eth0"], "scope.example", True))
        self.assertEqual((scope,), expected(["192.0.2.1"], "scope.example"))
        self.assertEqual((), expected(["192.0.2.1"], None))
        self.assertEqual((address,), expected(["192.0.2.1"], None, True))


class IdentityTests(SynchronousTestCase):
    """A user, two registrars with certificates, and a name server that the tests change."""

    def setUp(self) -> None:
        self.scope = Scope(2, secure=True)
        self.addCleanup(self.scope.stop)
        self.hosts = [registrar.host for registrar in self.scope.registrars]
        resolver: Any = type(self.scope.registrars[0].reactor.nameResolver)
        before = resolver.resolveHostName

        def resolve(resolver: Any, receiver: Any, name: str, *arguments: Any, **options: Any) -> Any:
            if name.lower() != NAME:
                return before(resolver, receiver, name, *arguments, **options)
            before(resolver, _Inner(receiver), self.hosts[0], *arguments, **options)
            receiver.resolutionComplete()
            return None

        self.patch(resolver, "resolveHostName", resolve)
        self.named = [parse_transport_address(f"{NAME}:3863")]
        self.scope.element(POOL, identifier=1)
        self.scope.settle()

    def show(self, *names: str) -> None:
        """Both registrars show a certificate with these names from now on."""
        self.patch(security, "certificates", lambda: (authority().pem, certificate(*names)))

    def asks(self, where: list[TransportAddress], scope: str | None = SCOPE, **options: Any) -> list[int]:
        """What a user hears that is told of registrars like this."""
        secured = Secured(Security(scope=scope, server_ca=authority().pem))
        user = self.scope.user(registrars=where, security=secured, **options)
        resolved = self.scope.result(user.service.resolve(POOL))
        return [each.identifier for each in resolved.elements]

    def suspects(self, where: list[TransportAddress], scope: str | None = SCOPE, **options: Any) -> None:
        """A user finds the identity suspect, and says so to who has to know."""
        with capturedLogs() as logs:
            self.assertRaises(NoRegistrar, self.asks, where, scope, **options)
        self.assertTrue([event for event in logs if "identity is suspect" in (formatEvent(event) or "")])

    @rfc(
        "5352",
        "9.2",
        "[first mention]",
        "[second mention]",
        "MUST verify the server's identity",
        "user-oriented clients SHOULD",
        "Automated clients SHOULD",
    )
    @rfc(
        "5353",
        "6.2",
        "[first mention]",
        "[second mention]",
        "MUST verify the server's identity",
        "user-oriented clients SHOULD",
        "Automated clients SHOULD",
    )
    def test_by_name(self) -> None:
        """Named by its host's name: that has to be in the certificate; the scope's alone is not enough."""
        for transport in ("sctp", "tcp"):
            self.show(NAME)
            self.assertEqual([1], self.asks(self.named, transport=transport))
            self.show(SCOPE, "reg2.pool.example", self.hosts[0])
            self.suspects(self.named, transport=transport)

    def test_by_address(self) -> None:
        """Named by an IP address: that, or the scope."""
        where = [TransportAddress((self.hosts[0],), 3863)]
        for shown in (self.hosts[0], SCOPE):
            self.show(shown)
            for transport in ("sctp", "tcp"):
                self.assertEqual([1], self.asks(where, transport=transport))
        self.show(self.hosts[1], NAME)
        self.suspects(where)

    def test_no_scope(self) -> None:
        """Without a name of the scope nobody is believed but by the name that was given."""
        self.show(self.hosts[0])
        self.assertEqual([1], self.asks([TransportAddress((self.hosts[0],), 3863)], scope=None))
        self.show(SCOPE)
        self.suspects([TransportAddress((self.hosts[0],), 3863)], scope=None)

    def test_learned(self) -> None:
        """An announcement brings an address: it is nobody's name, and only the scope's is good enough."""
        for shown, found in ((self.hosts[0], False), (SCOPE, True)):
            self.show(shown)
            nobody = [TransportAddress(("10.9.9.9",), 3863)]
            secured = Secured(Security(scope=SCOPE, server_ca=authority().pem))
            user = self.scope.user(registrars=nobody, security=secured)
            user.service.startService()
            node: Any = user.service._node
            seen: list[Any] = []
            self.patch(node.asap, "up", lambda carrier, seen=seen: seen.append(carrier.credentials) or True)
            node.asap.connect(TransportAddress((self.hosts[0],), 3864))
            self.scope.advance(5.0)
            self.assertEqual(found, bool(seen))
