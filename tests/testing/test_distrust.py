"""Keys and certificates that are not those of the scope: who looks for a registrar hears why there is none."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import Any

from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.protocol import Factory
from twisted.trial.unittest import SynchronousTestCase

from rserpool.core.errors import NoRegistrar
from rserpool.element import PoolServerEndpoint
from rserpool.security.following import Secured
from rserpool.security.keys import Key, Keyring
from rserpool.security.making import new_ca
from rserpool.security.settings import Security
from rserpool.testing import Scope
from rserpool.testing.security import SCOPE, certificates
from tests.loglines import LogLines

POOL = "pool"


@cache
def other_ca() -> bytes:
    return new_ca("other.example", datetime.now(UTC)).certificate


class DistrustTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.scope = Scope(2, secure=True)
        self.addCleanup(self.scope.stop)

    def refused(self, security: Security, transport: str = "sctp") -> str:
        """What a user with these settings is told within a second, who would wait for half a minute."""
        user = self.scope.user(security=Secured(security), transport=transport)
        asked = user.service.resolve(POOL, timeout=30.0)
        told: list[Any] = []
        asked.addBoth(told.append)
        self.scope.until(lambda: bool(told), 1.0)
        error = told[0].value
        assert isinstance(error, NoRegistrar), error
        self.assertTrue(error.unproved)
        return str(error)

    def test_other_ca(self) -> None:
        """The certificates of registrars are of another CA than that which a user believes."""
        for transport in ("sctp", "tcp"):
            text = self.refused(Security(scope=SCOPE, server_ca=other_ca()), transport)
            self.assertIn("failed: we do not take its certificate", text)

    def test_other_name(self) -> None:
        """They are of another scope."""
        for transport in ("sctp", "tcp"):
            text = self.refused(Security(scope="other.test", server_ca=certificates()[0]), transport)
            self.assertIn("its certificate is for", text)
            self.assertIn("other.test", text)

    def test_key_of_nobody(self) -> None:
        """Who has a key that no registrar knows, or another key by a known identity."""
        self.scope.element(POOL)
        self.scope.settle()
        for name, words in (("nobody", "does not know the key"), ("e1", "its key is not the one")):
            for transport in ("sctp", "tcp"):
                text = self.refused(Security(scope=SCOPE, registrars=Keyring((), Key(name, bytes(32)))), transport)
                self.assertIn(words, text)

    def test_element(self) -> None:
        """An element goes on, and says the same in its log."""
        security = Security(scope=SCOPE, registrars=Keyring((), Key("nobody", bytes(range(32)))))
        element = self.scope.element(service={"security": Secured(security)})
        log = LogLines(self)
        element.serve(POOL)
        self.scope.advance(30.0)
        lines = [line for line in log.lines if line.startswith("no registrar can be used at")]
        self.assertTrue(lines, log.lines)
        self.assertIn("it does not know the key that we offer", lines[0])

    def test_mended(self) -> None:
        """When it has the right files it finds them by itself."""
        secured = Secured(Security(scope=SCOPE, server_ca=other_ca()))
        self.scope.element(POOL)
        user = self.scope.user(security=secured)
        self.scope.settle(60.0)
        watched = user.watch(POOL)
        self.scope.advance(5.0)
        self.assertFalse(watched.elements)
        secured.replace(replace(secured.current, server_ca=certificates()[0]))
        self.scope.until(lambda: bool(watched.elements), 5.0)

    def test_server_endpoint(self) -> None:
        """A port whose element finds no registrar says so, and why."""
        element = self.scope.element(service={"security": False})
        security = Secured(Security(scope=SCOPE, registrars=Keyring((), Key("nobody", bytes(range(32))))))
        options: dict[str, Any] = {"registrars": self.scope.addresses, "hosts": (element.host,), "stack": element.stack}
        inner = TCP4ServerEndpoint(element.reactor, 8001)
        endpoint = PoolServerEndpoint(element.reactor, inner, POOL, security=security, **options)
        log = LogLines(self)
        port = self.scope.result(endpoint.listen(Factory()))
        self.scope.advance(10.0)
        lines = [line for line in log.lines if "serves, but is not in the pool: no registrar answers at" in line]
        self.assertIn("failed: the peer refuses: it does not know the key that we offer; it goes on trying", lines[0])
        self.scope.result(port.stopListening())
