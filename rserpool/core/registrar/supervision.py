"""Supervision of a registrar's own elements: keep-alives, reports and lifetimes (RFC 5352 sections 3.4 and 3.5)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rserpool.core.addresses import TransportAddress, machine
from rserpool.core.dice import Dice
from rserpool.core.effects import Abort, Association, Close, Connect, Effect, Send
from rserpool.core.handlespace.deadlines import ElementDeadlines
from rserpool.core.handlespace.element import Element
from rserpool.core.profiles import Profile
from rserpool.core.registrar.clients import Client
from rserpool.core.wire import asap

COST = 400e-6
"""Processor time, in seconds, that one keep-alive and its acknowledgement cost the registrar (bench/supervision.py)."""
SHARE = 0.25
"""The part of one core that supervision may use."""
STALL = 0.1
"""A tick that comes later than this, in seconds, means that our own loop stood still."""


class Watch:
    """What supervision knows of one element: C{Element.watch}.

    @ivar alive_until: when its registration ends (monotonic seconds; infinity for a life of -1).
    @ivar answer_by: when a keep-alive that is under way counts as failed, or None.
    @ivar claim: whether the element must still be told that we are its home (H flag), after a takeover.
    @ivar reporters: machines whose users reported it unreachable since it last registered.
    @ivar over: the association over which it last registered; None after a takeover.
    """

    __slots__ = ("alive_until", "answer_by", "claim", "over", "reporters")

    def __init__(self, alive_until: float) -> None:
        self.alive_until = alive_until
        self.answer_by: float | None = None
        self.claim = False
        self.reporters: set[str] | None = None
        self.over: Association | None = None


class Supervision:
    """Decides when an element is asked whether it lives, and when it is gone.

    It removes nothing itself: C{remove(element, expired, now)} is called for an element that is gone.
    """

    def __init__(
        self,
        server: int,
        profile: Profile,
        random: Dice,
        client_of: Callable[[Association], Client | None],
        client_at: Callable[[TransportAddress], Client | None],
        remove: Callable[[Element, bool, float], list[Effect]],
        keep_alives: bool = True,
    ) -> None:
        self._server = server
        self._profile = profile
        self._random = random
        self._client_of = client_of
        self._client_at = client_at
        self._remove = remove
        self._deadlines = ElementDeadlines()
        self._watched = 0
        self._dialling: dict[TransportAddress, dict[Element, None]] = {}
        self._excused_until = 0.0
        self._claim_at = 0.0
        self._keep_alives = keep_alives

    @property
    def watched(self) -> int:
        """How many elements are supervised."""
        return self._watched

    @property
    def interval(self) -> float:
        """Mean seconds between two keep-alives to one element.

        That of the profile, stretched where it would cost more than L{SHARE} of a core:
        C{max(profile, elements * COST / SHARE)}.
        """
        return max(self._profile.keep_alive_interval, self._watched * COST / SHARE)

    def registered(self, element: Element, now: float) -> None:
        """An element was registered or re-registered, over its present association."""
        self.watch(element, now)
        element.watch.over = element.association

    def confirmed(self, element: Element) -> bool:
        """Whether an element registered with us over an association that is still up."""
        watch = element.watch
        return watch is not None and watch.over is not None and watch.over == element.association

    def watch(self, element: Element, now: float) -> None:
        """An element was registered, re-registered or adopted: its lifetime begins again."""
        alive_until = now + element.life if element.life >= 0 else float("inf")
        watch = element.watch
        if watch is None:
            element.watch = Watch(alive_until)
            self._watched += 1
            self._deadlines.set(element, min(alive_until, self._next_keep_alive(now)))
            return
        # A registration is a sign of life: what stood against the element is settled.
        watch.claim = False
        watch.alive_until = alive_until
        watch.reporters = None
        if watch.answer_by is not None:
            self._answered(element, watch, now)

    def claim(self, element: Element, now: float) -> list[Effect]:
        """RFC 5353 3.5.2: the element is ours by takeover: tell it, with the H flag.

        Many at once are told one after the other, so that supervision keeps to its share of the processor.
        """
        self.watch(element, now)
        watch = element.watch
        watch.claim = True
        self._claim_at = max(self._claim_at + COST / SHARE, now)
        if self._claim_at <= now:
            return self.probe(element, now)
        self._deadlines.set(element, self._claim_at)
        return []

    def forget(self, element: Element) -> None:
        """An element is no longer ours, or gone."""
        if element.watch is not None:
            element.watch = None
            self._watched -= 1
            self._deadlines.discard(element)

    def acknowledged(self, element: Element, now: float) -> None:
        """An ASAP_ENDPOINT_KEEP_ALIVE_ACK of the element arrived."""
        watch = element.watch
        if watch is not None and watch.answer_by is not None:
            self._answered(element, watch, now)

    def _answered(self, element: Element, watch: Watch, now: float) -> None:
        watch.answer_by = None
        watch.claim = False
        self._deadlines.set(element, min(watch.alive_until, self._next_keep_alive(now)))

    def reported(self, element: Element, reporter: Client, now: float) -> list[Effect]:
        """3.5: somebody could not reach the element: ask it at once, and count from how many machines that is said.

        One of them alone cannot remove an element that answers us, however many associations it has.
        """
        watch = element.watch
        if watch is not None:
            if watch.reporters is None:
                watch.reporters = set()
            watch.reporters.add(machine(reporter.peer.hosts[0]))
            if len(watch.reporters) > self._profile.max_bad_pe_reports:
                return self._remove(element, False, now)
        return self.probe(element, now)

    def probe(self, element: Element, now: float) -> list[Effect]:
        """Ask the element now whether it lives (H flag 0), over its association, or by opening one."""
        watch = element.watch
        if watch is not None and watch.answer_by is None:
            watch.answer_by = now + self._profile.keep_alive_timeout
            self._deadlines.set(element, min(watch.alive_until, watch.answer_by))
        if element.association is not None:
            return [self._keep_alive(element, element.association)]
        address = element.asap_address()
        present = None if address is None else self._client_at(address)
        if present is not None:
            # RFC 9260 section 1.3: two endpoints have one association; the element was the first to dial.
            return [self._over(present, element)]
        if address is None:
            return self._remove(element, False, now) if watch is not None else []
        waiting = self._dialling.get(address)
        if waiting is not None:
            waiting[element] = None
            return []
        self._dialling[address] = {element: None}
        return [Connect(address)]

    def probing(self, element: Element) -> bool:
        """Whether an answer of the element is awaited."""
        watch = element.watch
        return watch is not None and watch.answer_by is not None

    def connected(self, client: Client, now: float) -> list[Effect]:
        """An association that a probe asked for is up."""
        effects: list[Effect] = []
        for element in self._still(self._dialling.pop(client.peer, {})):
            effects.append(self._over(client, element))
        return effects or [Close(client.association)]

    def unreachable(self, peer: TransportAddress, now: float) -> list[Effect]:
        """An association that a probe asked for could not be opened: its elements are gone."""
        effects: list[Effect] = []
        for element in self._still(self._dialling.pop(peer, {})):
            if element.association is None:
                present = self._client_at(peer)
                effects += self._remove(element, False, now) if present is None else [self._over(present, element)]
        return effects

    def _over(self, client: Client, element: Element) -> Send:
        """A keep-alive over the client's association, which is the element's unless it has another."""
        if element.association is None:
            element.association = client.association
            client.elements[element] = None
        return self._keep_alive(element, client.association)

    @staticmethod
    def _still(waiting: dict[Element, None]) -> Iterator[Element]:
        return (element for element in list(waiting) if element.watch is not None)

    def excuse(self, late: float, now: float) -> None:
        """Our loop stood still for C{late} seconds: answers may lie unread, so nobody is late yet."""
        if late > STALL:
            self._excused_until = now + self._profile.keep_alive_timeout

    def tick(self, now: float) -> list[Effect]:
        """Do what is due."""
        effects: list[Effect] = []
        for element in self._deadlines.due(now):
            watch = element.watch
            if watch is None:
                continue
            if now >= watch.alive_until or (watch.answer_by is not None and now >= watch.answer_by):
                if now < self._excused_until:
                    self._deadlines.set(element, self._excused_until)
                    continue
                expired = now >= watch.alive_until
                association = element.association
                effects += self._remove(element, expired, now)
                if not expired and association is not None:
                    client = self._client_of(association)
                    if client is not None and client.outbound and not client.elements:
                        effects.append(Abort(association))
                    else:
                        # If it was only slow, it registers again when it reads this.
                        told = asap.DeregistrationResponse(element.handle, element.identifier)
                        effects.append(Send(association, told))
            elif watch.answer_by is not None:
                self._deadlines.set(element, min(watch.alive_until, watch.answer_by))
            elif self._keep_alives or watch.claim:
                effects += self.probe(element, now)
            else:
                self._deadlines.set(element, watch.alive_until)
        return effects

    def next_deadline(self) -> float | None:
        """When C{tick} must be called next (monotonic seconds)."""
        return self._deadlines.next()

    def _keep_alive(self, element: Element, association: Association) -> Send:
        home = element.watch is not None and element.watch.claim
        return Send(association, asap.EndpointKeepAlive(self._server, element.handle, home, element.identifier))

    def _next_keep_alive(self, now: float) -> float:
        if not self._keep_alives:
            return float("inf")
        # 3.5: spread over time, by plus or minus 50 percent.
        return now + self.interval * self._random.uniform(0.5, 1.5)
