"""A channel whose peers may be named: a name is looked up each time that it is dialled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from rserpool.core.addresses import TransportAddress, is_name
from rserpool.core.errors import Unproved
from rserpool.core.identity import Credentials
from rserpool.node.driver import Channel, Driver
from rserpool.node.loop import Carrier
from rserpool.node.role import Codec, Speaker


class NamingChannel(Channel):
    """Looks names up before it dials.

    All addresses of a name are tried, and with each look-up another one comes first.
    """

    def __init__(self, driver: Driver, speaker: Speaker[Any], codec: Codec, ppid: int) -> None:
        super().__init__(driver, speaker, codec, ppid)
        # Which of its addresses came first; None after its name was not known, which is told once.
        self._turns: dict[TransportAddress, int | None] = {}
        # Of those that are dialled by a name: all addresses, and those of them with which TLS has failed.
        self._there: dict[TransportAddress, tuple[str, ...]] = {}
        self._unproved: dict[TransportAddress, set[str]] = {}

    def look_up(self, host: str, found: Callable[[list[str]], object]) -> None:
        """Find the IP addresses of a host's name, and call C{found} with them (none: there is no such name)."""
        raise NotImplementedError

    def is_own(self, place: TransportAddress) -> bool:
        """Whether we would dial ourselves: a name may stand for all registrars, ours among them."""
        return False

    def begin(self, peer: TransportAddress, there: TransportAddress) -> None:
        if any(map(is_name, there.hosts)):
            looking = self._dialled[peer] = _LookUp(self, peer)
            looking.start()
        else:
            super().begin(peer, there)

    def up(self, carrier: Carrier) -> bool:
        wanted = super().up(carrier)
        peer = self._where.get(carrier)
        if peer is not None and is_name(peer.hosts[0]):
            self.moved(carrier, carrier.peer.hosts)
        return wanted

    def looked_up(self, looking: _LookUp, hosts: tuple[str, ...]) -> None:
        """A peer's names stand for these addresses now."""
        peer = looking.peer
        if self._dialled.get(peer) is not looking:
            return
        del self._dialled[peer]
        hosts = tuple(host for host in hosts if not self.is_own(replace(peer, hosts=(host,))))
        there = replace(peer, hosts=hosts)
        present = self._with(there)
        if present is not None:
            now, credentials = self.driver.now(), present.credentials
            self.driver.perform(self.speaker.association_up(present, peer, now, True, credentials))
        elif hosts:
            last = self._turns.get(peer)
            turn = self._turns[peer] = 0 if last is None else (last + 1) % len(hosts)
            self._there[peer] = hosts[turn:] + hosts[:turn]
            self.begin(peer, replace(there, hosts=self._there[peer]))
        else:
            if self._turns.get(peer, 0) is not None:
                self.driver.log.warn("cannot reach {peer}: no address of that name is known", peer=str(peer))
            self._turns[peer] = None
            self._attempt_over(peer)

    def _attempt_over(self, peer: TransportAddress, failure: Unproved | None = None) -> None:
        there = self._there.pop(peer, ())
        if failure is None:
            self._unproved.pop(peer, None)
        elif there:
            unproved = self._unproved.setdefault(peer, set())
            unproved.add(there[0])
            if not unproved.issuperset(there):
                # Next time another one comes first.
                failure = Unproved(str(failure), passing=True)
        super()._attempt_over(peer, failure)


class _LookUp:
    """The look-up of a peer's names, in place of the L{Carrier<rserpool.node.loop.Carrier>} that comes of it."""

    outbound = True
    credentials: Credentials = None

    def __init__(self, channel: NamingChannel, peer: TransportAddress) -> None:
        self.peer = peer
        self._channel = channel
        self._found = {host: [host] for host in peer.hosts if not is_name(host)}

    def start(self) -> None:
        """Begin; L{NamingChannel.looked_up} follows, never during this call."""
        for host in dict.fromkeys(filter(is_name, self.peer.hosts)):
            self._channel.look_up(host, lambda addresses, host=host: self._heard(host, addresses))  # type: ignore[misc]

    def send(self, data: bytes, ppid: int = 0) -> None:
        """Nobody is there yet."""

    def probe(self) -> None:
        """Nobody is there yet."""

    def abort(self) -> None:
        """It is wanted no more."""
        self._channel.driver.loop.call_later(0, self._channel.lost, self)

    close = abort

    def _heard(self, host: str, addresses: list[str]) -> None:
        self._found[host] = addresses
        if len(self._found) == len(set(self.peer.hosts)):
            hosts = dict.fromkeys(address for each in self.peer.hosts for address in self._found[each])
            self._channel.driver.loop.call_later(0, self._channel.looked_up, self, tuple(hosts))
