"""SIGHUP: what of a file counts at once, what waits, and what is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.logger import LogLevel
from twisted.trial.unittest import SynchronousTestCase

from rserpool.security.following import SecurityFiles
from rserpool.tap.ns import RegistrarOptions
from rserpool.tap.options import RoleOptions
from rserpool.tap.pe import ElementOptions
from rserpool.tap.reloading import Reloading
from tests.loglines import LogLines


class ReloadingTests(SynchronousTestCase):
    """The options of a role, and their file."""

    def setUp(self) -> None:
        self.path = Path(self.mktemp()).absolute()
        self.counted: list[tuple[str, Any]] = []
        self.log = LogLines(self)

    def begin(self, kind: type[RoleOptions], text: str, *words: str) -> Reloading:
        """A role that runs with this file."""
        self.path.write_text(text)
        self.options: Any = kind()
        self.options.parseOptions(["--config", str(self.path), *words])
        changes = {
            "peer": lambda fresh: self.counted.append(("peer", [each.hosts[0] for each in fresh.settings["peers"]])),
            "limit": lambda fresh: self.counted.append(("limit", fresh.settings["limits"].pools)),
        }
        (reloading,) = self.options.changing(changes)
        return reloading

    def reload(self, reloading: Reloading, text: str) -> list[str]:
        """The file says something else now: what is told of it."""
        self.path.write_text(text)
        self.log.lines.clear()
        self.right = reloading.reload()
        return [line.replace(str(self.path), "FILE") for line in self.log.lines]

    def test_registrar(self) -> None:
        """What can change does, once; what cannot is told until it is started anew."""
        reloading = self.begin(RegistrarOptions, "[registrar]\npeer = '127.0.0.2'\n")
        text = "[registrar]\npeer = ['127.0.0.2', '127.0.0.3']\nidentifier = 7\n[registrar.limit]\npools = 5"
        later = "FILE: identifier is 0x00000007 when this is started anew, and not before (was not there)"
        self.assertEqual(
            [
                later,
                "FILE: limit is pools=5 now (was not there)",
                "FILE: peer is 127.0.0.2, 127.0.0.3 now (was 127.0.0.2)",
            ],
            self.reload(reloading, text),
        )
        self.assertEqual([("limit", 5), ("peer", ["127.0.0.2", "127.0.0.3"])], self.counted)
        self.assertEqual([later], self.reload(reloading, text))
        self.assertEqual(2, len(self.counted))
        lines = self.reload(reloading, "[registrar]\n")
        self.assertEqual(2, len(lines), lines)
        self.assertEqual([("limit", 100_000), ("peer", [])], self.counted[2:])

    def test_broken(self) -> None:
        """It changes nothing, whatever else is in it."""
        reloading = self.begin(RegistrarOptions, "[registrar]\n")
        for text, sentence in (
            ("[registrar]\npeer = '127.0.0.2'\nidentifier = 0", "FILE, line 3: identifier: 0 is not between"),
            ("[registrar]\npeer = '127.0.0.2'\nidentifir = 1", "FILE, line 3: identifir: [registrar] has no such key"),
            ("[registrar\n", "FILE: this is not TOML: "),
            ("", "FILE: there is no table in it"),
            ("[registrar]\npeer = '127.0.0.2'\nenrp = 'none'", "--enrp none: without ENRP there are no peers"),
        ):
            (line,) = self.reload(reloading, text)
            self.assertIn(sentence, line)
            self.assertTrue(line.endswith("; nothing changes until this is mended"), line)
            self.assertEqual((False, []), (self.right, self.counted))
        self.path.unlink()
        self.assertFalse(reloading.reload())

    def test_command_line(self) -> None:
        """What it says stays."""
        reloading = self.begin(RegistrarOptions, "[registrar]\n", "--peer", "127.0.0.9")
        self.assertEqual([], self.reload(reloading, "[registrar]\npeer = '127.0.0.2'\n"))

    def test_level(self) -> None:
        """The level of the log counts at once."""
        reloading = self.begin(RegistrarOptions, "[registrar]\n")
        self.reload(reloading, "[registrar]\nlog-level = 'error'\n")
        self.assertIs(LogLevel.error, self.options.levels.predicate.logLevelForNamespace("rserpool"))
        self.reload(reloading, "[registrar]\n")
        self.assertIs(LogLevel.info, self.options.levels.predicate.logLevelForNamespace("rserpool"))

    def test_plugin(self) -> None:
        """Another service is another process."""
        reloading = self.begin(ElementOptions, "[element]\npool = 'p'\nplugin = 'rserpool-echo'\n")
        (line,) = self.reload(reloading, "[element]\npool = 'p'\nplugin = 'rserpool-discard'\n")
        expected = "FILE: plugin is rserpool-discard when this is started anew, and not before (was rserpool-echo)"
        self.assertEqual(expected, line)

    def test_security(self) -> None:
        """Other files and settings count at once; that there are any at all does not."""
        keys = self.path.with_name(f"{self.path.name}.keys")
        for number in (1, 2):
            path = Path(f"{keys}{number}")
            path.write_text(f"web{number}:{bytes(range(number, number + 32)).hex()}\n")
            path.chmod(0o600)
        own = Path(f"{keys}.own")
        own.write_text(f"reg1:{bytes(range(50, 82)).hex()}\n")
        own.chmod(0o600)
        table = f"[registrar]\n[security]\nown-key = '{own}'\nelement-keys = '{keys}1'\n"
        reloading = self.begin(RegistrarOptions, table)
        secured = self.options.settings["security"]
        assert isinstance(secured, SecurityFiles)
        self.assertEqual(["web1"], [*secured.current.elements])
        lines = self.reload(reloading, table.replace(f"{keys}1", f"{keys}2"))
        self.assertEqual(["web2"], [*secured.current.elements])
        self.assertTrue(any("keys of elements added: web2" in line for line in lines), lines)
        (line,) = self.reload(reloading, "[registrar]\n")
        self.assertIn("security is not there when this is started anew, and not before", line)
        self.assertEqual(["web2"], [*secured.current.elements])
