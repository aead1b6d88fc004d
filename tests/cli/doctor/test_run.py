"""C{rserpool doctor} in a scope in memory: what it prints, and how it ends."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

from twisted.internet.defer import ensureDeferred
from twisted.trial.unittest import SynchronousTestCase

from rserpool.cli.doctor import host
from rserpool.cli.doctor import run as doctor
from rserpool.cli.parser import make_parser
from rserpool.core import TransportAddress
from rserpool.node import neighbours, tables
from rserpool.testing import Scope


class RunTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.scope = Scope(2)
        self.addCleanup(self.scope.stop)
        self.scope.settle()
        self.process = self.scope.user()
        for module in (neighbours, tables):
            self.patch(module, "local_host_towards", lambda host: self.process.host)
        self.patch(doctor, "local_hosts_towards", lambda addresses: (self.process.host,))

    def looks(self, *words: str) -> tuple[int, str]:
        options = make_parser("doctor").parse_args(["doctor", "--registrar", "10.0.0.1:9901", *words])
        out = StringIO()
        running: Any = ensureDeferred(doctor.run(self.process.reactor, options, out, self.process.stack))
        return self.scope.result(running), out.getvalue()

    def test_all_is_well(self) -> None:
        _, text = self.looks()
        self.assertRegex(
            text, r"\nok      registrars: registrar 0x[0-9a-f]{8} at 10\.0\.0\.1:9901\S* is ready, and knows 1"
        )
        self.assertRegex(text, r"\nok      peers: registrar 0x[0-9a-f]{8} at 10\.0\.0\.2 port 9901 answers\n")
        self.assertNotIn("PROBLEM peers", text)

    def test_another_of_this_host(self) -> None:
        """A registrar that has a UDP port of this host, and was not named, or without that port, is asked as well."""
        there = TransportAddress(("10.0.0.2",), 9901, 9899)
        udp = 9899
        self.patch(neighbours, "on_this_host", lambda: [there])
        for taken, expected in (({udp}, [there]), (set(), [])):
            seen: list[Any] = []
            self.patch(host, "taken_ports", lambda taken=taken: taken)
            self.patch(host, "udp_ports", lambda answering, seen=seen: seen.append(list(answering)) or ())
            self.looks()
            self.assertEqual(expected, seen[0][1:])

    def test_a_silent_peer(self) -> None:
        self.scope.silence(self.scope.registrars[1])
        status, text = self.looks("--timeout", "0.5")
        self.assertEqual(1, status)
        self.assertRegex(
            text, r"\nPROBLEM peers: registrar 0x[0-9a-f]{8} at 10\.0\.0\.2 port 9901 .*does not answer us\n"
        )
        self.assertIn("\n          cure: is it alive", text)

    def test_nobody_is_there(self) -> None:
        self.scope.kill(*self.scope.registrars)
        status, text = self.looks("--json", "--timeout", "0.5")
        self.assertEqual(1, status)
        found = [json.loads(line) for line in text.splitlines()]
        bad = [each for each in found if each["level"] == "problem"]
        self.assertIn("no registrar answers at 10.0.0.1:9901", [each["says"] for each in bad])
        self.assertTrue(all(each["cure"] for each in bad))

    def test_broken_names_and_keys(self) -> None:
        self.patch(doctor, "named_registrars", self._broken)
        options = make_parser("doctor").parse_args(["doctor", "--security", self.mktemp(), "--timeout", "0.1"])
        out = StringIO()
        running: Any = ensureDeferred(doctor.run(self.process.reactor, options, out, self.process.stack))
        self.assertEqual(1, self.scope.result(running))
        self.assertIn("PROBLEM names: RSERPOOL_REGISTRARS: no\n          cure: correct that file\n", out.getvalue())
        self.assertIn("PROBLEM keys: ", out.getvalue())

    @staticmethod
    def _broken() -> Any:
        from rserpool.core.errors import ConfigurationError

        raise ConfigurationError("RSERPOOL_REGISTRARS: no")
