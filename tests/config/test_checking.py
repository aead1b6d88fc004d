"""C{rserpool config check}."""

from __future__ import annotations

from argparse import Namespace
from io import StringIO
from pathlib import Path

from rserpool.cli import config
from rserpool.core.errors import ConfigurationError
from tests.config.case import FileTests


class CheckTests(FileTests):
    """It says all that is wrong."""

    def check(self, path: Path) -> tuple[int, list[str]]:
        """The exit code, and what is printed."""
        out = StringIO()
        code = self.successResultOf(_run(Namespace(action="check", file=path), out))
        return code, out.getvalue().replace(str(path), "FILE").splitlines()

    def test_all(self) -> None:
        """One line for each mistake, in all tables."""
        code, lines = self.check(
            self.write(
                """\
                [registrar]
                asap = "127.0.0.1:3863"
                peer = ["127.0.0.1:9901", "non sense"]
                identifier = 0
                [registrar.limit]
                pools = 10
                elemnts = 20

                [element]
                pool = "www"
                profile = "quick"
                plugin = ["web", "--listn", "tcp:0"]
                [proxy]
                pool = "x"
                limit = true
                grase = 5
                [user]
                transport = "udp"
                """
            )
        )
        self.assertEqual(1, code)
        expected = (
            "FILE, line 3: peer: 'non sense'",
            "FILE, line 4: identifier: 0 is not between",
            "FILE, line 7: limit: there is no limit 'elemnts'",
            "FILE, line 11: profile: there is no profile 'quick'",
            "FILE, line 15: limit: expected is a text or number, not true",
            "FILE, line 16: grase: [proxy] has no such key (did you mean grace?); it has admin, ",
            "FILE, line 18: transport: there is no transport 'udp'; choose one of auto, sctp, tcp",
        )
        self.assertEqual(len(expected), len(lines), lines)
        for sentence in expected:
            self.assertTrue(any(line.startswith(sentence) for line in lines), (sentence, lines))

    def test_well(self) -> None:
        """Tables may be empty."""
        path = self.write(
            "[registrar]\n[element]\npool = 'a'\nplugin = ['rserpool-echo']\n[proxy]\npool='p'\nlisten='1'\n[user]"
        )
        self.assertEqual((0, ["FILE: all is well with [registrar], [element], [proxy], [user]"]), self.check(path))
        self.assertEqual((0, ["FILE: all is well with [security]"]), self.check(self.write("[security]\nscope='a.b'")))

    def test_plugin(self) -> None:
        """What serves is looked at as well."""
        code, lines = self.check(self.write("[element]\npool = 'a'\nplugin = ['web', '--listn', 'tcp:0']"))
        self.assertEqual((1, 1), (code, len(lines)))
        self.assertIn("FILE, line 1: [element]: web: ", lines[0])
        self.assertIn("--listn", lines[0])

    def test_nothing(self) -> None:
        """No table, no file."""
        self.assertEqual(
            (1, ["FILE: there is no table in it; write [registrar], for example"]), self.check(self.write(""))
        )
        self.failureResultOf(_run(Namespace(action="check", file=Path("absent")), StringIO()), ConfigurationError)


def _run(options: Namespace, out: StringIO):
    from twisted.internet.defer import ensureDeferred

    return ensureDeferred(config.run(None, options, out))
