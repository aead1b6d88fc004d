"""Registrars that are filled so that one message costs as much as it can: the cases of L{tests.hostile.worst}."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from rserpool.core import PolicyParameter, PoolElementParameter, SctpTransport, TransportAddress
from rserpool.core.addresses import ENRP_PORT
from rserpool.core.wire import asap, enrp
from rserpool.core.wire.parameters import ErrorCause, ServerInformation, encode_pool_element
from rserpool.core.wire.tlv import MOST_ELEMENTS
from tests.core.peering.stage import SERVER, P, Q, owned
from tests.core.stage import element
from tests.hostile.worst_stage import POOL, Registrar

OURS = 10_000
"""So many elements has one association, at most."""
LONGEST = 65_000
"""Bytes of a message that is as long as it may be."""

Case = Callable[[Registrar, int], tuple[Any, Any]]
"""Fills the registrar; who says what then: an ENRP peer by its number, anybody else by name; None: it is called."""


def table(peer: int, size: int = LONGEST, first: int = 1, policy: str = "round-robin", pools: bool = False) -> Any:
    """A handle table that is as long as it may be."""
    parameters, length, number = list[PoolElementParameter](), 0, first
    while length < size and len(parameters) < MOST_ELEMENTS:
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
