"""Every option has its key, and what a file says is what the option would."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from rserpool.cli import proxy, resolve
from rserpool.cli.parser import make_parser
from rserpool.config.commands import ONLY_TWISTD
from rserpool.config.keys import NO_KEYS, Kind, keys_of, keys_of_parser
from rserpool.config.user_keys import USER_KEYS
from rserpool.core.addresses import TransportAddress
from rserpool.tap.ns import RegistrarOptions
from rserpool.tap.options import RoleOptions
from rserpool.tap.pe import ElementOptions
from rserpool.tap.proxy import ProxyOptions
from rserpool.tap.worker import WorkerOptions
from tests.config.case import FileTests

NS, PE, PROXY = RegistrarOptions, ElementOptions, ProxyOptions
SUBCOMMANDS: tuple[type[RoleOptions], ...] = (NS, PE, PROXY, WorkerOptions)
MISTAKES: tuple[tuple[type[RoleOptions], str, str], ...] = (
    (NS, "[registrar]\n\npeer = ['a b']", "@3: peer: 'a b': 'a b' is neither"),
    (
        NS,
        "[registrar]\nasp = 1",
        "@2: asp: [registrar] has no such key (did you mean asap?)",
    ),
    (
        NS,
        "[registrar.limit]\npools = 1\npols = 1",
        "@3: limit: there is no limit 'pols'",
    ),
    (
        NS,
        "[registrar]\ndiscover = 'yes'",
        "@2: discover: expected is true or false, not 'yes'",
    ),
    (
        NS,
        "[registrar]\nasap = true",
        "@2: asap: expected is a text or number, not true",
    ),
    (
        NS,
        "[registrar]\nasap = []",
        "@2: asap: expected is a text or number, not this array",
    ),
    (NS, "# [registrar]\n", "FILE: there is no table in it; write [registrar], for example"),
    (NS, "[registrr]", "@1: there is no table registrr (did you mean registrar?)"),
    (NS, "asap = '1'", "@1: there is no key outside of a table asap"),
    (NS, "registrar = 1", "@1: registrar is a table, written [registrar]"),
    (NS, "[registrar]\nasap = ", "FILE: this is not TOML: Invalid value ("),
    (
        NS,
        "[security]\nscpe = 'a'",
        "@2: scpe: [security] has no such key (did you mean scope?)",
    ),
    (
        NS,
        "[security]\n\nstate = 'on'",
        "@3: state is plain, offered or required, not 'on'",
    ),
    (NS, "[security]\ndirectory = 'absent'", "@1: security: "),
    (
        PE,
        "[element]\npool = 'p'\ngrace = 'x'\nplugin='web'",
        "@3: grace: 'x' is not a number of",
    ),
    (PROXY, "[proxy]\npool = 'p'\nlisten='1'\nlimit = 0", "@4: limit: 0 is not between 1"),
)
"""A file, and the sentence about it; C{@} stands for the file and the word line."""


class OptionTests(FileTests):
    """The options are the schema."""

    def read(self, kind: type[RoleOptions], text: str, *words: str) -> Any:
        """The options of a subcommand with this file, and these words."""
        options: Any = kind()
        options.parseOptions(["--config", str(self.write(text)), *words])
        return options

    def test_every_option(self) -> None:
        """Each option of C{twistd} is a key, but for those about the command line; flags can be taken back."""
        for kind in SUBCOMMANDS:
            options: Any = kind()
            keys = keys_of(options)
            for option in options.longOpt:
                name = option.removesuffix("=")
                self.assertTrue(name in NO_KEYS or name in keys or name.removeprefix("no-") in keys, (kind, name))
            for key in keys.values():
                self.assertTrue(key.meaning, key)
                if key.kind is Kind.FLAG:
                    self.assertIn(key.name, options.longOpt)
                    self.assertIn(f"no-{key.name}", options.longOpt)

    def test_proxy(self) -> None:
        """C{rserpool proxy} has the options of C{rserpool-proxy}, so that one table is for both."""
        parser = argparse.ArgumentParser()
        proxy.configure(parser)
        kinds = [
            {name: key.kind for name, key in keys.items() if name not in ONLY_TWISTD}
            for keys in (keys_of(ProxyOptions()), keys_of_parser(parser))
        ]
        self.assertEqual(*kinds)

    def test_users(self) -> None:
        """What all commands of users have in common has a key for users, but for what a command is asked for."""
        parser = argparse.ArgumentParser()
        resolve.configure(parser)
        self.assertEqual(set(USER_KEYS), set(keys_of_parser(parser)) - {"pool", "json", "items", "timeout"})

    def test_registrar(self) -> None:
        """Options override the file; what may be repeated comes from one of them, and of limits each counts."""
        text = """
        [registrar]
        asap = "127.0.0.1:4000"
        peer = ["127.0.0.2", "127.0.0.3:1/2"]
        announce = true
        keep-alive = false
        identifier = 0x10
        limit = { pools = 3, elements = 4 }
        """
        settings = self.read(RegistrarOptions, text).settings
        self.assertEqual(TransportAddress(("127.0.0.1",), 4000), settings["asap"])
        self.assertEqual([("127.0.0.2",), ("127.0.0.3",)], [peer.hosts for peer in settings["peers"]])
        self.assertEqual((True, False, 16), (settings["announce"], settings["keep_alives"], settings["identifier"]))
        words = "--asap 127.0.0.9:1 --peer 127.0.0.8 --no-announce --keep-alive --limit pools=9".split()
        settings = self.read(RegistrarOptions, text, *words).settings
        self.assertEqual(("127.0.0.9",), settings["asap"].hosts)
        self.assertEqual([("127.0.0.8",)], [peer.hosts for peer in settings["peers"]])
        self.assertEqual((False, True), (settings["announce"], settings["keep_alives"]))
        self.assertEqual((9, 4), (settings["limits"].pools, settings["limits"].elements))

    def test_element(self) -> None:
        """The plugin is in the file, too, unless the command line has one."""
        text = """
        [element]
        pool = ["a", "b"]
        policy = "weighted-random:weight=7"
        grace = 2.5
        plugin = ["web", "--listen", "tcp:0"]
        """
        options = self.read(ElementOptions, text)
        self.assertEqual((["a", "b"], "web", 2.5), (options.pools, options.maker.tapname, options.settings["grace"]))
        self.assertEqual(["tcp:0"], options.inner["ports"])
        options = self.read(ElementOptions, text, "--pool", "c", "--", "rserpool-echo")
        self.assertEqual((["c"], "rserpool-echo"), (options.pools, options.maker.tapname))

    def wrong(self, kind: type[RoleOptions], text: str, *words: str) -> str:
        """The sentence that comes of a mistake."""
        path = self.write(text)
        error = self.assertRaises(SystemExit, kind().parseOptions, ["--config", str(path), *words])
        return str(error.code).replace(str(path), "FILE").removeprefix(f"twistd {kind.name}: ")

    def test_mistakes(self) -> None:
        """A mistake in a file is told with its line and key; one on the command line as ever."""
        for kind, text, expected in MISTAKES:
            self.assertIn(expected.replace("@", "FILE, line "), self.wrong(kind, text))
        self.assertIn("--asap: ", self.wrong(RegistrarOptions, "[registrar]\nasap = '1'", "--asap", "a b"))

    def test_who_may_write(self) -> None:
        """A file that others may change, or put another one in the place of, says nothing."""
        for mode in (0o664, 0o646):
            path = self.write("[registrar]", mode=mode)
            error = self.assertRaises(SystemExit, RegistrarOptions().parseOptions, ["--config", str(path)])
            self.assertIn(f"chmod go-w {path}", str(error.code))
        path = self.write("[registrar]")
        path.parent.chmod(0o777)
        error = self.assertRaises(SystemExit, RegistrarOptions().parseOptions, ["--config", str(path)])
        self.assertIn(f"chmod o-w {path.parent}", str(error.code))
        path.parent.chmod(0o1777)
        RegistrarOptions().parseOptions(["--config", str(path)])

    def test_not_a_file(self) -> None:
        """No such file, a folder, other bytes."""
        for path, sentence in ((Path("absent"), "it cannot be read"), (self.write("").parent, "Is a directory")):
            error = self.assertRaises(SystemExit, RegistrarOptions().parseOptions, ["--config", str(path)])
            self.assertIn(sentence, str(error.code))
        path = self.write("")
        path.write_bytes(b"[registrar]\n\xff")
        error = self.assertRaises(SystemExit, RegistrarOptions().parseOptions, ["--config", str(path)])
        self.assertIn("line 2: this is not text in UTF-8", str(error.code))


class SecuredFileTests(FileTests):
    """The table C{[security]}."""

    def test_relative(self) -> None:
        """Files are where the file is; the environment may say where its part is; options come first."""
        path = self.write(
            """
            [registrar]
            [security]
            scope = "pools.example.org"
            element-keys = "a.keys"
            own-key = "$RSERPOOL_TEST/own.key"
            """
        )
        for name, line, first in (("a.keys", "web1:", 1), ("own.key", "reg1:", 2)):
            random = bytes(range(first, first + 32)).hex()
            (path.parent / name).write_text(f"{line}{random}\n")
            (path.parent / name).chmod(0o600)
        self.patch(os, "environ", {**os.environ, "RSERPOOL_TEST": str(path.parent)})
        options = RegistrarOptions()
        options.parseOptions(["--config", str(path)])
        security = options.settings["security"].current
        self.assertEqual(
            ("pools.example.org", "reg1", ["web1"]), (security.scope, security.own.name, [*security.elements])
        )
        options = RegistrarOptions()
        options.parseOptions(["--config", str(path), "--security", "off"])
        self.assertFalse(options.settings["security"])


class ParserTests(FileTests):
    """C{rserpool proxy}."""

    def test_file(self) -> None:
        """A file says what the options would."""
        path = self.write("[proxy]\npool = 'p'\nlisten = ['1', '2']\ndrop = true\nlimit = 5\nregistrar = '127.0.0.1'")
        parser = make_parser("proxy")
        words = parser.with_files(["proxy", "--config", str(path), "--limit", "6"])
        options = parser.parse_args(words)
        self.assertEqual((["1", "2"], True, 6), (options.listen, options.drop, options.limit))
        self.assertEqual((None, ("p",)), (options.pool, parser.configured.arguments))
        words = parser.with_files(["proxy", f"--config={path}", "--listen", "3", "--no-drop", "q"])
        options = parser.parse_args(words)
        self.assertEqual((["3"], False, 5, b"q"), (options.listen, options.drop, options.limit, options.pool))
