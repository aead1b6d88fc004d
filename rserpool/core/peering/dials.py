"""The addresses of other registrars that we want an association with, and when each is dialled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rserpool.core.addresses import TransportAddress, next_guess, same_place
from rserpool.core.backoff import SOON, Backoff, Redial
from rserpool.core.deadlines import Timers
from rserpool.core.dice import Dice
from rserpool.core.effects import Association, Connect, Effect, Notify
from rserpool.core.handlespace.limits import TokenBucket
from rserpool.core.peering.events import PeerUnreachable
from rserpool.core.peering.peers import Peer

DIAL: Final = "dial"
"""The key of an address that is due to be dialled again."""
MOST_DIALS = 256
"""So many addresses are dialled, or kept in mind to be, at the same time; what others name beyond that is ignored."""
MOST_HEARD = 32
"""So many addresses of registrars that spoke with us are kept while there is no association with them, and each for
L{TRIES} attempts: two that lost each other may have nobody in common any more."""
TRIES = 1000
FEW_TRIES = 20
"""So many attempts, where they are at an address of which nobody has answered us: it may be anybody's."""
NAMED_AT_ONCE, NAMED_A_SECOND = 64, 2.0
"""So many addresses that other registrars of one machine name, or one announces by multicast, are dialled at once, and
so many a second after that."""
MOST_ANNOUNCED = 64
"""So many of them were announced by multicast, where anybody can speak."""
MOST_OF_ONE = 8
"""So many of these by one machine."""
PAUSES = Backoff(0.2, 5.0)
TELL_AFTER: Final = (2, 10, 100, 1000)
"""After so many attempts in a row at a configured address the operator is told."""


class _Dial:
    __slots__ = (
        "association",
        "attempts",
        "excused",
        "heard",
        "kept",
        "origin",
        "pause",
        "redial",
        "resting",
        "tries",
        "under_way",
        "wanted",
    )

    def __init__(self, kept: bool, origin: str = "") -> None:
        self.kept = kept
        self.heard = False
        # Whether it is known to have ended, and nobody need hear that it is not there.
        self.excused = False
        self.tries = TRIES
        self.origin = origin
        self.association: Association | None = None
        self.under_way = False
        # Whether it is not to be dialled before its pause is over, and whether it is to be dialled then.
        self.resting = False
        self.wanted = kept
        self.pause = 0.0
        self.attempts = 0
        self.redial = Redial(PAUSES)


class Dials:
    """Configured addresses are dialled for ever, with back-off; so are for long those of registrars that spoke with us;
    others once.

    @ivar guesses: whether one that was announced by multicast is looked for at further UDP ports.
    """

    def __init__(self, random: Dice, timers: Timers) -> None:
        self._random = random
        self._timers = timers
        self._dials: dict[TransportAddress, _Dial] = {}
        self._silent: set[Association] = set()
        self._named: dict[str, TokenBucket] = {}
        self.guesses = False

    def configure(self, addresses: Sequence[TransportAddress]) -> list[Effect]:
        """Keep these addresses for ever."""
        self._dials.update((address, _Dial(True)) for address in addresses)
        return [effect for address in addresses for effect in self._connect(address)]

    def configured_again(self, addresses: Sequence[TransportAddress]) -> list[Effect]:
        """Keep these addresses, and of those that were configured no others.

        A registrar that is not configured any more stays a peer as long as it is there.
        """
        for address, dial in list(self._dials.items()):
            if dial.kept and not dial.heard and address not in addresses:
                dial.kept = dial.wanted = False
                if dial.association is None and not dial.under_way:
                    del self._dials[address]
                    self._timers.cancel((DIAL, address))
        effects: list[Effect] = []
        for address in addresses:
            known = self._dials.get(address)
            if known is None:
                effects += self.configure([address])
            elif not known.kept or known.heard:
                known.kept, known.heard, known.wanted = True, False, True
                effects += [] if known.resting else self._connect(address)
        return effects

    def named(self, address: TransportAddress, by: str, now: float, announced: bool = False) -> list[Effect]:
        """Somebody at the machine C{by} names an address in its list, or announced it by multicast: dial it as L{want}
        does, as long as that machine does not name too many."""
        if address not in self._dials and not self._budget(by, now).take(now):
            return []
        return self.want(address, by if announced else "")

    def _budget(self, machine: str, now: float) -> TokenBucket:
        budget = self._named.get(machine)
        if budget is None:
            if len(self._named) >= MOST_DIALS:
                del self._named[next(iter(self._named))]
            budget = self._named[machine] = TokenBucket(NAMED_A_SECOND, now, NAMED_AT_ONCE)
        return budget

    def want(self, address: TransportAddress, origin: str = "") -> list[Effect]:
        """Dial an address now, unless there is an association, or will be.

        @param origin: the machine that announced it by multicast.
        """
        if address not in self._dials:
            if sum(not dial.heard for dial in self._dials.values()) >= MOST_DIALS or (
                origin and not self._room(origin)
            ):
                return []
            self._dials[address] = _Dial(False, origin)
        dial = self._dials[address]
        if dial.resting:
            dial.wanted = True
            return []
        return self._connect(address)

    def remember(self, peer: Peer, place: TransportAddress | None) -> list[Effect]:
        """A registrar spoke with us over an association that leads to C{place}: it is dialled when it is lost."""
        address = peer.address
        if address is None or any(dial.kept and same_place(address, each) for each, dial in self._dials.items()):
            return []
        lost = [each for each, dial in self._dials.items() if dial.heard and dial.association is None]
        for each in lost[: len(lost) - MOST_HEARD + 1]:
            del self._dials[each]
            self._timers.cancel((DIAL, each))
        dial = self._dials.setdefault(address, _Dial(True))
        dial.kept = dial.heard = dial.wanted = True
        dial.tries = TRIES if place is not None and same_place(address, place) else FEW_TRIES
        dial.origin, dial.association = "", peer.association
        return []

    def again(self, address: TransportAddress, now: float) -> list[Effect]:
        """L{DIAL} is due."""
        dial = self._dials[address]
        if not dial.wanted:
            del self._dials[address]
            return []
        dial.resting, dial.wanted = False, dial.kept
        return self._connect(address)

    def up(self, association: Association, address: TransportAddress) -> bool:
        """We dialled successfully; whether it is a configured address."""
        dial = self._dials.get(address)
        if dial is None:
            return False
        dial.association, dial.under_way, dial.attempts, dial.excused = association, False, 0, False
        self._silent.add(association)
        return dial.kept and not dial.heard

    def answered(self, association: Association) -> None:
        """A registrar spoke over it."""
        if association not in self._silent:
            return
        self._silent.discard(association)
        for dial in self._dials.values():
            if dial.association == association:
                dial.pause = 0.0
                dial.redial.answered()

    def failed(self, address: TransportAddress, now: float) -> list[Effect]:
        """An address could not be reached."""
        dial = self._dials.get(address)
        if dial is None:
            return []
        dial.under_way = False
        dial.attempts += 1
        if dial.kept:
            dial.pause = PAUSES.after(dial.pause)
            if dial.heard and dial.attempts >= dial.tries:
                del self._dials[address]
                return []
            self._timers.set((DIAL, address), now + dial.pause * self._random.uniform(0.75, 1.25))
            told = dial.attempts in TELL_AFTER and not dial.heard and not dial.excused
            return [Notify(PeerUnreachable(address, dial.attempts))] if told else []
        del self._dials[address]
        guess = next_guess(address) if dial.origin and self.guesses else None
        if guess is None or guess in self._dials:
            return []
        self._dials[guess] = _Dial(False, dial.origin)
        return self._connect(guess)

    def lost(self, association: Association, now: float, excused: bool = False) -> list[Effect]:
        """An association is gone; it may have been wanted by several addresses of one registrar.

        @param excused: whether that registrar said that it ends: it is dialled as before, and nobody is told in vain.
        """
        self._silent.discard(association)
        effects: list[Effect] = []
        for address, dial in list(self._dials.items()):
            if dial.association == association:
                dial.association, dial.excused = None, excused
                pause = dial.redial.lost(now)
                if dial.kept and not pause:
                    effects += self._connect(address)
                else:
                    # What others named is forgotten if nobody wants it until then.
                    dial.resting = pause > 0.0
                    self._timers.set((DIAL, address), now + (pause or SOON))
        return effects

    def forget(self, place: TransportAddress | None) -> None:
        """We are there ourselves: it is not dialled any more."""
        if place is not None:
            for address in [each for each in self._dials if same_place(place, each)]:
                del self._dials[address]
                self._timers.cancel((DIAL, address))

    def _room(self, origin: str) -> bool:
        announced = [dial.origin for dial in self._dials.values() if dial.origin and dial.association is None]
        return len(announced) < MOST_ANNOUNCED and announced.count(origin) < MOST_OF_ONE

    def _connect(self, address: TransportAddress) -> list[Effect]:
        dial = self._dials[address]
        if dial.under_way or dial.association is not None:
            return []
        self._timers.cancel((DIAL, address))
        dial.under_way = True
        return [Connect(address, "enrp")]
