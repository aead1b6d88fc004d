"""C{rserpool config show}: what holds, and from where."""

from __future__ import annotations

import json
import os
from argparse import Namespace
from io import StringIO
from typing import Any

from twisted.internet.defer import ensureDeferred

from rserpool.cli import config
from rserpool.core.errors import ConfigurationError
from tests.config.case import FileTests

ELEMENT = ("--identifier", "77", "--pool", "a", "--", "rserpool-discard")


class ShowTests(FileTests):
    """One line for each key."""

    def show(self, role: str, text: str = "", *words: str) -> dict[str, tuple[str, str]]:
        """The value of each key, and where it comes from."""
        path = self.write(text) if text else None
        options = Namespace(action="show", role=role, config=path and str(path), command=list(words), json=True)
        out = StringIO()
        self.assertEqual(0, self.successResultOf(ensureDeferred(config.run(None, options, out))))
        return {held["key"]: (held["value"], held["from"].replace(str(path), "FILE")) for held in self.lines(out)}

    @staticmethod
    def lines(out: StringIO) -> list[Any]:
        return [json.loads(line) for line in out.getvalue().splitlines()]

    def test_registrar(self) -> None:
        """The command line, the file with its line, defaults."""
        text = "[registrar]\nasap = '127.0.0.7:1'\npeer = ['127.0.0.8', '127.0.0.9']\nannounce = true\nlimit.pools = 5"
        held = self.show("registrar", text, "--asap", "127.0.0.6:1", "--no-announce", "--limit", "elements=7")
        self.assertEqual(("127.0.0.6:1", "command line"), held["asap"])
        self.assertEqual(("127.0.0.8, 127.0.0.9", "FILE, line 3"), held["peer"])
        self.assertEqual(("false", "command line"), held["announce"])
        self.assertEqual(("pools=5, elements=7", "FILE, line 5; command line"), held["limit"])
        self.assertEqual(("random", "default"), held["identifier"])
        self.assertEqual(("true", "default"), held["keep-alive"])
        self.assertEqual(("none", "default"), held["security"])

    def test_identifier(self) -> None:
        """It is written as everywhere else, however the file has it."""
        for text in ("0x5e127a01", "1578269185", "'0x5E127A01'"):
            held = self.show("registrar", f"[registrar]\nidentifier = {text}")
            self.assertEqual(("0x5e127a01", "FILE, line 2"), held["identifier"])
        self.assertEqual(("0x0000004d", "command line"), self.show("element", "", *ELEMENT)["identifier"])

    def test_element(self) -> None:
        """The plugin, the environment, and the files of users."""
        user = self.write("[user]\nprofile = 'rfc'\nregistrar = '127.0.0.5'\nannounce = true", "user.toml")
        others = {name: value for name, value in os.environ.items() if not name.startswith("RSERPOOL_")}
        self.patch(os, "environ", {**others, "RSERPOOL_CONFIG": str(user)})
        text = "[element]\npool = 'p'\nplugin = ['rserpool-echo', '--tcp', '0']\n"
        held = self.show("element", text)
        self.assertEqual(("rserpool-echo --tcp 0", "FILE, line 3"), held["plugin"])
        self.assertEqual(("rfc", f"{user}, line 2"), held["profile"])
        self.assertEqual(("127.0.0.5", f"{user}, line 3"), held["registrar"])
        os.environ["RSERPOOL_REGISTRARS"] = "127.0.0.4"
        held = self.show("element", text, "--profile", "fast", "--", "rserpool-discard")
        self.assertEqual(("127.0.0.4", "RSERPOOL_REGISTRARS"), held["registrar"])
        self.assertEqual(("fast", "command line"), held["profile"])
        self.assertEqual(("rserpool-discard", "command line"), held["plugin"])
        self.assertEqual(("true", f"{user}, line 4"), self.show("user")["announce"])

    def test_security(self) -> None:
        """It is shown as the option would have it; a key is never in it."""
        path = self.write("[user]\n[security]\nscope = 'a.example'\n", "user.toml")
        others = {name: value for name, value in os.environ.items() if not name.startswith("RSERPOOL_")}
        self.patch(os, "environ", {**others, "RSERPOOL_CONFIG": str(path)})
        self.assertEqual(("scope=a.example", f"{path}, line 2"), self.show("user")["security"])
        os.environ["RSERPOOL_SECURITY"] = "off"
        self.assertEqual(("off", "RSERPOOL_SECURITY"), self.show("user")["security"])

    def test_wrong(self) -> None:
        """What would not start is not shown."""
        options = Namespace(action="show", role="registrar", config=None, command=["--asap", "a b"], json=False)
        self.failureResultOf(ensureDeferred(config.run(None, options, StringIO())), ConfigurationError)
        options = Namespace(action="show", role="user", config=None, command=["--asap", "a"], json=False)
        self.failureResultOf(ensureDeferred(config.run(None, options, StringIO())), ConfigurationError)

    def test_table(self) -> None:
        """For people it is a table."""
        out = StringIO()
        options = Namespace(action="show", role="registrar", config=None, command=[], json=False)
        self.successResultOf(ensureDeferred(config.run(None, options, out)))
        self.assertRegex(out.getvalue(), r"\AKEY +VALUE +FROM\nadmin +none +default\n")
