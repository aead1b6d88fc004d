"""Pools and pool elements, as people and programs read them."""

from __future__ import annotations

import json
import select
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, TextIO

from rserpool.core.policies import FULL_LOAD, POLICIES
from rserpool.core.user.places import place
from rserpool.core.wire.parameters import DATA_PLUS_CONTROL, PolicyParameter, PoolElementParameter


class Lines:
    """A line for each thing that happens, with its time: for people, or a JSON object.

    @param clock: seconds since 1970.
    """

    def __init__(self, out: TextIO, as_json: bool, clock: Callable[[], float]) -> None:
        self._out = out
        self._json = as_json
        self._clock = clock

    def show(self, text: str, **fields: Any) -> None:
        """Print it.

        @param text: for people.
        @param fields: for JSON.
        """
        now = datetime.fromtimestamp(self._clock()).astimezone()
        if self._json:
            line = json.dumps({"time": now.isoformat(timespec="milliseconds"), **fields})
        else:
            line = f"{now:%H:%M:%S}.{now.microsecond // 1000:03d} {text}"
        print(line, file=self._out, flush=True)


def nobody_reads(out: TextIO) -> bool:
    """Whether it is a pipe of which the other end is closed: that is known before there is something to write."""
    watching = select.poll()
    try:
        watching.register(out.fileno(), 0)
    except (OSError, ValueError):
        # No file of the system.
        return False
    return any(event & select.POLLERR for _, event in watching.poll(0))


HEADING = ("ELEMENT", "TRANSPORT", "POLICY", "HOME")


def identifier_text(identifier: int) -> str:
    """A PE or server identifier."""
    return f"0x{identifier:08x}"


def policy_name(number: int) -> str:
    """The name of a policy type."""
    policy = POLICIES.get(number)
    return f"policy 0x{number:08x}" if policy is None else policy.name


def policy_values(parameter: PolicyParameter) -> dict[str, int | float]:
    """The values of a policy by their names; loads and degradations from 0.0 to 1.0; none where they are not known."""
    policy = POLICIES.get(parameter.type)
    if policy is None:
        return {}
    try:
        values = policy.decode(parameter.data)
    except ValueError:
        return {}
    return {
        field: round(value / FULL_LOAD, 4) if field in policy.fractions else value
        for field, value in zip(policy.fields, values, strict=True)
    }


def policy_text(parameter: PolicyParameter) -> str:
    """A policy with its values, as options take it."""
    values = ",".join(
        f"{field}={value:.1%}" if isinstance(value, float) else f"{field}={value}"
        for field, value in policy_values(parameter).items()
    )
    return policy_name(parameter.type) + (f":{values}" if values else "")


def row(element: PoolElementParameter) -> tuple[str, ...]:
    """The cells of an element, under L{HEADING}."""
    where = place(element)
    if element.user_transport.use == DATA_PLUS_CONTROL:
        where += " +control"
    return identifier_text(element.identifier), where, policy_text(element.policy), identifier_text(element.home)


def table(rows: Iterable[Sequence[str]]) -> list[str]:
    """Rows as lines with aligned columns; all rows have as many cells."""
    rows = list(rows)
    widths = [max(len(cells[column]) for cells in rows) for column in range(len(rows[0]))] if rows else []
    return ["  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip() for cells in rows]


def element_json(element: PoolElementParameter) -> dict[str, Any]:
    """An element for C{json.dumps}."""
    transport = element.user_transport
    described: dict[str, Any] = {
        "protocol": transport.kind,
        "addresses": list(transport.addresses),
        "port": transport.port,
    }
    if transport.use == DATA_PLUS_CONTROL:
        described["control"] = True
    return {
        "identifier": identifier_text(element.identifier),
        "transport": described,
        "policy": {"type": element.policy.type, "name": policy_name(element.policy.type)}
        | policy_values(element.policy),
        "home": identifier_text(element.home),
        "life": element.life,
    }
