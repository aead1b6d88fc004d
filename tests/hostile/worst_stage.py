"""A registrar each of whose turns is measured: the stage of L{tests.hostile.worst}."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from rserpool.core import Send, TransportAddress, WireError
from rserpool.core.addresses import ENRP_PORT
from rserpool.core.profiles import DEFAULT
from rserpool.core.registrar import Limits
from rserpool.core.wire import asap, enrp
from tests.core.peering.stage import SERVER, P, PeeringStage, owned
from tests.core.stage import element

POOL = b"pool"
PEERS, SUBSCRIBERS = 60, 100


class Registrar(PeeringStage):
    """One that is measured."""

    def __init__(self, measure: Callable[[Callable[[], Any]], float]) -> None:
        limits = Limits(pools=10**9, elements_per_association=10**9, bytes_per_association=2**40, bytes=2**40)
        super().__init__(profile=DEFAULT, limits=limits, keep_alives=False)
        self._measure = measure
        self.up("herd")
        self.up("near", host="127.0.0.1")
        self.up("user", host="10.0.9.9")

    def turns(self, who: Any, message: Any) -> Iterator[float]:
        """What each turn costs that follows from one message, the message included."""
        codec = enrp if isinstance(who, int) or isinstance(message, enrp.MESSAGES) else asap
        receive = self.enrp.receive if codec is enrp else self.registrar.receive
        if callable(message):
            yield self._measure(lambda: self._sent(message()))
        elif message is not None:
            data = message if isinstance(message, bytes) else codec.encode(message)
            yield self._measure(lambda: self._sent(self._received(receive, codec, who, data)))
        for _ in range(100_000):
            due = self.registrar.next_deadline()
            if due is None or due > self.now:
                return
            yield self._measure(lambda: self._sent(self.registrar.tick(self.now)))

    def _received(self, receive: Any, codec: Any, who: Any, data: bytes) -> list[Any]:
        try:
            message = codec.decode(data).message
        except WireError:
            return []
        effects: list[Any] = receive(who, message, self.now)
        return effects

    def _sent(self, effects: list[Any]) -> None:
        for effect in effects:
            if isinstance(effect, Send) and not isinstance(effect.message, bytes):
                (enrp if isinstance(effect.message, enrp.MESSAGES) else asap).encode(effect.message)

    def fill(self, number: int, policy: str = "round-robin", pool: bytes = POOL, who: str = "herd") -> None:
        """So many elements of ours in one pool."""
        host = "127.0.0.1" if who == "near" else "10.0.0.1"
        for identifier in range(1, number + 1):
            parameter = element(identifier, policy, host=host, life=60_000)
            self.registrar.receive(who, asap.Registration(pool, parameter), self.now)

    def abroad(self, number: int, peer: int = P, policy: str = "round-robin", pools: bool = False) -> None:
        """So many elements of a peer, in one pool or in one each."""
        self.ready(peer)
        for identifier in range(1, number + 1):
            handle = b"%d" % identifier if pools else POOL
            update = enrp.HandleUpdate(peer, 0, 0, handle, owned(peer, identifier, policy))
            self.enrp.receive(peer, update, self.now)

    def surround(self, subscribers: int = SUBSCRIBERS, peers: int = PEERS) -> None:
        """Whoever hears of every change."""
        for number in range(subscribers):
            self.up(f"s{number}", host=f"10.5.{number // 200}.{number % 200}", protocol="tcp")
            self.resolve(f"s{number}", POOL, subscribe=True)
        for number in range(peers):
            identifier = 0x10000 + number
            self.enrp.association_up(identifier, TransportAddress((f"10.6.0.{number}",), ENRP_PORT), self.now)
            self.enrp.receive(identifier, enrp.Presence(identifier, SERVER, 0xFFFF, private=True), self.now)
        self.pass_time(1.0)
