"""A network of a page's own, so that it may use the ports and addresses that it prints."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import struct
import subprocess
from functools import cache

ADDRESSES = ["192.0.2.1", "192.0.2.2", "10.0.1.1", "10.0.2.1"]
"""What pages call the addresses of hosts; here all are of the loopback interface."""
MARK = "PAGE_NETWORK"
SIOCSIFADDR, SIOCSIFFLAGS = 0x8916, 0x8914
IFF_UP = 1


@cache
def enter() -> list[str] | None:
    """What stands before a command that gets a network (and process numbers) of its own; None where this machine
    allows nobody that."""
    unshare = shutil.which("unshare")
    processes = ["--pid", "--fork", "--kill-child", "--mount-proc"]
    for more in (processes, [], ["--map-root-user", *processes], ["--map-root-user"]):
        command = [unshare or "", "--net", *more, "--", "env", f"{MARK}=1"]
        if unshare and not subprocess.run([*command, "true"], capture_output=True, check=False).returncode:
            return command
    return None


def set_up() -> bool:
    """Bring up the network of a process that L{enter} has put into one; does nothing, and is False, elsewhere."""
    if MARK not in os.environ:
        return False
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", IFF_UP))
        for number, address in enumerate(ADDRESSES):
            name = f"lo:{number}".encode()
            packed = struct.pack("16sHH4s8x", name, socket.AF_INET, 0, socket.inet_aton(address))
            fcntl.ioctl(control, SIOCSIFADDR, packed)
    return True


def free() -> bool:
    """Whether the ports that pages use are free on this host, where there is no network of one's own."""
    for kind, port in ((socket.SOCK_STREAM, 3863), (socket.SOCK_STREAM, 8000), (socket.SOCK_DGRAM, 9899)):
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True
