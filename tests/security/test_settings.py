"""How a process is secured: directories and options."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from twisted.trial.unittest import SynchronousTestCase

from rserpool.core.access import State
from rserpool.core.errors import ConfigurationError
from rserpool.core.identity import Identity
from rserpool.security.keys import Key
from rserpool.security.making import new_ca, new_certificate
from rserpool.security.settings import Certificate, security_of

ONE, TWO, THREE = (os.urandom(32) for _ in range(3))
NOW = datetime(2027, 1, 1, tzinfo=UTC)
CA = new_ca("pools.example", NOW)
ISSUED = new_certificate(CA, ["reg1.example", "pools.example"], NOW, 365)


def with_passphrase(private_key: bytes) -> bytes:
    key = load_pem_private_key(private_key, None)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"word"))


class SettingsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        self.path.mkdir()

    def write(self, name: str, text: str | bytes, mode: int = 0o600) -> Path:
        path = self.path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
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
        self.write("certificate.pem", ISSUED.certificate, 0o644)
        self.write("private-key.pem", ISSUED.private_key)
        self.write("server-ca.pem", CA.certificate, 0o644)
        self.write("access.toml", '[web]\nidentities = ["psk:web1"]\nroles = ["element"]\npools = ["www"]\n', 0o644)
        security = security_of(self.path)
        self.assertIs(State.REQUIRED, security.state)
        self.assertEqual(Key("reg1", ONE), security.own)
        self.assertEqual((TWO, None), (security.registrars.find("reg2"), security.registrars.find("web1")))
        self.assertEqual((None, THREE), (security.elements.find("reg2"), security.elements.find("web1")))
        self.assertEqual(Certificate(ISSUED.certificate, ISSUED.private_key), security.certificate)
        self.assertEqual((CA.certificate, None), (security.server_ca, security.client_ca))
        standing = security.access.standing((Identity("psk", "web1"),))
        self.assertEqual((Identity("psk", "web1"), None), (standing.owner(b"www"), standing.owner(b"api")))
        self.assertTrue(security.access.standing((Identity("psk", "reg2"),)).registrar)
        self.assertNotIn("PRIVATE KEY", repr(security))
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
        ca = self.write("ca.pem", CA.certificate)
        security = security_of(None, {"scope": "pools.example", "server-ca": str(ca)})
        self.assertEqual(("pools.example", CA.certificate), (security.scope, security.server_ca))
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

    def test_broken_certificates(self) -> None:
        """They are found when they are read, and not when somebody dials."""
        path = self.write("certificate.pem", "nothing")
        key = self.write("private-key.pem", "nothing")
        self.assertIn(f"{path}: there is no certificate in it", self.refused())
        self.write("certificate.pem", ISSUED.certificate.replace(b"MII", b"MIX"))
        self.assertIn(f"{path}: a certificate in it cannot be read", self.refused())
        self.write("certificate.pem", ISSUED.certificate)
        self.assertIn(f"{key}: this is not a private key in PEM", self.refused())
        self.write("private-key.pem", CA.private_key)
        self.assertEqual(f"{key}: this is not the private key of the certificate in {path}", self.refused())
        self.write("private-key.pem", ISSUED.private_key, 0o640)
        self.assertIn(f"chmod 0600 {key}", self.refused())
        self.write("private-key.pem", with_passphrase(ISSUED.private_key))
        self.assertIn(f"{key}: it has a passphrase", self.refused())
        self.write("private-key.pem", ISSUED.private_key)
        self.write("server-ca.pem", "")
        self.assertIn("server-ca.pem: there is no certificate in it", self.refused())

    def test_one_key_for_two(self) -> None:
        """A registrar's key is no element's."""
        self.write("registrars.keys", f"reg2:{TWO.hex()}\n")
        self.write("elements.keys", f"web1:{TWO.hex()}\n")
        self.assertIn("web1 and reg2 have the same key", self.refused())
