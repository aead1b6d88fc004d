"""Identities: how they are written, and when two are the same."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core.errors import ConfigurationError
from rserpool.core.identity import LONGEST, Identity, parse_identity


class IdentityTests(SynchronousTestCase):
    """Kinds and names."""

    def test_read_what_is_written(self) -> None:
        for text in ("psk:web 1", "psk:a:b", "dns:reg1.example", "ip:2001:db8::1", "ip:192.0.2.1"):
            self.assertEqual(text, str(parse_identity(text)))

    def test_one_name_of_two_kinds(self) -> None:
        self.assertNotEqual(Identity("psk", "reg1"), Identity("dns", "reg1"))

    def test_written_otherwise(self) -> None:
        self.assertEqual(Identity("dns", "Reg1.Example."), Identity("dns", "reg1.example"))
        self.assertEqual(Identity("ip", "2001:DB8:0::1"), Identity("ip", "2001:db8::1"))
        self.assertNotEqual(Identity("psk", "Web"), Identity("psk", "web"))

    def test_harmless(self) -> None:
        """What a terminal would obey is escaped where a name is shown."""
        text = str(Identity("psk", "\x1b[2Jx"))
        self.assertEqual(text, r"psk:\x1b[2Jx")

    def test_no_identity(self) -> None:
        for text in ("", "web", "psk:", ":web", "tls:web", "ip:web", "psk:a\nb", "psk:" + "x" * (LONGEST + 1)):
            with self.assertRaisesRegex(ConfigurationError, "is no identity"):
                parse_identity(text)
