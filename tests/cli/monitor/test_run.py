"""C{rserpool monitor}: a line for each change, one table, and nothing that garbage could disturb."""

from __future__ import annotations

import json
import socket
from dataclasses import replace
from io import StringIO
from random import Random
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.trial.unittest import TestCase

from rserpool.cli.monitor import run as monitor
from rserpool.cli.monitor.components import association_text, component_text, plain, short_time, time_text
from rserpool.cli.parser import make_parser
from rserpool.core import RSerPoolError
from rserpool.core.monitoring.report import AssociationReport, Component, Kind, Report, encode
from tests.monitor.test_reporting import Ticking

REGISTRAR = Component(Kind.REGISTRAR, 0xAA)
PEER = AssociationReport(Component(Kind.REGISTRAR, 0xBB), 132, 12, 83.0)
REPORT = Report(REGISTRAR, 3723.0, 1.0, "host: 10.0.0.1:3863", "3 elements", 0.25, (PEER,))
ELEMENT = Report(Component(Kind.POOL_ELEMENT, 7), 1.0, 1.0, "", "www: registered")


class MonitorTests(TestCase):
    def setUp(self) -> None:
        self.clock = Ticking()
        self.out = StringIO()
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(self.udp.close)

    def start(self, *arguments: str) -> Deferred[int]:
        options = make_parser().parse_args(["monitor", "--listen", "127.0.0.1:0", *arguments])
        self.running = ensureDeferred(monitor.run(self.clock, options, self.out, clock=lambda: 1e9))
        self.running.addErrback(self._keep)
        self.addCleanup(self.running.cancel)
        return self.running

    def _keep(self, failure: Any) -> Any:
        self.failure = failure.value
        return -1

    async def say(self, *datagrams: bytes | Report) -> None:
        """Send them, and wait until they have been received."""
        (port,) = self.clock.ports
        for datagram in datagrams:
            heard = port.received
            self.udp.sendto(datagram if isinstance(datagram, bytes) else encode(datagram), port.address)
            await port.after(heard + 1)

    def printed(self) -> str:
        text = self.out.getvalue()
        self.out.seek(0)
        self.out.truncate()
        return text

    async def test_flood(self) -> None:
        """Somebody whose components change without end: so many lines a second, and how many more there were."""
        self.patch(monitor, "OF_ONE", 5)
        self.start()
        await self.say(*(replace(REPORT, status=f"{number}") for number in range(50)))
        self.assertEqual(len(self.printed().splitlines()), 5)
        self.clock.advance(1.0)
        self.assertIn("... 45 more changes", self.printed())

    async def test_lines(self) -> None:
        """Not on a terminal: who comes, changes and goes."""
        self.start()
        await self.say(REPORT, REPORT, replace(REPORT, status="4 elements"), ELEMENT)
        await self.say(Report(ELEMENT.sender, 2.0, 1.0, final=True))
        for _ in range(6):
            self.clock.advance(0.5)
        lines = [line.partition(" ")[2] for line in self.printed().splitlines()]
        self.assertEqual(
            lines,
            [
                "+ registrar 0x000000aa  3 elements  load 25%  host: 10.0.0.1:3863",
                "~ registrar 0x000000aa  4 elements  load 25%  host: 10.0.0.1:3863",
                "+ element 0x00000007  www: registered  127.0.0.1",
                "- element 0x00000007  gone: said goodbye",
                "- registrar 0x000000aa  gone: silent for 3.0 s",
            ],
        )
        self.running.cancel()
        self.assertEqual(self.successResultOf(self.running), 0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    async def test_json_lines(self) -> None:
        self.start("--json")
        await self.say(REPORT)
        line = json.loads(self.printed())
        self.assertTrue(line.pop("time").startswith("2001-09-"))
        self.assertEqual(
            line,
            {
                "change": "+", "kind": "registrar", "identifier": "0x000000aa", "state": "up", "status": "3 elements",
                "location": "host: 10.0.0.1:3863", "source": "127.0.0.1", "workload": 0.25, "uptime": 3723.0,
                "age": 0.0, "interval": 1.0, "associations": 1,
                "peers": [{"kind": "registrar", "identifier": "0x000000bb", "protocol": "sctp", "ppid": 12,
                           "duration": 83.0}],
            },
        )  # fmt: skip

    async def test_once(self) -> None:
        ended = self.start("--once", "--associations")
        await self.say(ELEMENT, REPORT)
        self.clock.advance(2.5)
        self.assertEqual(self.successResultOf(ended), 0)
        self.assertEqual(
            self.printed().splitlines(),
            [
                "    ELEMENT    STATE      LOAD  HEARD     UP  WHERE, AND MORE",
                "  - registrars  1",
                "    0x000000aa up          25%   2.5s  1h02m  3 elements, host: 10.0.0.1:3863",
                "      host: 10.0.0.1:3863, 3 elements",
                "      reports every 1 s from 127.0.0.1",
                "      -> registrar 0x000000bb, ENRP over sctp, 0:01:23",
                "  - www  1 element",
                "    0x00000007 registered    -   2.5s   3.5s  127.0.0.1",
                "      127.0.0.1",
                "      reports every 1 s from 127.0.0.1",
            ],
        )

    async def test_once_json(self) -> None:
        ended = self.start("--once", "--json", "--for", "1")
        await self.say(ELEMENT, REPORT)
        self.clock.advance(1)
        self.assertEqual(self.successResultOf(ended), 0)
        self.assertEqual(
            [json.loads(line)["identifier"] for line in self.printed().splitlines()], ["0x000000aa", "0x00000007"]
        )

    async def test_sorted(self) -> None:
        """A table is sorted as it is wanted, pool by pool, and has only the lines with a text."""
        pools = {1: ("www: registered", 0.1), 2: ("ftp: registered", None), 3: ("www: registered", 0.9)}
        for sort, text, wanted in (
            ("name", "", [0xAA, 2, 1, 3]), ("load", "", [0xAA, 2, 3, 1]), ("state", "WWW", [1, 3]),
            ("heard", "0x00000003", [3]), ("uptime", "none", []),
        ):  # fmt: skip
            ended = self.start("--once", "--json", "--for", "1", "--sort", sort, "--filter", text)
            reports = [
                replace(ELEMENT, sender=Component(Kind.POOL_ELEMENT, number), status=status, workload=load)
                for number, (status, load) in pools.items()
            ]
            await self.say(REPORT, *reports)
            self.clock.advance(1)
            self.assertEqual(self.successResultOf(ended), 0)
            printed = list(map(json.loads, self.printed().splitlines()))
            self.assertEqual(wanted, [int(each["identifier"], 16) for each in printed], (sort, text))
            self.assertEqual(["pool" in each for each in printed], [each < 10 for each in wanted])
            self.clock.ports.clear()

    def test_once_nobody(self) -> None:
        ended = self.start("--once", "--for", "1")
        self.clock.advance(1)
        self.assertEqual(self.successResultOf(ended), -1)
        self.assertIsInstance(self.failure, RSerPoolError)
        self.assertRegex(str(self.failure), r"nobody reported to 127.0.0.1:\d+ within 1 s")

    async def test_garbage(self) -> None:
        """Datagrams that are no reports, or hold what a terminal would obey: everything goes on."""
        ended = self.start("--once")
        await self.say(REPORT)
        random = Random(1)
        whole = encode(replace(ELEMENT, associations=(PEER,)))
        nasty = [b"", b"\0", whole[:-1], whole + b"x", random.randbytes(288), random.randbytes(60000)]
        await self.say(*nasty, replace(ELEMENT, status="\x1b[2J\x07\nowned\u202e", location="\x9b31m"))
        self.clock.advance(2.5)
        self.assertEqual(self.successResultOf(ended), 0)
        lines = self.printed().splitlines()
        self.assertIn("0x000000aa up ", lines[2])
        self.assertIn("?31m, ?[2J??owned?", lines[4])

    async def test_many_mutated_reports(self) -> None:
        """A table is made of whatever decodes."""
        ended = self.start("--once", "--associations")
        random = Random(2)
        original = encode(replace(ELEMENT, associations=(PEER,) * 3))
        for _ in range(1000):
            data = bytearray(original)
            for _ in range(random.randrange(1, 6)):
                data[random.randrange(len(data))] = random.randrange(256)
            await self.say(bytes(data))
        await self.say(REPORT)
        self.clock.advance(2.5)
        self.assertEqual(self.successResultOf(ended), 0)
        text = self.printed()
        self.assertRegex(text, "  - kind [0-9]+  1\n")
        self.assertRegex(text, "\n    0x000000aa up ")
        self.assertTrue(text.replace("\n", "").isprintable())

    async def test_nobody_reads_any_more(self) -> None:
        ended = self.start()
        self.out.close()
        self.out.write = self._broken  # type: ignore[method-assign]
        await self.say(REPORT)
        self.assertEqual(self.successResultOf(ended), -1)
        self.assertIsInstance(self.failure, BrokenPipeError)

    @staticmethod
    def _broken(text: str) -> int:
        raise BrokenPipeError

    def test_options(self) -> None:
        for wrong in (["--listen", "nowhere"], ["--keep", "0"], ["--for", "x"], ["--listen", "1.2.3.4:99999"]):
            error = StringIO()
            self.patch(__import__("sys"), "stderr", error)
            self.assertRaises(SystemExit, make_parser().parse_args, ["monitor", *wrong])
            self.assertIn("rserpool monitor: argument ", error.getvalue())


class WordTests(TestCase):
    def test_words(self) -> None:
        self.assertEqual(component_text(Component(Kind.POOL_USER, 0xAB)), "0x000000000000ab")
        self.assertEqual(component_text(Component(Kind.REGISTRAR, 2**40)), "0x00010000000000")
        self.assertEqual((time_text(-1), time_text(83.9), time_text(360000)), ("0:00:00", "0:01:23", "4 d 04 h"))
        times = {-1: "0.0s", 9.94: "9.9s", 59.9: "59s", 750: "12m30s", 43_500: "12h05m", 360_000: "4d04h", 9e6: "104d"}
        self.assertEqual({seconds: short_time(seconds) for seconds in times}, times)
        self.assertEqual(plain("a\tb\x7f"), "a?b?")
        self.assertEqual(association_text(PEER), "registrar 0x000000bb, ENRP over sctp, 0:01:23")
        self.assertEqual(
            association_text(AssociationReport(Component(9, 0), 77, 33)),
            "kind 9 not known, PPID 33 over IP protocol 77",
        )
        self.assertEqual(
            association_text(AssociationReport(Component(Kind.POOL_ELEMENT, 1), 6, 0)),
            "element 0x00000001, data over tcp",
        )
