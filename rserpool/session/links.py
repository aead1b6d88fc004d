"""The connection between a user and an element, as a session sees it, whatever is beneath (RFC 5352 section 3.8).

A L{Link} carries messages of the application and, where it can, the control channel. It tells a L{LinkOwner}: the
session at the user, or that at the element. All links speak in the kinds of session framing
(L{rserpool.core.wire.frames}); each says what a kind is on its transport.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Protocol

from twisted.internet.error import ConnectionAborted
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from rserpool.core.errors import WireError
from rserpool.core.session.traits import Traits
from rserpool.core.wire import asap
from rserpool.core.wire.frames import CONTROL, DATA, GOODBYE, HELLO, NUMBER, REPEATED, REPLY, REQUEST, Hello
from rserpool.sctp.log import LimitedLog

MOST_COMPLAINTS = 10
"""So often the log tells what one peer does wrong."""
MOST_GARBAGE = 100
"""A peer that sends so many control messages that cannot be understood is cut off."""

_pack = NUMBER.pack
_number = NUMBER.unpack_from


class LinkOwner(Protocol):
    """Whom a link tells. Nothing is told of a link that was aborted or closed, but C{link_lost}."""

    def link_up(self, link: Link, hello: Hello | None) -> None:
        """Both sides may speak; C{hello} is the peer's, where there is one."""

    def link_data(self, link: Link, data: bytes) -> None:
        """A message of the application came."""

    def link_asked(self, link: Link, number: int, data: bytes, repeated: bool) -> None:
        """A request with a number came."""

    def link_answered(self, link: Link, number: int, data: bytes) -> None:
        """An answer with a number came."""

    def link_control(self, link: Link, message: asap.Message) -> None:
        """An ASAP message came."""

    def link_goodbye(self, link: Link) -> None:
        """The peer takes its leave."""

    def link_paused(self, link: Link) -> None:
        """The link takes no more for now."""

    def link_resumed(self, link: Link) -> None:
        """It takes more."""

    def link_lost(self, link: Link, reason: Failure) -> None:
        """It is gone, or could not be set up."""


@implementer(IPushProducer)
class Link:
    """What all links have in common.

    @ivar traits: what it can do.
    @ivar over: whether it was aborted, closed or lost.
    @ivar answered: how many requests were answered over it.
    """

    # The ports of elements have one that is limited.
    log: LimitedLog | Logger = Logger()
    traits = Traits(False, False, False)
    transport: Any = None
    farewell = b""

    def __init__(self, owner: LinkOwner) -> None:
        self.owner = owner
        self.over = False
        self.answered = 0
        self._complaints = self._garbage = 0

    def say(self, kind: int, data: bytes) -> None:
        """Send something of a kind that this link has.

        @raise ValueError: if it is too long for the transport.
        """
        raise NotImplementedError

    def send_data(self, data: bytes) -> None:
        """Send a message of the application; raises as L{say}."""
        self.say(DATA, data)

    def send_request(self, number: int, data: bytes, repeated: bool) -> None:
        """Send a request; without numbers where they are not understood. Raises as L{say}."""
        if self.traits.numbered:
            self.say(REPEATED if repeated else REQUEST, _pack(number) + data)
        else:
            self.say(DATA, data)

    def send_reply(self, number: int, data: bytes) -> None:
        """Send an answer; raises as L{say}."""
        self.answered += 1
        self.say(REPLY, _pack(number) + data)

    def send_control(self, message: asap.Message) -> None:
        """Send an ASAP message on the control channel."""
        self.say(CONTROL, asap.encode(message))

    def say_goodbye(self) -> None:
        """Tell the peer that this side ends the session, where that can be said."""
        if self.traits.numbered:
            self.say(GOODBYE, self.farewell)

    def probe(self) -> None:
        """Ask the transport for a sign of life, where it can."""

    def close(self) -> None:
        """Deliver what was sent, then close."""
        self.over = True
        if self.transport is not None:
            self.transport.unregisterProducer()
            self.transport.loseConnection()

    def abort(self) -> None:
        """End it at once."""
        self.over = True
        if self.transport is not None:
            self.transport.abortConnection()

    def stop_reading(self) -> None:
        """Let nothing come for a while."""
        raise NotImplementedError

    def start_reading(self) -> None:
        """Let things come again."""
        raise NotImplementedError

    def complain(self, format: str, **values: object) -> None:
        """Tell the log what the peer does wrong, as C{{peer}}; a peer cannot fill the log with it."""
        self._complaints += 1
        if self._complaints <= MOST_COMPLAINTS:
            self.log.warn(format, peer=self, **values)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """It is gone, or could not be set up."""
        over, self.over = self.over, True
        if not over:
            self.owner.link_lost(self, reason)

    # IPushProducer: what the transport says about what we write

    def pauseProducing(self) -> None:
        if not self.over:
            self.owner.link_paused(self)

    def resumeProducing(self) -> None:
        if not self.over:
            self.owner.link_resumed(self)

    def stopProducing(self) -> None:
        """The connection is being lost; the protocol hears of that."""

    # Parts

    def _heard(self, kind: int, body: bytes) -> None:
        """Something came in."""
        if kind == DATA:
            self.owner.link_data(self, body)
        elif kind == CONTROL:
            self._control(body)
        elif kind == GOODBYE:
            self.owner.link_goodbye(self)
        elif len(body) < NUMBER.size or kind == HELLO:
            self._broken(WireError(self._misplaced(kind, body)))
        elif kind == REPLY:
            self.owner.link_answered(self, _number(body)[0], body[4:])
        else:
            if not self.traits.numbered:
                # A user of ours: it knows what else session framing has.
                self.traits = replace(self.traits, numbered=True)
            self.owner.link_asked(self, _number(body)[0], body[4:], kind == REPEATED)

    def _misplaced(self, kind: int, body: bytes) -> str:
        raise NotImplementedError

    def _control(self, data: bytes) -> None:
        if not self.traits.control:
            return
        try:
            message = asap.decode(data).message
        except WireError as error:
            self._garbage += 1
            self.complain("{peer} sent a control message that cannot be understood: {error}", error=error)
            if self._garbage >= MOST_GARBAGE:
                self._broken(WireError(f"{self._garbage} control messages that cannot be understood"))
            return
        self.owner.link_control(self, message)

    def _broken(self, error: Exception) -> None:
        """The peer does not keep to the protocol."""
        self.log.warn("{peer}: {error}", peer=self, error=error)
        reason = Failure(ConnectionAborted(str(error)))
        tell = not self.over
        self.abort()
        if tell:
            self.owner.link_lost(self, reason)

    def __repr__(self) -> str:
        peer = getattr(self.transport, "getPeer", lambda: "nobody")()
        return f"{getattr(peer, 'host', peer)}:{getattr(peer, 'port', '')}"
