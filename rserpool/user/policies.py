"""Policies of plugins, for users: most pools have one of ours, so plugins are looked for when one has another."""

from __future__ import annotations

from twisted.logger import Logger

from rserpool.core.errors import ConfigurationError
from rserpool.core.policies import POLICIES

_log = Logger()


def look_beyond() -> None:
    """Have plugins looked for with the first pool whose policy is none of ours."""
    POLICIES.beyond(_add)


def _add() -> None:
    from rserpool.plugins import add_policies

    try:
        add_policies()
    except ConfigurationError as error:
        # Users take the elements in turn, as who does not know a policy.
        _log.error("{error}", error=error)
