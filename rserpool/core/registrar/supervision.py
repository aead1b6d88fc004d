"""Supervision of a registrar's own elements: keep-alives, reports and lifetimes (RFC 5352 sections 3.4 and 3.5)."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from typing import Final

from rserpool.core import authority
from rserpool.core.addresses import TransportAddress
from rserpool.core.deadlines import Timers
from rserpool.core.dice import Dice
from rserpool.core.effects import Association, Close, Connect, Send
from rserpool.core.handlespace.changes import Later, Outcome, Removed, consumed
from rserpool.core.handlespace.deadlines import ElementDeadlines
from rserpool.core.handlespace.distances import Distances
from rserpool.core.handlespace.element import Element, Watch
from rserpool.core.handlespace.handlespace import Handlespace
from rserpool.core.peering.peering import Peering
from rserpool.core.profiles import Profile
from rserpool.core.registrar.clients import Client, Clients
from rserpool.core.registrar.company import Company
from rserpool.core.registrar.dialling import Dialling
from rserpool.core.registrar.foreign import Foreign
from rserpool.core.registrar.shares import Group, Shares
from rserpool.core.ruling import Who
from rserpool.core.wire import asap

ELEMENTS: Final = "elements"
"""The key of a hundred thousand deadlines in the role's table: it may be due too early, and never too late."""
QUIET = 0.1
"""At least so many seconds lie between two questions to one element: what is reported meanwhile is answered by one
(RFC 5355 section 2.14)."""


class Supervision:
    """Decides when an element is asked whether it lives, and when it is gone.

    @ivar shares: how often, and what that may cost.
    """

    def __init__(
        self,
        server: int,
        handlespace: Handlespace,
        clients: Clients,
        timers: Timers,
        distances: Distances,
        peering: Peering,
        *,
        profile: Profile,
        random: Dice,
        keep_alives: bool = True,
    ) -> None:
        self._server, self._handlespace = server, handlespace
        self._clients, self._counts = clients, clients.counts
        self._timers, self._keep_alives = timers, keep_alives
        self._profile, self._random = profile, random
        self._deadlines = ElementDeadlines()
        self.foreign = Foreign(server, timers, profile.keep_alive_timeout, QUIET)
        self._due = inf
        self.shares = Shares(profile.keep_alive_interval, profile.keep_alive_spread)
        self._company = Company(profile, clients, distances, peering, self.shares)
        self._dialling = Dialling()
        self._excused_until = 0.0
        self._claim_at = 0.0

    @property
    def watched(self) -> int:
        """How many elements are supervised."""
        return self.shares.total

    @property
    def interval(self) -> float:
        """Mean seconds between two keep-alives to one element: L{Shares.mean}."""
        return self.shares.mean

    def registered(self, element: Element, now: float) -> None:
        """An element was registered or re-registered, over its present association."""
        over, watch = element.association, element.watch
        if watch is not None and watch.over == over:
            self._watch(element, now)
            return
        client = self._clients.get(over)
        group = "" if client is None else client.machine, over
        if watch is not None:
            self.shares.left(watch.group)
            self.shares.came(group)
            watch.group = group
        self._watch(element, now, group).over = over

    def claim(self, element: Element, now: float) -> list[Outcome]:
        """RFC 5353 3.5.2: the element is ours by takeover: tell it, with the H flag.

        Many at once are told one after the other, so that supervision keeps to its share of the processor.
        """
        if not authority.stays(self._clients.access, element):
            return [self._remove(element, Who.REVOKED)]
        self._watch(element, now).claim = True
        self._claim_at = max(self._claim_at + self.shares.cost / self.shares.share, now)
        if self._claim_at <= now:
            return self.probe(element, now)
        self._set(element, self._claim_at)
        return []

    def forget(self, element: Element) -> None:
        """An element is no longer ours, or gone."""
        self.foreign.forget(element)
        self._dialling.forget(element)
        if element.watch is not None:
            self.shares.left(element.watch.group)
            self._company.left(element)
            element.watch = None
            self._deadlines.discard(element)
            if not self.shares.total:  # else it may be due too early
                self._rearm()

    def acknowledged(self, element: Element, now: float) -> None:
        """An ASAP_ENDPOINT_KEEP_ALIVE_ACK of the element arrived."""
        watch = element.watch
        if watch is not None and watch.answer_by is not None:
            watch.answered, watch.delay = now, now - element.asked
            self._counts.answered(watch.delay)
            self._company.heard(element, now)
            self._answered(element, watch, now)

    def reported(self, element: Element, reporter: Client, now: float) -> list[Outcome]:
        """3.5: somebody could not reach the element: ask it at once, and count how many say that.

        One machine or identity alone cannot remove an element that answers us, however many associations it has.
        """
        watch, name = element.watch, authority.reporter(reporter)
        if watch is not None and name is not None:
            if watch.reporters is None:
                watch.reporters = set()
            watch.reporters.add(name)
        machines = 0 if watch is None or watch.reporters is None else len(watch.reporters)
        rule = authority.reports(reporter, element, machines, self._profile.max_bad_pe_reports)
        if rule.allowed:
            return [self._handlespace.deregister(element, rule.why)]
        return self.probe(element, now)

    def probe(self, element: Element, now: float) -> list[Outcome]:
        """Ask the element whether it lives, over its association, or by opening one: now, or when it is its turn."""
        watch = element.watch
        if watch is None:
            return self._dial(element) if self.foreign.doubt(element, now) else []
        over = element.association
        if over is not None and watch.answer_by is not None:
            # The question that is under way answers this, too.
            return []
        # It may also accept and hang up, each time.
        again = QUIET + (watch.dialled if over is None else element.asked)
        if now < again:
            watch.doubted = True
            self._set(element, min(element.wake, again))
            return []
        if over is not None:
            watch.answer_by = now + self._company.answer
            self._set(element, min(watch.alive_until, self._company.look_at(watch.answer_by)))
            return [self._keep_alive(element, over, now)]
        if watch.answer_by is None:
            watch.answer_by = now + self._company.patience(element)
        watch.dialled, watch.doubted = now, False
        # Also where it is dialled again: else nobody would look whether it has answered.
        self._set(element, min(watch.alive_until, watch.answer_by))
        return self._dial(element)

    def _dial(self, element: Element) -> list[Outcome]:
        address = element.asap_address()
        if address is None:
            return self.foreign.failed(element) if element.watch is None else [self._remove(element, Who.NO_WAY)]
        dial = self._dialling.begin(address, element)
        if dial is None and element.watch is not None:
            # Nobody waits for its answer before it is asked.
            element.watch.answer_by = inf
            self._set(element, element.watch.alive_until)
        return [Connect(address)] if dial else []

    def _next(self, now: float) -> list[Outcome]:
        """Dial those whose turn it is: their time begins now."""
        outcomes: list[Outcome] = []
        while turn := self._dialling.next(self._awaits):
            address, waiting = turn
            for element in waiting:
                if element.watch is not None:
                    element.watch.dialled, element.watch.answer_by = now, now + self._company.patience(element)
                    self._set(element, min(element.watch.alive_until, element.watch.answer_by))
            outcomes.append(Connect(address))
        return outcomes

    def _awaits(self, element: Element) -> bool:
        """Whether it is still to be dialled: it may be gone, or have come by itself."""
        asked = self.foreign.asks(element) or self.probing(element)
        return asked and element.association is None and element in self._handlespace

    def proves(self, place: TransportAddress) -> bool:
        """Whether an element that is dialled there, to be asked, has an owner: then it has to prove who it is."""
        return any(element.owner is not None for element in self._dialling.at(place))

    def probing(self, element: Element) -> bool:
        """Whether an answer of the element is awaited."""
        return element.watch is not None and element.watch.answer_by is not None

    def connected(self, client: Client, peer: TransportAddress, now: float) -> list[Outcome]:
        """There is an association to C{peer}, which a probe asked for."""
        return [Later(self._met(client, self._dialling.over(peer), now)), *self._next(now)]

    def _met(self, client: Client, waiting: list[Element], now: float) -> Iterator[Outcome | None]:
        asked = False
        for element in consumed(waiting):
            if element not in self._handlespace:
                yield None
            elif self._clients.get(client.association) is not client:
                yield from self.probe(element, now)
            elif not authority.is_there(client, element):
                yield from self._gone(element, Who.MISTAKEN)
            else:
                questions = self._over(client, element, now)
                asked = asked or bool(questions)
                yield from questions or (None,)
        if not asked and client.outbound and not client.elements:
            yield Close(client.association)

    def unreachable(self, peer: TransportAddress, now: float) -> list[Outcome]:
        """An association that a probe asked for could not be opened: its elements are gone."""
        waiting = consumed(self._dialling.over(peer))
        gone = Later(outcome for element in waiting for outcome in self._gone(element, Who.NO_WAY))
        return [gone, *self._next(now)]

    def _gone(self, element: Element, who: Who) -> list[Outcome]:
        if element.watch is None:
            return self.foreign.failed(element)
        return [self._remove(element, who)] if element.association is None else []

    def look_abroad(self, element: Element, now: float) -> list[Outcome]:
        """L{FOREIGN} is due: an element of another registrar's does not answer, or may be asked again."""
        again, outcomes = self.foreign.late(element)
        return self.probe(element, now) if again else outcomes

    def excuse(self, now: float) -> None:
        """Our loop stood still: answers may lie unread, so nobody is late yet."""
        self._excused_until = now + self._company.answer

    def look(self, now: float) -> list[Outcome]:
        """L{ELEMENTS} is due: ask those whose turn it is, or is soon; those whose time is over are gone."""
        outcomes: list[Outcome] = []
        # Who is claimed is dialled when it is its turn: that costs more than a keep-alive.
        soon = now if self._claim_at > now else now + self.shares.early
        for element in self._deadlines.due(soon):
            watch = element.watch
            if watch is None:
                continue
            if now >= watch.alive_until or (watch.answer_by is not None and now >= watch.answer_by):
                outcomes += self._over_time(element, watch, now)
            elif watch.answer_by is not None and (element.association is not None or not watch.doubted):
                self._deadlines.set(element, min(watch.alive_until, watch.answer_by))
                if element.association is not None and self._company.late(element, watch.answer_by, soon):
                    outcomes += self._late(element, element.association, now)
            elif watch.alive_until > soon and (self._keep_alives or watch.claim or watch.doubted):
                outcomes += self.probe(element, now)
            else:
                self._deadlines.set(element, watch.alive_until)
        self._rearm()
        return outcomes + self.shares.stretched()

    def _late(self, element: Element, over: Association, now: float) -> list[Outcome]:
        """It should have answered: where packets are lost, SCTP learns by what is new to it when to send them again."""
        asked, again = element.asked, self._keep_alive(element, over, now)
        element.asked = asked
        others, effects = self._company.others(element, now)
        return [again, *effects, *(outcome for each in others for outcome in self.probe(each, now))]

    def _over_time(self, element: Element, watch: Watch, now: float) -> list[Outcome]:
        """Its time is over, if it gets no more."""
        if now < self._excused_until:
            self._deadlines.set(element, self._excused_until)
            return []
        if now >= watch.alive_until:
            return [self._remove(element, Who.LIFETIME)]
        watch.answer_by = self._company.until(element, watch.answer_by or now, now)
        if now < watch.answer_by:
            self._deadlines.set(element, min(watch.alive_until, watch.answer_by))
            return []
        self._company.gone(element, watch.answer_by)
        return [self._remove(element, Who.SILENCE)]

    def _watch(self, element: Element, now: float, group: Group = ("", None)) -> Watch:
        """Its lifetime begins again."""
        alive_until = now + element.life if element.life >= 0 else inf
        watch = element.watch
        if watch is None:
            self.foreign.forget(element)
            watch = element.watch = Watch(alive_until, group)
            self.shares.came(group)
            self._set(element, min(alive_until, self._next_keep_alive(watch, now, 0.5)))
            return watch
        # A registration is a sign of life: what stood against the element is settled.
        watch.alive_until = alive_until
        watch.claim, watch.reporters = False, None
        if watch.answer_by is not None:
            self._answered(element, watch, now)
        return watch

    def _answered(self, element: Element, watch: Watch, now: float) -> None:
        watch.answer_by, watch.doubted, watch.claim = None, False, False
        first = element.wake <= self._due
        self._set(element, min(watch.alive_until, self._next_keep_alive(watch, now)))
        if first:  # else nobody would be woken for it
            self._rearm()

    def _remove(self, element: Element, who: Who) -> Removed:
        if who is Who.SILENCE:
            self._counts.missed += 1
        return self._handlespace.deregister(element, authority.removes(who))

    def _over(self, client: Client, element: Element, now: float) -> list[Outcome]:
        """A keep-alive over the client's association, which is that of an element of ours unless it has another."""
        if element.watch is None:
            return self.foreign.over(client, element, now)
        if element.association is None:
            self._clients.bind(client, element)
        return [self._keep_alive(element, client.association, now)]

    def _set(self, element: Element, when: float) -> None:
        self._deadlines.set(element, when)
        if when < self._due:
            self._due = when
            self._timers.set((ELEMENTS,), when)

    def _rearm(self) -> None:
        earliest = self._deadlines.next()
        due = inf if earliest is None else earliest
        if due != self._due:
            self._due = due
            self._timers.set((ELEMENTS,), due)

    def _keep_alive(self, element: Element, association: Association, now: float) -> Send:
        element.asked, watch = now, element.watch
        self._counts.asked += 1
        self.shares.keeping_up.asked("" if watch is None else watch.group[0])
        home = watch is not None and watch.claim
        return Send(association, asap.EndpointKeepAlive(self._server, element.handle, home, element.identifier))

    def _next_keep_alive(self, watch: Watch, now: float, earlier: float = 0.0) -> float:
        if not self._keep_alives:
            return inf
        return now + self.shares.pause(watch.group, now, self._random.random(), earlier)
