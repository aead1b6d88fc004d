"""Checks of this host: SCTP, UDP ports, descriptors, settings of the kernel, MTU, names."""

from __future__ import annotations

import os
import resource
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from rserpool.cli.doctor.findings import Finding, fine, note, problem, warning
from rserpool.core.addresses import TransportAddress, is_name
from rserpool.core.errors import SctpUnavailable
from rserpool.sctp.base import REGISTRAR_ENCAPSULATION_PORTS
from rserpool.sctp.compiled import PARTS, PURE, fits

PROC = Path("/proc")
DESCRIPTORS = 4096
"""So many file descriptors may a registrar's process well have."""
BUFFERS = 1024 * 1024
"""Bytes that buffers of sockets may well have."""
ANEW = "pip install --force-reinstall --no-deps --no-cache-dir"
REINSTALL = f"{ANEW} --no-binary rserpool rserpool"
"""What builds the compiled parts."""
_IP_MTU, _IP_MTU_DISCOVER, _IP_PMTUDISC_DO = 14, 10, 2  # Linux's


def _kernel() -> None:
    from rserpool.sctp.kernel.here import require_kernel

    require_kernel()


def _usrsctp() -> None:
    from rserpool.sctp.usrsctp.library import load

    load()


def _compiled() -> tuple[bool, bool, str]:
    found = [part.look() for part in PARTS]
    return all(module is not None for module, _ in found), fits(), next((why for _, why in found if why), "")


def sctp(kernel: Callable[[], None] = _kernel, usrsctp: Callable[[], None] = _usrsctp) -> Iterator[Finding]:
    """Which SCTP there is; each argument raises L{SctpUnavailable} where that one is not."""
    missing = []
    for name, opens in (("the kernel's SCTP", kernel), ("usrsctp (SCTP over UDP, in the process)", usrsctp)):
        try:
            opens()
            yield fine("sctp", f"{name} can be had")
        except SctpUnavailable as error:
            missing.append((name, str(error)))
    for name, why in missing:
        if len(missing) == 1:
            yield note("sctp", f"{name} cannot be had: {why}")
    if len(missing) == 2:
        yield problem(
            "sctp",
            "there is no SCTP: " + "; ".join(f"{name}: {why}" for name, why in missing),
            "apt-get install libusrsctp2 (or: modprobe sctp); users alone can do with --transport tcp",
        )


def compiled_part(
    look: Callable[[], tuple[bool, bool, str]] = _compiled, environment: Mapping[str, str] = os.environ
) -> Iterator[Finding]:
    """Whether SCTP runs with its compiled parts.

    @param look: tells whether they are used, whether they are made for an interpreter like this, and why what is there
        cannot be used.
    """
    used, fits, why = look()
    slower = "a resolution costs a registrar half as much processor time again"
    if used:
        yield fine("sctp", "SCTP has its compiled parts")
    elif environment.get(PURE):
        yield note("sctp", f"SCTP is in Python alone, since {PURE} is set: {slower}", f"unset {PURE}")
    elif not fits:
        yield note(
            "sctp",
            f"SCTP is in Python alone: {slower}",
            "the compiled parts are made for CPython on Linux, as it usually is (not free-threaded)",
        )
    elif why:
        yield warning(
            "sctp",
            f"SCTP lacks a compiled part, which cannot be used ({why}): {slower}",
            f"install it anew: {ANEW} rserpool; in a checkout: make clean demo",
        )
    else:
        yield note(
            "sctp",
            f"SCTP lacks a compiled part, which is not here: {slower}",
            f"have gcc and Python's headers (apt-get install gcc python3-dev), then: {REINSTALL}; "
            "in a checkout: make clean demo",
        )


def udp_ports(answering: Sequence[TransportAddress] = (), proc: Path = PROC) -> Iterator[Finding]:
    """Who has the UDP ports that registrars take by themselves.

    @param answering: where registrars of this host have answered.
    """
    ours = {address.encapsulation for address in answering}
    taken = dict(_udp_sockets(proc))
    owners = _owners(proc, set(taken.values()))
    kernel = _number(proc / "sys/net/sctp/udp_port")
    held = 0
    for port in REGISTRAR_ENCAPSULATION_PORTS:
        if port not in taken and port != kernel:
            continue
        held += 1
        who = "the kernel's SCTP (net.sctp.udp_port)" if port == kernel else owners.get(taken[port], "another user")
        if port in ours or port == kernel:
            yield fine("udp", f"UDP port {port}: {who}")
        else:
            yield warning(
                "udp",
                f"UDP port {port} is taken by {who}, where no registrar answers",
                "elements and users of this host look for registrars there: end it, or give it another port; if it is "
                "a registrar of yours, name it with its UDP port: --registrar 127.0.0.1:3863/9899, for example",
            )
    if held == len(REGISTRAR_ENCAPSULATION_PORTS):
        last, first = REGISTRAR_ENCAPSULATION_PORTS[-1], REGISTRAR_ENCAPSULATION_PORTS[0]
        yield problem(
            "udp",
            f"all UDP ports from {first} down to {last} are taken: another registrar does not start",
            "end one of those above, or start it with --udp-encapsulation PORT, and name that port to others",
        )
    elif not held:
        yield fine("udp", "all UDP ports that registrars take by themselves are free")


def taken_ports(proc: Path = PROC) -> set[int]:
    """Those of the UDP ports that registrars take by themselves that somebody has."""
    return {port for port, _ in _udp_sockets(proc) if port in REGISTRAR_ENCAPSULATION_PORTS}


def descriptors(
    limit: tuple[int, int] | None = None, proc: Path = PROC, pids: Sequence[int] | None = None
) -> Iterator[Finding]:
    """How many files a process may open, and how near running ones are to that.

    @param limit: soft and hard limit of this process.
    @param pids: the processes to look at; those of twistd by default.
    """
    soft, hard = limit or resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    if soft != unlimited and soft < DESCRIPTORS:
        more = "" if hard == unlimited or hard >= DESCRIPTORS else f" (as root: the hard limit is {hard})"
        yield warning(
            "descriptors",
            f"a process that is started here may open {soft} files: each TCP connection is one",
            f"ulimit -n {DESCRIPTORS}{more}, or LimitNOFILE={DESCRIPTORS} in the unit of systemd",
        )
    else:
        yield fine("descriptors", f"a process that is started here may open {soft} files")
    for pid in _twistds(proc) if pids is None else pids:
        with suppress(OSError, ValueError, StopIteration):
            used = len(list((proc / str(pid) / "fd").iterdir()))
            line = next(
                each for each in (proc / str(pid) / "limits").read_text().splitlines() if each.startswith("Max open")
            )
            most = int(line.split()[3])
            if used > 0.8 * most:
                yield problem(
                    "descriptors",
                    f"process {pid} has opened {used} files of {most} that it may",
                    "start it with a higher limit (ulimit -n, LimitNOFILE), or find out who connects that often",
                )


def kernel_settings(proc: Path = PROC) -> Iterator[Finding]:
    """What the kernel is told (sysctl): buffers, and its own SCTP."""
    found = False
    for name in ("net.core.rmem_max", "net.core.wmem_max"):
        value = _number(proc / "sys" / name.replace(".", "/"))
        if value is not None and value < BUFFERS:
            found = True
            yield warning(
                "sysctl",
                f"{name}={value}: sockets of a busy registrar have small buffers, and packets are lost",
                f"sysctl -w {name}={4 * BUFFERS}",
            )
    if not (proc / "sys/net/sctp").is_dir():
        if not found:
            yield fine("sysctl", "the buffers of sockets are large enough; the kernel's SCTP is not loaded")
        return
    setting = {name: _number(proc / "sys/net/sctp" / name) for name in _SCTP}
    if setting["udp_port"] and not setting["encap_port"]:
        found = True
        yield warning(
            "sysctl",
            f"net.sctp.udp_port={setting['udp_port']} and net.sctp.encap_port=0: this kernel receives SCTP over UDP,"
            " and dials peers of which no UDP port is known without it",
            "sysctl -w net.sctp.encap_port=9899, where the peers have no plain SCTP",
        )
    if setting["rcvbuf_policy"] == 0:
        found = True
        yield note(
            "sysctl",
            "net.sctp.rcvbuf_policy=0: all associations share one receive buffer",
            "sysctl -w net.sctp.rcvbuf_policy=1: a peer whose messages are never completed uses up its own share alone",
        )
    if setting["addip_enable"] and not setting["auth_enable"] and not setting["addip_noauth_enable"]:
        found = True
        yield warning(
            "sysctl",
            "net.sctp.addip_enable=1 without net.sctp.auth_enable=1: addresses that come and go are told to nobody",
            "sysctl -w net.sctp.auth_enable=1, at both ends",
        )
    if not found:
        yield fine("sysctl", "the kernel's settings are as they should be")


def mtu(
    towards: Sequence[TransportAddress], largest: int, path_mtu: Callable[[str], int | None] | None = None
) -> Iterator[Finding]:
    """Whether packets of SCTP over UDP pass to these places.

    @param largest: bytes of the largest packet, as the profile has it.
    @param path_mtu: tells the MTU on the way to an IP address, as far as the kernel knows; None where it does not.
    """
    for host in dict.fromkeys(host for address in towards for host in address.hosts if not is_name(host)):
        found = (path_mtu or path_mtu_towards)(host)
        if found is None:
            continue
        if found < largest:
            yield problem(
                "mtu",
                f"on the way to {host} packets of {found} bytes pass at most, and SCTP over UDP sends up to {largest}",
                f"--profile default,mtu={max(found, 576)}, at both ends",
            )
        else:
            yield fine("mtu", f"on the way to {host} packets of {found} bytes pass, and {largest} are sent at most")


def path_mtu_towards(host: str) -> int | None:
    """What the kernel knows of the path; no packet is sent."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    if family == socket.AF_INET6:
        return None  # every path of IPv6 takes 1,280
    with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _IP_PMTUDISC_DO)
        probe.connect((host, 9))
        return probe.getsockopt(socket.IPPROTO_IP, _IP_MTU)
    return None


def names(
    hosts: Sequence[str], look_up: Callable[[str], object] = lambda host: socket.getaddrinfo(host, None)
) -> Iterator[Finding]:
    """Whether these names resolve."""
    for host in dict.fromkeys(filter(is_name, hosts)):
        try:
            look_up(host)
            yield fine("names", f"{host} resolves")
        except OSError as error:
            yield problem(
                "names",
                f"{host} does not resolve: {error.strerror or error}",
                "correct the name, or its entry in the DNS or in /etc/hosts; or name an IP address",
            )


_SCTP = ("udp_port", "encap_port", "rcvbuf_policy", "addip_enable", "auth_enable", "addip_noauth_enable")


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return None


def _udp_sockets(proc: Path) -> Iterator[tuple[int, str]]:
    """Port and inode of each UDP socket."""
    for name in ("udp6", "udp"):
        with suppress(OSError):
            for line in (proc / "net" / name).read_text().splitlines()[1:]:
                words = line.split()
                yield int(words[1].rpartition(":")[2], 16), words[9]


def _owners(proc: Path, inodes: set[str]) -> dict[str, str]:
    """The processes that have these sockets, by inode, as far as we may see them."""
    owners = {}
    for folder in proc.glob("[0-9]*"):
        with suppress(OSError):
            for descriptor in (folder / "fd").iterdir():
                link = os.readlink(descriptor)
                if link.startswith("socket:[") and link[8:-1] in inodes:
                    name = (folder / "comm").read_text().strip()
                    owners[link[8:-1]] = f"process {folder.name} ({name})"
    return owners


def _twistds(proc: Path) -> list[int]:
    found = []
    for folder in proc.glob("[0-9]*"):
        with suppress(OSError):
            if b"rserpool-" in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
    return found
