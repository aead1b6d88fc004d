"""Handle resolution at the registrar, and the updates of subscribers (RFC 5352 sections 2.2.5, 2.2.6 and 3.3)."""

from __future__ import annotations

from typing import Final, TypeAlias

from rserpool.core.deadlines import Timers
from rserpool.core.effects import Association, Effect, Send
from rserpool.core.errors import NOT_SELECTED, CauseCode
from rserpool.core.handles import NOBODY
from rserpool.core.handlespace.handlespace import Handlespace
from rserpool.core.handlespace.limits import Limits
from rserpool.core.handlespace.pool import Pool
from rserpool.core.policies.table import ALIKE
from rserpool.core.registrar.clients import Client, Clients
from rserpool.core.registrar.kept import MOST, KeptAnswers, plain
from rserpool.core.wire import asap
from rserpool.core.wire.parameters import ErrorCause

UPDATE: Final = "update"
"""The key of an update that is due: with the pool's handle."""
QUIET = 0.1
"""At least so many seconds lie between two updates about one pool; what happens in between goes into one."""
RATE = 8_000_000.0
"""So many bytes a second are the updates about one pool: where they are large or many, more time lies between them."""
AT_ONCE = 64
"""So many subscribers are told one after the other; then others have their turn."""
MEMORY = 2.0
"""So many seconds an update says that an element did not leave, but died."""
_Same: TypeAlias = dict[tuple[int, frozenset[str], bool], bytes | asap.HandleResolutionResponse]


class Answers:
    """Answers resolutions by the pool's policy, and tells subscribers what changed.

    An answer never names an address that the asking peer cannot use: loopback and link-local addresses go only to
    peers that come from there.

    @ivar subscribers: the associations that subscribe to a pool, by its handle, and how many elements each wants; to
        be looked at alone.
    """

    def __init__(self, handlespace: Handlespace, clients: Clients, limits: Limits, timers: Timers) -> None:
        self._handlespace = handlespace
        self._clients = clients
        self._counts = clients.counts
        self.limits = limits
        self._timers = timers
        self._kept = KeptAnswers(handlespace)
        self.subscribers: dict[bytes, dict[Association, int | None]] = {}
        self._quiet_until: dict[bytes, float] = {}
        # Of an update that is under way: who is still to be told, and whether another must follow.
        self._untold: dict[bytes, list[Association]] = {}
        self._again: set[bytes] = set()
        self._behind: dict[Association, set[bytes]] = {}
        self._dead: dict[bytes, dict[int, float]] = {}

    @property
    def subscriptions(self) -> int:
        """How many subscriptions there are."""
        return sum(map(len, self.subscribers.values()))

    def at_once(self, client: Client, data: bytes, now: float) -> bytes | None:
        """What L{resolve} would answer, and nothing beside it, if that is kept; None: it does so, or refuses."""
        found = self._kept.find(data, client.sees)
        if found is None or not client.requests.take(now):
            return None
        turns, pool = found
        client.private = turns.private
        self._counts.resolved += 1
        return turns.beginning_with(pool.selection.next_in_turn())

    def resolve(self, client: Client, message: asap.HandleResolution, now: float) -> list[Effect]:
        """3.3: up to C{items} elements in the order of the policy; absent or 0: all that fit."""
        handle = message.handle
        client.private = message.private
        pool = self._handlespace.pools.get(handle)
        if pool is None and handle == NOBODY:
            # A user looks whether we live: it wants no pool.
            return [Send(client.association, _negative(handle, CauseCode.UNKNOWN_POOL_HANDLE))]
        self._counts.resolved += 1
        if pool is None:
            self._counts.unknown += 1
            return [Send(client.association, _negative(handle, CauseCode.UNKNOWN_POOL_HANDLE))]
        accepted = message.subscribe and self._subscribe(client, handle, message.items)
        items = min(message.items or MOST, MOST)
        return [Send(client.association, self._answer(client, pool, items, accepted, moving=True))]

    def changed(self, handle: bytes, now: float, dead: int | None = None) -> list[Effect]:
        """A pool changed: tell its subscribers now, or soon if they were told just before.

        @param dead: the element that is gone because it did not answer.
        """
        if handle not in self.subscribers:
            return []
        if dead is not None:
            self._dead.setdefault(handle, {})[dead] = now + MEMORY
        quiet_until = self._quiet_until.get(handle, now)
        if quiet_until > now:
            if handle in self._untold:
                self._again.add(handle)
            elif (UPDATE, handle) not in self._timers:
                self._timers.set((UPDATE, handle), quiet_until)
            return []
        return self.update(handle, now)

    def update(self, handle: bytes, now: float) -> list[Effect]:
        """Tell the subscribers of a pool; L{UPDATE} is due."""
        effects: list[Effect] = []
        quiet_until = self._quiet_until.get(handle, now)
        untold = self._untold.pop(handle, None)
        if untold is None:
            untold, quiet_until = list(self.subscribers.get(handle, ())), now + QUIET
        dead, answers, length = self._died(handle, now), _Same(), 0
        for association in untold[:AT_ONCE]:
            client = self._clients.get(association)
            if client is None or handle not in client.subscriptions:
                continue
            if client.paused:
                self._behind.setdefault(association, set()).add(handle)
            else:
                told = self._tell(client, handle, dead, answers)
                if type(told.message) is bytes:
                    length += len(told.message)
                effects.append(told)
        if handle in self.subscribers:
            self._quiet_until[handle] = quiet_until + length / RATE
            if len(untold) > AT_ONCE:
                self._untold[handle] = untold[AT_ONCE:]
                self._timers.set((UPDATE, handle), now)
            elif handle in self._again:
                self._again.remove(handle)
                self._timers.set((UPDATE, handle), self._quiet_until[handle])
        return effects

    def resumed(self, client: Client) -> list[Effect]:
        """A subscriber reads again: tell it what it missed, once."""
        effects: list[Effect] = []
        for handle in sorted(self._behind.pop(client.association, ())):
            effects.append(self._tell(client, handle))
        return effects

    def client_lost(self, client: Client) -> None:
        """A subscriber is gone."""
        for handle in client.subscriptions:
            self._unsubscribe(client.association, handle)
        self._behind.pop(client.association, None)

    def _subscribe(self, client: Client, handle: bytes, items: int | None) -> bool:
        if handle not in client.subscriptions:
            if len(client.subscriptions) >= self.limits.subscriptions_per_association:
                return False
            client.subscriptions[handle] = None
        self.subscribers.setdefault(handle, {})[client.association] = items
        return True

    def _unsubscribe(self, association: Association, handle: bytes) -> None:
        subscribers = self.subscribers.get(handle)
        if subscribers is not None:
            subscribers.pop(association, None)
            if not subscribers:
                del self.subscribers[handle]
                self._quiet_until.pop(handle, None)
                self._untold.pop(handle, None)
                self._again.discard(handle)
                self._dead.pop(handle, None)
                self._timers.cancel((UPDATE, handle))

    def _died(self, handle: bytes, now: float) -> tuple[int, ...]:
        """Those of a pool that died just now, and did not come back."""
        if handle not in self._dead:
            return ()
        pool = self._handlespace.pools.get(handle)
        present = () if pool is None else pool.elements
        left = {each: until for each, until in self._dead.pop(handle).items() if until > now and each not in present}
        if left:
            self._dead[handle] = left
        return tuple(left)

    def _tell(self, client: Client, handle: bytes, dead: tuple[int, ...] = (), answers: _Same | None = None) -> Send:
        pool = self._handlespace.pools.get(handle)
        dead = dead if client.private else ()
        if pool is None:
            # 2.2.5: after a negative response no further updates occur.
            client.subscriptions.pop(handle, None)
            self._unsubscribe(client.association, handle)
            return Send(client.association, _negative(handle, CauseCode.UNKNOWN_POOL_HANDLE, dead))
        items = self.subscribers.get(handle, {}).get(client.association)
        items = min(items or MOST, MOST)
        # What has the whole pool in an order that does not depend on who asks is the same for many.
        whole = items >= min(len(pool), MOST)
        same = (items, client.sees, client.private) if whole and pool.policy.number in ALIKE else None
        answer = None if answers is None or same is None else answers.get(same)
        if answer is None:
            # An update moves no round robin head and no degradation counter.
            answer = self._answer(client, pool, items, True, dead)
            if answers is not None and same is not None:
                answers[same] = answer
        return Send(client.association, answer)

    def _answer(
        self,
        client: Client,
        pool: Pool,
        items: int,
        accepted: bool,
        dead: tuple[int, ...] = (),
        *,
        moving: bool = False,
    ) -> bytes | asap.HandleResolutionResponse:
        elements = pool.wires(client.sees, items, client.peer, moving=moving)
        if not client.private:
            elements = [plain(element) for element in elements]
        if not elements:
            return _negative(pool.handle, CauseCode.LACK_OF_RESOURCES, dead, NOT_SELECTED)
        return asap.encode_handle_resolution_response(pool.handle, pool.policy_wire, elements, accepted, dead)


def _negative(
    handle: bytes, cause: CauseCode, dead: tuple[int, ...] = (), information: bytes = b""
) -> asap.HandleResolutionResponse:
    return asap.HandleResolutionResponse(handle, causes=(ErrorCause(cause, information),), dead=dead)
