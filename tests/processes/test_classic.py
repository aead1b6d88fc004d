"""The classic services under C{twistd rserpool-pe}: pingpong counts on when its element is killed; what nc sees."""

from __future__ import annotations

import json
from typing import Any

from rserpool.core import SctpTransport, TcpTransport
from rserpool.core.wire.parameters import DATA_PLUS_CONTROL
from tests.processes.harness import Process, ProcessTests, Registrar, all_of

PINGS = 100


class ClassicTests(ProcessTests):
    """Several elements of each service."""

    async def killed(self, registrar: Registrar, protocol: str) -> dict[str, Any]:
        """Kill whoever serves of two; the figures in the end."""
        user = self.user(registrar)
        watched = self.watch(user, protocol.encode())
        plugin = ("rserpool-pingpong", f"--{protocol}", "0")
        elements: dict[int, Process] = {
            number: self.element(registrar, "--identifier", str(number), pool=protocol, plugin=plugin)
            for number in (1, 2)
        }
        await watched.holds(1, 2)
        words = ("--registrar", registrar.text, "--json", "--interval", "0.01", "--count", str(PINGS))
        ping = self.rserpool("ping", protocol, *words)
        await ping.says('"event": "answer"', after=10)
        serving = json.loads(ping.lines[0])["element"]
        elements[serving].signal("KILL")
        self.assertEqual(0, await ping.ended, ping.text)
        self.no_traceback(ping, *elements.values())
        figures: dict[str, Any] = json.loads(ping.lines[-1])
        return figures

    async def test_pingpong(self) -> None:
        """Over SCTP and TCP: each ping is answered once, and the counter counts on."""
        registrar = await self.registrar()
        for figures in await all_of(self.killed(registrar, "sctp"), self.killed(registrar, "tcp")):
            counts = [figures[name] for name in ("sent", "answered", "lost", "doubled", "failovers")]
            self.assertEqual([PINGS, PINGS, 0, 0, 1], counts)
            self.assertLessEqual(figures["replies_skipped"], 1)
            self.assertEqual(0, figures["replies_repeated"])

    async def test_alone(self) -> None:
        """Alone, in no pool, it says where it listens, over whatever."""
        for option, kind in (("--tcp", "tcp"), ("--sctp", "sctp")):
            echo = self.twistd("rserpool-echo", option, "127.0.0.1:0")
            await echo.says(rf"rserpool-echo listens at 127\.0\.0\.1:[1-9][0-9/]+ \({kind}\)$")

    async def test_default_pools(self) -> None:
        """Each has a pool of its own name, as with rsplib; echo echoes, over SCTP and TCP."""
        registrar = await self.registrar()
        user = self.user(registrar)
        daytime = self.twistd("rserpool-pe", "--registrar", registrar.text, "--", "rserpool-daytime", "--tcp", "0")
        echo = self.twistd("rserpool-pe", "--registrar", registrar.text, "--", "rserpool-echo")
        times, echoes = self.watch(user, b"DaytimePool"), self.watch(user, b"EchoPool")
        await all_of(*(pool.until(lambda elements: len(elements) == 1) for pool in (times, echoes)))
        (teller,) = (times.elements or {}).values()
        self.assertIsInstance(teller.user_transport, TcpTransport)
        client = await self.client(teller.user_transport.addresses[0], teller.user_transport.port)  # type: ignore[union-attr]
        self.assertRegex(await client.lost, rb"^\w+, \d\d-\w+-\d{4} \d\d:\d\d:\d\d\.\d{6}\n$")
        (echoing,) = (echoes.elements or {}).values()
        assert isinstance(echoing.user_transport, SctpTransport)
        self.assertEqual(DATA_PLUS_CONTROL, echoing.user_transport.use)
        words = ("--registrar", registrar.text, "--count", "3", "--interval", "0.05", "--size", "1000")
        asking = self.rserpool("echo", *words)
        self.assertEqual(0, await asking.ended, asking.text)
        self.assertIn("EchoPool: 3 lines, 3 answered, 0 lost, 0 doubled", asking.text)
        self.no_traceback(registrar.process, daytime, echo, asking)
