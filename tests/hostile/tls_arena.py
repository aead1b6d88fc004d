"""A secured scope among hostile neighbours: mutated bytes before, in and after the handshake of TLS (RFC 5355).

Some have no key and some another's name; one has a key of its own, and is an element like any other; one is a user that
proves nothing. What OpenSSL draws has no seed, so a run is the same in what is tried, not in each byte.
"""

from __future__ import annotations

from random import Random
from typing import Any

from rserpool.core import TransportAddress
from rserpool.core.identity import Identity
from rserpool.core.wire import asap, enrp
from rserpool.core.wire.stream import whole_messages
from rserpool.sctp.base import PPID_ASAP, PPID_ENRP
from rserpool.security.engine import TlsConnection, TlsSide
from rserpool.security.failure import TlsFailure
from rserpool.security.keys import Key
from rserpool.security.records import each_record
from rserpool.security.way import RECORD, Terms
from rserpool.testing.security import SCOPE
from tests.hostile.arena import Arena, Stranger

ASAP, ENRP = 3864, 9902
LANES = ("clear", "before", "within", "after")
LENGTHS = (0, 1, 2, 3, 5, 0xFF, 0x3FFF, 0x4000, 0x4001, 0x4800, 0x4801, 0x7FFF, 0xFFFF)


def mutated(data: bytes, random: Random) -> bytes:
    """Records, or what was one."""
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        place = random.randrange(len(data) + 1)
        change = random.randrange(9)
        if change <= 1 and data:
            place %= len(data)
            data = data[:place] + bytes([data[place] ^ 1 << random.randrange(8)]) + data[place + 1 :]
        elif change == 2:
            data = data[:3] + random.choice(LENGTHS).to_bytes(2, "big") + data[5:]
        elif change == 3:
            data = data[: place & ~1] + random.choice(LENGTHS).to_bytes(2, "big") + data[(place & ~1) + 2 :]
        elif change == 4:
            data = bytes([random.choice((0, 20, 21, 22, 23, 24, 128, 255))]) + data[1:]
        elif change == 5:
            data = data[:place]
        elif change == 6:
            data = data + data
        elif change == 7:
            data = data[:place] + random.randbytes(random.choice((1, 2, 16, 300))) + data[place:]
        else:
            data = data[place:] + data[:place]
    return data[:65536] or b"\x16"


class TlsStranger(Stranger):
    """Somebody who speaks TLS, in his own way.

    @ivar spoils: how likely each record of his handshake is mutated.
    """

    def __init__(self, side: TlsSide, random: Random, ppid: int = PPID_ASAP, spoils: float = 0.0) -> None:
        super().__init__(acknowledges=not spoils)
        self.spoils = spoils
        self._side = side
        self._random = random
        self._ppid = ppid
        self._tls: TlsConnection | None = None
        self._received = bytearray()

    @property
    def ready(self) -> bool:
        """Whether he may say what he likes."""
        return self._tls is not None and self._tls.established

    def hello(self) -> bytes:
        """A ClientHello of his."""
        return self._side.connection([Identity("dns", SCOPE)]).start()

    def associationUp(self, association: Any) -> None:
        super().associationUp(association)
        if self.spoils < 1.0:
            self._received.clear()
            self._tls = self._side.connection([Identity("dns", SCOPE)])
            self._put(association, self._tls.start())

    def messageReceived(self, association: Any, data: bytes, ppid: int, stream: int, unordered: bool) -> None:
        tls = self._tls
        if tls is None:
            return
        try:
            if not tls.established:
                self._put(association, tls.handshake(data))
                data = b""
            if tls.established:
                self._received += tls.open(data)
                for message in whole_messages(self._received):
                    self._hears(association, message)
        except TlsFailure:
            association.abort()

    def say(self, data: bytes) -> None:
        """Seal it, and send it."""
        assert self._tls is not None
        for start in range(0, len(data), RECORD):
            for record in each_record(self._tls.write(data[start : start + RECORD])):
                self.associations[0].send(record, self._ppid)

    def spoil(self, data: bytes) -> None:
        """Send a record that is no more what it was."""
        assert self._tls is not None
        self.associations[0].send(mutated(self._tls.write(data[:RECORD]), self._random), self._ppid)

    def associationLost(self, association: Any, reason: Any) -> None:
        super().associationLost(association, reason)
        self._tls = None

    def _hears(self, association: Any, data: bytes) -> None:
        self.heard += 1
        message = (asap if self._ppid == PPID_ASAP else enrp).decode(data).message
        if self.acknowledges and isinstance(message, asap.EndpointKeepAlive):
            self.say(asap.encode(asap.EndpointKeepAliveAck(message.handle, message.identifier or 0)))

    def _put(self, association: Any, records: bytes) -> None:
        for record in each_record(records):
            spoilt = self._random.random() < self.spoils
            association.send(mutated(record, self._random) if spoilt else record, self._ppid)


class TlsArena(Arena):
    """All of them."""

    def __init__(self, seed: int, *, lanes: tuple[str, ...] = LANES) -> None:
        super().__init__(seed, lanes=lanes, secure=True)

    def _clear(self) -> None:
        """What has no TLS at all, at the ports of TLS."""
        stranger, port, ppid = self.random.choice(self._raw)
        codec = asap if port == ASAP else enrp
        self.last = self.mutator.message(codec)
        if self._there(stranger, port):
            stranger.associations[0].send(self.last, ppid)

    def _before(self) -> None:
        """A mutated ClientHello, with everything that may come behind it."""
        stranger, port, ppid = self.random.choice(self._raw)
        self.last = mutated(stranger.hello(), self.random)
        if self._there(stranger, port):
            stranger.associations[0].send(self.last, ppid)

    def _within(self) -> None:
        """A handshake, some records of which are mutated; it begins anew each time."""
        stranger, port = self.random.choice(self._handshaking)
        self.last = b"a handshake"
        if stranger.associations and self.random.random() < 0.3:
            stranger.associations[0].abort()
        self._there(stranger, port)

    def _after(self) -> None:
        """Messages of those whose handshake is over, and now and then a record that is not right."""
        stranger = self.random.choice(self.speaking)
        self.last = self.mutator.message(asap)
        if self._there(stranger, ASAP) and stranger.ready:
            (stranger.spoil if self.random.random() < 0.02 else stranger.say)(self.last)

    def _there(self, stranger: Stranger, port: int) -> bool:
        """Whether he is connected; else he dials."""
        if not stranger.associations and not stranger.dialling:
            stranger.dialling = True
            self.reconnected += 1
            self.endpoints[stranger].connect(TransportAddress((self.home.host,), port, 9899))
        return bool(stranger.associations)

    def _open_strangers(self) -> None:
        self.endpoints = {}
        random = self.random
        hostile = self.security.of("hostile", "e").current.own
        assert hostile is not None
        ca = self.security.of("u1", "u").current.server_ca
        insider, nobody = TlsSide(Terms(False, own=hostile)), TlsSide(Terms(False, anchors=ca))
        unknown = TlsSide(Terms(False, own=Key("stranger", bytes(range(32)))))
        forged = TlsSide(Terms(False, own=Key("e1", bytes(range(32)))))
        sides = (insider, nobody, unknown, forged)
        self.speaking = [TlsStranger(side, random) for side in (insider, nobody)]
        self._handshaking = [
            (TlsStranger(side, random, ppid, spoils), port)
            for side in sides
            for port, ppid in ((ASAP, PPID_ASAP), (ENRP, PPID_ENRP))
            for spoils in (0.1, 0.5)
        ]
        self._raw = [
            (TlsStranger(side, random, ppid, 1.0), port, ppid)
            for port, ppid in ((ASAP, PPID_ASAP), (ENRP, PPID_ENRP))
            for side in sides
        ]
        self.asap_strangers = [
            *self.speaking, *(each[0] for each in self._handshaking), *(each[0] for each in self._raw),
        ]  # fmt: skip
        self.enrp_strangers = []
        self.rogue = Stranger()
        for number, stranger in enumerate(self.asap_strangers):
            self.endpoints[stranger] = self.network.stack(f"10.9.{number}.1").open(0, stranger)
