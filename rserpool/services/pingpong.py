"""Pingpong at the element: each ping gets a pong with a counter, which goes on at the next element by cookie.

Compatible with rsplib's, whose cookies nobody signs: whoever is a user may set his own counter.
"""

from __future__ import annotations

from typing import Any

from twisted.logger import Logger

from rserpool.core.errors import WireError
from rserpool.core.session.cookies import Cookies, UnsignedCookies
from rserpool.services.messages import PPID_PINGPONG, Ping, Pong, decode_cookie, encode_cookie
from rserpool.session.element import SessionProtocol
from rserpool.session.server import SessionFactory


class PingPong(SessionProtocol):
    """One session.

    @ivar replies: how many answers it gave here.
    """

    _log = Logger()
    factory: PingPongFactory

    def __init__(self) -> None:
        self.replies = 0
        self._next = 1

    def sessionStarted(self, state: bytes | None) -> None:
        if state is not None:
            try:
                self._next = decode_cookie(state)
            except WireError as error:
                self._drop(error)

    def messageReceived(self, data: bytes) -> bytes | None:
        try:
            ping = Ping.decode(data)
        except WireError as error:
            self._drop(error)
            return None
        answer = Pong(ping.number, self._next, ping.data).encode()
        self._next = (self._next + 1) % 2**64
        self.replies += 1
        # First the cookie, then the answer: a user that has the answer has the counter that goes with it.
        self.session.set_state(encode_cookie(self._next))
        if self.replies != self.factory.fail_after:
            return answer
        self._log.info("{replies} replies: this session fails now, as was asked for", replies=self.replies)
        self.session.reply(answer)
        self.session.close()
        return None

    def _drop(self, error: WireError) -> None:
        self._log.warn("{peer}: {error}: dropped", peer=self.session.peer, error=error)
        self.session.abort()


class PingPongFactory(SessionFactory):
    """Serves pingpong over SCTP and TCP.

    @param cookies: what the counter travels in; by default unsigned, as rsplib's.
    @param fail_after: each session is closed after so many answers: a failure to try failovers with.
    @param tls: what shows a certificate, as L{SessionFactory} takes it.
    """

    def __init__(self, *, cookies: Cookies | None = None, fail_after: int | None = None, tls: Any = None) -> None:
        super().__init__(PingPong, cookies=cookies or UnsignedCookies(), ppid=PPID_PINGPONG, tls=tls)
        self.fail_after = fail_after
