"""C{rserpool trace}: captures of every kind, whole and damaged, and what passes now."""

from __future__ import annotations

import json
import socket
from io import StringIO
from pathlib import Path
from struct import pack
from typing import Any

from twisted.internet.defer import ensureDeferred
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from rserpool.cli.parser import make_parser
from rserpool.cli.trace import live, run
from rserpool.cli.trace.captures import BadCapture, frames
from rserpool.cli.trace.packets import Packets, _is_sctp
from rserpool.core.errors import ConfigurationError
from rserpool.core.wire import asap
from rserpool.sctp.base import PPID_ASAP
from tests.core.wire.test_captures import MULTICAST, REGISTRARS

RESOLUTION = asap.encode(asap.HandleResolution(b"w\x1b[2Jww"))


def sctp(data: bytes, *, tsn: int = 1, flags: int = 3, sequence: int = 0) -> bytes:
    """A packet of SCTP with one chunk of data."""
    chunk = pack("!BBHIHHI", 0, flags, 16 + len(data), tsn, 0, sequence, PPID_ASAP) + data
    return pack("!HHII", 5000, 3863, 7, 0) + chunk + bytes(-len(chunk) % 4)


def ip(protocol: int, payload: bytes) -> bytes:
    return (
        pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0, 64, protocol, 0)
        + bytes((10, 0, 0, 1, 10, 0, 0, 2))
        + payload
    )


def udp(payload: bytes) -> bytes:
    return ip(17, pack("!HHHH", 40000, 9899, 8 + len(payload), 0) + payload)


def tcp(data: bytes, sequence: int) -> bytes:
    return ip(6, pack("!HHIIBBHHH", 40000, 3863, sequence, 0, 0x50, 0, 0, 0, 0) + data)


def pcapng(path: Path) -> bytes:
    """The frames of a capture in the other format, with two sections, nanoseconds and a block that nobody knows."""

    def block(kind: int, body: bytes) -> bytes:
        body += bytes(-len(body) % 4)
        return pack("<II", kind, 12 + len(body)) + body + pack("<I", 12 + len(body))

    section = block(0x0A0D0D0A, pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
    with path.open("rb") as file:
        found = list(frames(file))
    interface = block(1, pack("<HHI", found[0].link, 0, 0) + pack("<HHBxxx", 9, 1, 9) + bytes(4))
    blocks = []
    for frame in found:
        when = round(frame.when * 1e9)
        body = pack("<IIIII", 0, when >> 32, when & 0xFFFFFFFF, len(frame.data), len(frame.data)) + frame.data
        blocks.append(block(6, body))
    middle = len(blocks) // 2
    return b"".join([section, interface, *blocks[:middle], block(0x99, b"?"), section, interface, *blocks[middle:]])


class TraceTests(SynchronousTestCase):
    def trace(self, *words: str, status: int = 0) -> list[str]:
        options = make_parser("trace").parse_args(["trace", *words])
        out = StringIO()
        self.assertEqual(status, self.successResultOf(ensureDeferred(run.run(None, options, out))))
        return out.getvalue().splitlines()

    def file(self, data: bytes) -> str:
        path = Path(self.mktemp())
        path.write_bytes(data)
        return str(path)

    def test_as_many_as_wireshark_finds(self) -> None:
        for path, both in ((REGISTRARS, (116, 136)), (MULTICAST, (51, 40))):
            lines = self.trace(str(path))
            self.assertEqual(both, tuple(sum(f"  {name} " in line for line in lines) for name in ("ASAP", "ENRP")))

    def test_pcapng(self) -> None:
        self.assertEqual(self.trace(str(REGISTRARS)), self.trace(self.file(pcapng(REGISTRARS))))

    def test_what_is_wanted(self) -> None:
        everything = self.trace(str(REGISTRARS))
        less = self.trace(str(REGISTRARS), "--no-heartbeats")
        self.assertEqual([line for line in everything if "KeepAlive" not in line and " Presence(" not in line], less)
        self.assertEqual(everything[:3], self.trace(str(REGISTRARS), "--count", "3"))
        more = self.trace(str(REGISTRARS), "--associations")
        self.assertTrue(any(line.endswith("SCTP set-up") for line in more))
        told = [json.loads(line) for line in self.trace(str(REGISTRARS), "--json")]
        self.assertEqual(len(everything), len(told))
        pools = {each["message"] for each in map(json.loads, self.trace(str(REGISTRARS), "--json", "--pool", "none"))}
        self.assertEqual(set(), pools)

    def test_damaged(self) -> None:
        """What came before the damage is shown; then a sentence, and status 1."""
        for whole in (REGISTRARS.read_bytes(), pcapng(REGISTRARS)):
            lines = self.trace(self.file(whole[: len(whole) // 2]), status=1)
            self.assertGreater(len(lines), 50)
        self.assertEqual([], self.trace(self.file(b""), status=1))
        self.assertEqual([], self.trace(self.file(b"GIF89a, no capture at all"), status=1))
        huge = REGISTRARS.read_bytes()[:24] + pack("<IIII", 0, 0, 2**31, 0)
        self.assertEqual([], self.trace(self.file(huge), status=1))
        options = make_parser("trace").parse_args(["trace", "/nowhere/at/all"])
        self.failureResultOf(ensureDeferred(run.run(None, options, StringIO())), ConfigurationError)

    def test_any_bytes(self) -> None:
        """Each byte of a capture is changed in turn: no traceback."""
        whole = bytearray(pcapng(MULTICAST)[:3000])
        for at in range(0, len(whole), 7):
            whole[at] ^= 0xFF
            with Path(self.file(bytes(whole))).open("rb") as file:
                try:
                    for frame in frames(file):
                        Packets().take(frame.link, frame.data)
                except BadCapture:
                    pass
            whole[at] ^= 0xFF


class PacketTests(SynchronousTestCase):
    def data(self, *packets: bytes, link: int = 101) -> list[bytes]:
        taken = Packets()
        return [found.data for packet in packets for found in taken.take(link, packet)]

    def test_native_and_encapsulated(self) -> None:
        packet = sctp(RESOLUTION)
        for link, frame in (
            (101, ip(132, packet)),
            (101, udp(packet)),
            (1, bytes(12) + b"\x08\x00" + udp(packet)),
            (1, bytes(12) + b"\x81\x00\x00\x07\x08\x00" + udp(packet)),
            (113, bytes(14) + b"\x08\x00" + udp(packet)),
            (276, b"\x08\x00" + bytes(18) + udp(packet)),
            (0, bytes(4) + udp(packet)),
        ):
            self.assertEqual([RESOLUTION], self.data(frame, link=link))
        six = b"\x60\0\0\0" + pack("!HBB", len(packet), 132, 64) + bytes(32) + packet
        self.assertEqual([RESOLUTION], self.data(six))

    def test_fragments_and_repeats(self) -> None:
        first, second = sctp(RESOLUTION[:8], flags=2), sctp(RESOLUTION[8:], tsn=2, flags=1)
        self.assertEqual([RESOLUTION], self.data(ip(132, first), ip(132, first), ip(132, second), ip(132, second)))
        self.assertEqual([], self.data(ip(132, second)))

    def test_over_tcp(self) -> None:
        two = RESOLUTION + RESOLUTION
        pieces = [tcp(two[:5], 1), tcp(two[:5], 1), tcp(two[5:], 6)]
        self.assertEqual([RESOLUTION, RESOLUTION], self.data(*pieces))
        # A segment is missing: from the next one that begins a message on it goes on.
        self.assertEqual([RESOLUTION], self.data(tcp(two[:5], 1), tcp(RESOLUTION, 1000)))

    def test_other_datagrams(self) -> None:
        for payload in (b"", b"hello, world and all", bytes(100), b"\1\1\1\1" + bytes(12)):
            self.assertFalse(_is_sctp(payload))
            self.assertEqual([], self.data(udp(payload)))

    def test_lines_obey_nobody(self) -> None:
        path = Path(self.mktemp())
        packet = udp(sctp(RESOLUTION))
        header = b"\xd4\xc3\xb2\xa1" + pack("<HHiIII", 2, 4, 0, 0, 65535, 101)
        path.write_bytes(header + pack("<IIII", 1, 0, len(packet), len(packet)) + packet)
        options = make_parser("trace").parse_args(["trace", str(path)])
        out = StringIO()
        self.successResultOf(ensureDeferred(run.run(None, options, out)))
        self.assertIn("10.0.0.1:5000 -> 10.0.0.2:3863  ASAP HandleResolution(", out.getvalue())
        self.assertTrue(out.getvalue().strip().isprintable())


class LiveTests(SynchronousTestCase):
    def test_loopback(self) -> None:
        """A datagram of this very test is seen once."""
        try:
            opened = live.listen("lo")
        except Exception as error:
            raise SkipTest(str(error)) from None
        self.addCleanup(opened.close)
        packet = sctp(RESOLUTION)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.bind(("127.0.0.1", 0))
            for _ in range(2):
                sender.sendto(packet, sender.getsockname())
            taken: list[Any] = []
            packets = Packets()
            for frame in live.frames(opened):
                taken += [found for found in packets.take(frame.link, frame.data) if found.data == RESOLUTION]
                if taken:
                    break
        self.assertEqual(("udp", "127.0.0.1"), (taken[0].over, taken[0].source[0]))

    def test_no_such_interface(self) -> None:
        try:
            live.listen(None).close()
        except Exception as error:
            self.assertIn("sudo", str(error))
            return
        self.assertRaises(ConfigurationError, live.listen, "nowhere9")
