"""What one message may cost a registrar, at worst: a search over structured cases.

C{python -m tests.hostile.worst [--elements 20000] [--calls]}. Each case fills a registrar with so many elements, in the
shape that is worst for it, and sends it one message; each turn that the registrar takes then is measured, in processor
time or (C{--calls}) in calls of functions: from the bytes that come to the bytes that go. The unit is a resolution with
ten elements of the same run. The last line names the worst, and the status is 0 only if that is less than L{MOST}.
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from rserpool.core import PolicyParameter, PoolElementParameter, SctpTransport, Send, TransportAddress, WireError
from rserpool.core.addresses import ENRP_PORT
from rserpool.core.profiles import DEFAULT
from rserpool.core.registrar import Limits
from rserpool.core.wire import asap, enrp
from rserpool.core.wire.parameters import ErrorCause, ServerInformation, encode_pool_element
from tests.core.peering.stage import SERVER, P, PeeringStage, Q, owned
from tests.core.stage import element
from tests.work import calls

MOST = 200
"""So many times a resolution."""
POOL = b"pool"
OURS = 10_000
"""So many elements has one association, at most."""
PEERS, SUBSCRIBERS = 60, 100
LONGEST = 65_000
"""Bytes of a message that is as long as it may be."""

Case = Callable[["Registrar", int], tuple[Any, Any]]
"""Fills the registrar; who says what then: an ENRP peer by its number, anybody else by name; None: it only ticks."""


def by_time(work: Callable[[], Any]) -> float:
    """Processor time of C{work()}, in seconds."""
    gc.collect()
    gc.disable()
    began = time.process_time()
    work()
    took = time.process_time() - began
    gc.enable()
    return took


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


def table(peer: int, size: int = LONGEST, first: int = 1, policy: str = "round-robin", pools: bool = False) -> Any:
    """A handle table that is as long as it may be."""
    parameters, length, number = list[PoolElementParameter](), 0, first
    while length < size and len(parameters) < enrp.MOST_ELEMENTS:
        parameters.append(owned(peer, number, policy))
        length += len(encode_pool_element(parameters[-1])) + (16 if pools else 0)
        number += 1
    if pools:
        entries = tuple(enrp.PoolEntry(b"x%d" % each.identifier, (each,)) for each in parameters)
    else:
        entries = (enrp.PoolEntry(POOL, tuple(parameters)),)
    return enrp.HandleTableResponse(peer, SERVER, entries)


def _resolutions(registrar: Registrar, number: int) -> tuple[Any, Any]:
    registrar.fill(number)
    return "user", asap.HandleResolution(POOL)


def _mixed(registrar: Registrar, number: int) -> tuple[Any, Any]:
    registrar.fill(number // 2)
    registrar.registrar.association_up("both", TransportAddress(("10.0.0.1", "127.0.0.1"), 7, 40000), registrar.now)
    for identifier in range(1, number // 2):
        both = SctpTransport(80, 0, ("10.0.0.1", "127.0.0.1"))
        parameter = replace(element(identifier, life=60_000), user_transport=both)
        registrar.registrar.receive("both", asap.Registration(b"mixed", parameter), registrar.now)
    return "user", asap.HandleResolution(b"mixed")


def _lud(registrar: Registrar, number: int) -> tuple[Any, Any]:
    registrar.fill(number, "least-used-degradation:load=0.1,degradation=0.1")
    return "user", asap.HandleResolution(POOL)


def _lottery(registrar: Registrar, number: int) -> tuple[Any, Any]:
    registrar.fill(number, "weighted-random:weight=3")
    return "user", asap.HandleResolution(POOL)


def _registered(registrar: Registrar, number: int) -> tuple[Any, Any]:
    registrar.fill(number)
    registrar.surround()
    return "herd", asap.Registration(POOL, element(number + 1))


def _changed(registrar: Registrar, number: int) -> tuple[Any, Any]:
    registrar.fill(number, "least-used:load=0.1")
    registrar.surround()
    return "herd", asap.Registration(POOL, element(1, "least-used:load=0.2"))


def _large(registrar: Registrar, number: int) -> tuple[Any, Any]:
    registrar.fill(number)
    registrar.surround()
    return "herd", asap.Registration(POOL, replace(element(number + 1), policy=PolicyParameter(1, bytes(32_000))))


def _many_addresses(registrar: Registrar, number: int) -> tuple[Any, Any]:
    hosts = tuple(f"10.8.{n // 250}.{n % 250}" for n in range(1_000))
    transport = SctpTransport(80, 0, (*hosts, "10.0.0.1"))
    return "herd", asap.Registration(POOL, replace(element(1), user_transport=transport))


def _left(registrar: Registrar, number: int) -> tuple[Any, Any]:
    registrar.fill(number)
    registrar.surround()
    return "herd", asap.Deregistration(POOL, 1)


def _reported(registrar: Registrar, number: int) -> tuple[Any, Any]:
    registrar.fill(number)
    registrar.surround()
    return "user", asap.EndpointUnreachable(POOL, 1)


def _lost(registrar: Registrar, number: int) -> tuple[Any, Any]:
    registrar.fill(min(number, OURS))
    return None, lambda: registrar.registrar.association_lost("herd", registrar.now)


def _met(registrar: Registrar, number: int) -> tuple[Any, Any]:
    registrar.fill(min(number, OURS))
    [peer] = registrar.dialled(registrar.lost("herd") + registrar.pass_time(0.0))
    return None, lambda: registrar.registrar.association_up("herd", peer, registrar.now, True)


def _gone(registrar: Registrar, number: int) -> tuple[Any, Any]:
    registrar.fill(min(number, OURS))
    registrar.surround()
    [peer] = registrar.dialled(registrar.lost("herd") + registrar.pass_time(0.0))
    return None, lambda: registrar.registrar.connect_failed(peer, registrar.now)


def _causes(registrar: Registrar, number: int) -> tuple[Any, Any]:
    return "user", asap.Error((ErrorCause(7),) * 16_000)


def _enrp_causes(registrar: Registrar, number: int) -> tuple[Any, Any]:
    registrar.ready(P)
    return P, enrp.Error(P, SERVER, (ErrorCause(7),) * 16_000)


def _table_of_new(registrar: Registrar, number: int) -> tuple[Any, Any]:
    registrar.abroad(number)
    registrar.surround()
    registrar.presence(P, 0x1234)
    return P, table(P, first=number + 1)


def _table_of_pools(registrar: Registrar, number: int) -> tuple[Any, Any]:
    registrar.abroad(number)
    registrar.presence(P, 0x1234)
    return P, table(P, first=number + 1, pools=True)


def _table_of_known(registrar: Registrar, number: int) -> tuple[Any, Any]:
    registrar.abroad(number)
    registrar.surround()
    registrar.presence(P, 0x1234)
    return P, table(P, policy="round-robin")


def _table_of_nothing(registrar: Registrar, number: int) -> tuple[Any, Any]:
    registrar.abroad(number)
    registrar.surround()
    registrar.presence(P, 0x1234)
    return P, enrp.HandleTableResponse(P, SERVER)


def _table_of_another_policy(registrar: Registrar, number: int) -> tuple[Any, Any]:
    registrar.abroad(number, Q, "random", pools=True)
    registrar.ready(P)
    registrar.presence(P, 0x1234)
    entries = table(P).entries[0].elements
    lies = tuple(enrp.PoolEntry(b"%d" % each.identifier, (each,)) for each in entries[:900])
    return P, enrp.HandleTableResponse(P, SERVER, lies)


def _dissolved(registrar: Registrar, number: int) -> tuple[Any, Any]:
    registrar.fill(number, "random")
    registrar.surround()
    registrar.ready(P)
    return P, enrp.HandleUpdate(P, 0, 0, POOL, owned(P, number + 1))


def _audited(registrar: Registrar, number: int) -> tuple[Any, Any]:
    registrar.abroad(number)
    return P, enrp.Presence(P, SERVER, 0x1234, private=True)


def _enforced(registrar: Registrar, number: int) -> tuple[Any, Any]:
    registrar.abroad(number)
    registrar.ready(Q)
    registrar.lose(P)
    return Q, enrp.TakeoverServer(Q, SERVER, P)


def _disowned(registrar: Registrar, number: int) -> tuple[Any, Any]:
    registrar.fill(number)
    registrar.surround()
    registrar.ready(Q)
    return Q, enrp.TakeoverServer(Q, SERVER, SERVER)


def _won(registrar: Registrar, number: int) -> tuple[Any, Any]:
    registrar.abroad(number)
    registrar.ready(Q)
    registrar.lose(P)
    registrar.enrp.connect_failed(TransportAddress(("10.0.3.17",), ENRP_PORT), registrar.now)
    return Q, enrp.InitTakeoverAck(Q, SERVER, P)


def _claims(registrar: Registrar, number: int) -> tuple[Any, Any]:
    registrar.ready(P)
    for target in range(1, number + 1):
        registrar.enrp.receive(P, enrp.InitTakeover(P, SERVER, 0x70000 + target), registrar.now)
    return P, enrp.Presence(P, SERVER, 0xFFFF, private=True)


def _claimed(registrar: Registrar, number: int) -> tuple[Any, Any]:
    registrar.surround()
    registrar.ready(P)
    return P, enrp.InitTakeover(P, SERVER, SERVER)


def _tables(registrar: Registrar, number: int) -> tuple[Any, Any]:
    registrar.abroad(number, pools=True)
    registrar.up("looker", host="10.0.7.7")
    registrar.enrp.association_up("looker", TransportAddress(("10.0.7.7",), 1), registrar.now)
    return "looker", enrp.HandleTableRequest(0, SERVER)


def _listed(registrar: Registrar, number: int) -> tuple[Any, Any]:
    for peer in range(900):
        registrar.enrp.association_up(peer + 1, TransportAddress((f"10.6.{peer // 30}.1",), ENRP_PORT), registrar.now)
        many = tuple(f"10.7.{n}.1" for n in range(40))
        told = ServerInformation(peer + 1, SctpTransport(ENRP_PORT, 0, many))
        registrar.enrp.receive(peer + 1, enrp.Presence(peer + 1, SERVER, 0xFFFF, told), registrar.now)
    return 1, enrp.ListRequest(1, SERVER)


def _lists(registrar: Registrar, number: int) -> tuple[Any, Any]:
    registrar.ready(P)
    servers = (
        ServerInformation(0x80000 + n, SctpTransport(ENRP_PORT, 0, (f"10.7.{n // 250}.{n % 250}",)))
        for n in range(2_000)
    )
    return P, enrp.ListResponse(P, SERVER, tuple(servers))


def _addresses(registrar: Registrar, number: int) -> tuple[Any, Any]:
    registrar.ready(P)
    many = tuple(f"10.7.{n // 250}.{n % 250}" for n in range(1_000))
    return P, enrp.Presence(P, SERVER, 0xFFFF, ServerInformation(P, SctpTransport(ENRP_PORT, 0, many)))


def _suggested(registrar: Registrar, number: int) -> tuple[Any, Any]:
    registrar.abroad(number)
    registrar.surround()
    return P, enrp.HandleUpdate(P, SERVER, 0, POOL, owned(P, 1), takeover_suggested=True)


def _contested(registrar: Registrar, number: int) -> tuple[Any, Any]:
    registrar.fill(min(number, OURS))
    registrar.lost("herd")
    registrar.pass_time(0.0)
    registrar.up("rival", host="10.0.0.2")
    for identifier in range(1, min(number, OURS) + 1):
        rival = asap.Registration(POOL, element(identifier, host="10.0.0.2"))
        registrar.registrar.receive("rival", rival, registrar.now)
    return None, lambda: registrar.registrar.association_lost("rival", registrar.now)


CASES: dict[str, Case] = {
    name.lstrip("_").replace("_", " "): case
    for name, case in list(globals().items())
    if name.startswith("_") and not name.startswith("__") and callable(case)
}


def search(
    number: int, measure: Callable[[Callable[[], Any]], float], told: Callable[[str], object] = lambda line: None
) -> dict[str, float]:
    """What each case costs at worst, in resolutions."""
    unit = Registrar(measure)
    unit.fill(10)
    units = sorted(max(unit.turns("user", asap.HandleResolution(POOL))) for _ in range(51))[25]
    costs: dict[str, float] = {}
    for name, case in CASES.items():
        registrar = Registrar(measure)
        who, message = case(registrar, number)
        registrar.effects.clear()
        turns = list(registrar.turns(who, message))
        costs[name] = max(turns) / units
        told(f"{name}: {costs[name]:.0f} resolutions at worst, in {len(turns)} turns")
    return costs


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile.worst", description="What a message costs.")
    parser.add_argument("--elements", type=int, default=20_000, help="so many elements in each case (20000)")
    parser.add_argument("--calls", action="store_true", help="count calls of functions, instead of processor time")
    options = parser.parse_args()
    costs = search(
        options.elements, calls if options.calls else by_time, lambda line: print(line, file=sys.stderr, flush=True)
    )
    worst = max(costs, key=costs.__getitem__)
    print(f"{len(costs)} cases, {options.elements} elements: the worst is {worst}, {costs[worst]:.0f} resolutions")
    return 0 if costs[worst] < MOST else 1


if __name__ == "__main__":
    sys.exit(main())
