"""Hosts of the benchmarks: network namespaces on one bridge, of which one can be cut off; else this host alone."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.processes import Process

HMAC = Path("/proc/sys/net/sctp/cookie_hmac_alg")


class Hosts:
    """So many hosts beside a central one, each a network namespace with an address in 10.213.0.0/24.

    Nothing of it is joined to the network of this machine.
    """

    kind = "network namespaces"

    def __init__(self, number: int) -> None:
        self._number = number
        self._prefix = f"rsp{os.getpid()}"

    def before(self, host: int) -> Sequence[str]:
        """What a command line begins with to run on this host; 0 is the central one."""
        return ("ip", "netns", "exec", self._name(host))

    def address(self, host: int) -> str:
        """Its IP address."""
        return f"10.213.0.{host + 1}"

    def silence(self, host: int, process: Process) -> None:
        """Cut the host off; the process is what runs there."""
        self._inside(host, "ip", "link", "set", "up0", "down")

    def restore(self, host: int) -> None:
        """Join it again."""
        self._inside(host, "ip", "link", "set", "up0", "up")

    def __enter__(self) -> Self:
        try:
            for host in range(self._number + 1):
                _do("ip", "netns", "add", self._name(host))
                self._inside(host, "ip", "link", "set", "lo", "up")
                if HMAC.exists():
                    # Kernels without md5 cannot listen otherwise; a new namespace has forgotten it.
                    self._inside(host, "sh", "-c", f"echo {HMAC.read_text().strip()} >{HMAC}")
            self._inside(0, "ip", "link", "add", "bridge", "type", "bridge")
            self._inside(0, "ip", "address", "add", f"{self.address(0)}/24", "dev", "bridge")
            self._inside(0, "ip", "link", "set", "bridge", "up")
            for host in range(1, self._number + 1):
                port = f"port{host}"
                peer = ("peer", "name", "up0", "netns", self._name(host))
                self._inside(0, "ip", "link", "add", port, "type", "veth", *peer)
                self._inside(0, "ip", "link", "set", port, "master", "bridge", "up")
                self._inside(host, "ip", "address", "add", f"{self.address(host)}/24", "dev", "up0")
                self._inside(host, "ip", "link", "set", "up0", "up")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        for host in range(self._number + 1):
            subprocess.run(("ip", "netns", "del", self._name(host)), capture_output=True, timeout=20, check=False)

    def _name(self, host: int) -> str:
        return f"{self._prefix}h{host}"

    def _inside(self, host: int, *command: str) -> None:
        _do(*self.before(host), *command)


class ThisHost(Hosts):
    """Where there can be no namespaces: loopback. A stopped process (SIGSTOP) stands for a host that fell silent."""

    kind = "this host, stopped processes"

    def before(self, host: int) -> Sequence[str]:
        return ()

    def address(self, host: int) -> str:
        return "127.0.0.1"

    def silence(self, host: int, process: Process) -> None:
        process.signal(signal.SIGSTOP)

    def restore(self, host: int) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        pass


def hosts(number: int) -> Hosts:
    """Namespaces where this user may make them, else this host."""
    if os.geteuid() == 0 and shutil.which("ip") is not None:
        try:
            with Hosts(1):
                return Hosts(number)
        except (OSError, subprocess.SubprocessError):
            pass
    return ThisHost(number)


def _do(*command: str) -> None:
    subprocess.run(command, capture_output=True, timeout=20, check=True)
