"""The network of a scope: SCTP in memory, and TCP beside it with the same faults."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from twisted.internet.interfaces import IReactorTime

from rserpool.sctp.memory import MemoryStack, Network

if TYPE_CHECKING:
    from rserpool.testing.reactor import HostReactor
    from rserpool.testing.tcp import TcpEnd


class ScopeNetwork(Network):
    """A L{Network<rserpool.sctp.memory.Network>} on which processes speak TCP too.

    All faults that it knows count for TCP as well; but a TCP connection outlives any silence, since nothing ends it
    at the host that waits (RFC 9293 section 3.8.3 leaves that to the application).

    @ivar syn_retry: seconds between two attempts of a TCP connect that gets no answer.
    @ivar tcp_window: bytes on the way of a TCP connection, or unread by its receiver; more wait at the sender.
    """

    def __init__(self, clock: IReactorTime, seed: int = 0) -> None:
        super().__init__(clock, seed)
        self.syn_retry = 0.2
        self.tcp_window = 64 * 1024
        self._tcp_hosts: dict[str, HostReactor] = {}
        self._tcp_ends: dict[TcpEnd, None] = {}

    def attach(self, reactor: HostReactor) -> None:
        """From now on this process speaks TCP at its host."""
        self._tcp_hosts[reactor.host] = reactor

    def process_at(self, host: str) -> HostReactor | None:
        """The last process that spoke TCP at this host, living or dead."""
        return self._tcp_hosts.get(host)

    def tcp_added(self, end: TcpEnd) -> None:
        """One end of a TCP connection."""
        self._tcp_ends[end] = None

    def tcp_removed(self, end: TcpEnd) -> None:
        """It is gone."""
        self._tcp_ends.pop(end, None)

    def changed(self, members: Collection[MemoryStack]) -> None:
        super().changed(members)
        for end in list(self._tcp_ends):
            end.review()
