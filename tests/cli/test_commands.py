"""C{rserpool resolve} and C{rserpool watch}, with a real registrar in memory."""

from __future__ import annotations

import argparse
import json
import os
from io import StringIO
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.trial.unittest import SynchronousTestCase

from rserpool.cli import resolve, watch
from rserpool.cli.parser import make_parser
from rserpool.cli.running import explain, is_secured
from rserpool.cli.show import policy_text
from rserpool.core import (
    ConfigurationError,
    NoRegistrar,
    PolicyParameter,
    PoolElementParameter,
    Rejected,
    SctpUnavailable,
    TcpTransport,
    UnknownPool,
)
from rserpool.core.handles import handle_text
from rserpool.core.user.events import PoolChanged, Resolved
from rserpool.core.wire import asap
from rserpool.core.wire.parameters import encode_pool_element
from rserpool.security.text import SECURITY
from tests.pool_scope import PoolScope


class CommandCase(SynchronousTestCase):
    """Runs a subcommand in a world."""

    def setUp(self) -> None:
        self.scope = PoolScope(self)
        self.user = self.scope.client.service
        self.out = StringIO()

    def start(self, command: Any, *arguments: str, **options: Any) -> Deferred[int]:
        options.setdefault("user", self.user)
        parsed = make_parser().parse_args([command.__name__.rpartition(".")[2], *arguments])
        return ensureDeferred(command.run(self.scope.client.reactor, parsed, self.out, **options))

    def lines(self) -> list[str]:
        """What was printed since the last call."""
        text = self.out.getvalue()
        self.out.seek(0)
        self.out.truncate()
        return text.splitlines()


class ResolveTests(CommandCase):
    """C{rserpool resolve}."""

    def test_table(self) -> None:
        """An aligned table in the order of the policy."""
        self.scope.member(1, policy="weighted-round-robin:weight=5")
        self.scope.member(10, policy="weighted-round-robin:weight=12")
        self.assertEqual(self.scope.result(self.start(resolve, "pool")), 0)
        heading, columns, *rows = self.lines()
        self.assertEqual(heading, "pool pool: 2 elements, weighted-round-robin, says the registrar at 10.0.0.1:3863")
        self.assertEqual(columns, "ELEMENT     TRANSPORT           POLICY                          HOME")
        self.assertEqual(
            sorted(rows),
            [
                "0x00000001  tcp 10.0.1.1:8001   weighted-round-robin:weight=5   0x00000001",
                "0x0000000a  tcp 10.0.1.10:8010  weighted-round-robin:weight=12  0x00000001",
            ],
        )
        self.assertFalse(self.user.running)

    def test_weight_0(self) -> None:
        """Nobody is to be selected: that is no limit of the registrar."""
        self.scope.member(1, policy="weighted-random:weight=0")
        with self.assertRaisesRegex(Rejected, "^the pool has elements, but none for us: their weights are 0"):
            self.scope.result(self.start(resolve, "pool", "--timeout", "1"))

    def test_cut(self) -> None:
        """An answer that was full does not look like the whole pool."""
        transport = TcpTransport(80, "10.0.1.1")
        for count, cut in ((3000, True), (1000, False)):
            elements = [PoolElementParameter(n, 1, 60, transport, PolicyParameter(1)) for n in range(count)]
            wire = asap.encode_handle_resolution_response(b"pool", b"", [encode_pool_element(one) for one in elements])
            answered = asap.decode(wire).message
            assert isinstance(answered, asap.HandleResolutionResponse)
            resolved = Resolved(1, b"pool", 1, answered.elements, 0.0)
            self.assertEqual(cut, len(answered.elements) < count)
            self.assertEqual(cut, "as many as an answer holds" in resolve.human_text(resolved, "there"))
            self.assertEqual(cut, json.loads(resolve.json_text(resolved, "there")).get("cut", False))

    def test_json(self) -> None:
        """One JSON object on one line."""
        self.scope.member(1, policy="least-used:load=25%")
        self.assertEqual(self.scope.result(self.start(resolve, "pool", "--json")), 0)
        (line,) = self.lines()
        self.assertEqual(
            json.loads(line),
            {
                "pool": "pool",
                "policy": {"type": 0x40000001, "name": "least-used"},
                "registrar": "10.0.0.1:3863",
                "elements": [
                    {
                        "identifier": "0x00000001",
                        "transport": {"protocol": "tcp", "addresses": ["10.0.1.1"], "port": 8001},
                        "policy": {"type": 0x40000001, "name": "least-used", "load": 0.25},
                        "home": "0x00000001",
                        "life": 60000,
                    }
                ],
            },
        )

    def test_items(self) -> None:
        """So many elements."""
        for number in (1, 2, 3):
            self.scope.member(number)
        self.assertEqual(self.scope.result(self.start(resolve, "pool", "--items", "2")), 0)
        self.assertEqual(len(self.lines()), 4)

    def test_unknown_pool(self) -> None:
        """Exit code 3."""
        with self.assertRaises(UnknownPool) as raised:
            self.scope.result(self.start(resolve, "größe"))
        self.assertEqual(
            explain(raised.exception), (3, "no pool is named 'größe', says the registrar at 10.0.0.1:3863 (cause 0x9)")
        )
        self.assertEqual(self.lines(), [])
        self.assertFalse(self.user.running)

    def test_no_registrar(self) -> None:
        """Exit code 4, after the time that was given."""
        self.scope.kill(*self.scope.registrars)
        start = self.scope.now
        with self.assertRaises(NoRegistrar) as raised:
            self.scope.result(self.start(resolve, "pool", "--timeout", "1.5"))
        self.assertLess(self.scope.now - start, 2)
        code, sentence = explain(raised.exception)
        self.assertEqual(code, 4)
        self.assertIn("10.0.0.1:3863", sentence)

    def test_handle_bytes(self) -> None:
        """A pool's name may be any bytes; what is not UTF-8 is shown with backslashes."""
        self.scope.member(1, pool=b"\xff\x00\n")
        self.assertEqual(self.scope.result(self.start(resolve, "\udcff\x00\n")), 0)
        self.assertTrue(self.lines()[0].startswith(r"pool \xff\x00\n: 1 element, "))


class WatchTests(CommandCase):
    """C{rserpool watch}."""

    def watch(self, *arguments: str) -> Deferred[int]:
        return self.start(watch, *arguments, clock=lambda: 1_000_000_000.25)

    def test_changes(self) -> None:
        """A line for each element that comes, goes or changes."""
        member = self.scope.member(1, policy="least-used:load=10%")
        watching = self.watch("pool")
        self.scope.advance(0.5)
        self.scope.member(2, policy="least-used:load=0%")
        member.change("pool", "least-used:load=50%")
        self.scope.advance(0.5)
        member.leave("pool")
        self.scope.advance(0.5)
        watching.cancel()
        self.assertEqual(self.scope.result(watching), 0)
        lines = self.lines()
        self.assertEqual(
            [line.partition(" ")[2] for line in lines],
            [
                "= pool pool: least-used",
                "= 0x00000001  tcp 10.0.1.1:8001  least-used:load=10.0%  0x00000001",
                "+ 0x00000002  tcp 10.0.1.2:8002  least-used:load=0.0%  0x00000001",
                "~ 0x00000001  tcp 10.0.1.1:8001  least-used:load=50.0%  0x00000001",
                "- 0x00000001  tcp 10.0.1.1:8001  least-used:load=50.0%  0x00000001",
            ],
        )
        self.assertRegex(lines[0], r"^\d\d:46:40\.250 ")
        self.assertFalse(self.user.running)

    def test_no_pool_yet(self) -> None:
        """A pool that does not exist is waited for, and again when it is gone."""
        watching = self.watch("pool")
        self.scope.advance(30)
        self.scope.member(1)
        self.scope.advance(2.5)
        self.scope.members[1].leave("pool")
        self.scope.advance(0.5)
        watching.cancel()
        self.assertEqual(self.scope.result(watching), 0)
        self.assertEqual(
            [line.split()[1:3] for line in self.lines()],
            [["=", "no"], ["=", "pool"], ["+", "0x00000001"], ["-", "0x00000001"], ["=", "no"]],
        )

    def test_registrar_gone_and_back(self) -> None:
        """It goes on by itself; an absent registrar is no news about the pool."""
        self.scope.member(1)
        watching = self.watch("pool")
        self.scope.advance(0.5)
        self.scope.kill(*self.scope.registrars)
        self.scope.advance(60)
        self.scope.restart(*self.scope.registrars)
        self.scope.advance(10)
        self.scope.member(2)
        watching.cancel()
        self.scope.result(watching)
        marks = [line.split()[1:3] for line in self.lines()]
        self.assertEqual(marks[:2], [["=", "pool"], ["=", "0x00000001"]])
        self.assertEqual(marks[-1], ["+", "0x00000002"])

    def test_cut(self) -> None:
        """Once it is said that there may be more than what is seen."""
        transport = TcpTransport(80, "10.0.1.1")
        elements = [PoolElementParameter(n, 1, 60, transport, PolicyParameter(1)) for n in range(1700)]
        wire = asap.encode_handle_resolution_response(b"pool", b"", [encode_pool_element(one) for one in elements])
        seen: Any = asap.decode(wire).message
        watcher = watch.Watcher(self.out, True, lambda: 0.0)
        for each in (seen.elements, seen.elements[:-1], seen.elements[:9]):
            watcher.changed(PoolChanged(b"pool", 1, each))
        changes = [json.loads(line)["change"] for line in self.lines()]
        self.assertEqual(1, changes.count("cut"))

    def test_json_at_the_start(self) -> None:
        """What was there, and what came."""
        self.scope.member(1)
        watching = self.watch("pool", "--json")
        self.scope.advance(0.5)
        self.scope.member(2)
        self.scope.advance(0.5)
        watching.cancel()
        self.scope.result(watching)
        self.assertEqual(["pool", "=", "+"], [json.loads(line)["change"] for line in self.lines()])

    def test_json(self) -> None:
        """One JSON object a line."""
        watching = self.watch("pool", "--json")
        self.scope.advance(0.5)
        self.scope.member(1)
        self.scope.advance(2.5)
        watching.cancel()
        self.scope.result(watching)
        missing, pool, element = map(json.loads, self.lines())
        self.assertEqual((missing["change"], missing["pool"]), ("no pool", "pool"))
        self.assertEqual((pool["change"], pool["policy"]["name"]), ("pool", "round-robin"))
        self.assertEqual((element["change"], element["element"]["identifier"]), ("+", "0x00000001"))
        self.assertRegex(element["time"], r"^2001-09-\d\dT\d\d:46:40\.250[+-]\d\d:\d\d$")

    def test_no_registrar(self) -> None:
        """If there is none at the start, it says so; exit code 4."""
        self.scope.kill(*self.scope.registrars)
        with self.assertRaises(NoRegistrar):
            self.scope.result(self.watch("pool", "--timeout", "1"), 3)

    def test_nobody_reads(self) -> None:
        """A closed pipe ends it."""
        self.scope.member(1)

        class Closed(StringIO):
            def write(self, text: str) -> int:
                raise BrokenPipeError

        self.out = Closed()
        with self.assertRaises(BrokenPipeError):
            self.scope.result(self.watch("pool"), 5)
        self.assertFalse(self.user.running)


class WordTests(SynchronousTestCase):
    """What people read."""

    def test_exit_codes(self) -> None:
        """The code and the sentence of each error."""
        for error, code in (
            (ConfigurationError("x"), 2),
            (UnknownPool(b"x"), 3),
            (NoRegistrar("x"), 4),
            (SctpUnavailable("x"), 1),
            (OSError("x"), 1),
            (RuntimeError("x"), 1),
        ):
            self.assertEqual(explain(error)[0], code)
        self.assertEqual(explain(RuntimeError("x"))[1], "unexpected RuntimeError: x")

    def test_no_registrar(self) -> None:
        """Where none was named, what to do is told."""
        error = NoRegistrar("none")
        hint = "none; start one (twistd -n --pidfile= rserpool-ns), or name one that is elsewhere"
        for named, sentence in (([], hint), (["127.0.0.1:1"], "none"), (None, "none")):
            self.assertEqual(explain(error, named), (4, sentence))
        named = ["127.0.0.1:1"]
        self.assertIn("only registrars that speak TLS are asked", explain(error, named, secured=True)[1])
        self.assertIn("that port is for TLS", explain(NoRegistrar("none (tried: 127.0.0.1:3864)"), named)[1])
        self.assertEqual(
            (4, "none; rserpool keys check DIR says what is wrong with keys and certificates"),
            explain(NoRegistrar("none", unproved=True), []),
        )

    def test_secured(self) -> None:
        """The environment secures a command that does not say anything else."""
        for option, variable, secured in (
            (None, "", False),
            ("keys", "", True),
            (None, "keys", True),
            ("off", "keys", False),
            (None, "off", False),
        ):
            self.patch(os, "environ", {SECURITY: variable})
            self.assertEqual(secured, is_secured(argparse.Namespace(security=option)), (option, variable))

    def test_handles(self) -> None:
        """Pool handles."""
        self.assertEqual(handle_text("größe".encode()), "größe")
        self.assertEqual(handle_text(b"\xc3\x28\x1b[31m"), r"\xc3(\x1b[31m")

    def test_policies(self) -> None:
        """Policies that are not known, and values that are cut short."""
        self.assertEqual(policy_text(PolicyParameter(0xB0003001, b"1234")), "policy 0xb0003001")
        self.assertEqual(policy_text(PolicyParameter(2, b"")), "weighted-round-robin")
        self.assertEqual(policy_text(PolicyParameter(2, b"\0\0\0\3")), "weighted-round-robin:weight=3")
