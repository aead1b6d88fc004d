"""Who is given the keys of somebody else: the options of each subcommand say so, before anything starts."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rserpool.security.scope_directory import ScopeDirectory, Terms, member_of
from rserpool.security.text import secured_by
from rserpool.tap.ns import RegistrarOptions
from rserpool.tap.pe import ElementOptions
from rserpool.tap.proxy import ProxyOptions
from rserpool.testing import Scope
from tests.loglines import LogLines

WORDS: dict[Any, list[str]] = {
    RegistrarOptions: ["--asap", "127.0.0.1"],
    ElementOptions: ["--pool", "pool", "--port", "8000", "--", "procmon", "true"],
    ProxyOptions: ["--listen", "127.0.0.1:0", "--pool", "pool"],
}


class FolderTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        members = [member_of("registrar", "reg1"), member_of("element", "web1"), member_of("operator", "operator")]
        ScopeDirectory(self.path).make("pools.example", members, Terms(datetime.now(UTC)))

    def says(self, options: Any, folder: str) -> str:
        """What is said to who starts it with a folder; empty if it would start, and say nothing."""
        log = LogLines(self)
        try:
            options().parseOptions(["--security", str(self.path / folder), *WORDS[options]])
        except SystemExit as error:
            return str(error)
        finally:
            secured_by(str(self.path / folder))
        return "; ".join(log.lines)

    def test_own_folder(self) -> None:
        """Each with its own folder says nothing."""
        for options, folder in ((RegistrarOptions, "reg1"), (ElementOptions, "web1"), (ProxyOptions, "users")):
            self.assertEqual("", self.says(options, folder))

    def test_registrar(self) -> None:
        """A registrar needs to know the keys of others: with the folder of somebody else nobody could register."""
        for folder, whose in (("web1", "an element"), ("operator", "an element or operator"), ("users", "users")):
            self.assertIn(
                f"--security: these are the files of {whose}: a registrar has keys of others",
                self.says(RegistrarOptions, folder),
            )

    def test_element(self) -> None:
        """An element must not have the keys of a registrar, and users have none."""
        self.assertIn(
            "--security: these are the files of a registrar, by which anybody could be one",
            self.says(ElementOptions, "reg1"),
        )
        self.assertIn("an element needs a key of its own", self.says(ElementOptions, "users"))

    def test_user(self) -> None:
        """A user is told that it has more than it needs, and is served."""
        for folder, whose in (("reg1", "a registrar"), ("web1", "an element")):
            log = LogLines(self)
            scope = Scope(1)
            user = scope.user(security=str(self.path / folder))
            scope.stop()
            self.assertIsNotNone(user)
            self.assertTrue(
                any(line.startswith(f"a user is given the files of {whose}") for line in log.lines), log.lines
            )
