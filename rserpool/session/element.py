"""One session at an element: the protocol that serves it, and what that may do to it (RFC 5352 sections 3.8, 3.9)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from rserpool.core.errors import CauseCode, ConfigurationError, CookieRefused, ElementError
from rserpool.core.session.cookies import Cookies
from rserpool.core.wire import asap
from rserpool.core.wire.causes import ErrorCause
from rserpool.core.wire.frames import Hello
from rserpool.core.wire.parameters import PoolElementParameter
from rserpool.core.wire.private import SESSION_FRAMING_VERSION
from rserpool.sctp.log import LimitedLog
from rserpool.session.asked import Asked
from rserpool.session.links import Link


class Shared(Protocol):
    """What all sessions of one L{SessionFactory<rserpool.session.server.SessionFactory>} have in common."""

    cookies: Cookies | None
    wall: Callable[[], float]
    speaks_first: bool
    pools: tuple[bytes, ...]
    successors: tuple[tuple[PoolElementParameter, ...], bool]
    sessions: set[ElementSession]
    log: LimitedLog

    @property
    def pool(self) -> bytes:
        """The first of the pools."""


class SessionProtocol:
    """One session at an element; override what matters.

    @ivar session: the L{ElementSession}, from C{sessionStarted} on.
    @ivar factory: the L{SessionFactory<rserpool.session.server.SessionFactory>}.
    """

    session: ElementSession
    factory: Shared

    def sessionStarted(self, state: bytes | None) -> None:
        """A session begins here, or goes on.

        @param state: what the element that served it before gave to L{ElementSession.set_state}; None if it is new.
        """

    def messageReceived(self, data: bytes) -> Any:
        """A message or a request of the user came.

        An exception at a request is told to the user as
        L{ElementError<rserpool.core.errors.ElementError>}, and the session goes on. At any other message it ends here,
        and the user goes on at another element.

        @return: None, or the answer: C{bytes}, or an awaitable of C{bytes}. See also L{ElementSession.reply}.
        """

    def cardReceived(self, pool: bytes, elements: tuple[PoolElementParameter, ...]) -> None:
        """The user is itself an element of this pool, and names who goes on in its place (section 3.9)."""

    def sessionLeaving(self) -> None:
        """It goes on elsewhere now, since this element drains or stops: leave its last state with the user."""

    def sendingPaused(self) -> None:
        """The user reads too slowly: send less. Nothing is read from it until it has caught up."""

    def sendingResumed(self) -> None:
        """It has caught up."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The session is not here any more."""


class ElementSession:
    """What a L{SessionProtocol} does to its session.

    @ivar request: the request that is being handled, while C{messageReceived} runs; None for a message without one.
    """

    def __init__(self, factory: Shared, protocol: SessionProtocol) -> None:
        self._log = factory.log
        self.request: Asked | None = None
        self._factory = factory
        self._protocol = protocol
        self._link: Link | None = None
        self._asked = self._working = 0
        self._started = self._left = self._ended = self._paused = self._waits_for_cookie = False
        self._reading = True
        self._pool = factory.pool

    # What the protocol wants

    @property
    def pool(self) -> bytes:
        """The pool that the user asked for, where it says so; else that of the factory."""
        return self._pool

    @property
    def peer(self) -> Any:
        """The address of the user."""
        return None if self._link is None else self._link.transport.getPeer()

    @property
    def link(self) -> Link | None:
        """What carries it now."""
        return self._link

    @property
    def host(self) -> Any:
        """Our own address."""
        return None if self._link is None else self._link.transport.getHost()

    @property
    def writable(self) -> bool:
        """Whether the user takes more now."""
        return not self._paused

    @property
    def idle(self) -> bool:
        """Whether no answer is owed, as far as is known: not to messages without a number that are answered later."""
        return self._link is not None and not self._working and self._asked <= self._link.answered

    def stop_reading(self) -> None:
        """Receive nothing for a while: the user is held back in its turn."""
        self._reading = False
        if self._link is not None:
            self._link.stop_reading()

    def start_reading(self) -> None:
        """Receive again."""
        self._reading = True
        if self._link is not None and not self._paused:
            self._link.start_reading()

    def send(self, data: bytes) -> None:
        """Send a message to the user; nothing happens if the session is not here any more.

        @raise ValueError: if it is too long for the transport.
        """
        if self._link is not None and not self._link.over:
            self._link.send_data(data)

    def reply(self, data: bytes) -> None:
        """Answer the request that is being handled. To a message that is none, the next message is the answer.

        To answer later, keep L{request}, and call its C{reply}; or let C{messageReceived} return an awaitable.
        """
        (self.send if self.request is None else self.request.reply)(data)

    def set_state(self, state: bytes) -> None:
        """Leave the state of the session with the user, for the element that will serve it next (section 3.8).

        What is sent after it arrives after it. Without a control channel nothing happens.

        @raise rserpool.core.errors.ConfigurationError: if the factory has no C{cookies}.
        @raise ValueError: if the state is longer than L{rserpool.core.session.cookies.LONGEST_STATE}.
        """
        cookies = self._factory.cookies
        if cookies is None:
            raise ConfigurationError("states need cookies: give the factory SignedCookies, or UnsignedCookies")
        self._send_control(asap.Cookie(cookies.seal(state, self._pool, self._factory.wall())))

    def name_successors(self, elements: Iterable[PoolElementParameter], *, exclusive: bool = False) -> None:
        """Name those who should serve this session when we fail, best first: a last will (section 3.9).

        @param exclusive: whether the session may go to no others.
        """
        self._send_control(asap.BusinessCard(self._pool, tuple(elements), exclusive))

    def go_elsewhere(self) -> None:
        """Send the user to another element, without being reported: say goodbye, and close."""
        if self._started and not (self._left or self._ended):
            self._left = True
            self._call(self._protocol.sessionLeaving)
        if self._link is not None and not self._link.over:
            self._link.say_goodbye()
        self.close()

    def close(self) -> None:
        """Deliver what was sent, then close; the user goes on at another element."""
        if self._link is not None and not self._link.over:
            self._link.close()
            self._gone(connectionDone)

    def abort(self) -> None:
        """End the connection at once."""
        if self._link is not None and not self._link.over:
            self._link.abort()
            self._gone(connectionDone)

    # What the link tells (L{LinkOwner<rserpool.session.links.LinkOwner>})

    def link_up(self, link: Link, hello: Hello | None) -> None:
        self._link = link
        if hello is not None:
            if hello.handle in self._factory.pools or not self._factory.pools:
                # A user names no pool that we are not in: the cookies of that one are not ours to make.
                self._pool = hello.handle
            self._waits_for_cookie = hello.resumed
        if link.traits.control and self._factory.pool:
            # 3.9: an element should always send its business card when communication begins.
            elements, exclusive = self._factory.successors
            # Over TCP our hello has said it.
            framing = SESSION_FRAMING_VERSION if hello is None else 0
            self._send_control(asap.BusinessCard(self._pool, elements, exclusive, framing))
        if (hello is not None and not hello.resumed) or (hello is None and self._factory.speaks_first):
            self._start(None)

    def link_data(self, link: Link, data: bytes) -> None:
        self._take(data, None)

    def link_asked(self, link: Link, number: int, data: bytes, repeated: bool) -> None:
        self._asked += 1
        self._take(data, Asked(link, number, repeated))

    def link_answered(self, link: Link, number: int, data: bytes) -> None:
        """An element asks nothing."""

    def link_control(self, link: Link, message: asap.Message) -> None:
        match message:
            case asap.CookieEcho(cookie=cookie) if not self._started:
                self._resume(cookie)
            case asap.CookieEcho():
                link.complain("{peer} echoes a cookie in the middle of a session: ignored")
            case asap.BusinessCard(handle=handle, elements=elements):
                self._call(self._protocol.cardReceived, handle, elements)

    def link_goodbye(self, link: Link) -> None:
        self.close()

    def link_paused(self, link: Link) -> None:
        self._paused = True
        link.stop_reading()
        self._call(self._protocol.sendingPaused)

    def link_resumed(self, link: Link) -> None:
        self._paused = False
        if self._reading:
            link.start_reading()
        self._call(self._protocol.sendingResumed)

    def link_lost(self, link: Link, reason: Failure) -> None:
        self._gone(reason)

    # Parts

    def _start(self, state: bytes | None) -> None:
        self._started = True
        self._factory.sessions.add(self)
        try:
            self._protocol.sessionStarted(state)
        except Exception:
            if state is None:
                self._failed(Failure())
                return
            self._log.failure("{protocol} failed at the state of a session", protocol=type(self._protocol).__name__)
            self._refuse("its application failed at the session's state")
            self._gone(connectionDone)

    def _resume(self, cookie: bytes) -> None:
        cookies = self._factory.cookies
        try:
            if cookies is None:
                raise CookieRefused("this service keeps no state in cookies")
            state = cookies.open(cookie, self._factory.pools or (self._pool,), self._factory.wall())
        except CookieRefused as error:
            self._log.warn("{peer} brings a cookie that is refused: {error}", peer=self._link, error=error)
            self._refuse(str(error))
            return
        self._start(state)

    def _refuse(self, why: str) -> None:
        """The user's cookie is not taken: it tries each of the other elements once."""
        assert self._link is not None
        self._link.send_control(asap.Error((ErrorCause(CauseCode.REJECTED_FOR_SECURITY, why.encode()),)))
        self._link.close()

    def _take(self, data: bytes, request: Asked | None) -> None:
        if not self._started:
            if self._waits_for_cookie:
                self._log.warn("{peer} said that it brings a cookie, and does not: dropped", peer=self._link)
                self.abort()
                return
            self._start(None)
        self.request = request
        try:
            answer = self._protocol.messageReceived(data)
        except Exception:
            self._failed(Failure(), request)
            return
        finally:
            self.request = None
        if answer is not None:
            self._answer(answer, request)

    def _answer(self, answer: Any, request: Asked | None) -> None:
        reply = self.send if request is None else request.reply
        try:
            if isinstance(answer, bytes):
                reply(answer)
                return
            later: Deferred[Any] = answer if isinstance(answer, Deferred) else ensureDeferred(answer)
        except Exception:
            self._failed(Failure(), request)
            return
        self._working += 1
        later.addCallback(lambda data: None if data is None else reply(data))
        later.addErrback(self._failed, request)
        later.addBoth(self._done)

    def _done(self, _: object) -> None:
        self._working -= 1

    def _failed(self, failure: Failure, request: Asked | None = None) -> None:
        """The application failed, which is not to say that this element is of no use."""
        protocol = type(self._protocol).__name__
        if request is None or not request.can_fail:
            # As a Twisted protocol that raises: a session of which a message was not understood cannot go on here.
            self._log.failure("{protocol} failed: its session ends here", failure, protocol=protocol)
            self.go_elsewhere()
        elif failure.check(ElementError):
            request.fail(str(failure.value))
        else:
            self._log.failure("{protocol} failed: its user is told", failure, protocol=protocol)
            request.fail("its application failed")

    def _send_control(self, message: asap.Cookie | asap.BusinessCard) -> None:
        if self._link is not None and not self._link.over and self._link.traits.control:
            self._link.send_control(message)

    def _call(self, method: Callable[..., object], *arguments: Any) -> None:
        try:
            method(*arguments)
        except Exception:
            self._failed(Failure())

    def _gone(self, reason: Failure) -> None:
        started, self._started = self._started, True
        self._factory.sessions.discard(self)
        if started and not self._ended:
            self._ended = True
            self._call(self._protocol.connectionLost, reason)
