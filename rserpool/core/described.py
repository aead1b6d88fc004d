"""Elements and policies, as people read them and as JSON: the same words in every command and interface."""

from __future__ import annotations

from typing import Any

from rserpool.core.policies import FULL_LOAD, POLICIES
from rserpool.core.wire.parameters import DATA_PLUS_CONTROL, PolicyParameter, PoolElementParameter
from rserpool.core.wire.transports import OpaqueTransport


def identifier_text(identifier: int) -> str:
    """A PE or server identifier."""
    return f"0x{identifier:08x}"


def policy_name(number: int) -> str:
    """The name of a policy type."""
    policy = POLICIES.find(number)
    return f"policy 0x{number:08x}" if policy is None else policy.name


def policy_values(parameter: PolicyParameter) -> dict[str, int | float]:
    """The values of a policy by their names; loads and degradations from 0.0 to 1.0; none where they are not known."""
    policy = POLICIES.find(parameter.type)
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
    if isinstance(transport, OpaqueTransport):
        described["opaque"] = transport.data.hex()
    return {
        "identifier": identifier_text(element.identifier),
        "transport": described,
        "policy": {"type": element.policy.type, "name": policy_name(element.policy.type)}
        | policy_values(element.policy),
        "home": identifier_text(element.home),
        "life": element.life,
    }


def place(element: PoolElementParameter) -> str:
    """Where an element serves: C{tcp 127.0.0.1:80}."""
    transport = element.user_transport
    hosts = ",".join(f"[{host}]" if ":" in host else host for host in transport.addresses)
    return transport.kind if transport.port is None else f"{transport.kind} {hosts}:{transport.port}"
