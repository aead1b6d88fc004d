"""Files of pre-shared keys."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core.errors import ConfigurationError
from rserpool.security.keys import Key, Keyring, bearer_of, parse_keys, read_keys, read_own_key

ONE, TWO, THREE = (os.urandom(32) for _ in range(3))


def line(name: str, secret: bytes) -> str:
    return f"{name}:{secret.hex()}\n"


class KeysTests(SynchronousTestCase):
    def write(self, text: str, mode: int = 0o600) -> Path:
        path = Path(self.mktemp())
        path.write_text(text)
        path.chmod(mode)
        return path

    def refused(self, text: str, own: Key | None = None) -> str:
        """The sentence; no secret is in it."""
        error = self.assertRaises(ConfigurationError, parse_keys, text, "f", own)
        for secret in (ONE, TWO, THREE):
            self.assertNotIn(secret.hex()[:16], str(error))
        return str(error)

    def test_lines(self) -> None:
        """Empty lines and comments are allowed."""
        path = self.write(f"# elements\n\n{line('web1', ONE)}  web2 : {TWO.hex()}  # the second one\n")
        self.assertEqual((("web1", ONE), ("web2", TWO)), read_keys(path))

    def test_others_may_read(self) -> None:
        """A file that is not its owner's alone is refused, and the sentence says what to do."""
        for mode in (0o640, 0o604, 0o602, 0o660, 0o662):
            path = self.write(line("web1", ONE), mode)
            error = self.assertRaises(ConfigurationError, read_keys, path)
            self.assertIn(f"chmod 0600 {path}", str(error))

    def test_no_file(self) -> None:
        error = self.assertRaises(ConfigurationError, read_keys, Path("absent.keys"))
        self.assertEqual("absent.keys: it cannot be read: No such file or directory", str(error))
        self.assertIn("not a file", str(self.assertRaises(ConfigurationError, read_keys, Path("/dev/null"))))
        path = self.write("")
        path.write_bytes(b"web1:\xff\n")
        self.assertIn("not text", str(self.assertRaises(ConfigurationError, read_keys, path)))

    def test_wrong_lines(self) -> None:
        """File and line are named, the secret is not, wherever it stands."""
        good = line("web1", ONE)
        for wrong, why in {
            f"{TWO.hex()}\n": "not IDENTITY:HEX",
            f"web2 {TWO.hex()}\n": "not IDENTITY:HEX",
            f"web 2:{TWO.hex()}\n": "not IDENTITY:HEX",
            f":{TWO.hex()}\n": "not IDENTITY:HEX",
            f"web2:{TWO.hex()}x\n": "the key of web2 is not hexadecimal",
            f"web2:{TWO.hex()[:-1]}\n": "the key of web2 is not hexadecimal",
            f"web2:{TWO.hex()[:30]}\n": "the key of web2 has 15 bytes; 16 to 64",
            f"web2:{TWO.hex() * 3}\n": "the key of web2 has 96 bytes",
            f"web2:{'00' * 16}\n": "one byte again and again",
            f"{'w' * 129}:{TWO.hex()}\n": "longer than 128",
            line("web1", TWO): "two keys web1: name the second one web1@2",
            line("web2", ONE): "web2 and web1 have the same key",
        }.items():
            sentence = self.refused(good + wrong)
            self.assertTrue(sentence.startswith("f, line 2: "), sentence)
            self.assertIn(why, sentence)

    def test_half_written(self) -> None:
        """A last line without an end may be the half of a key."""
        self.assertIn("half written", self.refused(line("web1", ONE) + f"web2:{TWO.hex()[:40]}"))

    def test_own_identity(self) -> None:
        """Who took its own identity for another's would believe its own words."""
        own = Key("reg1", ONE)
        self.assertIn("f, line 1: reg1 is one's own", self.refused(line("reg1", TWO), own))
        self.assertIn("reg1@2 is one's own", self.refused(line("reg1@2", TWO), own))
        self.assertIn("the key of reg2 is one's own", self.refused(line("reg2", ONE), own))

    def test_own_key(self) -> None:
        self.assertEqual(Key("reg1", ONE), read_own_key(self.write(line("reg1", ONE))))
        for text, count in ((line("a", ONE) + line("b", TWO), 2), ("", 0)):
            error = self.assertRaises(ConfigurationError, read_own_key, self.write(text))
            self.assertIn(f"there are {count}", str(error))

    def test_generations(self) -> None:
        """One bearer may have several keys for a while."""
        ring = Keyring(parse_keys(line("web1", ONE) + line("web1@2", TWO), "f"))
        self.assertEqual([ONE, TWO, None], [ring.find(name) for name in ("web1", "web1@2", "web1@3")])
        self.assertEqual(["web1", "web1"], [bearer_of(name) for name in ring])

    def test_keyring(self) -> None:
        """It finds others, shows no secret, and is equal to one of the same keys."""
        ring = Keyring([Key("web1", ONE)], Key("reg1", TWO))
        self.assertIsNone(ring.find("reg1"))
        self.assertEqual(1, len(ring))
        self.assertEqual("Keyring(['web1'], own=Key('reg1'))", repr(ring))
        self.assertEqual(ring, Keyring([Key("web1", ONE)], Key("reg1", TWO)))
        self.assertNotEqual(ring, Keyring([Key("web1", ONE)], Key("reg1", THREE)))
        self.assertRaises(ConfigurationError, Keyring, [Key("web1", ONE)], Key("web1", TWO))
