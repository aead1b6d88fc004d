"""rsplib's elements at our registrar: they register, are supervised, are resolved, deregister, die."""

from __future__ import annotations

from collections import Counter
from typing import Any

from rserpool.core import CannotAct, PoolElementParameter, SctpTransport, TcpTransport, TransportAddress
from rserpool.core.addresses import ASAP_PORT
from rserpool.core.wire.parameters import DATA_PLUS_CONTROL
from tests.lab.rsplib import RsplibTests

SERVICES = {
    "echo": b"EchoPool",
    "discard": b"DiscardPool",
    "daytime": b"DaytimePool",
    "pingpong": b"PingPongPool",
    "fractal": b"FractalGeneratorPool",
    "calcapp": b"CalcAppPool",
    "scripting": b"ScriptingPool",
}
GROUP = TransportAddress(("239.0.0.50",), ASAP_PORT)
"""Where rsplib looks by default."""
OTHER_GROUP = TransportAddress(("239.0.0.60",), ASAP_PORT)


class ElementTests(RsplibTests):
    """All of rsplib's services on one host, and our registrar on another."""

    async def test_a_life(self) -> None:
        """Each one registers, answers keep-alives, is resolved, and deregisters, dies, or falls silent."""
        where, there, elsewhere = self.networks.hosts(3)
        registrar = await self.our_registrar(where, 1)
        processes = {
            service: self.their_element(there, where, service, number) for number, service in enumerate(SERVICES, 0x10)
        }
        for number, handle in enumerate(SERVICES.values(), 0x10):
            await self.holds(registrar, handle, number)
        # ... are supervised
        answers = self.count(registrar.registrar.supervision, "acknowledged")
        everybody = sorted(range(0x10, 0x10 + len(SERVICES)))
        await self.until(lambda: sorted(answering(answers, 3)) == everybody, "three answers of each")
        # ... are resolved
        user = self.our_user(elsewhere, where)
        for number, handle in enumerate(SERVICES.values(), 0x10):
            [found] = (await user.resolve(handle)).elements
            self.check(found, number, there.addresses[0])
        # ... deregister
        stopped = list(SERVICES)[::3]
        for service in stopped:
            processes[service].signal("INT")
        for service in stopped:
            await self.holds(registrar, SERVICES[service])
        # ... die
        killed = list(SERVICES)[1::3]
        for service in killed:
            processes[service].signal("KILL")
        # ... fall silent
        silent = list(SERVICES)[2::3]
        for service in silent:
            processes[service].signal("STOP")
        for service in [*killed, *silent]:
            await self.holds(registrar, SERVICES[service])

    def check(self, element: PoolElementParameter, identifier: int, host: str) -> None:
        """What it registered."""
        self.assertEqual(identifier, element.identifier)
        self.assertEqual(90_000, element.life)  # milliseconds: it registers again each 30 s
        transport = element.user_transport
        self.assertIsInstance(transport, SctpTransport | TcpTransport)
        self.assertEqual((host,), transport.addresses)
        if isinstance(transport, SctpTransport):
            self.assertEqual(DATA_PLUS_CONTROL, transport.use)

    async def test_operators(self) -> None:
        """An operator cannot have it drain, and hears so; evicted, it is refused, goes on trying, and is back."""
        where, there = self.networks.hosts(2)
        registrar = await self.our_registrar(where, 1)
        # It tries again with its next registration only, which is in 30 s by default: as long as C{holds} waits.
        self.their_element(there, where, "echo", 0x10, "-rereginterval=1000")
        await self.holds(registrar, b"EchoPool", 0x10)
        with self.assertRaises(CannotAct) as refused:
            await registrar.drain(b"EchoPool", 0x10)
        self.assertIn("does not know how to drain", str(refused.exception))
        await self.holds(registrar, b"EchoPool", 0x10)
        await registrar.evict(b"EchoPool", 0x10, 3)
        await self.holds(registrar, b"EchoPool")
        await self.holds(registrar, b"EchoPool", 0x10)

    async def test_no_chargen(self) -> None:
        """3.4.4 rejects the option that its manual has for it."""
        process = self.their_element(self.host(), self.host(), "chargen", 0x10)
        await process.says("Unknown Character Generator parameter: -chargen")

    async def test_found_by_announcements(self) -> None:
        """Who is told of no registrar listens: rsplib's element finds ours, and ours finds rsplib's."""
        ours, theirs, there, here = self.networks.hosts(4)
        registrar = await self.our_registrar(ours, 1, announce=True, announce_group=GROUP)
        self.rsplib(there, "rspserver", "-echo", "-identifier=2", f"-asapannounce={GROUP.hosts[0]}:{GROUP.port}")
        await self.holds(registrar, b"EchoPool", 2)
        # Theirs announces itself at a group of its own, with neither transport nor anything else.
        self.their_registrar(theirs, 2, f"-asapannounce={OTHER_GROUP.hosts[0]}:{OTHER_GROUP.port}", "-enrpannounce=off")
        element = self.our_element(here, there, announcements=True, announce_group=OTHER_GROUP)
        await element.serve("pool", self.transport(here, 7777), identifier=1)
        await self.until(lambda: element.element.home_identifier == 2, "its home is theirs")

    async def test_keep_alives_name_the_element(self) -> None:
        """Of two elements in one pool, on one host, each answers for itself."""
        where, there = self.networks.hosts(2)
        registrar = await self.our_registrar(where, 1)
        processes = [self.their_element(there, where, "echo", number, "-policy=Random") for number in (1, 2)]
        await self.holds(registrar, b"EchoPool", 1, 2)
        processes[0].signal("STOP")
        await self.holds(registrar, b"EchoPool", 2)
        answers = self.count(registrar.registrar.supervision, "acknowledged")
        await self.until(lambda: len(answers) >= 3)
        self.assertEqual([2], answering(answers))


def answering(answers: list[tuple[Any, ...]], times: int = 1) -> list[int]:
    """Who acknowledged so many keep-alives."""
    counted = Counter(element.identifier for element, _ in answers)
    return [identifier for identifier, count in counted.items() if count >= times]
