"""How often each element is asked whether it lives, where there are more than can be asked all the time.

All supervision together costs a part of one core (L{SHARE}, or as much as the operator allows), by what was measured on
this machine: what the associations take, whether anybody is asked or not, and of the rest each keep-alive its part
(L{COST} until then). The rest is divided among the machines that elements registered
from, and what is one machine's among its associations: each has what it needs, if that is no more than an equal part;
the others share what is left. So who registers a lot is asked less often, and nobody else is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from math import inf
from typing import TypeAlias

from rserpool.core.effects import Association, Effect, Notify
from rserpool.core.registrar.events import SupervisionStretched
from rserpool.core.registrar.keeping_up import KeepingUp

COST = 400e-6
"""Processor time, in seconds, that one keep-alive and its acknowledgement are taken to cost, until it was measured."""
LEAST, MOST = 5e-6, 5e-3
"""No measurement is believed that says less or more."""
SHARE = 0.25
"""The part of one core that supervision may use, where nobody says another one."""
AIM = 0.9
"""So much of it is used: a measurement may be off, and there are crowds."""
LEAST_REST = 0.5
"""This part of it is for keep-alives at least: where associations alone take more than the rest, no interval helps."""
GENTLY = 0.7
"""With each measurement it is believed to cost so much of what was believed at least: who has come by the thousand is
busy for a while, and does not answer in time who asks more and more often."""
WIDE = 0.25
"""By this part of a stretched interval each is moved, so that those that came together, while there were fewer, are not
asked together. By more, and many would send a heartbeat while they are not asked."""
TOGETHER = 32
"""So many keep-alives go out together: to wake costs more than to ask. Where there are fewer elements, each goes out
for itself."""
AT_ONCE, SOON = 128, 0.1
"""Up to so many, where that is no more than so many seconds."""
REFRESH = 1.0
"""The shares are as they were up to so many seconds ago, unless a tenth of the elements came or went since."""

Group: TypeAlias = tuple[str, Association | None]
"""The machine and the association that an element registered from; an empty name if it did not register with us."""


class Shares:
    """The elements that are supervised, by group.

    @param interval: mean seconds between two keep-alives where there is enough for all.
    @param spread: by what part of that each is moved.
    @ivar total: how many elements there are; C{machines}: how many at each machine, over which association.
    @ivar cost: processor time, in seconds, of one keep-alive and its acknowledgement.
    @ivar share: the part of one core for all supervision; C{fixed}: what associations take of it by themselves, by
        SCTP's heartbeats and by waking us; C{rest}: for keep-alives.
    @ivar keeping_up: at which machines they are asked less often than they might be.
    """

    def __init__(self, interval: float, spread: float = 0.0) -> None:
        self._interval = self._told = interval
        self._spread = spread
        self.cost, self.share, self.fixed, self.rest = COST, SHARE, 0.0, AIM * SHARE
        self.keeping_up = KeepingUp()
        self._slowness = 1.0
        self.machines: dict[str, dict[Association | None, int]] = {}
        self._levels: dict[str, float] = {}
        self._until = -inf
        self._for = 0
        self.total = 0

    @property
    def mean(self) -> float:
        """Seconds between two keep-alives to one element, alike for all: C{max(interval, total * cost / rest)}; more
        where some do not keep up."""
        return max(self._interval, self.total * self.cost / self.rest) * self._slowness

    @property
    def scarce(self) -> bool:
        """Whether that is more than what each would have where there is enough."""
        return bool(self.keeping_up.slow) or self.total * self.cost > self.rest * self._interval

    @property
    def early(self) -> float:
        """By so many seconds a keep-alive may go out before its time, with others. At most a tenth of the interval, and
        L{TOGETHER} or L{AT_ONCE} at a time."""
        if self.total < TOGETHER:
            return 0.0
        each = self.mean / self.total
        return min(self.mean / 10, max(TOGETHER * each, min(AT_ONCE * each, SOON)))

    def came(self, group: Group) -> None:
        """An element is supervised."""
        where, over = group
        here = self.machines.get(where)
        if here is None:
            here = self.machines[where] = {}
        here[over] = here.get(over, 0) + 1
        self.total += 1

    def left(self, group: Group) -> None:
        """It is not, or not in this group."""
        where, over = group
        here = self.machines[where]
        here[over] -= 1
        if not here[over]:
            del here[over]
            if not here:
                del self.machines[where]
        self.total -= 1

    def interval(self, group: Group, now: float) -> float:
        """Mean seconds between two keep-alives to an element of this group."""
        where, over = group
        slowness = self.keeping_up.slow.get(where, 1.0)
        if self.total * self.cost <= self.rest * self._interval:
            return self._interval * slowness
        if now >= self._until or abs(self.total - self._for) > self._for // 10:
            self._divide()
            self._until, self._for = now + REFRESH, self.total
        return max(self._interval, self.machines[where][over] / self._levels.get(where, inf)) * slowness

    def pause(self, group: Group, now: float, random: float, earlier: float = 0.0) -> float:
        """Seconds until an element of this group is asked next (RFC 5352 section 3.5: spread over time).

        @param random: from 0 to 1.
        @param earlier: by what part of the interval it may be sooner at least: many that come together are at once.
        """
        interval = self.interval(group, now)
        # Never more often than where there is enough for all.
        spread = max(self._spread, min(WIDE, 1.0 - self._interval / interval))
        earlier = max(earlier, spread)
        return interval * (1.0 - earlier + (earlier + spread) * random)

    def stretched(self) -> list[Effect]:
        """Tells the mean interval when it has changed by a tenth."""
        mean = self.mean
        if abs(mean - self._told) <= 0.1 * self._told:
            return []
        self._told = mean
        return [Notify(SupervisionStretched(mean, self.total, self.cost, self.share, self.fixed))]

    def allow(self, percent: float) -> None:
        """All of it may take so many percent of a core from now on."""
        self.share = max(percent / 100, 0.001)
        self._changed()

    def measured(self, cost: float, fixed: float) -> None:
        """A keep-alive and its acknowledgement cost so many seconds of processor time, and associations so many in
        each second."""
        self.cost, self.fixed = min(max(cost, GENTLY * self.cost, LEAST), MOST), max(fixed, 0.0)
        self._changed()

    def look(self) -> None:
        """Look now and then whether they keep up."""
        self.keeping_up.look()
        slow = self.keeping_up.slow.items()
        more = sum((slowness - 1.0) * sum(self.machines.get(where, {}).values()) for where, slowness in slow)
        self._slowness = 1.0 + more / max(self.total, 1)

    def _changed(self) -> None:
        self.rest = max(AIM * self.share - self.fixed, LEAST_REST * self.share)
        self._until = -inf

    def _divide(self) -> None:
        """What each association may have, in keep-alives a second, at machines that need more than their part."""
        needs = {where: sum(here.values()) / self._interval for where, here in self.machines.items()}
        level = _level(self.rest / self.cost, needs.values())
        self._levels = {
            where: _level(level * self._interval, self.machines[where].values()) / self._interval
            for where, need in needs.items()
            if need > level
        }


def _level(supply: float, needs: Iterable[float]) -> float:
    """The largest part of a supply, so that all have what they need or this: infinity, if there is enough for all."""
    alike = Counter(needs)
    left = alike.total()
    for need, number in sorted(alike.items()):
        part = supply / left
        if need > part:
            return part
        supply -= need * number
        left -= number
    return inf
