"""The driver of a role: it decodes, calls the role, performs the effects in order, and keeps one timer.

It knows neither a reactor nor sockets: a L{Loop} gives it time and timers, and over L{Channel}s messages come and go.
Between two endpoints it keeps one association (RFC 9260 section 1.3).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import Any, cast

from rserpool.core.addresses import TransportAddress, places
from rserpool.core.effects import Abort, Announce, Close, Connect, Effect, Notify, Probe, Send, StopConnecting
from rserpool.core.errors import Unproved, WireError
from rserpool.core.wire import asap
from rserpool.core.wire.causes import ErrorCause, cause_of, unrecognized_parameters
from rserpool.node.deadline import Deadline
from rserpool.node.loop import Carrier, Loop
from rserpool.node.role import AtOnce, Codec, Role, Speaker
from rserpool.node.strangers import Announcers, Strangers


class Channel:
    """One protocol of a role: dials for it, decodes what comes in, and tells it.

    Who derives from it says how to L{dial}, and calls L{up}, L{received}, L{lost} and so on.

    @ivar came: bytes of the messages that came in so far; C{sent}: of those that were sent.
    @ivar multicast: C{multicast(data)} announces a message; None where announcements are off.
    @ivar strangers: who sends what cannot be understood.
    @ivar refuse: what answers a request that cannot be decoded; None where an error is all that is due.
    @ivar addresses_changed: what hears that a peer's addresses are not those that it came with; None for nothing.
    """

    def __init__(self, driver: Driver, speaker: Speaker[Any], codec: Codec, ppid: int) -> None:
        self.driver = driver
        self.speaker = speaker
        self.codec = codec
        self.ppid = ppid
        self.strangers = Strangers(driver.log)
        self.announcers = Announcers(driver.log)
        self.came = self.sent = 0
        self.multicast: Callable[[bytes], None] | None = None
        self.refuse: Callable[[bytes, WireError], asap.Message | None] | None = None
        self.addresses_changed: Callable[[Hashable, tuple[str, ...], float], list[Effect]] | None = None
        self._at_once: AtOnce | None = getattr(speaker, "at_once", None)
        self._dialled: dict[TransportAddress, Carrier] = {}
        # One endpoint may be dialled by several addresses: one that was configured, and one that it told.
        self._called: dict[Carrier, list[TransportAddress]] = {}
        self._under_way: dict[tuple[str, int, int, str], Carrier] = {}
        self._given_up: set[Carrier] = set()
        self._where: dict[Carrier, TransportAddress] = {}
        self._present: dict[tuple[str, int, int, str], Carrier] = {}

    def dial(self, peer: TransportAddress) -> Carrier:
        """Begin to open an association; L{up} or L{lost} follows, never during this call.

        @raise Exception: if that is impossible here: the role tries another peer.
        """
        raise NotImplementedError

    def connect(self, peer: TransportAddress) -> None:
        """Have an association with this peer; the role hears how that went, after this call."""
        if peer in self._dialled:
            return
        if (present := self._with(peer)) is not None:
            self._dialled[peer] = present
            self.driver.met.append((self, peer))
        else:
            self.begin(peer, peer)

    def begin(self, peer: TransportAddress, there: TransportAddress) -> None:
        """Dial a peer, at what its names stand for."""
        carrier = next((self._under_way[place] for place in places(there) if place in self._under_way), None)
        try:
            carrier = carrier or self.dial(there)
        except Exception as error:  # noqa: BLE001
            # For example an address family that this host does not have: the role tries another peer.
            self.driver.log.warn("cannot reach {peer}: {error}", peer=str(peer), error=error)
            self.driver.loop.call_later(0, self._attempt_over, peer)
            return
        self._dialled[peer] = carrier
        self._called.setdefault(carrier, []).append(peer)
        self._under_way.update(dict.fromkeys(places(there), carrier))

    def meet(self, peer: TransportAddress) -> None:
        """The association with a peer that was to be dialled is there already."""
        if self._dialled.pop(peer, None) is None:
            return
        if self._with(peer) is None:
            self.connect(peer)
        else:
            self._attempt_over(peer)

    def stop_connecting(self, peer: TransportAddress) -> None:
        """Give up an attempt."""
        dialled = self._dialled.pop(peer, None)
        if dialled is None or dialled in self._where:
            return
        if not any(self._dialled.get(each) is dialled for each in self._called.get(dialled, ())):
            self._answered(dialled)
            self._given_up.add(dialled)
            dialled.abort()

    def stop(self) -> None:
        """Give up every attempt; answer nothing more."""
        self._at_once = None
        for peer in list(self._dialled):
            self.stop_connecting(peer)

    def send(self, carrier: Carrier, data: bytes) -> None:
        """Send one message."""
        carrier.send(data, self.ppid)

    def leave(self, carrier: Carrier) -> None:
        """An association is about to end: whoever wants its peer dials."""
        if (peer := self._where.pop(carrier, None)) is not None:
            for place in places(peer):
                if self._present.get(place) is carrier:
                    del self._present[place]

    def does_not_fit(self, carrier: Carrier, message: Any, error: ValueError) -> None:
        """A message cannot be encoded: a pool handle is too long for it. The peer has asked, or it is ours."""
        if self.refuse is None:
            self.driver.log.warn("{what} is not sent: {error}", what=type(message).__name__, error=error)
            return
        self._report(carrier, 0, (self.strangers.too_long(carrier, getattr(message, "handle", b""), error),))

    # What happens

    def up(self, carrier: Carrier) -> bool:
        """An association is up; whether it is wanted."""
        peer, outbound, now = carrier.peer, carrier.outbound, self.driver.now()
        if outbound:
            if not (wanted := self._answered(carrier)):
                self._given_up.add(carrier)
                carrier.abort()
                return False
            peer, *others = wanted
            for other in others:
                self._dialled[other] = carrier
                self.driver.met.append((self, other))
        self._settle(carrier, peer)
        self.driver.belongs(carrier, self)
        self.driver.perform(self.speaker.association_up(carrier, peer, now, outbound, carrier.credentials))
        return True

    def received(self, carrier: Carrier, data: bytes) -> None:
        """A message came in."""
        self.came += len(data)
        answer = None if self._at_once is None else self._at_once(carrier, data, self.driver.now())
        if type(answer) is list:
            self.driver.perform(answer)
            return
        if type(answer) is bytes:
            self.sent += len(answer)
            carrier.send(answer, self.ppid)
            return
        try:
            decoded = self.codec.decode(data)
        except WireError as error:
            self.strangers.came(carrier, str(error))
            refusal = self.refuse(data, error) if self.refuse is not None and error.report else None
            if refusal is not None:
                self.driver.perform([Send(carrier, refusal)])
            elif error.report:
                self._report(carrier, 0, (cause_of(error),))
            return
        if decoded.unrecognized:
            self._report(carrier, getattr(decoded.message, "sender", 0), unrecognized_parameters(decoded.unrecognized))
        self.driver.perform(self.speaker.receive(carrier, decoded.message, self.driver.now()))

    def announced(self, data: bytes, source: str) -> None:
        """A datagram came in at the multicast group, from the IP address C{source}."""
        if not self.announcers.admits(len(data), source, self.driver.now()):
            return
        try:
            decoded = self.codec.decode(data)
        except WireError as error:
            self.driver.log.debug("{source} announced what cannot be understood: {error}", source=source, error=error)
            return
        self.driver.perform(self.speaker.announcement(decoded.message, source, self.driver.now()))

    def moved(self, carrier: Carrier, hosts: tuple[str, ...]) -> None:
        """The IP addresses of a peer are these."""
        if (peer := self._where.get(carrier)) is not None and hosts:
            self.leave(carrier)
            self._settle(carrier, replace(peer, hosts=hosts))
        if self.addresses_changed is not None:
            self.driver.perform(self.addresses_changed(carrier, hosts, self.driver.now()))

    def paused(self, carrier: Carrier) -> None:
        """The peer reads too slowly."""
        self.driver.perform(self.speaker.association_paused(carrier, self.driver.now()))

    def resumed(self, carrier: Carrier) -> None:
        """It reads again."""
        self.driver.perform(self.speaker.association_resumed(carrier, self.driver.now()))

    def lost(self, carrier: Carrier) -> None:
        """An association is gone, or could not be opened."""
        failure: Unproved | None = getattr(carrier, "failure", None)
        self.strangers.forget(carrier)
        self.leave(carrier)
        self.driver.forget(carrier)
        if carrier in self._given_up:
            self._given_up.discard(carrier)
        elif wanted := self._answered(carrier):
            for peer in wanted:
                self._attempt_over(peer, failure)
        else:
            self.driver.perform(self.speaker.association_lost(carrier, self.driver.now(), failure))

    def _answered(self, carrier: Carrier) -> list[TransportAddress]:
        """It is dialled no more; the addresses by which it was wanted."""
        called = dict.fromkeys(self._called.pop(carrier, ()))
        wanted = [peer for peer in called if self._dialled.get(peer) is carrier]
        for peer in wanted:
            del self._dialled[peer]
        for place in (place for peer in (carrier.peer, *called) for place in places(peer)):
            if self._under_way.get(place) is carrier:
                del self._under_way[place]
        return wanted

    def _attempt_over(self, peer: TransportAddress, failure: Unproved | None = None) -> None:
        """To dial fails, or is not needed, where the peer has dialled us meanwhile: it was restarted, for example."""
        present, now = self._with(peer), self.driver.now()
        if present is None:
            self.driver.perform(self.speaker.connect_failed(peer, now, failure))
        else:
            self.driver.perform(self.speaker.association_up(present, peer, now, True, present.credentials))

    def _with(self, peer: TransportAddress) -> Carrier | None:
        return next((self._present[place] for place in places(peer) if place in self._present), None)

    def _settle(self, carrier: Carrier, peer: TransportAddress) -> None:
        self._where[carrier] = peer
        for place in places(peer):
            self._present[place] = carrier

    def _report(self, carrier: Carrier, receiver: int, causes: tuple[ErrorCause, ...]) -> None:
        error = asap.Error(causes) if self.codec is asap else self.codec.Error(self.driver.server, receiver, causes)
        carrier.send(self.codec.encode(error), self.ppid)


class Driver:
    """Runs a role.

    @ivar server: the ENRP server identifier of a registrar; 0 for others.
    @ivar channels: by the names that effects use: C{"asap"}, which comes first, and a registrar's C{"enrp"}.
    @ivar now: the loop's monotonic clock.
    @ivar notify: called with each event of the role; who wants to hear them too may put itself in between.
    @ivar met: peers that a role wants and has, to be told of at the end of L{perform}.
    """

    def __init__(self, loop: Loop, role: Role, notify: Callable[[Any], object], *, server: int = 0) -> None:
        self.loop, self.log, self.now = loop, loop.log, loop.now
        self.server = server
        self.channels: dict[str, Channel] = {}
        self.met: deque[tuple[Channel, TransportAddress]] = deque()
        self._role = role
        self.notify = notify
        self._channel_of: dict[Any, Channel] = {}
        self._deadline = Deadline(loop, self._tick)
        self._stopped = False

    def belongs(self, carrier: Carrier, channel: Channel) -> None:
        """What is sent over an association is of this channel; without a word it is ASAP."""
        if channel is not self.channels["asap"]:
            self._channel_of[carrier] = channel

    def forget(self, carrier: Carrier) -> None:
        """An association is gone."""
        self._channel_of.pop(carrier, None)

    def perform(self, effects: list[Effect]) -> None:
        """Do what the role asked for, in order, and re-arm the timer."""
        if self._stopped:
            return
        asap_channel = self.channels["asap"]
        for effect in effects:
            if type(effect) is Send:
                carrier: Any = effect.association
                message = effect.message
                channel = self._channel_of.get(carrier, asap_channel)
                try:
                    data = message if type(message) is bytes else channel.codec.encode(message)
                    channel.sent += len(data)
                    if channel is asap_channel:
                        carrier.send(data, channel.ppid)
                    else:
                        channel.send(carrier, data)
                except ValueError as error:
                    channel.does_not_fit(carrier, message, error)
            elif type(effect) is Notify:
                self.notify(effect.event)
            else:
                self._perform(effect)
        while self.met:
            channel, peer = self.met.popleft()
            channel.meet(peer)
        if not self._stopped:  # by whoever was told just now
            self._deadline.wait(self._role.next_deadline())

    def stop(self) -> None:
        """Do nothing more: neither on our own nor for anybody."""
        self._stopped = True
        self._deadline.stop()
        for channel in self.channels.values():
            channel.stop()

    def _perform(self, effect: Effect) -> None:
        match effect:
            case Connect(peer, name):
                self.channels[name].connect(peer)
            case StopConnecting(peer):
                self.channels["asap"].stop_connecting(peer)
            case Probe(association):
                cast("Carrier", association).probe()
            case Close(association):
                self._leave(association).close()
            case Abort(association):
                self._leave(association).abort()
            case Announce(message, name):
                channel = self.channels[name]
                if channel.multicast is not None:
                    channel.multicast(channel.codec.encode(message))
            case _:
                raise TypeError(f"no such effect: {effect!r}")

    def _leave(self, association: Hashable) -> Carrier:
        carrier = cast("Carrier", association)
        self._channel_of.get(carrier, self.channels["asap"]).leave(carrier)
        return carrier

    def _tick(self) -> None:
        self.perform(self._role.tick(self.now()))
