"""C{rserpool:POOL:registrar=HOST:PORT}, as Twisted reads it."""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.endpoints import clientFromString
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import (
    ConfigurationError,
    TransportAddress,
)
from rserpool.core.profiles import FAST
from rserpool.user import PoolClientEndpoint
from tests.pool_scope import Taking


class StringTests(SynchronousTestCase):
    """C{rserpool:POOL:registrar=HOST:PORT}."""

    def user(self, description: str) -> Any:
        endpoint = clientFromString(self.reactor, description)
        self.assertIsInstance(endpoint, PoolClientEndpoint)
        self.last: Any = endpoint
        return endpoint.user  # type: ignore[attr-defined]

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()

    def test_as_written(self) -> None:
        """The form of the documentation works literally."""
        user = self.user("rserpool:POOL:registrar=127.0.0.1:3864")
        self.assertEqual(user.registrars, (TransportAddress(("127.0.0.1",), 3864),))
        self.assertEqual(self.last.handle, b"POOL")

    def test_escaped(self) -> None:
        """So do escaped colons."""
        user = self.user(r"rserpool:POOL:registrar=127.0.0.1\:3864/9898")
        self.assertEqual(user.registrars, (TransportAddress(("127.0.0.1",), 3864, 9898),))

    def test_ipv6(self) -> None:
        """IPv6, both ways."""
        for text in (r"[\:\:1]:3864", r"[\:\:1]\:3864", "[::1]:3864"):
            user = self.user(f"rserpool:POOL:registrar={text}:profile=fast")
            self.assertEqual(user.registrars, (TransportAddress(("::1",), 3864),))

    def test_several(self) -> None:
        """Several registrars are joined by +; one may have several addresses."""
        user = self.user("rserpool:POOL:registrar=10.0.0.1,10.0.1.1:3863+10.0.0.2:3864:transport=tcp")
        self.assertEqual(
            user.registrars, (TransportAddress(("10.0.0.1", "10.0.1.1"), 3863), TransportAddress(("10.0.0.2",), 3864))
        )

    def test_defaults(self) -> None:
        """Only the pool must be named; it may have any characters, in UTF-8."""
        self.assertEqual(len(self.user("rserpool:größe").registrars), 8)
        self.assertEqual(self.last.handle, "größe".encode())

    def test_shared(self) -> None:
        """Endpoints with the same settings share one pool user."""
        one = self.user("rserpool:A:registrar=127.0.0.1:3864")
        self.assertIs(self.user("rserpool:B:registrar=127.0.0.1:3864:timeout=3:drop=yes:items=4"), one)
        self.assertIsNot(self.user("rserpool:A:registrar=127.0.0.1:3864:profile=fast"), one)
        self.assertIsNot(self.user("rserpool:A:registrar=127.0.0.1:3865"), one)
        self.assertIsNot(self.user("rserpool:A:registrar=127.0.0.1:3864:announce=yes"), one)
        self.assertIsNot(self.user("rserpool:A:registrar=127.0.0.1:3864:backend=usrsctp"), one)
        self.assertIs(self.user("rserpool:A:registrar=127.0.0.1:3864:attempt=0.5"), one)

    def test_profile(self) -> None:
        """The profile is that of the pool user."""
        self.assertIs(self.user("rserpool:A:profile=fast").profile, FAST)

    def test_security(self) -> None:
        """What secures a user is said by a directory and settings; who says the same shares one."""
        path = self.mktemp()
        os.mkdir(path)
        one = self.user(f"rserpool:A:registrar=127.0.0.1:security={path},scope=a.example")
        self.assertIs(one, self.user(f"rserpool:B:registrar=127.0.0.1:security={path},scope=a.example"))
        other = self.user("rserpool:A:registrar=127.0.0.1:security=off")
        self.assertIsNone(other.secured)
        assert one.secured is not None
        self.assertEqual("a.example", one.secured.current.scope)
        self.assertEqual(([3864], [3863]), tuple([each.port for each in user.registrars] for user in (one, other)))

    def test_mistakes(self) -> None:
        """A wrong part is named."""
        for description, part in (
            ("rserpool", "which pool"),
            ("rserpool:", "which pool"),
            ("rserpool:A:127.0.0.1:3863", "127.0.0.1:3863"),
            ("rserpool:A:registrar=ho st:3863", "ho st"),
            ("rserpool:A:registrar=127.0.0.1:99999", "99999"),
            ("rserpool:A:transport=udp", "udp"),
            ("rserpool:A:profile=slow", "slow"),
            ("rserpool:A:timeout=never", "never"),
            ("rserpool:A:items=1.5", "1.5"),
            ("rserpool:A:drop=maybe", "maybe"),
            ("rserpool:A:announce=maybe", "maybe"),
            ("rserpool:A:attempt=0", "attempt=0"),
            ("rserpool:A:backend=none", "none"),
            ("rserpool:A:security=absent", "absent: there is no such directory"),
            ("rserpool:A:security=state=on", "state is plain, offered or required, not 'on'"),
            ("rserpool:A:colour=red", "colour"),
        ):
            with self.assertRaises(ConfigurationError) as raised:
                clientFromString(self.reactor, description)
            self.assertIn(part, str(raised.exception))

    def test_starts_and_stops(self) -> None:
        """The pool user starts with the first connect, and stops with the reactor."""
        user = self.user("rserpool:POOL:registrar=127.0.0.1:3864:transport=tcp")
        self.assertFalse(user.running)
        self.last.connect(Factory.forProtocol(Taking)).addErrback(lambda _: None)
        self.assertTrue(user.running)
        self.assertEqual([client[:2] for client in self.reactor.tcpClients], [("127.0.0.1", 3864)])
        ((stop, args, keywords),) = self.reactor.triggers["before"]["shutdown"]
        stop(*args, **keywords)
        self.assertFalse(user.running)
