"""What users of a host go by: the environment, then the user's file, then that of the machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from twisted.internet.endpoints import clientFromString
from twisted.internet.task import Clock

from rserpool.config import user
from rserpool.core.errors import ConfigurationError
from rserpool.node.candidates import registrars_from
from rserpool.node.securing import secured_from
from rserpool.registrar.service import RegistrarService
from rserpool.tap.pe import ElementOptions
from rserpool.user.service import PoolUserService
from tests.config.case import FileTests


class UserFileTests(FileTests):
    """C{user.toml}."""

    def setUp(self) -> None:
        self.home, self.machine = Path(self.mktemp()).absolute(), Path(self.mktemp()).absolute() / "user.toml"
        (self.home / "rserpool").mkdir(parents=True)
        self.machine.parent.mkdir()
        self.own = self.home / "rserpool" / "user.toml"
        names = ("RSERPOOL_CONFIG", "RSERPOOL_REGISTRARS", "RSERPOOL_SECURITY")
        others = {name: value for name, value in os.environ.items() if name not in names}
        self.patch(os, "environ", {**others, "XDG_CONFIG_HOME": str(self.home)})
        self.patch(user, "MACHINE", self.machine)

    def hosts(self, *named: str) -> list[str]:
        """The registrars that are looked for."""
        return list(dict.fromkeys(host for each in registrars_from(named) for host in each.hosts))

    def test_order(self) -> None:
        """An option, the environment, the user's file, the machine's, this host."""
        self.assertEqual(["127.0.0.1"], self.hosts())
        self.machine.write_text("[user]\nregistrar = ['192.0.2.1', '192.0.2.2:1/2']\nprofile = 'rfc'\n")
        self.assertEqual(["192.0.2.1", "192.0.2.2"], self.hosts())
        self.own.write_text("[user]\nregistrar = '192.0.2.3'\n")
        self.assertEqual(["192.0.2.3"], self.hosts())
        self.assertEqual({"profile": "rfc"}, user.usual("profile", "transport"))
        os.environ["RSERPOOL_REGISTRARS"] = "192.0.2.4"
        self.assertEqual(["192.0.2.4"], self.hosts())
        self.assertEqual(["192.0.2.5"], self.hosts("192.0.2.5"))
        del os.environ["RSERPOOL_REGISTRARS"]
        os.environ["RSERPOOL_CONFIG"] = "none"
        self.assertEqual(["127.0.0.1"], self.hosts())
        os.environ["RSERPOOL_CONFIG"] = str(self.machine)
        self.assertEqual(["192.0.2.1", "192.0.2.2"], self.hosts())

    def test_changed(self) -> None:
        """A file that changes is read anew."""
        self.own.write_text("[user]\nregistrar = '192.0.2.3'\n")
        self.assertEqual(["192.0.2.3"], self.hosts())
        self.own.write_text("[user]\nregistrar = '192.0.2.33'\n")
        self.assertEqual(["192.0.2.33"], self.hosts())

    def test_endpoint_strings(self) -> None:
        """Endpoint strings and services go by it, and elements."""
        self.own.write_text("[user]\nregistrar = '192.0.2.3'\ntransport = 'tcp'\nannounce = false\nbackend='usrsctp'\n")
        reactor: Any = Clock()
        endpoint: Any = clientFromString(reactor, "rserpool:www")
        self.assertEqual("tcp", endpoint.user._transport)
        service: Any = PoolUserService(reactor)
        self.assertEqual("192.0.2.3", service._registrars[0].hosts[0])
        options = ElementOptions()
        options.parseOptions(["--pool", "p", "--", "rserpool-echo"])
        self.assertEqual(["192.0.2.3"], [each.hosts[0] for each in options.settings["registrars"]])
        self.assertEqual("usrsctp", options.settings["backend"])

    def test_security(self) -> None:
        """The table C{[security]} is for users, not for registrars of the same machine; the environment comes first."""
        self.own.write_text("[security]\nscope = 'pools.example.org'\n")
        secured = secured_from(None)
        assert secured is not None
        self.assertEqual("pools.example.org", secured.current.scope)
        self.assertIsNone(RegistrarService(Clock()).secured)
        self.assertIsNone(secured_from(False))
        os.environ["RSERPOOL_SECURITY"] = "off"
        self.assertIsNone(secured_from(None))

    def test_wrong(self) -> None:
        """A mistake is a sentence with its line, wherever it is met."""
        for text, sentence in (
            ("[user]\nregistrar = 'a b'", "line 2: registrar: 'a b': 'a b' is neither"),
            ("[user]\n\nregistrars = 'a'", "line 3: registrars: [user] has no such key (did you mean registrar?)"),
            ("[user]\ntransport = 'udp'", "line 2: transport: there is no transport 'udp'"),
            ("[user]\nannounce = 'no'", "line 2: announce: expected is true or false"),
            ("[security]\nstate = 'on'", "line 2: state is plain, offered or required"),
            ("[user]]", "this is not TOML"),
        ):
            self.own.write_text(text)
            for ask in (registrars_from, secured_from, lambda _: clientFromString(Clock(), "rserpool:www")):
                error = self.assertRaises(ConfigurationError, ask, () if ask is registrars_from else None)
                self.assertIn(sentence, str(error))
                self.assertIn(str(self.own), str(error))
        self.own.write_text("[user]")
        os.environ["RSERPOOL_CONFIG"] = str(self.machine)
        for ask in (registrars_from, secured_from):
            error = self.assertRaises(ConfigurationError, ask, () if ask is registrars_from else None)
            self.assertEqual(
                f"RSERPOOL_CONFIG: {self.machine}: it cannot be read: No such file or directory", str(error)
            )
        del os.environ["RSERPOOL_CONFIG"]
        self.own.write_text("[security]\ndirectory = 'absent'")
        self.assertIn("line 1: [security]: ", str(self.assertRaises(ConfigurationError, secured_from, None)))
