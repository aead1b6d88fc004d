"""A pool user on a stage: associations by name, messages in, messages out, time by hand."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import (
    Abort,
    CauseCode,
    Close,
    Connect,
    Notify,
    PoolElementParameter,
    Probe,
    Send,
    StopConnecting,
    TransportAddress,
)
from rserpool.core.errors import Unproved
from rserpool.core.handles import NOBODY
from rserpool.core.profiles import DEFAULT
from rserpool.core.server_hunt import HomeChanged
from rserpool.core.user import PoolUser, ResolutionFailed
from rserpool.core.wire import asap
from rserpool.core.wire.parameters import ErrorCause
from rserpool.user import Resolved
from tests.core import stage


def registrar(number: int) -> TransportAddress:
    """Where the n-th registrar is."""
    return TransportAddress((f"10.0.0.{number}",), 3863)


def element(identifier: int, policy: str = "round-robin") -> PoolElementParameter:
    """A pool element as a registrar hands it out."""
    return stage.element(identifier, policy, "10.0.1.1", port=8000 + identifier, home=1)


def answer(handle: bytes, *identifiers: int, policy: str = "round-robin", accepted: bool = False) -> Any:
    """A positive answer."""
    elements = tuple(element(identifier, policy) for identifier in identifiers)
    return asap.HandleResolutionResponse(handle, elements[0].policy, elements, accepted)


def refusal(handle: bytes, cause: int) -> Any:
    """A negative answer."""
    return asap.HandleResolutionResponse(handle, causes=(ErrorCause(cause),))


class UserStage(stage.Stage):
    """Drives one pool user. Associations are named by the address that was dialled."""

    def __init__(self, registrars: int = 1, **options: Any) -> None:
        options.setdefault("profile", DEFAULT)
        options.setdefault("random", Random(1))
        protocol = options.get("protocol", "sctp")
        known = [replace(registrar(n + 1), protocol=protocol) for n in range(registrars)]
        self.role = self.user = PoolUser(known, **options)
        self._protocol = protocol
        self.dialling: list[TransportAddress] = []
        self.sent: list[tuple[Any, Any]] = []
        self.ended: list[Any] = []
        self.events: list[Any] = []
        self.probed: list[Any] = []

    def note(self, effects: list[Any]) -> list[Any]:
        self.do(effects)
        return effects

    def do(self, effects: list[Any]) -> None:
        """Note what the role wants done."""
        for effect in effects:
            match effect:
                case Connect(peer):
                    assert peer not in self.dialling, f"{peer} is dialled twice"
                    self.dialling.append(peer)
                case StopConnecting(peer):
                    self.dialling.remove(peer)
                case Send(association, message):
                    self.sent.append((association, asap.decode(asap.encode(message)).message))
                case Probe(association):
                    self.probed.append(association)
                case Close(association) | Abort(association):
                    self.ended.append(association)
                case Notify(event):
                    if not isinstance(event, HomeChanged):
                        self.events.append(event)
                case _:
                    raise AssertionError(effect)

    def peer(self, number: int) -> TransportAddress:
        """Where the n-th registrar is, by the protocol that this user speaks."""
        return replace(registrar(number), protocol=self._protocol)

    def up(self, number: int = 1) -> None:
        """The association to the n-th registrar, that is being dialled, is up."""
        peer = self.peer(number)
        self.dialling.remove(peer)
        self.do(self.user.association_up(peer, peer, self.now, True))

    def refused(self, number: int = 1, failure: Unproved | None = None) -> None:
        """The association to the n-th registrar, that is being dialled, failed."""
        peer = self.peer(number)
        self.dialling.remove(peer)
        self.do(self.user.connect_failed(peer, self.now, failure))

    def lost(self, number: int = 1) -> None:
        """The association to the n-th registrar is gone."""
        self.do(self.user.association_lost(self.peer(number), self.now))

    def says(self, message: Any, number: int = 1) -> None:
        """The n-th registrar sends a message."""
        self.do(self.user.receive(self.peer(number), asap.decode(asap.encode(message)).message, self.now))

    def resolve(self, request: str, handle: bytes = b"pool", timeout: float = 10.0, **options: Any) -> None:
        """The application asks."""
        self.do(self.user.resolve(request, handle, self.now, deadline=self.now + timeout, **options))

    def subscribe(self, handle: bytes = b"pool", **options: Any) -> None:
        """The application watches."""
        self.do(self.user.subscribe(handle, self.now, **options))

    def watch_for(self, seconds: float) -> None:
        """Time passes, and the first registrar answers who asks whether it is there."""
        end = self.now + seconds
        while self.now < end:
            self.pass_time(min(0.5, end - self.now))
            for sent in [sent for sent in self.sent if getattr(sent[1], "handle", b"") == NOBODY]:
                self.sent.remove(sent)
                self.says(refusal(NOBODY, CauseCode.UNKNOWN_POOL_HANDLE))

    def asked(self) -> list[Any]:
        """The messages sent since the last call."""
        sent, self.sent = self.sent, []
        return [message for _, message in sent]

    def told(self) -> list[Any]:
        """The events since the last call."""
        events, self.events = self.events, []
        return events


def ids(event: Any) -> list[int]:
    """The identifiers of the elements, in order."""
    return [element.identifier for element in event.elements]


class StageCase(SynchronousTestCase):
    """With a pool user that has found its registrar."""

    def setUp(self) -> None:
        self.stage = UserStage()
        self.stage.resolve("warm up", b"other")
        self.stage.up()
        self.stage.says(answer(b"other", 1))
        self.stage.asked()
        self.stage.told()

    def resolved(self) -> list[list[int]]:
        """What the resolutions since the last call gave."""
        events = self.stage.told()
        for event in events:
            self.assertIsInstance(event, Resolved)
        return [ids(event) for event in events]

    def error(self) -> Exception:
        """How the one resolution failed."""
        (event,) = self.stage.told()
        self.assertIsInstance(event, ResolutionFailed)
        return event.error
