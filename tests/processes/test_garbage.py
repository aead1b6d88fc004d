"""Garbage on every port of a registrar, peers of the wrong protocol, half-open ones, and ones that do not read.

Each time an element registers and a user resolves meanwhile: nobody else is disturbed.
"""

from __future__ import annotations

import socket
import struct
from random import Random
from typing import Any

from rserpool.cli.demo.processes import TWISTD
from rserpool.core import PolicyParameter, PoolElementParameter, TcpTransport, TransportAddress, UnknownPool
from rserpool.core.wire import asap
from rserpool.sctp.base import PPID_ASAP, PPID_ENRP
from tests.processes.harness import ProcessTests, Registrar, free_address
from tests.processes.peer import peer_of


class GarbageTests(ProcessTests):
    """A registrar hears nonsense."""

    async def serves(self, registrar: Registrar) -> None:
        """An element registers and a user resolves: nobody else was disturbed."""
        element = self.element(registrar)
        user = self.user(registrar)
        await self.watch(user).until(lambda elements: len(elements) == 1)
        await element.says("registered as")
        resolved = await user.resolve(b"pool", fresh=True)
        self.assertEqual(1, len(resolved.elements))
        self.no_traceback(registrar.process, element)
        self.assertNotIn("removed", registrar.process.text)

    async def test_udp(self) -> None:
        """Random datagrams, truncated SCTP, and the beginnings of associations at the UDP port of SCTP."""
        registrar = await self.registrar()
        place = (registrar.host, registrar.address.encapsulation)
        random = Random(1)
        common = struct.pack("!HHII", 5000, 3863, 0, 0)
        init = b"\x01\x00\x00\x14" + struct.pack("!IIHHI", 7, 65536, 10, 10, 7)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            for length in (0, 1, 11, 12, 13, 100, 1500, 60000):
                udp.sendto(random.randbytes(length), place)
            for _ in range(200):
                udp.sendto(random.randbytes(random.randrange(64)), place)
                # To its own SCTP port, with a right checksum, and then anything.
                udp.sendto(checked(common + random.randbytes(random.randrange(64))), place)
            for length in range(len(init)):
                udp.sendto(checked(common + init[:length]), place)
            # INIT without the rest, from many ports: an answer, and no state.
            for port in range(1, 2000):
                udp.sendto(checked(struct.pack("!HHII", port, 3863, 0, 0) + init), place)
            udp.settimeout(10)
            answer = udp.recvfrom(2000)[0]
            self.assertGreater(len(answer), 12)
            await self.serves(registrar)

    async def test_sctp(self) -> None:
        """Messages with the wrong PPID, and ones that are not ASAP: one line in the log, an error where one is due."""
        registrar = await self.registrar("--asap-tcp", "none")
        peer, association = await peer_of(self, registrar.address)
        association.send(b"whatever", 0)
        association.send(asap.encode(asap.HandleResolution(b"pool")), PPID_ENRP)
        association.send(b"x", PPID_ASAP)
        association.send(b"\x0d\x00\xff\xff", PPID_ASAP)
        association.send(b"\x77\x00\x00\x04", PPID_ASAP)
        association.send(Random(2).randbytes(60000), PPID_ASAP)
        association.send(asap.encode(asap.HandleResolution(b"pool")), PPID_ASAP)
        answers: list[Any] = []
        while not isinstance(answers[-1:] and answers[-1], asap.HandleResolutionResponse):
            answers.append(await peer.message(len(answers) + 1))
            self.assertIsInstance(answers[-1], asap.Error | asap.HandleResolutionResponse)
        self.assertGreater(len(answers), 1)
        await registrar.process.says("sent garbage")
        said = [line for line in registrar.process.lines if "sent garbage" in line]
        self.assertEqual(1, len(said), said)
        self.assertIn("a message with PPID 0, where ", said[0])
        # Who goes on for too long is sent away.
        other, babbling = await peer_of(self, registrar.address)
        for _ in range(200):
            babbling.send(b"blah", PPID_ASAP)
        await other.lost
        await registrar.process.says("sent garbage 100 times: closed")
        self.assertFalse(peer.lost.called)
        await self.serves(registrar)

    async def test_enrp(self) -> None:
        """The port of ENRP hears garbage, and ASAP."""
        registrar = await self.registrar("--asap-tcp", "none")
        where = TransportAddress((registrar.host,), 9901, registrar.address.encapsulation)
        peer, association = await peer_of(self, where)
        association.send(asap.encode(asap.HandleResolution(b"pool")), PPID_ASAP)
        for _ in range(300):
            association.send(b"garbage!", PPID_ENRP)
        await peer.lost
        await registrar.process.says("sent garbage 100 times: closed")
        self.assertLess(len(registrar.process.lines), 20)
        await self.serves(registrar)

    async def test_tcp(self) -> None:
        """HTTP, random bytes, lengths that lie, half messages, silence, and what only elements may send."""
        registrar = await self.registrar()
        host, port = registrar.tcp.hosts[0], registrar.tcp.port
        silent, half, http, noise, short, element, other = [await self.client(host, port) for _ in range(7)]
        half.transport.write(asap.encode(asap.HandleResolution(b"pool"))[:7])
        http.transport.write(b"GET / HTTP/1.1\r\nHost: registrar\r\n\r\n")
        noise.transport.write(b"\x05\x00\xff\xff" + Random(3).randbytes(200_000))
        short.transport.write(b"\x05\x00\x00\x03\x05\x00\x00\x00")
        await short.lost
        registration = asap.Registration(
            b"pool", PoolElementParameter(7, 0, 60, TcpTransport(80, host), PolicyParameter(0x1))
        )
        element.transport.write(asap.encode(registration))
        (refusal,) = messages(await element.gets(b"\x03\x01"))
        self.assertEqual((True, 0xA), (refusal.rejected, refusal.causes[0].code))
        # A question in pieces is answered.
        question = asap.encode(asap.HandleResolution(b"nothing"))
        for byte in question:
            other.transport.write(bytes([byte]))
        (answer,) = messages(await other.gets(b"\x00\x04"))
        self.assertEqual(0x9, answer.causes[0].code)
        await all_said(registrar, "sent a message of length 3")
        await self.serves(registrar)
        for client in (silent, half, other):
            self.assertTrue(client.open)

    async def test_too_many_connections(self) -> None:
        """Connections that do nothing, more than the process may have: others are served, and all is well later."""
        script = f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (60, 60)); {TWISTD}"
        process = self.spawn("-c", script, "-n", "--pidfile=", "rserpool-ns", "--asap", f"{free_address()}:3863")
        registrar = await self.serving(process)
        before = self.user(registrar)
        with self.assertRaises(UnknownPool):
            await before.resolve(b"nothing")
        where = (registrar.tcp.hosts[0], registrar.tcp.port)
        crowd = [socket.create_connection(where) for _ in range(100)]
        for each in crowd:
            self.addCleanup(each.close)
        await self.serves(registrar)
        with self.assertRaises(UnknownPool):
            await before.resolve(b"nothing", fresh=True)
        for each in crowd:
            each.close()
        over_tcp = self.user(registrar.tcp)
        resolved = await over_tcp.resolve(b"pool", timeout=20)
        self.assertEqual(1, len(resolved.elements))
        self.assertLess(len(process.lines), 500)

    async def test_one_that_does_not_read(self) -> None:
        """One that asks and does not read the answers fills no memory; others are served, and it is when it reads."""
        registrar = await self.registrar()
        peer, association = await peer_of(self, registrar.address)
        count = 500
        for identifier in range(1, count + 1):
            parameter = PoolElementParameter(identifier, 0, 60, TcpTransport(80, "127.0.0.1"), PolicyParameter(0x1))
            association.send(asap.encode(asap.Registration(b"large", parameter)), PPID_ASAP)
        await peer.message(count)
        before = resident(registrar.process.pid)
        deaf = await self.client(registrar.tcp.hosts[0], registrar.tcp.port)
        deaf.transport.pauseProducing()
        deaf.transport.write(asap.encode(asap.HandleResolution(b"large", True)) * 3000)
        await self.serves(registrar)
        self.assertLess(resident(registrar.process.pid) - before, 30 * 1024)
        self.assertNotIn("dropped", registrar.process.text)
        deaf.transport.resumeProducing()
        await deaf.gets(b"large")


def checked(packet: bytes) -> bytes:
    """The packet with its CRC32c (RFC 9260 appendix A)."""
    crc = 0xFFFFFFFF
    for byte in packet[:8] + bytes(4) + packet[12:]:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return packet[:8] + struct.pack("<I", crc ^ 0xFFFFFFFF) + packet[12:]


def messages(data: bytes) -> list[Any]:
    """ASAP messages as they come over TCP."""
    found = []
    while data:
        length = int.from_bytes(data[2:4], "big") + 3 & ~3
        found.append(asap.decode(data[:length]).message)
        data = data[length:]
    return found


async def all_said(registrar: Registrar, *patterns: str) -> None:
    for pattern in patterns:
        await registrar.process.says(pattern)


def resident(pid: int) -> int:
    """Kilobytes of memory of a process."""
    with open(f"/proc/{pid}/statm") as statm:
        return int(statm.read().split()[1]) * 4
