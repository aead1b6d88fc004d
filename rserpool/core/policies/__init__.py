"""How a pool chooses its elements (RFC 5356, and what rsplib has beyond it): a table of policies, and their rules."""

from __future__ import annotations

from rserpool.core.policies.base import FULL_LOAD, Asker, Member, Policy, Selection
from rserpool.core.policies.lottery import by_weight, by_what_is_left
from rserpool.core.policies.lowest import lowest
from rserpool.core.policies.round_robin import RoundRobin
from rserpool.core.policies.table import POLICIES, ROUND_ROBIN, Policies
from rserpool.core.policies.text import ParsedPolicy, parse
from rserpool.core.policies.user import as_returned, rotated, shuffled

__all__ = [
    "FULL_LOAD",
    "POLICIES",
    "ROUND_ROBIN",
    "Asker",
    "Member",
    "ParsedPolicy",
    "Policies",
    "Policy",
    "RoundRobin",
    "Selection",
    "as_returned",
    "by_weight",
    "by_what_is_left",
    "lowest",
    "parse",
    "rotated",
    "shuffled",
]
