"""How a pool chooses its elements (RFC 5356, and what rsplib has beyond it): one small file per policy, this table.

A new policy is one file beside these, and one line in L{POLICIES}.
"""

from __future__ import annotations

from rserpool.core.policies.base import FULL_LOAD, Member, Policy, Selection
from rserpool.core.policies.lu import LeastUsed
from rserpool.core.policies.lu_dpf import LeastUsedDistance
from rserpool.core.policies.lud import LeastUsedDegradation
from rserpool.core.policies.lud_dpf import LeastUsedDegradationDistance
from rserpool.core.policies.plu import PriorityLeastUsed
from rserpool.core.policies.plud import PriorityLeastUsedDegradation
from rserpool.core.policies.prio import Priority
from rserpool.core.policies.rand import Random
from rserpool.core.policies.rlu import RandomizedLeastUsed
from rserpool.core.policies.rlud import RandomizedLeastUsedDegradation
from rserpool.core.policies.rplu import RandomizedPriorityLeastUsed
from rserpool.core.policies.rplud import RandomizedPriorityLeastUsedDegradation
from rserpool.core.policies.rr import RoundRobin
from rserpool.core.policies.text import ParsedPolicy
from rserpool.core.policies.text import parse as _parse
from rserpool.core.policies.wrand import WeightedRandom
from rserpool.core.policies.wrand_dpf import WeightedRandomDistance
from rserpool.core.policies.wrr import WeightedRoundRobin

__all__ = ["FULL_LOAD", "POLICIES", "ROUND_ROBIN", "Member", "ParsedPolicy", "Policy", "Selection", "parse"]

ROUND_ROBIN = RoundRobin()
"""The default policy (RFC 5356 section 4.1.1)."""

POLICIES: dict[int, Policy] = {
    policy.number: policy
    for policy in (
        ROUND_ROBIN,
        WeightedRoundRobin(),
        Random(),
        WeightedRandom(),
        Priority(),
        LeastUsed(),
        LeastUsedDegradation(),
        PriorityLeastUsed(),
        RandomizedLeastUsed(),
        RandomizedPriorityLeastUsed(),
        RandomizedLeastUsedDegradation(),
        PriorityLeastUsedDegradation(),
        RandomizedPriorityLeastUsedDegradation(),
        WeightedRandomDistance(),
        LeastUsedDistance(),
        LeastUsedDegradationDistance(),
    )
}
"""The policies by their policy type."""


def parse(text: str) -> ParsedPolicy:
    """Read C{NAME[:FIELD=VALUE,...]}, see L{rserpool.core.policies.text}.

    @raise ConfigurationError: with a sentence that names the wrong part.
    """
    return _parse(text, POLICIES.values())
