"""rsplib's users with our elements, and our user with rsplib's elements, each through both registrars."""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor

from rserpool.services import Classic, PingPongFactory
from rserpool.services.messages import PPID_PINGPONG, Ping, Pong
from rserpool.session import Session
from tests.lab.networks import Host
from tests.lab.rsplib import RsplibTests
from tests.processes.harness import Process, all_of

PONG = r"Ack #(\d+) from PE \$(\w+) \(reply #(\d+)\)"


class TheirUserTests(RsplibTests):
    """C{rspterminal} and C{pingpongclient} use what we serve."""

    async def test_echo_and_its_kin(self) -> None:
        where, there = self.networks.hosts(2)
        await all_of(*(self.classic(where, there, registrar) for registrar in await self.registrars()))

    async def classic(self, where: Host, there: Host, registrar: Host) -> None:
        """What each service says to a terminal."""
        expected = {"echo": "from PE .*> one line", "daytime": "from PE .*day, .*20", "chargen": r"from PE .*@ABCDEF"}
        for number, (name, said) in enumerate(expected.items(), 0x10):
            pool = f"{name} at {registrar.name}"
            await self.our_service(where, pool.encode(), Classic(name, reactor), number, registrar)
            terminal = self.their_user(there, registrar, "rspterminal", f"-poolhandle={pool}")
            await terminal.says("Pool Handle")
            terminal.transport.write(b"one line\n")
            await terminal.says(said)
            terminal.signal("KILL")

    async def test_pingpong_with_failover(self) -> None:
        """Each session fails after four answers, and goes on elsewhere with the counter that our cookie has."""
        where, there = self.networks.hosts(2)
        await all_of(*(self.pingpong(where, there, registrar) for registrar in await self.registrars()))

    async def pingpong(self, where: Host, there: Host, registrar: Host) -> None:
        for identifier in (0xA, 0xB):
            await self.our_service(where, b"PingPongPool", PingPongFactory(fail_after=4), identifier, registrar)
        client = self.their_user(there, registrar, "pingpongclient", "-interval=100")
        served = set()
        for number in range(1, 14):
            said = await client.says(rf"Ack #\d+ from PE \$(\w+) \(reply #{number}\)")
            served.add(int(said[1], 16))
        self.assertEqual({0xA, 0xB}, served)
        self.assertNotIn("gap", client.text)


class OurUserTests(RsplibTests):
    """Sessions of ours with rsplib's elements."""

    async def test_echo_and_pingpong_with_failover(self) -> None:
        where, there = self.networks.hosts(2)
        self.networks.enter(there)
        registrars = await self.registrars()
        await all_of(
            *(
                self.session(where, there, registrar, service, **options)
                for registrar in registrars
                for service, options in (("echo", {}), ("pingpong", {"ppid": PPID_PINGPONG}))
            )
        )

    async def session(self, where: Host, there: Host, registrar: Host, service: str, **options: Any) -> None:
        """A session that outlives three elements, each killed in the middle."""
        pool = f"{service} at {registrar.name}"
        processes: dict[int, Process] = {}
        user = self.our_user(there, registrar)
        for identifier in (1, 2, 3):
            processes[identifier] = self.their_element(where, registrar, service, identifier, f"-poolhandle={pool}")
            await self.resolves(user, pool, *processes)
        session = Session(user, pool, repeat=True, **options)
        self.addCleanup(session.close)
        asked = twice = 0
        while processes:
            for turn in range(5):
                asked += 1
                behind = await self.ask(session, service, asked)
                # rsplib's element sends the cookie after the answer: who is killed in between leaves an older one.
                self.assertIn(behind - twice, (0, 1) if turn == 0 and asked > 1 else (0,))
                twice = behind
            serving = session.element
            assert serving is not None
            self.assertIn(serving.identifier, processes)
            processes.pop(serving.identifier).signal("KILL")

    async def ask(self, session: Session, service: str, number: int) -> int:
        """One request, and its answer; how far the element's count of answers is behind."""
        if service == "echo":
            self.assertEqual(b"message %d" % number, await session.request(b"message %d" % number))
            return 0
        pong = Pong.decode(await session.request(Ping(number, b"data").encode()))
        # The next element goes on counting by the cookie of the one before.
        self.assertEqual(number, pong.number)
        return number - pong.reply
