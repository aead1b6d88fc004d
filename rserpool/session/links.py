"""The connection between a user and an element, as a session sees it, whatever is beneath (RFC 5352 section 3.8).

A L{Link} carries messages of the application and, where it can, the control channel. It tells an L{Owner}: the session
at the user, or that at the element.
"""

from __future__ import annotations

from typing import Any, Protocol

from twisted.internet.error import ConnectionAborted
from twisted.internet.interfaces import IPushProducer
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from rserpool.core.errors import WireError
from rserpool.core.session.traits import Traits
from rserpool.core.wire import asap
from rserpool.core.wire.frames import Hello


class Owner(Protocol):
    """Whom a link tells. Nothing is told of a link that was aborted or closed, but C{link_lost}."""

    def link_up(self, link: Any, hello: Hello | None) -> None:
        """Both sides may speak; C{hello} is the peer's, where there is one."""

    def link_data(self, link: Any, data: bytes) -> None:
        """A message of the application came."""

    def link_asked(self, link: Any, number: int, data: bytes, repeated: bool) -> None:
        """A request with a number came."""

    def link_answered(self, link: Any, number: int, data: bytes) -> None:
        """An answer with a number came."""

    def link_control(self, link: Any, message: asap.Message) -> None:
        """An ASAP message came."""

    def link_goodbye(self, link: Any) -> None:
        """The peer takes its leave."""

    def link_paused(self, link: Any) -> None:
        """The link takes no more for now."""

    def link_resumed(self, link: Any) -> None:
        """It takes more."""

    def link_lost(self, link: Any, reason: Failure) -> None:
        """It is gone, or could not be set up."""


@implementer(IPushProducer)
class Link:
    """What all links have in common.

    @ivar traits: what it can do.
    @ivar over: whether it was aborted, closed or lost.
    """

    _log = Logger()
    traits = Traits(False, False, False)
    transport: Any = None

    def __init__(self, owner: Owner) -> None:
        self.owner = owner
        self.over = False

    def send_data(self, data: bytes) -> None:
        """Send a message of the application.

        @raise ValueError: if it is too long for the transport.
        """
        raise NotImplementedError

    def send_request(self, number: int, data: bytes, repeated: bool) -> None:
        """Send a request; without numbers where they are not understood."""
        raise NotImplementedError

    def send_reply(self, number: int, data: bytes) -> None:
        """Send an answer."""
        raise NotImplementedError

    def send_control(self, message: asap.Message) -> None:
        """Send an ASAP message on the control channel."""
        raise NotImplementedError

    def say_goodbye(self) -> None:
        """Tell the peer that this side ends the session, where that can be said."""

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

    def _control(self, data: bytes) -> None:
        """Bytes of the control channel."""
        try:
            message = asap.decode(data).message
        except WireError as error:
            self._log.warn("{peer} sent a control message that cannot be understood: {error}", peer=self, error=error)
            return
        self.owner.link_control(self, message)

    def _broken(self, error: Exception) -> None:
        """The peer does not keep to the protocol."""
        self._log.warn("{peer}: {error}", peer=self, error=error)
        reason = Failure(ConnectionAborted(str(error)))
        tell = not self.over
        self.abort()
        if tell:
            self.owner.link_lost(self, reason)

    def __repr__(self) -> str:
        peer = getattr(self.transport, "getPeer", lambda: "nobody")()
        return f"{getattr(peer, 'host', peer)}:{getattr(peer, 'port', '')}"
