"""How long the codec takes: microseconds for each encode and decode of the messages that a registrar sees most.

C{python -m bench.wire [--json [FILE]] [--quick] [--seconds 0.2]}. The last column is a ratio to
the cost of C{struct.pack} and a slice, measured in the same run, so that figures of two machines can be compared.
"""

from __future__ import annotations

import argparse
import struct
import timeit
from collections.abc import Callable
from functools import partial

from bench.report import Figures, columns, progress, run
from rserpool.core import PolicyParameter, PoolElementParameter, SctpTransport, TcpTransport
from rserpool.core.wire import asap, enrp
from rserpool.core.wire.parameters import encode_policy, encode_pool_element

HANDLE = b"EchoPool"
POLICY = PolicyParameter(0x40000001, bytes(4))


def element(number: int) -> PoolElementParameter:
    """An element of a pool, with the transports that a registrar stores."""
    address = f"10.0.{number // 250}.{number % 250 + 1}"
    return PoolElementParameter(
        number,
        0x11111111,
        60_000,
        TcpTransport(8080, address),
        POLICY,
        SctpTransport(50_000, 0, (address,)),
        9899,
    )


def operations() -> dict[str, Callable[[], object]]:
    """What is measured, by name."""
    five = tuple(map(element, range(1, 6)))
    fives = [encode_pool_element(one) for one in five]
    policy = encode_policy(POLICY)
    messages: dict[str, asap.Message] = {
        "Registration": asap.Registration(HANDLE, element(1)),
        "RegistrationResponse": asap.RegistrationResponse(HANDLE, 1),
        "HandleResolution": asap.HandleResolution(HANDLE, items=5),
        "HandleResolutionResponse (5)": asap.HandleResolutionResponse(HANDLE, POLICY, five),
        "EndpointKeepAlive": asap.EndpointKeepAlive(1, HANDLE, False, 1),
        "EndpointKeepAliveAck": asap.EndpointKeepAliveAck(HANDLE, 1),
    }
    update = enrp.HandleUpdate(1, 2, enrp.UpdateAction.ADD_PE, HANDLE, element(1))
    many = [asap.encode(asap.Registration(HANDLE, element(number))) for number in range(1, 10_001)]
    turn = iter(range(1 << 62))
    found: dict[str, Callable[[], object]] = {}
    for name, message in messages.items():
        found[f"{name} encode"] = partial(asap.encode, message)
        found[f"{name} decode"] = partial(asap.decode, asap.encode(message))
    found["HandleResolutionResponse (5) of stored bytes"] = partial(
        asap.encode_handle_resolution_response, HANDLE, policy, fives
    )
    found["Registration decode, 10,000 different"] = lambda: asap.decode(many[next(turn) % 10_000])
    found["HandleUpdate encode"] = partial(enrp.encode, update)
    found["HandleUpdate decode"] = partial(enrp.decode, enrp.encode(update))
    return found


def microseconds(operation: Callable[[], object], seconds: float) -> float:
    """The best of 20 short rounds: what others do on the machine disturbs some, rarely all."""
    timer = timeit.Timer(operation)
    number = 64
    while timer.timeit(number) < seconds / 20:
        number *= 2
    return min(timer.repeat(20, number)) / number * 1e6


def measure(options: argparse.Namespace) -> Figures:
    """Microseconds for each operation, and for the unit of the ratios."""
    seconds = 0.02 if options.quick else options.seconds
    data = bytes(64)
    pack = struct.Struct("!HHII").pack
    unit = microseconds(lambda: (pack(1, 2, 3, 4), data[4:12]), seconds)
    figures = {}
    for name, operation in operations().items():
        figures[name] = microseconds(operation, seconds)
        progress(f"wire {name}: {figures[name]:.2f} us")
    return {"unit_us": unit, "microseconds": figures}


def table(figures: Figures) -> str:
    """The figures for people."""
    unit = figures["unit_us"]
    rows = [
        [name, f"{figure:.2f}", f"{1e6 / figure:,.0f}", f"{figure / unit:.1f}"]
        for name, figure in figures["microseconds"].items()
    ]
    return "Wire: frequent messages\n" + columns(["", "us", "per second", "ratio"], rows)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark alone."""
    parser.add_argument("--seconds", type=float, default=0.2, help="time for each figure (default: %(default)s)")


if __name__ == "__main__":
    run("wire", "Microseconds for each encode and decode of frequent messages.", measure, table, add_arguments)
