"""C{rserpool pools}, C{elements} and C{registrars} by ENRP's handle table, and how tables fit 80 columns."""

from __future__ import annotations

import argparse
import json
import os
from io import StringIO
from typing import Any

from twisted.internet.defer import ensureDeferred
from twisted.trial.unittest import SynchronousTestCase

from rserpool.cli import drain, elements, evict, pools, registrars, retire
from rserpool.cli.fitting import fitted
from rserpool.cli.listing import WIDTH
from rserpool.cli.operator import ADMIN
from rserpool.cli.parser import make_parser
from rserpool.cli.show import table
from rserpool.core.errors import ConfigurationError, NoRegistrar, UnknownPool
from rserpool.node import tables
from rserpool.testing import Scope


class TableTests(SynchronousTestCase):
    """Two registrars, and an operator's command in a process of its own."""

    def setUp(self) -> None:
        self.scope = Scope(2)
        self.addCleanup(self.scope.stop)
        for pool in ("www", "www", "m\x1b[2Jail"):
            self.scope.element(pool)
        self.scope.settle()
        self.process = self.scope.user()

    def run_command(self, command: Any, *words: str) -> str:
        name = command.__name__.rpartition(".")[2]
        options = make_parser(name).parse_args([name, "--registrar", "10.0.0.1:3863", "--backend", "usrsctp", *words])
        out = StringIO()
        patched = self.patch(tables, "local_host_towards", lambda host: self.process.host)
        running = ensureDeferred(command.run(self.process.reactor, options, out, self.process.stack))
        self.scope.result(running)
        patched.restore()
        return out.getvalue()

    def test_pools(self) -> None:
        text = self.run_command(pools)
        self.assertRegex(text, r"^POOL +ELEMENTS +POLICY +HOMES\nm\\x1b\[2Jail +1 +round-robin +0x[0-9a-f]{8}\n")
        self.assertRegex(text, r"\nwww +2 +round-robin +0x[0-9a-f]{8} \(2\)|, 0x[0-9a-f]{8}\n$")
        found = [json.loads(line) for line in self.run_command(pools, "--json").splitlines()]
        self.assertEqual([1, 2], [each["elements"] for each in found])

    def test_elements(self) -> None:
        heading, *rows = self.run_command(elements).splitlines()
        self.assertEqual(["POOL", "ELEMENT", "TRANSPORT", "POLICY", "HOME", "STATE"], heading.split())
        self.assertEqual(3, len(rows))
        self.assertTrue(all(len(row) <= WIDTH for row in rows))
        one = json.loads(self.run_command(elements, "www", "--json").splitlines()[0])
        self.assertEqual(("www", "tcp"), (one["pool"], one["transport"]["protocol"]))
        with self.assertRaises(UnknownPool):
            self.run_command(elements, "mail")

    def test_registrars(self) -> None:
        _, own, other = self.run_command(registrars).splitlines()
        self.assertRegex(own, r"^0x[0-9a-f]{8}  10\.0\.0\.1:9901\S* +ready \(asked\)  [0-9]  +1  +0x[0-9a-f]{4}$")
        self.assertRegex(other, r"^0x[0-9a-f]{8}  10\.0\.0\.2:9901\S* +known +[0-9] +- +-$")

    def test_nobody(self) -> None:
        self.scope.kill(*self.scope.registrars)
        with self.assertRaises(NoRegistrar) as raised:
            self.run_command(pools, "--timeout", "1")
        self.assertIn("no registrar told what it has at 10.0.0.1:9901", str(raised.exception))

    def test_many(self) -> None:
        """A table of several messages."""
        element = self.scope.element(setup=lambda each: [each.serve(f"pool{number}") for number in range(300)])
        self.scope.until(lambda: all(element.pools.values()))
        self.assertEqual(302, len(self.run_command(pools, "--json").splitlines()))


class WordTests(SynchronousTestCase):
    def options(self, *words: str) -> argparse.Namespace:
        return make_parser(words[0]).parse_args(words)

    def test_fitted(self) -> None:
        rows = [("A", "BB"), ("x" * 90, "short"), ("y", "z" * 40)]
        for width in (40, 80, 200):
            lines = table(fitted(rows, width))
            self.assertLessEqual(max(map(len, lines)), width)
        self.assertEqual([list(row) for row in rows], fitted(rows, 200))
        self.assertTrue(fitted(rows, 80)[1][0].endswith(".."))
        self.assertEqual([], fitted([], 80))

    def test_elements_of_eighty_columns(self) -> None:
        """Port and weight are there whatever else is: policies are abbreviated, addresses cut before the port."""
        transport = {"protocol": "tcp", "addresses": ["192.168.100.200"], "port": 40063}
        policy = {"name": "weighted-round-robin", "type": 2, "weight": 20}
        one: dict[str, Any] = {
            "identifier": "0x1234abcd",
            "transport": transport,
            "policy": policy,
            "home": "0x6cc0ad16",
        }
        many = transport | {"addresses": ["2001:db8:1234:5678:9abc:def0:1234:5678", "192.168.100.200"]}
        heading = ("POOL", "ELEMENT", "TRANSPORT", "POLICY", "HOME", "STATE")
        for some, states in (
            ([one | {"delay": 0.0123}], ["12.3 ms"]),
            ([one | {"delay": 0.0123}, one | {"transport": many, "draining": True, "connections": 12345}], ["open)"]),
        ):
            rows = [heading, *(("documents", *elements._row(each)) for each in some)]
            lines = table(fitted(rows, 80))
            self.assertLessEqual(max(map(len, lines)), 80)
            for line in lines[1:]:
                self.assertIn(":40063 ", line)
                self.assertIn(" WRR:weight=20 ", line)
            self.assertTrue(all(lines[-1].endswith(state) or ".." in lines[-1] for state in states), lines)
        self.assertIn("weighted-round-robin:weight=20", " ".join(fitted([elements._row(one)], 100)[0]))

    def test_checksums(self) -> None:
        """What a peer tells of its elements beside ours over the copy; of ourselves there is one."""
        peer: dict[str, Any] = {"own": False, "checksum": "0x1234", "told": "0x1234"}
        self.assertEqual("0x1234 agrees", registrars._checksum(peer))
        self.assertEqual("0x1234, and it tells 0x5678", registrars._checksum(peer | {"told": "0x5678"}))
        for one, text in ((peer | {"told": None}, "0x1234"), (peer | {"own": True}, "0x1234"), ({}, "-")):
            self.assertEqual(text, registrars._checksum(one))

    def test_durations(self) -> None:
        for text, seconds in (("30", 30), ("30s", 30), ("10m", 600), ("2h", 7200), ("7d", 604_800)):
            self.assertEqual(seconds, evict.duration(text))
        for text in ("0", "", "8d", "1w", "-1", "1.5m", "99999999999"):
            with self.assertRaises(ConfigurationError):
                evict.duration(text)

    def test_no_interface(self) -> None:
        """What acts needs one; the sentence says how to have it."""
        self.patch(os, "environ", {name: value for name, value in os.environ.items() if name != ADMIN})
        for words in (("drain", "www", "0x1"), ("undrain", "www", "0x1"), ("evict", "www", "0x1"), ("retire", "0x1")):
            command: Any = {"drain": drain, "evict": evict, "retire": retire}.get(words[0], drain)
            running = ensureDeferred(command.run(None, self.options(*words), StringIO()))
            self.assertIn("--admin", self.failureResultOf(running, ConfigurationError).getErrorMessage())
