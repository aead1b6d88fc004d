"""C{rserpool monitor}: a line for each change, one picture, a live table, and nothing that garbage could disturb."""

from __future__ import annotations

import json
import re
import socket
from dataclasses import replace
from io import StringIO
from random import Random
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.trial.unittest import TestCase

from rserpool.cli import monitor
from rserpool.cli.components import association_text, component_text, plain, time_text
from rserpool.cli.parser import make_parser
from rserpool.core import RSerPoolError
from rserpool.core.monitoring.report import AssociationReport, Component, Kind, Report, encode
from tests.monitor.test_reporting import Ticking

REGISTRAR = Component(Kind.REGISTRAR, 0xAA)
PEER = AssociationReport(Component(Kind.REGISTRAR, 0xBB), 132, 12, 83.0)
REPORT = Report(REGISTRAR, 3723.0, 1.0, "host: 10.0.0.1:3863", "3 elements", 0.25, (PEER,))
ELEMENT = Report(Component(Kind.POOL_ELEMENT, 7), 1.0, 1.0, "", "www: registered")
SCREEN = 12


class Terminal(StringIO):
    """Says that it is one."""

    def isatty(self) -> bool:
        return True


class MonitorTests(TestCase):
    def setUp(self) -> None:
        self.clock = Ticking()
        self.out = StringIO()
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(self.udp.close)
        self.patch(monitor, "_size", lambda out: (80, SCREEN))

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
        """On a terminal too."""
        self.out = Terminal()
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
                "KIND       COMPONENT   STATE  UPTIME   AGE    LOAD  ASSOC.  STATUS           LOCATION",
                "registrar  0x000000aa  up     1:02:05  2.5 s  25%   1       3 elements       host: 10.0.0.1:3863",
                "  -> registrar 0x000000bb, ENRP over sctp, 0:01:23",
                "element    0x00000007  up     0:00:03  2.5 s  -     0       www: registered  127.0.0.1",
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
        """A table is sorted as it is wanted, by pool for instance, and has only the lines with a text."""
        pools = {1: ("www: registered", 0.1), 2: ("ftp: registered", None), 3: ("www: registered", 0.9)}
        for sort, text, wanted in (
            ("kind", "", [0xAA, 1, 2, 3]), ("status", "", [0xAA, 2, 1, 3]), ("load", "", [3, 0xAA, 1, 2]),
            ("status", "WWW:", [1, 3]), ("age", "0x00000003", [3]), ("uptime", "", [0xAA, 1, 2, 3]),
            ("kind", "none", []),
        ):  # fmt: skip
            ended = self.start("--once", "--json", "--for", "1", "--sort", sort, "--filter", text)
            reports = [
                replace(ELEMENT, sender=Component(Kind.POOL_ELEMENT, number), status=status, workload=load)
                for number, (status, load) in pools.items()
            ]
            await self.say(REPORT, *reports)
            self.clock.advance(1)
            self.assertEqual(self.successResultOf(ended), 0)
            printed = map(json.loads, self.printed().splitlines())
            self.assertEqual(wanted, [int(each["identifier"], 16) for each in printed], (sort, text))
            self.clock.ports.clear()

    async def test_narrow(self) -> None:
        """On a terminal of 80 columns what an element says and where it is are seen, and other things are left out."""
        self.out = Terminal()
        self.start()
        self.picture()
        await self.say(replace(ELEMENT, status="www: registered", location="[2001:db8::1234:5678]:8080"))
        self.clock.advance(0.5)
        self.assertIn("www: registered  [2001:db8::1234:5678]:8080", self.picture()[3])
        await self.say(replace(REPORT, status="3 elements in 2 pools, and more that is said" * 3))
        self.clock.advance(0.5)
        picture = self.picture()
        self.assertRegex(picture[3], "3 elements in 2 .* host: 10.0.0.1:3863$")
        self.assertIn("www: registered  ", picture[4])

    async def test_none_of_them(self) -> None:
        """Where a text is in no line, the table says so."""
        self.out = Terminal()
        self.start("--filter", "ftp")
        await self.say(REPORT, ELEMENT)
        self.clock.advance(0.5)
        self.assertIn("'ftp' is in the line of none of 2.", self.picture())

    def test_once_nobody(self) -> None:
        ended = self.start("--once", "--for", "1")
        self.clock.advance(1)
        self.assertEqual(self.successResultOf(ended), -1)
        self.assertIsInstance(self.failure, RSerPoolError)
        self.assertRegex(str(self.failure), r"nobody reported to 127.0.0.1:\d+ within 1 s")

    async def test_live(self) -> None:
        """A picture that fits the terminal, however many report; what is gone is marked, and leaves; then the end."""
        self.out = Terminal()
        self.start("--keep", "2")
        self.assertIn("Nobody has reported yet.", self.picture())
        await self.say(REPORT, ELEMENT, Report(ELEMENT.sender, 2.0, 1.0, final=True))
        self.clock.advance(0.5)
        picture = self.picture()
        self.assertIn("1 registrar, 0 elements, 0 users; reports come in at 127.0.0.1:", picture[0])
        self.assertIn("element    0x00000007  gone ", picture[4])
        self.assertEqual([len(line) > 80 for line in picture], [False] * 5)
        await self.say(*(replace(ELEMENT, sender=Component(Kind.POOL_ELEMENT, n)) for n in range(8, 40)))
        self.clock.advance(0.5)
        picture = self.picture()
        self.assertEqual((len(picture), picture[-1]), (SCREEN, "... 26 more lines"))
        for _ in range(12):
            self.clock.advance(0.5)
        self.assertIn("Nobody has reported yet.", self.picture())
        self.running.cancel()
        text = self.printed()
        self.assertTrue(text.endswith(monitor.LEAVE))

    def picture(self) -> list[str]:
        """The latest one, without colours."""
        latest = self.printed().rpartition(monitor.HOME)[2]
        return re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", latest).split("\r\n")

    async def test_garbage(self) -> None:
        """Datagrams that are no reports, or hold what a terminal would obey: everything goes on."""
        self.out = Terminal()
        self.start()
        await self.say(REPORT)
        random = Random(1)
        whole = encode(replace(ELEMENT, associations=(PEER,)))
        nasty = [b"", b"\0", whole[:-1], whole + b"x", random.randbytes(288), random.randbytes(60000)]
        await self.say(*nasty, replace(ELEMENT, status="\x1b[2J\x07\nowned\u202e", location="\x9b31m"))
        self.clock.advance(0.5)
        picture = self.picture()
        self.assertIn(f"{len(nasty)} datagrams were no reports", picture[0])
        self.assertIn("registrar  0x000000aa  up ", picture[3])
        self.assertIn("?[2J??owned?", picture[4])
        self.assertIn("?31m", picture[4])

    async def test_many_mutated_reports(self) -> None:
        """The table is drawn of whatever decodes."""
        self.out = Terminal()
        self.start("--associations")
        random = Random(2)
        original = encode(replace(ELEMENT, associations=(PEER,) * 3))
        for number in range(1000):
            data = bytearray(original)
            for _ in range(random.randrange(1, 6)):
                data[random.randrange(len(data))] = random.randrange(256)
            await self.say(bytes(data))
            if number % 50 == 0:
                self.clock.advance(0.1)
                self.printed()
        await self.say(REPORT)
        self.clock.advance(0.5)
        picture = self.picture()
        self.assertIn(" of other kinds", picture[0])
        self.assertRegex(picture[3], "registrar  0x000000aa +up ")

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
