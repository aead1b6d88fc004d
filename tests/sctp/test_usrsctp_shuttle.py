"""The compiled part of usrsctp carries what it should, and that arrives; all other tests run over it, too."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SkipTest

from rserpool.core import TransportAddress
from rserpool.sctp.compiled import SHUTTLE
from tests.sctp.usrsctp_case import UsrsctpTestCase

PORT = 5001
MANY = 70
"""More than the tables begin with."""


class ShuttleTests(UsrsctpTestCase):
    def _moves_finely(self, clock: Any) -> None:
        """However slow the test is: while the clock stands still, Python does all."""
        self.patch(clock.pace, "coarse", False)
        self.patch(clock.pace, "_wait", lambda *ignored: None)

    async def _carries(self, host: str, reached: str) -> None:
        """Messages go both ways between two UDP sockets that are bound to C{host}."""
        if SHUTTLE.load() is None:
            raise SkipTest("nothing is compiled here, or it is not wanted")
        server, client = self.recorder(), self.recorder()
        here, there = await self.makeStack(host), await self.makeStack(host)
        listening = here.open(0, server, (host,))
        connecting = there.open(0, client, (host,), False)
        self._moves_finely(here.engine.clock)
        association = connecting.connect(TransportAddress((reached,), listening.port, here.encapsulation_port))
        await self.until(lambda: bool(client.up and server.up))
        for number in range(20):
            association.send(b"%d" % number, PORT)
            server.up[0].send(b"%d" % number, PORT)
        await self.until(lambda: len(client.data) == len(server.data) == 20)
        self.assertEqual(client.data, [b"%d" % number for number in range(20)])
        self.assertEqual(server.data, client.data)
        for endpoint in (listening, connecting):
            came, went = endpoint.udp_sockets[0].lane.carried()
            self.assertTrue(came and went, (host, came, went))

    async def test_ipv4(self) -> None:
        await self._carries("127.0.0.1", "127.0.0.1")

    async def test_ipv6(self) -> None:
        await self._carries("::1", "::1")

    async def test_all_of_ipv4(self) -> None:
        await self._carries("0.0.0.0", "127.0.0.3")  # noqa: S104

    async def test_all_of_ipv6(self) -> None:
        await self._carries("::", "::1")

    async def test_heartbeats(self) -> None:
        """They are carried, too, and heard: who answers one is not asked again."""
        if SHUTTLE.load() is None:
            raise SkipTest("nothing is compiled here, or it is not wanted")
        association, client, accepted, server = await self.pair()
        lanes = [each.endpoint.udp_sockets[0].lane for each in (association, accepted)]
        clock = association.endpoint.engine.clock
        heartbeats: list[Any] = []
        hear = type(association).hear

        def heard(each: Any, now: float) -> None:
            heartbeats.append(each)
            hear(each, now)

        self.patch(type(association), "hear", heard)
        self._moves_finely(clock)
        before, beats = [lane.carried()[0] for lane in lanes], self.stack_of(association.endpoint).heartbeats
        for _ in range(3):
            association.probe()
        association.send(b"after them", PORT)
        await self.until(lambda: bool(server.data))
        accepted.send(b"after their answers", PORT)
        await self.until(lambda: bool(client.data))
        self.assertEqual([3, 3], [heartbeats.count(each) for each in (accepted, association)])
        self.assertTrue(all(lane.carried()[0] >= some + 4 for lane, some in zip(lanes, before, strict=True)))
        self.assertEqual(association.heard_at, clock.now)
        self.assertEqual(6, self.stack_of(association.endpoint).heartbeats - beats)

    async def test_many_peers(self) -> None:
        """They come and go, at many UDP sockets: each is answered, and nobody gets what was for another."""
        server = self.recorder()
        here = await self.makeStack("127.0.0.1")
        listening = here.open(0, server)
        server.on_message = lambda association, data: association.send(data, PORT)
        hosts = [f"127.0.1.{number}" for number in range(1, MANY + 1)]
        there = await self.makeStack(*hosts)
        to = TransportAddress(("127.0.0.1",), listening.port, here.encapsulation_port)
        users: list[tuple[Any, Any]] = []
        for host in hosts:
            recorder = self.recorder()
            users.append((there.open(0, recorder, (host,), False).connect(to), recorder))
        await self._all_are_answered(users)
        for association, _ in users[::2]:
            association.close()
        await self.until(lambda: all(recorder.lost for _, recorder in users[::2]))
        await self._all_are_answered(users[1::2])

    async def _all_are_answered(self, users: list[tuple[Any, Any]]) -> None:
        for number, (association, recorder) in enumerate(users):
            recorder.received.clear()
            association.send(b"%d" % number, PORT)
        await self.until(lambda: all(recorder.data for _, recorder in users))
        self.assertEqual([recorder.data for _, recorder in users], [[b"%d" % at] for at in range(len(users))])
