"""C{rserpool.names} in a secured scope: over TLS over TCP, from a thread, with files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rserpool.core import TcpTransport
from rserpool.core.errors import ConfigurationError
from rserpool.names import NamesUnavailable, Resolver, create_connection, getaddrinfo
from rserpool.testing.security import SCOPE, ScopeSecurity
from tests.names.loopback import HOST, LoopbackCase, free_port


class SecuredTests(LoopbackCase):
    def setUp(self) -> None:
        self.scope = ScopeSecurity(0)
        super().setUp()
        self.path = Path(self.mktemp())
        self.path.mkdir()
        self.write(self.scope.of("u1", "u").current.server_ca or b"")

    def security(self, name: str, letter: str) -> Any:
        return self.scope.of(name, letter)

    def write(self, anchors: bytes) -> None:
        (self.path / "security.toml").write_text(f'[security]\nscope = "{SCOPE}"\n')
        (self.path / "server-ca.pem").write_bytes(anchors)

    def user(self, name: str = "users") -> str:
        return str(self.path)

    async def test_resolves(self) -> None:
        """C{getaddrinfo} and C{create_connection} ask over TLS."""
        port = free_port()
        await self.register(TcpTransport(port, HOST))
        found = await self.in_thread(getaddrinfo, "pool", registrars=[self.where], security=self.user())
        self.assertEqual([(HOST, port)], [each[4] for each in found])
        await self.server(b"web")
        connected = await self.in_thread(
            create_connection, "pool", registrars=[self.where], security=self.user(), attempt=1
        )
        self.addCleanup(connected.close)
        self.assertEqual(b"web", await self.in_thread(connected.recv, 10))

    async def test_never_in_the_clear(self) -> None:
        """Who is told of no keys is refused, and who is finds nobody where TLS is not spoken."""
        await self.register(TcpTransport(free_port(), HOST))
        for security, where in ((False, self.where), (self.user(), f"{HOST}:{free_port()}")):
            asked = self.in_thread(Resolver([where], "fast", security).getaddrinfo, "pool", timeout=1)
            await self.assertFailure(asked, NamesUnavailable)

    async def test_other_ca(self) -> None:
        """A registrar whose certificate is of somebody else is not believed; the file may change while it is used."""
        await self.register(TcpTransport(free_port(), HOST))
        good = (self.path / "server-ca.pem").read_bytes()
        self.write(other_ca())
        resolver = Resolver([self.where], "fast", self.user())
        # At once, and not when the time is over.
        asked = self.in_thread(resolver.getaddrinfo, "pool", timeout=100)
        error = await self.assertFailure(asked, NamesUnavailable)
        self.assertIn("failed: we do not take its certificate", str(error))
        self.write(good)
        self.assertEqual(1, len(await self.in_thread(resolver.getaddrinfo, "pool", timeout=10)))

    def test_mistakes(self) -> None:
        """A directory that is not there, and one in which nothing is by which registrars could be checked."""
        self.assertRaises(ConfigurationError, Resolver, [self.where], security="absent")
        (self.path / "server-ca.pem").unlink()
        error = self.assertRaises(ConfigurationError, Resolver, [self.where], security=self.user())
        self.assertIn("neither an own key nor a trust anchor", str(error))


def other_ca() -> bytes:
    from datetime import UTC, datetime

    from rserpool.security.making import new_ca

    return new_ca("other.example", datetime.now(UTC)).certificate
