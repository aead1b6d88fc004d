"""Policies as people write them: C{least-used:load=0.3}, C{weighted-random:weight=20}."""

from __future__ import annotations

import re

from rserpool.core.errors import ConfigurationError
from rserpool.core.frozen import frozen
from rserpool.core.policies.base import FULL_LOAD, Policy
from rserpool.core.policies.table import POLICIES
from rserpool.core.reading import any_base, number

TOO_SMALL = 1 << 16
"""A load in decimal below this, less than 0.002 %, was meant to be something else."""


@frozen
class ParsedPolicy:
    """A policy and its values.

    @ivar values: a number for each field of the policy, in wire order; the default where nothing was said.
    @ivar probes: fields whose value is to be measured, and the name of what measures it: C{{"load": "cpu"}}.
    """

    policy: Policy
    values: dict[str, int]
    probes: dict[str, str]

    @property
    def data(self) -> bytes:
        """The policy-specific data of the values."""
        return self.policy.encode(tuple(self.values.values()))


def parse(text: str) -> ParsedPolicy:
    """Read C{NAME[:FIELD=VALUE,...]}.

    A load, a degradation or a penalty factor is a fraction (C{0.3}), a percentage (C{30%}), or a number as it stands on
    the wire (C{0x40000000}; in decimal not below 65,536: C{50} is nobody's load); or, the load, the name of a probe
    (C{cpu}). Any other value is a whole number. Names may be abbreviations, as in RFC 5356.

    @raise ConfigurationError: with a sentence that names the wrong part.
    """
    name, colon, rest = text.strip().partition(":")
    known = {policy.name: policy for policy in POLICIES.values()}
    policy = known.get(name) or {policy.abbreviation: policy for policy in known.values()}.get(name.upper())
    if policy is None:
        raise ConfigurationError(f"there is no policy {name!r}; choose one of {', '.join(known)}")
    values = {field: policy.defaults.get(field, 0) for field in policy.fields}
    probes: dict[str, str] = {}
    told: set[str] = set()
    for part in rest.split(",") if colon else ():
        field, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or not value:
            raise ConfigurationError(f"{text!r}: expected FIELD=VALUE, found {part!r}")
        if field not in values:
            allowed = f"it has {', '.join(policy.fields)}" if policy.fields else "it has none"
            raise ConfigurationError(f"{text!r}: {policy.name} has no value {field!r}; {allowed}")
        if field in told:
            raise ConfigurationError(f"{text!r}: {field} is given twice")
        told.add(field)
        if field == "load" and re.fullmatch(r"[a-z][a-z0-9_-]*", value):
            probes[field] = value
        elif field in policy.fractions:
            values[field] = _fraction(value, field, text)
        else:
            values[field] = _whole(value, field, text)
    return ParsedPolicy(policy, values, probes)


def _whole(value: str, field: str, text: str) -> int:
    wrong = f"{text!r}: {field} must be a whole number from 0 to 4294967295, not {value!r}"
    return number(any_base, lambda whole: 0 <= whole <= 0xFFFFFFFF, lambda _: wrong)(value)


def _fraction(value: str, field: str, text: str) -> int:
    match = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)(%?)", value, re.ASCII)
    if match:
        fraction = float(match[1]) / (100 if match[2] else 1)
        if fraction <= 1:
            return round(fraction * FULL_LOAD)
    if re.fullmatch(r"0[xX][0-9a-fA-F]{1,8}|\d{1,10}", value, re.ASCII):
        whole = int(value, 16 if value[:2] in ("0x", "0X") else 10)
        if whole <= FULL_LOAD and (whole >= TOO_SMALL or not value.isdigit()):
            return whole
    raise ConfigurationError(
        f"{text!r}: {field} must be a fraction from 0 to 1, a percentage (50%), or a number as it stands on the wire"
        f" (0x0 to 0xffffffff), not {value!r}"
    )
