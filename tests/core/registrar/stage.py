"""A registrar on a stage: associations by name, messages in, messages out, time by hand."""

from __future__ import annotations

from random import Random
from typing import Any

from rserpool.core import Connect, Notify, PoolElementParameter, Send, TransportAddress
from rserpool.core.identity import Credentials
from rserpool.core.profiles import DEFAULT
from rserpool.core.registrar import Registrar
from rserpool.core.wire import asap
from tests.core.stage import Stage

SERVER = 0x5E12


class RegistrarStage(Stage):
    """Drives one registrar.

    @ivar at_once: whether it is asked first, as a driver does, for an answer that is kept.
    """

    at_once = True

    def __init__(self, **options: Any) -> None:
        options.setdefault("profile", DEFAULT)
        self.role = self.registrar = Registrar(SERVER, random=Random(1), **options)
        self.effects: list[Any] = []

    def up(self, name: str, host: str = "10.0.0.1", port: int = 5000, **options: Any) -> None:
        """An association is accepted (or, outbound=True, was opened for us)."""
        outbound, credentials = options.pop("outbound", False), options.pop("credentials", None)
        peer = TransportAddress((host,), port, options.pop("encapsulation", 40000), **options)
        self.note(self.registrar.association_up(name, peer, self.now, outbound, credentials))

    def lost(self, name: str) -> list[Any]:
        return self.note(self.registrar.association_lost(name, self.now))

    def met(self, name: str, effects: list[Any], credentials: Credentials = None) -> list[Any]:
        """Who is dialled has dialled us, as C{name}: a driver says so, since two endpoints have one association."""
        dialled, up = self.dialled(effects), self.registrar.association_up
        answers = [up(name, peer, self.now, True, credentials) for peer in dialled]
        return self.note([effect for answer in answers for effect in answer])

    def refused(self, peer: TransportAddress) -> list[Any]:
        return self.note(self.registrar.connect_failed(peer, self.now))

    def tell(self, name: str, message: Any) -> list[Any]:
        """A message goes over the wire to the registrar; returns what the registrar sends back to the same peer."""
        data = asap.encode(message)
        answer = self.registrar.at_once(name, data, self.now) if self.at_once else None
        if answer is not None:
            return self.sent(name, self.note([Send(name, answer)] if isinstance(answer, bytes) else answer))
        return self.sent(name, self.note(self.registrar.receive(name, asap.decode(data).message, self.now)))

    def stall(self, seconds: float) -> list[Any]:
        """The registrar's own loop stands still; then its timer comes, late."""
        self.registrar.next_deadline()
        self.now += seconds
        return self.note(self.registrar.tick(self.now))

    def register(self, name: str, handle: bytes, parameter: PoolElementParameter) -> list[Any]:
        return self.tell(name, asap.Registration(handle, parameter))

    def resolve(self, name: str, handle: bytes, items: int | None = None, subscribe: bool = False) -> Any:
        (answer,) = self.tell(name, asap.HandleResolution(handle, subscribe, items))
        return answer

    def note(self, effects: list[Any]) -> list[Any]:
        self.effects += effects
        return effects

    @staticmethod
    def sent(name: str, effects: list[Any]) -> list[Any]:
        """The messages among effects that go to one peer, decoded."""
        return [
            asap.decode(e.message if isinstance(e.message, bytes) else asap.encode(e.message)).message
            for e in effects
            if isinstance(e, Send) and e.association == name
        ]

    @staticmethod
    def dialled(effects: list[Any]) -> list[TransportAddress]:
        return [e.peer for e in effects if isinstance(e, Connect)]

    @staticmethod
    def notified(effects: list[Any], kind: type) -> list[Any]:
        return [e.event for e in effects if isinstance(e, Notify) and isinstance(e.event, kind)]
