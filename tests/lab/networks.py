"""Several hosts on several networks, made of network namespaces and bridges; they end with the test.

A test that wants them:

    networks = Networks(self)                       # two networks, N1 and N2
    registrar, element = networks.hosts(2)          # each has an address on both: element.addresses
    with element:                                   # sockets and processes that are made here are that host's
        self.twistd("rserpool-pe", ...)
    networks.cut(0)                                 # nothing goes through the first network any more
    networks.mend(0)

All frames between hosts are in the lab's capture.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

CLONE_NEWNET = 0x40000000
HMAC = Path("/proc/sys/net/sctp/cookie_hmac_alg")
NAMESPACES = Path("/run/netns")
UDP_PORT = Path("/proc/sys/net/sctp/udp_port")
_numbers = count(1)
_libc = ctypes.CDLL(None, use_errno=True)


@cache
def tool(name: str) -> str:
    """Where a command is: looking for it takes the guest as long as running it."""
    return shutil.which(name) or name


def ip(*commands: str, host: Host | None = None) -> None:
    """Run commands of C{ip}, here or at a host.

    @raise AssertionError: if one fails.
    """
    where = ["-n", host.name] if host is not None else []
    _run([tool("ip"), *where, "-batch", "-"], "\n".join(commands) + "\n")


def tc(*arguments: str, host: Host | None = None) -> None:
    """Run one command of C{tc}, here or at a host.

    @raise AssertionError: if it fails.
    """
    _run([tool("tc"), *(["-n", host.name] if host is not None else []), *arguments])


def _run(command: list[str], text: str = "") -> None:
    # Closing descriptors takes the guest longer than the command does; ours are not inherited anyway.
    ran = subprocess.run(command, input=text, capture_output=True, text=True, check=False, close_fds=False)
    if ran.returncode:
        raise AssertionError(f"{' '.join(command)}: {ran.stderr or ran.stdout}{text}")


class Place:
    """A network namespace: C{with place:} makes sockets and processes that belong there."""

    def __init__(self, path: str | Path) -> None:
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._before: list[int] = []

    def __enter__(self) -> Any:
        self._before.append(os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC))
        _enter(self._descriptor)
        return self

    def __exit__(self, *exception: object) -> None:
        before = self._before.pop()
        _enter(before)
        os.close(before)

    def forget(self) -> None:
        """Do not use it any more."""
        os.close(self._descriptor)


def _enter(descriptor: int) -> None:
    if _libc.setns(descriptor, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


class Host(Place):
    """A host on each of the networks.

    @ivar addresses: one on each network, in their order.
    @ivar addresses6: the same of IPv6.
    """

    def __init__(self, name: str, addresses: tuple[str, ...], addresses6: tuple[str, ...]) -> None:
        super().__init__(NAMESPACES / name)
        self.name = name
        self.addresses = addresses
        self.addresses6 = addresses6

    def interface(self, network: int) -> str:
        """Its interface to that network."""
        return f"eth{network}"


class Networks:
    """Networks that one test has for itself: 10.N.1.0/24, 10.N.2.0/24, ... and fdNN:1::/64, ...

    @param test: it removes them at its end.
    @param number: so many networks.
    """

    def __init__(self, test: Any, number: int = 2) -> None:
        self._test = test
        self._number = next(_numbers)
        self._root = Place("/proc/1/ns/net")
        test.addCleanup(self._root.forget)
        self.count = number
        self._hosts: list[Host] = []
        bridges = [self.bridge(network) for network in range(number)]
        with self._root:
            ip(*(f"link add {bridge} type bridge mcast_snooping 0" for bridge in bridges))
            test.addCleanup(self._remove, bridges)
            ip(*(f"link set {bridge} up" for bridge in bridges))

    def _remove(self, bridges: list[str]) -> None:
        with self._root:
            ip(*(f"link del {bridge}" for bridge in bridges))

    def bridge(self, network: int) -> str:
        """The interface that a network's frames go through."""
        return f"n{self._number}-{network + 1}"

    def _port(self, host: Host, network: int) -> str:
        return f"n{self._number}-{network + 1}-{self._hosts.index(host) + 1}"

    def hosts(self, number: int) -> list[Host]:
        """So many new hosts, each with an address on each network."""
        return [self._host() for _ in range(number)]

    def _host(self) -> Host:
        identifier = len(self._hosts) + 1
        name = f"n{self._number}h{identifier}"
        networks = range(self.count)
        hmac = HMAC.read_text()
        ip(f"netns add {name}")
        host = Host(
            name,
            tuple(f"10.{self._number}.{network + 1}.{identifier}" for network in networks),
            tuple(f"fd{self._number:02x}:{network + 1}::{identifier}" for network in networks),
        )
        self._test.addCleanup(self._end, host)
        self._hosts.append(host)
        with host:
            HMAC.write_text(hmac)
            for scope in ("all", "default"):
                Path(f"/proc/sys/net/ipv6/conf/{scope}/accept_dad").write_text("0")
        with self._root:
            ends = [(host.interface(network), self._port(host, network), self.bridge(network)) for network in networks]
            ip(
                *(f"link add {port} type veth peer name {end} netns {name}" for end, port, _ in ends),
                *(f"link set {port} master {bridge} up" for _, port, bridge in ends),
            )
            inside = ["link set lo up"]
            for network, (end, _, _) in enumerate(ends):
                inside += [
                    f"link set {end} up",
                    f"addr add {host.addresses[network]}/24 dev {end}",
                    f"addr add {host.addresses6[network]}/64 dev {end}",
                ]
            # Multicast has to go somewhere.
            ip(*inside, f"route add 224.0.0.0/4 dev {host.interface(0)}", host=host)
        with host:
            for end, _, _ in ends:
                # A neighbour that could not be asked is asked again soon.
                for version in ("ipv4", "ipv6"):
                    Path(f"/proc/sys/net/{version}/neigh/{end}/retrans_time_ms").write_text("50")
        return host

    @staticmethod
    def _end(host: Host) -> None:
        """A host is removed. Linux 6.1 forgets the UDP sockets of SCTP there, and another one may have them later."""
        with host:
            if UDP_PORT.exists():  # since Linux 5.11
                UDP_PORT.write_text("0")
        host.forget()
        ip(f"netns del {host.name}")

    def enter(self, host: Host) -> None:
        """From here to the test's end, this very process is on that host."""
        host.__enter__()
        self._test.addCleanup(host.__exit__)

    def cut(self, network: int, host: Host | None = None) -> None:
        """Nothing goes through a network any more, in silence.

        @param host: from and to this host alone.
        """
        if host is None:
            with self._root:
                ip(f"link set {self.bridge(network)} down")
        else:
            self.netem(network, host, "loss", "100%")

    def isolate(self, host: Host) -> None:
        """Nothing goes from or to a host any more."""
        for network in range(self.count):
            self.cut(network, host)

    def mend(self, network: int, host: Host | None = None) -> None:
        """All goes through again, as it did before L{cut} or L{netem}."""
        if host is None:
            with self._root:
                ip(f"link set {self.bridge(network)} up")
        else:
            with self._root:
                tc("qdisc", "del", "dev", self._port(host, network), "root")
            tc("qdisc", "del", "dev", host.interface(network), "root", host=host)

    def netem(self, network: int, host: Host, *how: str) -> None:
        """What goes from and to a host through a network suffers: C{"loss", "10%"} or C{"delay", "20ms"}, each way."""
        with self._root:
            tc("qdisc", "replace", "dev", self._port(host, network), "root", "netem", *how)
        tc("qdisc", "replace", "dev", host.interface(network), "root", "netem", *how, host=host)

    def unplug(self, network: int, host: Host) -> None:
        """A host's link goes down, and the host notices."""
        with self._root:
            ip(f"link set {self._port(host, network)} down")

    def plug(self, network: int, host: Host) -> None:
        """The link comes up again."""
        with self._root:
            ip(f"link set {self._port(host, network)} up")


def receive_over_udp(host: Host) -> None:
    """Let a host's kernel receive SCTP over UDP at 9899."""
    with host:
        UDP_PORT.write_text("9899")
