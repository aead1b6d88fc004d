"""Networks that lose, delay, cut and translate: real processes on hosts of their own, SCTP over UDP between them."""

from __future__ import annotations

import os
import re
import shutil
from typing import Any
from unittest import SkipTest

from twisted.internet import reactor
from twisted.internet.task import deferLater

from tests.field.wide import UNAVAILABLE, Gate, WideHost, WideNetwork
from tests.processes.harness import Process, ProcessTests, all_of

CROWD = 40
SECONDS = float(os.environ.get("FIELD_SECONDS", "60"))
"""So long elements live in a network that loses packets; docs/field.md has the figures of longer runs."""
GET = "import sys, urllib.request as u; print('status', u.urlopen(sys.argv[1], timeout=10).status, flush=True)"


def gone(watch: Process) -> list[str]:
    """What somebody who watches has seen go."""
    return [line for line in watch.lines if re.search(r" - 0x", line)]


class NetworkTests(ProcessTests):
    """A registrar on one host, the others elsewhere."""

    timeout = 60 + 3 * int(SECONDS)
    skip = UNAVAILABLE

    async def begin(self, *options: str) -> None:
        """A network, and a registrar on a host of its own."""
        self.wide = WideNetwork(self)
        self.there, self.here, self.other = (self.wide.host() for _ in range(3))
        self.ns = await self.at(self.there).registrar_at(self.there.address, *options)
        self.reg = f"{self.there.address}:3863/9899"

    def at(self, host: Any) -> NetworkTests:
        """What is started from now on is there."""
        self._at = host
        return self

    def spawn(self, *arguments: str, path: str | None = None, **environment: str) -> Process:
        with self._at:
            return super().spawn(*arguments, path=path, **environment)

    async def registrar_at(self, host: str, *options: str) -> Process:
        """A registrar."""
        process = self.twistd("rserpool-ns", "--asap", f"{host}:3863", "--backend", "usrsctp", *options)
        await process.says("serves ASAP at")
        return process

    def pe(self, *options: str, pool: str = "pool", plugin: tuple[str, ...] = ()) -> Process:
        """An element."""
        served = plugin or ("web", "--listen", "tcp:8080", "--path", os.path.dirname(__file__))
        return self.twistd(
            *("rserpool-pe", "--pool", pool, "--registrar", self.reg, "--backend", "usrsctp", *options, "--", *served)
        )

    async def crowd(self, number: int) -> Process:
        """So many elements in one process."""
        process = self.spawn("-m", "tests.field.crowd", self.reg, str(number))
        await all_of(*(process.says(f"registered as 0x{each:08x}") for each in range(1, number + 1)))
        return process

    async def resolved(self, pool: str = "pool", *options: str) -> list[str]:
        """The elements of a pool, as a user on the present host is told."""
        process = self.rserpool("resolve", pool, "--registrar", self.reg, "--transport", "sctp", *options)
        await process.ended
        return re.findall(r"^0x[0-9a-f]{8}", process.output, re.MULTILINE)

    def watching(self, transport: str, pool: str = "pool") -> Process:
        """A user on the present host that is told of every change."""
        where = self.reg if transport == "sctp" else self.reg.partition("/")[0]
        return self.rserpool("watch", pool, "--registrar", where, "--transport", transport)

    async def test_loss(self) -> None:
        """5 % each way: who lives stays in its pool, and who falls silent is gone."""
        await self.begin()
        self.wide.loss, self.wide.delay, self.wide.jitter = 0.05, 0.01, 0.01
        crowd = await self.at(self.here).crowd(CROWD)
        watch = self.at(self.there).watching("tcp")
        await watch.says(f"= 0x{CROWD:08x} ")
        await deferLater(reactor, SECONDS)
        wrong = gone(watch)
        crowd.signal("STOP")
        since = reactor.seconds()  # type: ignore[attr-defined]
        while len(gone(watch)) < len(wrong) + CROWD:
            await deferLater(reactor, 0.02)
        seconds = reactor.seconds() - since  # type: ignore[attr-defined]
        lives = CROWD * SECONDS
        print(f"\n{len(wrong)} removed in {lives:.0f} element-seconds; all {CROWD} silent ones gone in {seconds:.2f} s")
        self.assertEqual([], wrong)

    async def test_delay(self) -> None:
        """200 to 300 ms there and back, and a little loss: nobody is removed; users are answered."""
        await self.begin()
        self.wide.loss, self.wide.delay, self.wide.jitter = 0.01, 0.1, 0.05
        await self.at(self.here).crowd(5)
        self.assertEqual(5, len(await self.at(self.other).resolved()))
        watch = self.at(self.there).watching("tcp")
        await watch.says("= 0x00000005 ")
        await deferLater(reactor, SECONDS / 4)
        self.assertEqual([], gone(watch))

    async def test_small_packets(self) -> None:
        """A path that takes 1,280 bytes, and drops fragments: thirty elements are answered."""
        await self.begin()
        self.wide.mtu = 1280
        await self.at(self.here).crowd(30)
        self.assertEqual(30, len(await self.at(self.other).resolved("pool", "--items", "30")))
        self.assertEqual(0, self.wide.counts["too large"])
        self.assertLessEqual(max(self.wide.sizes), 1280)

    async def test_smaller_packets(self) -> None:
        """A path that takes less: the profile says so."""
        await self.begin("--profile", "default,mtu=600")
        self.wide.mtu = 600
        await self.at(self.here).crowd(30)
        self.assertEqual(30, len(await self.at(self.other).resolved("pool", "--items", "30")))

    async def test_address(self) -> None:
        """A host gets another address: elements, watchers and proxies there are back."""
        await self.begin()
        host = self.here
        echo = self.at(host).pe("--identifier", "1", pool="echo", plugin=("rserpool-echo",))
        web = self.pe("--identifier", "2", pool="web")
        await all_of(echo.says("registered as"), web.says("registered as"))
        watches = [self.watching(transport, "echo") for transport in ("sctp", "tcp")]
        proxy = self.rserpool("proxy", "web", "--registrar", self.reg, "--listen", "7777", "--transport", "sctp")
        await all_of(*(watch.says(r"[+=] 0x00000001") for watch in watches), proxy.says("relays tcp"))
        await self.get("http://127.0.0.1:7777/")
        self.wide.move(host, "10.91.0.77")
        await all_of(*(watch.says(r"[~+=] 0x00000001 .*10\.91\.0\.77:") for watch in watches))
        await self.get("http://127.0.0.1:7777/")
        await self.at(self.other).get("http://10.91.0.77:8080/")
        self.assertEqual(["0x00000002"], await self.resolved("web"))
        self.no_traceback(self.ns, echo, web, *watches, proxy)

    async def get(self, url: str) -> None:
        """Fetch a page from the present host."""
        await self.spawn("-c", GET, url).says("status 200")

    def gate(self, rules: str = "") -> tuple[WideHost, Gate]:
        """A translator in front of a host."""
        if shutil.which("nft") is None:
            raise SkipTest("needs nft")
        gate = self.wide.host()
        return gate, Gate(self, gate, rules)

    async def test_users_behind_a_translator(self) -> None:
        """They are answered, told of changes, and served."""
        await self.begin()
        _, gate = self.gate()
        element = self.at(self.here).pe()
        await element.says("registered as")
        watch = self.at(gate.inside).watching("sctp")
        await watch.says(r"[+=] 0x")
        self.assertEqual(1, len(await self.resolved()))
        proxy = self.rserpool("proxy", "pool", "--registrar", self.reg, "--listen", "7777", "--transport", "sctp")
        await proxy.says("relays tcp")
        await self.get("http://127.0.0.1:7777/")
        element.signal("KILL")
        await watch.says(r"- 0x")

    async def test_element_behind_a_translator(self) -> None:
        """It is refused, and both sides read which address was seen; with its port forwarded it is in the pool."""
        await self.begin()
        front, gate = self.gate(f"add rule ip nat in tcp dport 8080 dnat to {Gate.INNER}\n")
        refused = self.at(gate.inside).pe()
        await refused.says(f"sees it at {re.escape(front.address)}")
        await self.ns.says(f"names {re.escape(Gate.INNER)}, and comes from {re.escape(front.address)}")
        element = self.pe("--forwarded", front.address)
        await element.says("registered as")
        await self.at(self.other).get(f"http://{front.address}:8080/")
        self.assertEqual(1, len(await self.resolved()))
        element.signal("KILL")
        await self.ns.says("removed: unreachable")

    async def test_registrar_behind_a_translator(self) -> None:
        """With its ports forwarded elements and users in front of it do not notice."""
        await self.begin()
        rules = f"add rule ip nat in udp dport 9899 dnat to {Gate.INNER}\n"
        front, gate = self.gate(rules)
        await self.at(gate.inside).registrar_at(Gate.INNER)
        self.reg = f"{front.address}:3863/9899"
        await self.at(self.here).pe().says("registered as")
        self.assertEqual(1, len(await self.at(self.other).resolved()))
