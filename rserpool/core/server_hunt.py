"""Server hunt: how an element or user finds its home registrar (RFC 5352 section 3.6)."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace

from rserpool.core.addresses import ASAP_PORT, TransportAddress, is_name, next_guess, only_this_host, same_place
from rserpool.core.backoff import Backoff, Redial
from rserpool.core.deadlines import Timers
from rserpool.core.distrust import Distrust
from rserpool.core.effects import Abort, Association, Close, Connect, Effect, StopConnecting
from rserpool.core.errors import NoRegistrar, Unproved
from rserpool.core.frozen import frozen
from rserpool.core.hints import MOST_OF_ONE, Hints
from rserpool.core.profiles import Profile
from rserpool.core.wire import asap
from rserpool.core.wire.parameters import SctpTransport

AT_ONCE = 3
"""SH1: never more than three associations or connections."""
PAUSES = Backoff(0.05, 2.0)
"""Between rounds in which every registrar refused, and until one is dialled again that accepted and hung up."""
MOST_HEARD = 16
"""So many registrars are kept that nobody named and that spoke to us, those that did so last."""
GUESS = 0.3
"""Seconds that a guessed place which answers waits for those that are guessed before it."""
_T5 = ("hunt", "T5")
_GUESS = ("hunt", "guess")
_AGAIN = ("hunt", "again")
_REST = "rest"
_MOST_REDIALS = 64


@frozen
class HomeChanged:
    """The home registrar is now another, or (None) there is none and the hunt is on."""

    registrar: TransportAddress | None


class ServerHunt:
    """Keeps the list of known registrars, and one association with one of them: the home registrar.

    Its timers are those of its role whose keys begin with C{"hunt"}.

    @ivar home: the association with the home registrar, or None.
    @ivar address: where the home registrar is, or None.
    @ivar guesses: whether one that was announced without a UDP port is looked for at those that registrars take.
    @ivar protocol: how registrars are reached: C{"sctp"} or C{"tcp"}.
    @ivar distrust: with which registrars TLS failed.
    @ivar rounds: how often every known registrar was tried in vain, since there was a home.
    """

    def __init__(
        self, registrars: Sequence[TransportAddress], profile: Profile, timers: Timers, protocol: str = "sctp"
    ) -> None:
        self._static = list(dict.fromkeys(registrars))
        # For each on this host that differs from earlier ones by its UDP port alone: those.
        self._before = {
            peer: [each for each in self._static[:at] if replace(each, encapsulation=peer.encapsulation) == peer]
            for at, peer in enumerate(self._static)
            if not any(map(is_name, peer.hosts)) and only_this_host(peer.hosts)
        }
        self._held: dict[TransportAddress, Association] = {}
        self._announced = Hints()
        self._profile = profile
        self._timers = timers
        self.protocol = protocol
        self._attempts: dict[TransportAddress, None] = {}
        self._queue: list[TransportAddress] = []
        self._t5 = profile.t5_server_hunt
        self._pause = 0.0
        self._avoided: TransportAddress | None = None
        self._preferred: TransportAddress | None = None
        self._heard: dict[TransportAddress, None] = {}
        self._redials: dict[TransportAddress, Redial] = {}
        self.distrust = Distrust()
        self.guesses = False
        self.home: Association | None = None
        self.address: TransportAddress | None = None
        self.rounds = 0

    @property
    def hunting(self) -> bool:
        """Whether a hunt is under way."""
        return _T5 in self._timers

    @property
    def known(self) -> list[TransportAddress]:
        """Every registrar known: configured, spoke to us lately, announced; one that just failed comes last.

        After a rest the one that was the home comes first.
        """
        known = list(dict.fromkeys([*self._static, *reversed(self._heard), *self._announced]))
        if self._preferred in known:
            known.remove(self._preferred)
            known.insert(0, self._preferred)
        if self._avoided in known:
            known.remove(self._avoided)
            known.append(self._avoided)
        return known

    def hopeless(self, now: float) -> bool:
        """Whether each registrar was tried, and TLS failed: nothing is gained by waiting."""
        return self.hunting and not self._attempts and not self._queue and self.distrust.total(self.known, now)

    def nobody(self, what: str) -> NoRegistrar:
        """See L{Distrust.error}."""
        return self.distrust.error(what, self.known)

    def hunt(self, now: float) -> list[Effect]:
        """SH1, SH2: begin, unless there is a home or a hunt already."""
        if self.home is not None or self.hunting:
            return []
        self._timers.set(_T5, now + self._t5)
        return self._round(now)

    def fail(self, now: float, refused: bool = False) -> list[Effect]:
        """The home registrar does not answer, or refuses for now and rests: leave it and look for another."""
        effects: list[Effect] = []
        if self.home is not None:
            # It may be the only one: a shutdown that it does not answer would keep us from dialling it again.
            effects.append(Abort(self.home))
            if refused and self.address is not None:
                self._rest(self.address, now)
            self._avoided = self.address
        self.home = self.address = None
        return effects + self.hunt(now)

    def adopt(self, association: Association, address: TransportAddress, now: float) -> list[Effect]:
        """3.4 (KA2.4): a registrar wants to be the home; the association with the one before stays as it is."""
        effects = self._settle(association, address)
        self.answered()
        return effects

    def again(self, now: float) -> list[Effect]:
        """We have another identity: leave the home, and prove it there anew."""
        if self.home is None:
            return []
        # A shutdown would keep us from dialling it at once.
        effects: list[Effect] = [Abort(self.home)]
        self._preferred = self.address
        self.home = self.address = None
        return effects + self.hunt(now)

    def answered(self) -> None:
        """The home gave a good answer, which no connection is: pauses are short again."""
        self._pause = 0.0
        self.distrust.answered()
        if self.address is not None:
            self._redial(self.address).answered()

    def heard(self, address: TransportAddress, now: float) -> list[Effect]:
        """A registrar spoke to us from this address: it is kept, and tried in this and every later hunt."""
        known = self._remember(address)
        if known or not self.hunting or address in self._attempts:
            return []
        self._queue.append(address)
        return self._fill(now)

    def stop(self) -> list[Effect]:
        """Give up what is under way."""
        effects: list[Effect] = [StopConnecting(peer) for peer in self._attempts]
        effects += [Close(association) for association in self._held.values()]
        self._attempts.clear()
        self._held.clear()
        self._queue.clear()
        self._timers.cancel(_GUESS)
        self._timers.cancel(_T5)
        self._timers.cancel(_AGAIN)
        return effects

    def rest(self) -> None:
        """Nobody wants a registrar for now, and its association is not there any more."""
        self.stop()
        if self.address is not None:
            self._preferred = self.address
        self.home = self.address = None

    def association_up(self, association: Association, peer: TransportAddress, now: float) -> list[Effect]:
        """An association that the hunt asked for is up (SH3, SH6); one that comes too late is closed.

        Of places that are guessed the first one counts that answers, in their order: whoever took a UDP port of
        registrars on this host is not believed while the well-known one is still being tried.
        """
        self._attempts.pop(peer, None)
        if self.home is not None or not self.hunting:
            return [Close(association)]
        if self._better(peer):
            self._held[peer] = association
            self._timers.set(_GUESS, now + GUESS)
            return []
        return self._settle(association, peer)

    def connect_failed(self, peer: TransportAddress, now: float, failure: Unproved | None = None) -> list[Effect]:
        """SH4: try a different address; C{failure} is what TLS said."""
        if peer not in self._attempts:
            return []
        self.distrust.heard(peer, failure)
        del self._attempts[peer]
        guess = next_guess(peer) if self.guesses and replace(peer, encapsulation=0) in self._announced else None
        if guess is not None and guess not in self._attempts and guess not in self._queue:
            self._queue.insert(0, guess)
        return self._chosen() or self._fill(now)

    def association_lost(self, association: Association, now: float, failure: Unproved | None = None) -> list[Effect]:
        """If that was the home, look for another one at once."""
        if association != self.home:
            return []
        if self.address is not None:
            self.distrust.heard(self.address, failure)
            self._rest(self.address, now)
        self._avoided = self.address
        self.home = self.address = None
        return self.hunt(now)

    def announcement(self, message: asap.ServerAnnounce, source: str, now: float) -> list[Effect]:
        """A registrar announced itself from the IP address C{source}."""
        for address in _addresses(message, source):
            if address.protocol != self.protocol:
                continue
            new = address not in self._announced and address not in self._static
            gone = self._announced.heard(address, source)
            if gone is not None:
                self._forget(gone)
            self._timers.set(("hunt", address), now + self._profile.t7_enrp_outdate)
            if new and self.hunting and address not in self._queue and address not in self._attempts:
                self._queue.append(address)
        return self._fill(now) if self._queue else []

    def due(self, key: tuple[Hashable, ...], now: float) -> list[Effect]:
        """A timer of the hunt: SH5, the end of a pause between two rounds, or T7: an announcement outdates."""
        match key:
            case ("hunt", "T5"):
                # SH5.1: double, up to RETRAN-MAX; SH5.2: stop these, try a different set.
                self._t5 = min(self._t5 * 2, self._profile.retran_max)
                self._timers.set(_T5, now + self._t5)
                effects: list[Effect] = [StopConnecting(peer) for peer in self._attempts]
                for peer in self._attempts:
                    self.distrust.heard(peer, None)
                self._attempts.clear()
                if self._held:
                    return effects + self._chosen()
                return effects + (self._fill(now) if self._queue else self._round(now))
            case ("hunt", "guess") if self._held:
                silent = [
                    peer for peer in self._attempts if any(peer in self._before.get(each, ()) for each in self._held)
                ]
                for peer in silent:
                    del self._attempts[peer]
                return [*map(StopConnecting, silent), *self._chosen()]
            case ("hunt", "again"):
                return self._round(now)
            case ("hunt", TransportAddress() as address):
                self._announced.forget(address)
            case ("hunt", "rest", TransportAddress() as address):
                if self.hunting and address not in self._attempts and address not in self._queue:
                    self._timers.cancel(_AGAIN)
                    self._queue.append(address)
                    return self._fill(now)
        return []

    def _better(self, peer: TransportAddress) -> bool:
        """Whether a place is being tried that comes before this guess."""
        return any(each in self._attempts and each != self._avoided for each in self._before.get(peer, ()))

    def _chosen(self) -> list[Effect]:
        """The first guess that answered, once those before it did not: it is there already, and told as up again."""
        for peer in self._static:
            if peer in self._held and not self._better(peer):
                del self._held[peer]
                self._attempts[peer] = None
                return [Connect(peer)]
        return []

    def _remember(self, address: TransportAddress) -> bool:
        """Keep an address; whether it was known."""
        if address in self._heard:
            if next(reversed(self._heard)) != address:
                del self._heard[address]
                self._heard[address] = None
            return True
        if any(same_place(address, known) for known in self._static):
            return True
        known = address in self._announced
        self._heard[address] = None
        if len(self._heard) > MOST_HEARD:
            del self._heard[next(iter(self._heard))]
        return known

    def _round(self, now: float) -> list[Effect]:
        self._timers.cancel(_AGAIN)
        self._queue = [
            peer for peer in self.known if peer not in self._attempts and ("hunt", _REST, peer) not in self._timers
        ]
        return self._fill(now)

    def _rest(self, address: TransportAddress, now: float) -> None:
        pause = self._redial(address).lost(now)
        if pause:
            self._timers.set(("hunt", _REST, address), now + pause)

    def _redial(self, address: TransportAddress) -> Redial:
        redial = self._redials.get(address)
        if redial is None:
            if len(self._redials) >= _MOST_REDIALS:
                del self._redials[next(iter(self._redials))]
            redial = self._redials[address] = Redial(PAUSES)
        return redial

    def _forget(self, address: TransportAddress) -> None:
        self._timers.cancel(("hunt", address))
        if address in self._queue:
            self._queue.remove(address)

    def _fill(self, now: float) -> list[Effect]:
        effects: list[Effect] = []
        while self._queue and len(self._attempts) < AT_ONCE:
            peer = self._queue.pop(0)
            self._attempts[peer] = None
            effects.append(Connect(peer))
        if not self._attempts and self.hunting:
            # Everybody refused: pause a little longer each time, instead of idling until T5.
            self.rounds += 1
            self._pause = PAUSES.after(self._pause)
            self._timers.set(_AGAIN, now + self._pause)
        return effects

    def _settle(self, association: Association, address: TransportAddress) -> list[Effect]:
        effects = self.stop()
        self._t5 = self._profile.t5_server_hunt
        self.rounds = 0
        self._avoided = None
        self._remember(address)
        self.home, self.address = association, address
        return effects


def _addresses(message: asap.ServerAnnounce, source: str) -> list[TransportAddress]:
    if not message.transports:
        # 3.6: without transport parameters, SCTP at the source address and the IANA port.
        return [TransportAddress((source,), ASAP_PORT, message.encapsulation)]
    addresses = []
    for transport in message.transports[:MOST_OF_ONE]:
        if isinstance(transport, SctpTransport):
            addresses.append(TransportAddress(transport.addresses, transport.port, message.encapsulation))
        else:
            addresses.append(TransportAddress((transport.address,), transport.port, protocol="tcp"))
    return addresses
