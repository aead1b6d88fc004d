"""How people say how a process is secured."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core.access import State
from rserpool.core.errors import ConfigurationError
from rserpool.security.text import SECURITY, named_security, read_text, secured_by


class TextTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = Path(self.mktemp()).absolute()
        self.path.mkdir()
        self.patch(os, "environ", {**os.environ, SECURITY: ""})

    def test_forms(self) -> None:
        for text, directory, options in (
            ("/etc/keys", Path("/etc/keys"), {}),
            ("~/keys", Path("~/keys").expanduser(), {}),
            ("keys,state=offered,plain-users=yes", Path("keys").absolute(), {"state": "offered", "plain-users": True}),
            ("scope=a.example,server-ca=/ca.pem", None, {"scope": "a.example", "server-ca": "/ca.pem"}),
        ):
            written = read_text(text)
            self.assertEqual((directory, options), (written.directory, dict(written.options)))

    def test_mistakes(self) -> None:
        for text, sentence in {
            "": "expected DIR or NAME=VALUE",
            "a,b": "expected DIR or NAME=VALUE, and found 'b'",
            "a,sate=offered": "there is no setting 'sate'",
            "a,state=of": "state is plain, offered or required, not 'of'",
            "a,static-rsa=perhaps": "static-rsa is true or false, not 'perhaps'",
            "own-key=": "own-key is a text",
        }.items():
            self.assertIn(sentence, str(self.assertRaises(ConfigurationError, read_text, text)))

    def test_shared(self) -> None:
        """Who says the same has the same, and files are followed once."""
        one, other = secured_by(f"{self.path}"), secured_by(f"{self.path},state=offered")
        self.assertIs(one, secured_by(f"{self.path}"))
        assert one and other
        self.assertEqual((State.REQUIRED, State.OFFERED), (one.current.state, other.current.state))

    def test_off(self) -> None:
        self.assertIsNone(secured_by("off"))
        self.assertIsNone(secured_by(f"{self.path},state=plain"))

    def test_environment(self) -> None:
        self.assertIsNone(named_security())
        os.environ[SECURITY] = f"{self.path}"
        self.assertIs(secured_by(f"{self.path}"), named_security())
        os.environ[SECURITY] = "absent"
        error = self.assertRaises(ConfigurationError, named_security)
        self.assertTrue(str(error).startswith(f"{SECURITY}: "))
        self.assertIn("there is no such directory; rserpool keys make makes one", str(error))
