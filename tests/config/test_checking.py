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
            "FILE, line 9: [element]: web: ",
            "FILE, line 11: profile: there is no profile 'quick'",
            "FILE, line 13: [proxy]: --listen ENDPOINT is needed",
            "FILE, line 15: limit: expected is a text or number, not true",
            "FILE, line 16: grase: [proxy] has no such key (did you mean grace?); it has admin, ",
            "FILE, line 18: transport: there is no transport 'udp'; choose one of auto, sctp, tcp",
        )
        self.assertEqual(len(expected), len(lines), lines)
        for sentence in expected:
            self.assertTrue(any(line.startswith(sentence) for line in lines), (sentence, lines))

    def test_beside_each_other(self) -> None:
        """No mistake hides another one: not an unknown key, nor what is lacking, nor what goes not together."""
        code, lines = self.check(
            self.write(
                """\
                stray = 1
                [registar]
                asap = "127.0.0.1"
                [registrar]
                asap = "nowhere at all"
                aspa = 1
                enrp = "none"
                peer = "127.0.0.1:9901"
                profile = "quick"
                csp-interval = 3
                log-level = "loud"
                [element]
                pol = "www"
                profile = "slow"
                [proxy]
                pool = 5
                listen = true
                admin-token = "x"
                tls-ca = "nothing.pem"
                [security]
                scop = "a.b"
                [user]
                transprt = "tcp"
                profile = "quick"
                """
            )
        )
        self.assertEqual(1, code)
        expected = (
            "FILE, line 1: there is no key outside of a table stray",
            "FILE, line 2: there is no table registar (did you mean registrar?)",
            "FILE, line 4: [registrar]: --enrp none: without ENRP there are no peers",
            "FILE, line 4: [registrar]: --csp-interval goes with --csp-server",
            "FILE, line 5: asap: ",
            "FILE, line 6: aspa: [registrar] has no such key",
            "FILE, line 9: profile: there is no profile 'quick'",
            "FILE, line 11: log-level: there is no level 'loud'",
            "FILE, line 12: [element]: --pool NAME is needed",
            "FILE, line 12: [element]: say what serves",
            "FILE, line 13: pol: [element] has no such key (did you mean pool?)",
            "FILE, line 14: profile: there is no profile 'slow'",
            "FILE, line 15: [proxy]: --admin-token goes with --admin",
            "FILE, line 17: listen: expected is a text or an array of texts",
            "tls-ca",
            "FILE, line 21: scop: [security] has no such key (did you mean scope?)",
            "FILE, line 23: transprt: [user] has no such key",
            "FILE, line 24: profile: there is no profile 'quick'",
        )
        for sentence in expected:
            self.assertTrue(any(sentence in line for line in lines), (sentence, lines))
        self.assertEqual(len(expected), len(lines), "\n".join(lines))

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
