"""Links to elements whose registration does not say what they speak: their first words do (interop.md, "Sessions").

There are registrars that pass no private parameter on, and an element may have registered without. One of ours says
hello first, over TCP, or sends its business card, over SCTP. Others wait to be asked, or say something else.
"""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from rserpool.core.errors import WireError
from rserpool.core.session.traits import Traits
from rserpool.core.wire import asap
from rserpool.core.wire.frames import Hello
from rserpool.core.wire.parameters import PoolElementParameter, UserTransport
from rserpool.sctp.base import PPID_ASAP
from rserpool.sctp.interfaces import ISctpProtocol
from rserpool.session.links import LinkOwner
from rserpool.session.sctp import SctpLink
from rserpool.session.tcp import FramedLink, TcpLink
from rserpool.user.service import PoolUserService

WAIT = 0.1
"""Seconds in which an element that is met for the first time has said something, if it is one of ours; over TCP, where
its hello is a round trip later than the connection, twice as long as the connection took besides. One that is slower is
connected to once more."""
MOST = 1_000
"""So many elements are remembered."""
_BEGINNING = Hello().encode()[:12]
"""What an element of ours says first over TCP, whatever its version."""


class Speech:
    """What elements were heard to speak, for one pool user."""

    def __init__(self, reactor: Any) -> None:
        self.reactor = reactor
        self._framed: dict[tuple[int, UserTransport], bool] = {}

    def of(self, element: PoolElementParameter) -> bool | None:
        """Whether it speaks session framing; None where that is not known."""
        return self._framed.get((element.identifier, element.user_transport))

    def heard(self, element: PoolElementParameter, framed: bool | None) -> None:
        """This is what it speaks; None: it is not known any more."""
        key = element.identifier, element.user_transport
        self._framed.pop(key, None)
        if framed is not None:
            self._framed[key] = framed
            if len(self._framed) > MOST:
                del self._framed[next(iter(self._framed))]


_speech: WeakKeyDictionary[PoolUserService, Speech] = WeakKeyDictionary()


def speech_of(user: PoolUserService) -> Speech:
    """What this user has heard."""
    speech = _speech.get(user)
    if speech is None:
        speech = _speech[user] = Speech(user.reactor)
    return speech


class ListeningTcpLink(FramedLink):
    """Session framing, if the element begins with a hello; else its bytes: no boundaries, no control channel."""

    def __init__(self, owner: LinkOwner, hello: Hello, element: PoolElementParameter, speech: Speech) -> None:
        super().__init__(owner, hello)
        self._element = element
        self._speech = speech
        self._framed: bool | None = None
        self._first: bytearray | None = bytearray()
        self._began = speech.reactor.seconds()
        self._patience: Any = None

    def connectionMade(self) -> None:
        TcpLink.connectionMade(self)
        known = self._speech.of(self._element)
        if known is None:
            reactor = self._speech.reactor
            self._patience = reactor.callLater(WAIT + 2 * (reactor.seconds() - self._began), self._plain)
        elif not known:
            self._plain()

    def dataReceived(self, data: bytes) -> None:
        if self._first is None:
            if self._framed:
                super().dataReceived(data)
            else:
                self.owner.link_data(self, data)
            return
        self._first += data
        if _BEGINNING.startswith(self._first[: len(_BEGINNING)]):
            if len(self._first) >= len(_BEGINNING):
                self._greeted_by(bytes(self._first))
            return
        first, self._first = bytes(self._first), None
        self._plain()
        if not self.over:
            self.owner.link_data(self, first)

    def say(self, kind: int, data: bytes) -> None:
        if self._framed:
            super().say(kind, data)
        else:
            self.transport.write(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._framed is None:
            self._speech.heard(self._element, None)
            self._wait_no_more()
        super().connectionLost(reason)

    def _greeted_by(self, first: bytes) -> None:
        self._first = None
        self._speech.heard(self._element, True)
        if self._framed is None:
            self._framed = True
            self._wait_no_more()
            self.transport.write(self._hello.encode())
            super().dataReceived(first)
        else:
            # Too late for this connection.
            self.owner.link_goodbye(self)

    def _plain(self) -> None:
        if self._framed is None and not self.over:
            self._framed = False
            self.traits = Traits(control=False, numbered=False, messages=False)
            self._wait_no_more()
            self._speech.heard(self._element, False)
            self.owner.link_up(self, None)

    def _wait_no_more(self) -> None:
        if self._patience is not None and self._patience.active():
            self._patience.cancel()


@implementer(ISctpProtocol)
class ListeningSctpLink(SctpLink):
    """Numbered requests, if the element's business card says so."""

    def __init__(self, owner: LinkOwner, ppid: int, element: PoolElementParameter, speech: Speech) -> None:
        super().__init__(owner, ppid, control=True)
        self._element = element
        self._speech = speech
        self._up = False
        self._patience: Any = None

    def makeConnection(self, transport: Any) -> None:
        self.transport = transport
        transport.registerProducer(self, True)
        if self.over:
            self.abort()
        else:
            self._patience = self._speech.reactor.callLater(WAIT, self._is_up, False)

    def messageReceived(self, data: bytes, ppid: int, stream: int, unordered: bool) -> None:
        if not self._up or (ppid == PPID_ASAP and not self.traits.numbered):
            framed = ppid == PPID_ASAP and _card_says(data)
            if framed:
                self._speech.heard(self._element, True)
            self._is_up(framed)
        super().messageReceived(data, ppid, stream, unordered)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._wait_no_more()
        super().connectionLost(reason)

    def _is_up(self, framed: bool) -> None:
        if not self._up and not self.over:
            self._up = True
            self._wait_no_more()
            self.traits = Traits(control=True, numbered=framed, messages=True)
            self._speech.heard(self._element, framed)
            self.owner.link_up(self, None)

    def _wait_no_more(self) -> None:
        if self._patience is not None and self._patience.active():
            self._patience.cancel()


def _card_says(data: bytes) -> bool:
    """Whether this is the business card of an element that speaks session framing."""
    try:
        card = asap.decode(data).message
    except WireError:
        return False
    return isinstance(card, asap.BusinessCard) and bool(card.framing)
