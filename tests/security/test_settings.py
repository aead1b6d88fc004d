"""How a process is secured: directories and options."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core.access import State
from rserpool.core.errors import ConfigurationError
from rserpool.security.keys import Key
from rserpool.security.settings import Certificate, security_of

ONE, TWO, THREE = (os.urandom(32) for _ in range(3))


class SettingsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        self.path.mkdir()

    def write(self, name: str, text: str, mode: int = 0o600) -> Path:
        path = self.path / name
        path.write_text(text)
        path.chmod(mode)
        return path

    def refused(self, **options: object) -> str:
        given = {name.replace("_", "-"): value for name, value in options.items()}
        return str(self.assertRaises(ConfigurationError, security_of, self.path, given))

    def test_files_alone(self) -> None:
        """Whatever file is there is used, and TLS is required."""
        self.write("own.key", f"reg1:{ONE.hex()}\n")
        self.write("registrars.keys", f"reg2:{TWO.hex()}\n")
        self.write("elements.keys", f"web1:{THREE.hex()}\n")
        self.write("certificate.pem", "CHAIN", 0o644)
        self.write("private-key.pem", "PRIVATE")
        self.write("server-ca.pem", "CA", 0o644)
        self.write("access.toml", '[operators]\nlist = ["psk:web1"]\n', 0o644)
        security = security_of(self.path)
        self.assertIs(State.REQUIRED, security.state)
        self.assertEqual(Key("reg1", ONE), security.own)
        self.assertEqual((TWO, None), (security.registrars.find("reg2"), security.registrars.find("web1")))
        self.assertEqual((None, THREE), (security.elements.find("reg2"), security.elements.find("web1")))
        self.assertEqual(Certificate(b"CHAIN", b"PRIVATE"), security.certificate)
        self.assertEqual((b"CA", None), (security.server_ca, security.client_ca))
        self.assertEqual({"operators": {"list": ["psk:web1"]}}, security.access)
        self.assertNotIn("PRIVATE", repr(security))
        self.assertNotIn(ONE.hex(), repr(security))

    def test_table(self) -> None:
        """The table names what differs; its files are those of the directory; options come first."""
        self.write("mine.key", f"web1:{ONE.hex()}\n")
        self.write(
            "security.toml",
            '[security]\nstate = "offered"\nscope = "pools.example"\nown-key = "mine.key"\nlowest-tls = "1.3"\n',
        )
        security = security_of(self.path)
        self.assertEqual((State.OFFERED, "pools.example", "1.3"), (security.state, security.scope, security.lowest_tls))
        self.assertEqual("web1", security.own and security.own.name)
        self.assertIs(State.REQUIRED, security_of(self.path, {"state": "required"}).state)

    def test_options_alone(self) -> None:
        ca = self.write("ca.pem", "CA")
        security = security_of(None, {"scope": "pools.example", "server-ca": str(ca)})
        self.assertEqual(("pools.example", b"CA"), (security.scope, security.server_ca))
        self.assertTrue(security == security_of(None, {"scope": "pools.example", "server-ca": str(ca)}))

    def test_mistakes(self) -> None:
        self.assertIn("there is no setting 'sate'; there are state", self.refused(sate="required"))
        self.assertIn("state is plain, offered or required, not 'on'", self.refused(state="on"))
        self.assertIn("lowest-tls is 1.2 or 1.3, not '1.1'", self.refused(lowest_tls="1.1"))
        self.assertIn("static-rsa is true or false", self.refused(static_rsa="yes"))
        self.assertIn("scope is a text", self.refused(scope=1))
        self.assertIn("certificate goes with private-key", self.refused(certificate=__file__))
        self.assertIn("No such file", self.refused(own_key="absent"))
        table = self.write("security.toml", "[security\n")
        self.assertTrue(self.refused().startswith(f"{table}: this is not TOML"))
        self.write("security.toml", 'state = "offered"\n')
        self.assertIn("one table [security] is expected here", self.refused())
        self.write("security.toml", '[security]\nstate = "offered"\n', 0o666)
        self.assertIn(f"chmod go-w {table}", self.refused())
        error = self.assertRaises(ConfigurationError, security_of, self.path / "absent")
        self.assertIn("there is no such directory", str(error))

    def test_one_key_for_two(self) -> None:
        """A registrar's key is no element's."""
        self.write("registrars.keys", f"reg2:{TWO.hex()}\n")
        self.write("elements.keys", f"web1:{TWO.hex()}\n")
        self.assertIn("web1 and reg2 have the same key", self.refused())
