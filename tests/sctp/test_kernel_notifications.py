"""Notifications and addresses of the kernel's SCTP are read, whatever bytes they hold (RFC 6458 section 6.1)."""

from __future__ import annotations

import socket
import struct
from random import Random

from twisted.trial.unittest import TestCase

from rserpool.sctp.kernel import notifications, sockaddr
from rserpool.sctp.notifications import (
    AddressChange,
    AssociationChange,
    Change,
    DeliveryAborted,
    PeerShutdown,
    SenderDry,
    SendFailed,
)

parse = notifications.NUMBERS.parse


def notification(kind: int, body: bytes, flags: int = 0) -> bytes:
    """As the kernel lays it out."""
    return struct.pack("=HHI", kind, flags, 8 + len(body)) + body


def storage(host: str, port: int = 7) -> bytes:
    """A sockaddr_storage."""
    return sockaddr.pack(host, port).ljust(sockaddr.STORAGE, b"\0")


EXAMPLES = {
    notification(0x8001, struct.pack("=HHHHi", 0, 0, 10, 9, 5)): AssociationChange(5, Change.COMM_UP, 0, 10, False),
    notification(0x8001, struct.pack("=HHHHi", 1, 12, 0, 0, 5) + b"\x06\x00\x00\x04"): AssociationChange(
        5, Change.COMM_LOST, 12, 0, True
    ),
    notification(0x8002, storage("10.0.0.1") + struct.pack("=iii", 1, 0, 5)): AddressChange(
        5, "10.0.0.1", "unreachable"
    ),
    notification(0x8002, storage("fd00::1") + struct.pack("=iii", 3, 0, 5)): AddressChange(5, "fd00::1", "added"),
    notification(0x800D, struct.pack("=IHHIIii", 0, 1, 3, socket.htonl(11), 0, 5, 5) + b"\xff\xfe"): SendFailed(
        5, b"\xff\xfe", 11, 3
    ),
    notification(0x8005, struct.pack("=i", 5)): PeerShutdown(5),
    notification(0x8006, struct.pack("=IiII", 0, 5, 2, 0)): DeliveryAborted(5, 2),
    notification(0x8009, struct.pack("=i", 5)): SenderDry(5),
}


class NotificationTests(TestCase):
    """What is read."""

    def test_read(self) -> None:
        """Each kind, with its association."""
        for data, expected in EXAMPLES.items():
            self.assertEqual(expected, parse(data))

    def test_cut_short(self) -> None:
        """What is cut short is nothing, and raises nothing."""
        for data, expected in EXAMPLES.items():
            shortest = len(data) if not isinstance(expected, SendFailed | AssociationChange) else 20
            for end in range(shortest):
                self.assertIsNone(parse(data[:end]))

    def test_odd(self) -> None:
        """Unknown kinds, states and address families are nothing; any bytes at all are survived."""
        for data in (
            notification(0x8042, bytes(20)),
            notification(0x8002, storage("10.0.0.1") + struct.pack("=iii", 99, 0, 5)),
            notification(0x8002, bytes(128) + struct.pack("=iii", 1, 0, 5)),
        ):
            self.assertIsNone(parse(data))
        random = Random(1)
        for data in EXAMPLES:
            for _ in range(500):
                mutated = bytearray(data + bytes(random.randrange(8)))
                for _ in range(random.randrange(1, 6)):
                    mutated[random.randrange(2, len(mutated))] = random.randrange(256)
                parse(bytes(mutated[: random.randrange(len(mutated) + 1)]))

    def test_failed_length(self) -> None:
        """The data of a failed message ends where the notification says, whatever follows."""
        data = notification(0x800D, struct.pack("=IHHIIii", 0, 1, 3, 0, 0, 5, 5) + b"abc") + b"\0"
        self.assertEqual(b"abc", parse(data).data)  # type: ignore[union-attr]


class AddressTests(TestCase):
    """Socket addresses."""

    def test_round_trip(self) -> None:
        """What is packed is read again, also several in a row."""
        hosts = ("10.0.0.1", "fd00::1", "127.0.0.1", "::1")
        self.assertEqual(
            [(host, 3863) for host in hosts], sockaddr.unpack_all(sockaddr.pack_all(hosts, 3863), len(hosts))
        )

    def test_mapped_and_scoped(self) -> None:
        """An IPv4 address in IPv6 clothes is read as IPv4; a link-local one knows its interface."""
        mapped = sockaddr.pack("::ffff:10.0.0.1", 5)
        self.assertEqual(("10.0.0.1", 5), sockaddr.host_and_port(mapped))
        _, name = socket.if_nameindex()[0]
        self.assertEqual((f"fe80::1%{name}", 5), sockaddr.host_and_port(sockaddr.pack(f"fe80::1%{name}", 5)))
        self.assertEqual(("fe80::1%65000", 5), sockaddr.host_and_port(sockaddr.pack("fe80::1%65000", 5)))

    def test_fewer(self) -> None:
        """A list that is cut short, or holds another family, gives what makes sense."""
        both = sockaddr.pack_all(("10.0.0.1", "10.0.0.2"), 1)
        self.assertEqual(1, len(sockaddr.unpack_all(both[:20], 2)))
        self.assertEqual([], sockaddr.unpack_all(bytes(64), 2))
        self.assertRaises(OSError, sockaddr.pack, "no-address", 1)

    def test_states(self) -> None:
        """Events are those that the parser knows."""
        for event in notifications.EVENTS:
            self.assertIn(event, {struct.unpack_from("=H", data)[0] for data in EXAMPLES})
