"""Prints what passes an interface over SCTP: C{python -m bench.wire_watch INTERFACE}, as root.

A process of its own, started by C{bench.reference_failover}. A line is C{SECONDS SOURCE DESTINATION PPID BYTES}: the
monotonic clock when it was at the kernel, the IPv4 addresses, and the first two bytes of the message (in ASAP: its type
and flags), in hex. It sees every implementation from outside, with the same eyes.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
import time
from collections.abc import Iterator

ETH_P_ALL = 0x0003
"""Others do not see what goes out."""
IPV4 = b"\x08\x00"
SO_TIMESTAMPNS = 35
"""Linux."""
TIMESTAMP = struct.Struct("@qq")
ETHERNET, COMMON = 14, 12
SCTP = 132


def messages(frame: bytes) -> Iterator[tuple[str, str, int, str]]:
    """Source, destination, PPID and first bytes of each message that begins in an Ethernet frame."""
    packet = frame[ETHERNET:]
    if len(packet) < 20 or frame[12:14] != IPV4 or packet[9] != SCTP:
        return
    source, destination = socket.inet_ntoa(packet[12:16]), socket.inet_ntoa(packet[16:20])
    length = int.from_bytes(packet[2:4], "big")
    place = 4 * (packet[0] & 0xF) + COMMON
    while place + 4 <= length:
        size = int.from_bytes(packet[place + 2 : place + 4], "big")
        # DATA, and the first fragment of a message.
        if packet[place] == 0 and packet[place + 1] & 2:
            ppid = int.from_bytes(packet[place + 12 : place + 16], "big")
            yield source, destination, ppid, packet[place + 16 : place + 18].hex()
        place += max(4, size + 3 & ~3)


def main() -> None:
    """Watch until it is ended."""
    watching = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    watching.bind((sys.argv[1], 0))
    watching.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    # It takes the processor from nobody whose time is measured: the kernel says when it was.
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    print("watching", flush=True)
    while True:
        frame, ancillary, _, _ = watching.recvmsg(65536, socket.CMSG_SPACE(TIMESTAMP.size))
        seconds, nanoseconds = TIMESTAMP.unpack(ancillary[0][2])
        now = seconds + nanoseconds / 1e9 + time.monotonic() - time.time()
        for source, destination, ppid, begin in messages(frame):
            print(f"{now:.6f} {source} {destination} {ppid} {begin}", flush=True)


if __name__ == "__main__":
    main()
