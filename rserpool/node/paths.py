"""What happens to the paths of associations: told in the log, and counted (RFC 9260 section 8.2, RFC 5061)."""

from __future__ import annotations

from collections import Counter
from typing import Any

from rserpool.sctp.interfaces import ISctpAssociation
from rserpool.sctp.log import LimitedLog


class Paths:
    """The paths of all associations of one node.

    @ivar counts: how often a path was C{"verified"} for the first time, C{"lost"} and C{"restored"}, and a peer's
        addresses C{"changed"}.
    """

    def __init__(self, log: LimitedLog) -> None:
        self._log = log
        self._down: dict[Any, set[str]] = {}
        self.counts: Counter[str] = Counter()

    @property
    def down(self) -> int:
        """How many paths are unreachable now."""
        return sum(map(len, self._down.values()))

    def changed(self, association: ISctpAssociation, host: str, reachable: bool) -> None:
        """A path became (un)reachable."""
        hosts = self._down.setdefault(association, set())
        if reachable and host in hosts:
            hosts.discard(host)
            self.counts["restored"] += 1
            self._log.info(
                "{peer}: the path to {host} is back", event="path-restored", peer=str(association.peer), host=host
            )
        elif reachable:
            self.counts["verified"] += 1
        else:
            hosts.add(host)
            self.counts["lost"] += 1
            left = [other for other in association.peer_addresses if other not in hosts]
            self._log.warn(
                "{peer}: the path to {host} is lost; {left}",
                peer=str(association.peer),
                host=host,
                left=f"going on by {', '.join(left)}" if left else "there is no other",
            )
        if not hosts:
            del self._down[association]

    def moved(self, association: ISctpAssociation) -> None:
        """The peer has other addresses than before."""
        hosts = association.peer_addresses
        self.counts["changed"] += 1
        self._log.info("{peer} is at {hosts}", peer=str(association.peer), hosts=", ".join(hosts))
        if association in self._down:
            self._down[association].intersection_update(hosts)

    def forget(self, association: ISctpAssociation) -> None:
        """The association is gone."""
        self._down.pop(association, None)
