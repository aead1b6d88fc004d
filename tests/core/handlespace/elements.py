"""Elements for tests of the handlespace."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from rserpool.core import PoolElementParameter, SctpTransport, TcpTransport
from rserpool.core.handlespace.element import Element
from rserpool.core.handlespace.handlespace import Handlespace
from rserpool.core.policies import ROUND_ROBIN, Policy
from rserpool.core.wire import parameters
from rserpool.core.wire.parameters import UserTransport

HOME = 0x11111111
PEER = 0x22222222
WEB = TcpTransport(80, "10.0.0.1")
ASAP = SctpTransport(7000, 0, ("10.0.0.1", "10.0.1.1"))


def parameter(
    identifier: int = 1,
    *,
    home: int = HOME,
    life: int = 60,
    transport: UserTransport = WEB,
    policy: Policy = ROUND_ROBIN,
    values: Sequence[int] = (),
    asap: SctpTransport | None = ASAP,
    encapsulation: int = 0,
) -> PoolElementParameter:
    """A Pool Element parameter as the home registrar has filled it in."""
    wire_policy = parameters.PolicyParameter(policy.number, policy.encode(values))
    return PoolElementParameter(identifier, home, life, transport, wire_policy, asap, encapsulation)


def handlespace(*elements: tuple[bytes, int, int], seed: int = 1) -> Handlespace:
    """A handlespace with elements (handle, identifier, home)."""
    space = Handlespace(Random(seed))
    for handle, identifier, home in elements:
        space.register(handle, parameter(identifier, home=home))
    return space


def identifiers(elements: Sequence[Element]) -> list[int]:
    """Their PE identifiers."""
    return [element.identifier for element in elements]
