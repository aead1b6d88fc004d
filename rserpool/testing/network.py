"""The network of a scope: SCTP in memory, and TCP and multicast beside it with the same faults."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Protocol

from twisted.internet.interfaces import IReactorTime

from rserpool.sctp.memory import MemoryStack, Network


class Member(Protocol):
    """What the network knows of a process that speaks TCP or listens to a multicast group."""

    host: str
    stack: MemoryStack
    dead: bool

    def enter(self, function: Callable[..., Any], *arguments: Any) -> None: ...


class Way(Protocol):
    """What waits for a way to be open again."""

    def review(self) -> None: ...


class ScopeNetwork(Network):
    """A L{Network<rserpool.sctp.memory.Network>} on which processes speak TCP too, and hear multicast groups.

    All faults that it knows count for TCP as well; but a TCP connection outlives any silence, since nothing ends it
    at the host that waits (RFC 9293 section 3.8.3 leaves that to the application).

    @ivar syn_retry: seconds between two attempts of a TCP connect that gets no answer.
    @ivar tcp_window: bytes on the way of a TCP connection, or unread by its receiver; more wait at the sender.
    @ivar multicast_loss: which share of multicast datagrams is lost, from 0.0 to 1.0.
    @ivar names: the processes of the scope, by the IP addresses of their hosts.
    """

    def __init__(self, clock: IReactorTime, seed: int = 0) -> None:
        super().__init__(clock, seed)
        self.syn_retry = 0.2
        self.tcp_window = 64 * 1024
        self.multicast_loss = 0.0
        self.names: dict[str, str] = {}
        self._tcp_hosts: dict[str, Any] = {}
        self._tcp_ends: dict[Way, None] = {}
        self._groups: dict[tuple[str, int], dict[Callable[[bytes, str], None], Member]] = {}
        self._frozen: set[MemoryStack] = set()

    # TCP

    def attach(self, reactor: Member) -> None:
        """From now on this process speaks TCP at its host."""
        self._tcp_hosts[reactor.host] = reactor

    def process_at(self, host: str) -> Any:
        """The reactor of the last process that spoke TCP at this host, living or dead; None if there was none."""
        return self._tcp_hosts.get(host)

    def tcp_added(self, end: Way) -> None:
        """One end of a TCP connection."""
        self._tcp_ends[end] = None

    def tcp_removed(self, end: Way) -> None:
        """It is gone."""
        self._tcp_ends.pop(end, None)

    def tcp_broken(self, a: MemoryStack, b: MemoryStack) -> bool:
        """Whether no TCP passes from C{a} to C{b}. The system of a process that is frozen still speaks TCP for it."""
        return bool(self._silent.intersection((a, b)) - self._frozen) or (a, b) in self._cut

    def tcp_stopped(self, a: MemoryStack, b: MemoryStack) -> bool:
        """Whether TCP from C{a} to C{b} is broken or held."""
        return (a, b) in self._held or self.tcp_broken(a, b)

    def tcp_transit(self, a: MemoryStack, b: MemoryStack) -> float:
        """Seconds from C{a} to C{b}, until a segment gets through."""
        return self.transit(a, b) + (self.losses.retransmissions() if self.losses is not None else 0.0)

    # Multicast

    def join(self, group: tuple[str, int], member: Member, received: Callable[[bytes, str], None]) -> None:
        """From now on C{received(data, source)} is called for each datagram to this group and port."""
        self._groups.setdefault(group, {})[received] = member

    def part(self, received: Callable[[bytes, str], None]) -> None:
        """No longer."""
        for members in self._groups.values():
            members.pop(received, None)

    def multicast(self, source: Member, group: tuple[str, int], data: bytes) -> None:
        """A datagram to all others in the group, who may or may not get it."""
        for received, member in list(self._groups.get(group, {}).items()):
            if member is source or member.dead or self.broken(source.stack, member.stack):
                continue
            if self.multicast_loss and self.random.random() < self.multicast_loss:
                continue
            if self.losses is not None and not self.losses.passes():
                continue
            seconds = self.transit(source.stack, member.stack)
            self.clock.callLater(seconds, member.enter, received, data, source.host)

    # Faults

    def freeze(self, member: MemoryStack) -> None:
        """Its process does nothing any more (SIGSTOP): its SCTP is silent, but its system still speaks TCP."""
        self._frozen.add(member)
        self.silence(member)

    def calm(self) -> None:
        """Undo all faults but slow ways."""
        self.heal()
        for a, b in list(self._held):
            self.release(a, b)
        for member in list(self._silent):
            self.unsilence(member)

    def unsilence(self, member: MemoryStack) -> None:
        self._frozen.discard(member)
        super().unsilence(member)

    def forget(self, member: MemoryStack) -> None:
        self._frozen.discard(member)
        super().forget(member)

    def changed(self, members: Collection[MemoryStack]) -> None:
        super().changed(members)
        for end in list(self._tcp_ends):
            end.review()
