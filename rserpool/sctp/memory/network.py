"""A network of processes on one clock, and its faults.

Several stacks with the same address stand for several processes of one host; their UDP ports tell them apart
(RFC 6951). Everything happens in calls of the clock, in an order that depends on the seed alone.
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import count

from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IReactorTime

from rserpool.core.addresses import scope
from rserpool.sctp.base import REGISTRAR_ENCAPSULATION_PORTS
from rserpool.sctp.memory.medium import Medium
from rserpool.sctp.memory.stack import MemoryStack


class Network(Medium[MemoryStack]):
    """Hosts that reach each other, and the faults between them."""

    def __init__(self, clock: IReactorTime, seed: int = 0) -> None:
        super().__init__(clock, seed)
        self._ephemeral = count(49152)

    def stack(self, *hosts: str, encapsulation: int | None = None, registrar: bool = False) -> MemoryStack:
        """Start a process with these IP addresses; its first one that is not a loopback address names its host.

        @param encapsulation: its UDP port; C{None} takes the first free one of a registrar, or an ephemeral one.
        @raise CannotListenError: if the UDP port is taken.
        """
        hosts = hosts or ("127.0.0.1",)
        machine = next((host for host in hosts if scope(host) != "loopback"), "")
        candidates = REGISTRAR_ENCAPSULATION_PORTS if registrar else (next(self._ephemeral),)
        for port in candidates if encapsulation is None else (encapsulation,):
            stack = MemoryStack(self, machine, hosts, port)
            if self.bind(stack, machine, hosts, port):
                return stack
        raise CannotListenError(hosts[0], port, OSError("UDP port taken"))

    def crash(self, stack: MemoryStack) -> None:
        """Kill the process; its handlers hear nothing more. What it had put on the way still arrives."""
        stack.crash()
        self.unbind(stack)

    def changed(self, members: Collection[MemoryStack]) -> None:
        for stack in members:
            for association in stack.all_associations():
                for end in association.both_ends():
                    end.review()
