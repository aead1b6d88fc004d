"""A registrar among registrars that are played by hand: ENRP messages in and out, by name of the peer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from rserpool.core import Connect, PoolElementParameter, SctpTransport, Send, TransportAddress
from rserpool.core.addresses import ENRP_PORT
from rserpool.core.effects import Association
from rserpool.core.identity import Credentials
from rserpool.core.profiles import RFC
from rserpool.core.wire import enrp
from rserpool.core.wire.parameters import DATA_PLUS_CONTROL, ServerInformation
from tests.core.registrar.stage import SERVER, RegistrarStage
from tests.core.stage import element

P, Q, R = 0x1111, 0x2222, 0x7777
"""Server identifiers of peers; ours, 0x5e12, is greater than P and Q, and smaller than R."""


def place(identifier: int) -> TransportAddress:
    """Where a peer is."""
    return TransportAddress((f"10.0.3.{identifier & 0xFF}",), ENRP_PORT)


def information(identifier: int) -> ServerInformation:
    """What it tells about itself."""
    return ServerInformation(identifier, SctpTransport(ENRP_PORT, 0, place(identifier).hosts))


class PeeringStage(RegistrarStage):
    """Drives one registrar. Associations with peers are named by the peers' server identifiers.

    @ivar private: whether the peers say that they know our private parameters.
    @ivar proved: what the peers prove by their identifiers; nothing, and in the clear, who is not there.
    """

    private = True
    proved: dict[int, Credentials] = {}

    def __init__(self, *configured: int, **options: Any) -> None:
        options.setdefault("profile", RFC)
        super().__init__(**options)
        self.enrp = self.registrar.enrp
        self.peering = self.registrar.peering
        self.checksums: dict[int, int] = {}
        own = ServerInformation(SERVER, SctpTransport(ENRP_PORT, 0, ("10.0.3.0",)))
        self.began = self.note(self.enrp.join(own, [place(each) for each in configured], self.now))

    def meet(self, identifier: int, outbound: bool = False) -> list[Any]:
        """An association with a peer, which presents itself; what the registrar sends to it."""
        credentials = self.proved.get(identifier)
        effects = self.enrp.association_up(identifier, place(identifier), self.now, outbound, credentials)
        self.note(effects)
        return self.to(identifier, effects) + self.hear(
            identifier, enrp.Presence(identifier, SERVER, 0xFFFF, information(identifier), private=self.private)
        )

    def hear(self, identifier: int, message: enrp.Message) -> list[Any]:
        """A message of a peer; what the registrar sends back to it."""
        return self.to(identifier, self.all_of(identifier, message))

    def all_of(self, identifier: int, message: enrp.Message) -> list[Any]:
        """A message of a peer; every effect."""
        data = enrp.encode(message)
        known = self.enrp.at_once(identifier, data, self.now) if self.at_once else None
        if known is not None:
            return self.note(known)
        return self.note(self.enrp.receive(identifier, enrp.decode(data).message, self.now))

    def presence(self, identifier: int, checksum: int | None = None, **options: Any) -> list[Any]:
        """A presence of a peer whose handlespace is as we believe, or has another checksum."""
        if checksum is None:
            checksum = self.registrar.handlespace.checksum_of(identifier)
        options.setdefault("private", self.private)
        return self.hear(identifier, enrp.Presence(identifier, SERVER, checksum, information(identifier), **options))

    def lose(self, identifier: int) -> list[Any]:
        """The association with a peer is gone."""
        return self.note(self.enrp.association_lost(identifier, self.now))

    def update(self, identifier: int, handle: bytes, parameter: Any, action: int = 0) -> list[Any]:
        """A peer tells of an element; every effect."""
        return self.all_of(identifier, enrp.HandleUpdate(identifier, 0, action, handle, parameter))

    def silence(self, seconds: float, *speaking: int) -> list[Any]:
        """Time passes; only these peers let themselves be heard. Every effect."""
        effects: list[Any] = []
        end = self.now + seconds
        while self.now < end:
            for identifier in speaking:
                self.presence(identifier)
            effects += self.pass_time(min(1.0, end - self.now))
        return effects

    def ready(self, *peers: int) -> PeeringStage:
        """Initialized, with peers whose handlespaces are empty; what was said so far does not matter."""
        for identifier in peers:
            for message in self.meet(identifier):
                if isinstance(message, enrp.HandleTableRequest):
                    self.hear(identifier, enrp.HandleTableResponse(identifier, SERVER))
        return self

    def elements(self, handle: bytes) -> dict[int, int]:
        """Identifier and home of each element in a pool."""
        pool = self.registrar.handlespace.pools.get(handle)
        return {} if pool is None else {each.identifier: each.home for each in pool.elements.values()}

    @staticmethod
    def to(identifier: Association, effects: list[Any], kind: type = object) -> list[Any]:
        """The messages among effects that go to a peer, decoded."""
        messages = [
            enrp.decode(e.message if isinstance(e.message, bytes) else enrp.encode(e.message)).message
            for e in effects
            if isinstance(e, Send) and e.association == identifier
        ]
        return [message for message in messages if isinstance(message, kind)]

    @staticmethod
    def calls(effects: list[Any]) -> list[TransportAddress]:
        """Which peers' addresses are dialled."""
        return [e.peer for e in effects if isinstance(e, Connect) and e.channel == "enrp"]

    def request(self, handle: bytes = b"pool") -> Any:
        """A user asks; the answer."""
        self.up("user", host="10.0.9.9")
        return self.resolve("user", handle)


def owned(home: int, identifier: int, policy: str = "round-robin", port: int = 80) -> PoolElementParameter:
    """An element of a peer, as ENRP tells it."""
    asap_transport = SctpTransport(5000, DATA_PLUS_CONTROL, ("10.0.0.1",))
    return replace(
        element(identifier, policy, port=port), home=home, asap_transport=asap_transport, encapsulation=40000
    )
