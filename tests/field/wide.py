"""A wide area network in this process: it loses, delays, and drops what is large, between hosts of the test's own.

Each host is a network namespace with one interface (TUN) whose packets this process forwards: no kernel module but
C{tun} is needed, and checksums are what hosts make them.
"""

from __future__ import annotations

import os
import struct
from contextlib import suppress
from fcntl import ioctl
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

from twisted.internet import reactor
from twisted.internet.interfaces import IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from tests.lab.networks import NAMESPACES, Place, ip

UNAVAILABLE = (
    None
    if os.geteuid() == 0 and os.access("/dev/net/tun", os.R_OK | os.W_OK) and Path("/usr/sbin/ip").exists()
    else "needs root, ip and /dev/net/tun"
)
NETWORK = "10.91.0"
_TUNSETIFF = 0x400454CA
_TUN_WITHOUT_HEAD = 0x1001
_MORE_OR_OFFSET = 0x3FFF
_numbers = count(1)


@implementer(IReadDescriptor)
class WideHost(Place):
    """A host of the network: C{with host:} makes sockets and processes that are its.

    @ivar address: its present one.
    """

    def __init__(self, network: WideNetwork, name: str, address: str) -> None:
        super().__init__(NAMESPACES / name)
        self.name = name
        self.address = address
        self._network = network
        with self:
            self._tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            ioctl(self._tun, _TUNSETIFF, struct.pack("16sH", b"wide", _TUN_WITHOUT_HEAD))
        ip("link set lo up", "link set wide mtu 1500 up", f"addr add {address}/24 dev wide", host=self)  # type: ignore[arg-type]
        reactor.addReader(self)  # type: ignore[attr-defined]

    def close(self) -> None:
        """It is no more."""
        reactor.removeReader(self)  # type: ignore[attr-defined]
        os.close(self._tun)
        self.forget()

    def fileno(self) -> int:
        return self._tun

    def logPrefix(self) -> str:
        return self.name

    def connectionLost(self, reason: Failure) -> None:
        """The reactor says so when the interface is gone."""

    def doRead(self) -> None:
        for _ in range(64):
            try:
                packet = os.read(self._tun, 65536)
            except BlockingIOError:
                return
            self._network.forward(packet)

    def receive(self, packet: bytes) -> None:
        """A packet has come through."""
        with suppress(OSError):
            os.write(self._tun, packet)


class WideNetwork:
    """The hosts, and what happens between them.

    @ivar loss: the share of packets that is lost, each way.
    @ivar delay: seconds from host to host; C{jitter} is added at random.
    @ivar mtu: larger packets are lost, and so are all fragments, without a word.
    @ivar sizes: the length of every packet of UDP.
    @ivar counts: how many packets were C{"forwarded"}, C{"lost"}, and C{"too large"}.
    """

    def __init__(self, test: Any, seed: int = 1) -> None:
        self._test = test
        self._random = Random(seed)
        self.loss = self.delay = self.jitter = 0.0
        self.mtu = 65535
        self.sizes: list[int] = []
        self.counts = {"forwarded": 0, "lost": 0, "too large": 0}
        self._hosts: dict[bytes, WideHost] = {}
        self._calls: set[Any] = set()
        test.addCleanup(self._stop)

    def _stop(self) -> None:
        for call in self._calls:
            call.cancel()

    def host(self) -> WideHost:
        """One more host: 10.91.0.1, 10.91.0.2 ..."""
        number = len(self._hosts) + 1
        name = f"wide{os.getpid()}-{next(_numbers)}"
        ip(f"netns add {name}")
        self._test.addCleanup(ip, f"netns del {name}")
        host = WideHost(self, name, f"{NETWORK}.{number}")
        self._test.addCleanup(host.close)
        self._hosts[_packed(host.address)] = host
        return host

    def move(self, host: WideHost, address: str) -> None:
        """A host has this address instead of its present one."""
        ip(f"addr del {host.address}/24 dev wide", f"addr add {address}/24 dev wide", host=host)  # type: ignore[arg-type]
        del self._hosts[_packed(host.address)]
        host.address = address
        self._hosts[_packed(address)] = host

    def forward(self, packet: bytes) -> None:
        """A host has sent a packet."""
        if packet[0] >> 4 != 4:
            return
        host = self._hosts.get(packet[16:20])
        if host is None:
            return
        if packet[9] == 17:
            self.sizes.append(len(packet))
        if len(packet) > self.mtu or (self.mtu < 65535 and int.from_bytes(packet[6:8], "big") & _MORE_OR_OFFSET):
            self.counts["too large"] += 1
        elif self._random.random() < self.loss:
            self.counts["lost"] += 1
        else:
            self.counts["forwarded"] += 1
            late = self.delay + self._random.uniform(0, self.jitter)
            if late:
                self._later(late, host, packet)
            else:
                host.receive(packet)

    def _later(self, seconds: float, host: WideHost, packet: bytes) -> None:
        def arrive() -> None:
            self._calls.discard(call)
            host.receive(packet)

        call = reactor.callLater(seconds, arrive)  # type: ignore[attr-defined]
        self._calls.add(call)


def _packed(address: str) -> bytes:
    return bytes(map(int, address.split(".")))


class Gate:
    """A translator (NAT): a host of the network with one behind it, which has an address that nobody else knows.

    @ivar inside: the host behind it.
    """

    INNER, OWN = "192.168.7.2", "192.168.7.1"

    def __init__(self, test: Any, gate: WideHost, rules: str) -> None:
        """
        @param rules: of nft, beside C{masquerade}.
        """
        name = f"{gate.name}-in"
        ip(f"netns add {name}")
        test.addCleanup(ip, f"netns del {name}")
        self.inside = Place(NAMESPACES / name)
        test.addCleanup(self.inside.forget)
        with gate:
            ip(f"link add inner type veth peer name eth0 netns {name}", f"addr add {self.OWN}/24 dev inner")
            ip("link set inner up")
            Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
            table = "add table ip nat\n"
            table += "add chain ip nat out { type nat hook postrouting priority 100; }\n"
            table += "add chain ip nat in { type nat hook prerouting priority -100; }\n"
            table += f'add rule ip nat out oifname "wide" masquerade\n{rules}'
            _nft(table)
        with self.inside:
            ip("link set lo up", "link set eth0 up", f"addr add {self.INNER}/24 dev eth0")
            ip(f"route add default via {self.OWN}")


def _nft(text: str) -> None:
    from tests.lab.networks import _run, tool

    _run([tool("nft"), "-f", "-"], text)
