"""A scope without any key: registrars, elements and operators have certificates, and a file says who may be what."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core.identity import Identity
from rserpool.core.registrar.events import ElementRemoved
from rserpool.security.access_file import KeyNames, access_of
from rserpool.security.making import new_ca, new_certificate
from rserpool.security.settings import Certificate, Security
from rserpool.testing import Scope

POOL, SCOPE = "pool", "pools.example"
ACCESS = """
[registrars]
identities = ["dns:reg.pools.example"]
roles = ["registrar"]

[web]
identities = ["dns:web.pools.example", "ip:192.0.2.7"]
roles = ["element"]
pools = ["pool"]
"""
NOW = datetime.now(UTC)
CA = new_ca(SCOPE, NOW)


def certificate(*names: str, ca: Any = CA) -> Certificate:
    issued = new_certificate(ca, names, NOW, 30)
    return Certificate(issued.certificate, issued.private_key)


class CertificateTests(SynchronousTestCase):
    def setUp(self) -> None:
        access = access_of(tomllib.loads(ACCESS), KeyNames())
        shown = certificate("reg.pools.example", SCOPE)
        registrar = Security(
            scope=SCOPE, certificate=shown, server_ca=CA.certificate, client_ca=CA.certificate, access=access
        )
        self.scope = Scope(2)
        self.addCleanup(self.scope.stop)
        for each in self.scope.registrars:
            each.restart(security=registrar)

    def element(self, *names: str, ca: Any = CA) -> Any:
        shown = certificate(*names, ca=ca)
        security = Security(scope=SCOPE, certificate=shown, server_ca=CA.certificate)
        element = self.scope.element(service={"security": security})
        element.serve(POOL)
        return element

    def refused(self, element: Any) -> bool:
        self.scope.until(lambda: bool(element.refused), 30)
        return all(not registrar.elements(POOL) for registrar in self.scope.registrars)

    def test_all(self) -> None:
        """Registrars are peers, the element is its certificate's, also after a takeover, and a user finds it."""
        element = self.element("web.pools.example")
        user = self.scope.user(security=Security(scope=SCOPE, server_ca=CA.certificate))
        self.scope.settle()
        one, two = self.scope.registrars
        self.assertEqual(({two.identifier}, {one.identifier}), (one.peers, two.peers))
        home = one if one.host in element.homes else two
        other = two if home is one else one
        home.kill()
        self.scope.until(lambda: element.homes == {other.host}, 60)
        (known,) = other.elements(POOL).values()
        self.assertEqual(Identity("dns", "web.pools.example"), known.owner)
        self.assertEqual([], self.scope.trace.events(ElementRemoved))
        self.assertEqual(1, len(self.scope.result(user.service.resolve(POOL, fresh=True)).elements))

    def test_by_address(self) -> None:
        """An iPAddress is an identity, too."""
        self.element("192.0.2.7")
        self.scope.settle()

    def test_strangers(self) -> None:
        """A valid certificate alone is a user; one of another issuer is nobody."""
        self.assertTrue(self.refused(self.element("other.pools.example")))
        self.assertTrue(self.refused(self.element(SCOPE)))
        stranger = self.element("web.pools.example", ca=new_ca(SCOPE, NOW))
        self.scope.advance(30)
        self.assertEqual((set(), {}), (stranger.homes, self.scope.registrars[0].elements(POOL)))

    def test_other_pool(self) -> None:
        """The file says in which pools."""
        element = self.element("web.pools.example")
        self.scope.settle()
        element.serve("another")
        self.scope.until(lambda: b"another" in element.refused, 30)
        self.assertEqual({}, self.scope.registrars[0].elements("another"))
