"""The connections of one session to elements that left the pool, and may still answer what they were asked."""

from __future__ import annotations

from collections.abc import Callable

from twisted.python.failure import Failure

from rserpool.core.session.effects import SessionEffect
from rserpool.core.session.retired import Retired
from rserpool.core.session.retirement import Retirement
from rserpool.core.wire import asap
from rserpool.core.wire.frames import Hello
from rserpool.session.links import Link


class RetiredLinks:
    """Those of one session: nothing more is sent over them.

    @param perform: does what the session asks for.
    """

    def __init__(
        self, retirement: Retirement, perform: Callable[[list[SessionEffect]], None], now: Callable[[], float]
    ) -> None:
        self._retirement = retirement
        self._perform = perform
        self._now = now
        self._links: dict[Link, Retired] = {}

    def keep(self, link: Link | None, retired: Retired) -> None:
        """What comes over it is told here from now on."""
        if link is not None:
            self._links[link] = retired
            link.owner = self

    def release(self, retired: Retired) -> None:
        """Nothing more is expected of it."""
        for link in [link for link, each in self._links.items() if each is retired]:
            del self._links[link]
            link.close()

    # What links tell (L{LinkOwner<rserpool.session.links.LinkOwner>})

    def link_up(self, link: Link, hello: Hello | None) -> None:
        """They are up."""

    def link_data(self, link: Link, data: bytes) -> None:
        self._perform(self._retirement.message(self._links[link], None, data))

    def link_asked(self, link: Link, number: int, data: bytes, repeated: bool) -> None:
        """An element asks nothing."""

    def link_answered(self, link: Link, number: int, data: bytes) -> None:
        self._perform(self._retirement.message(self._links[link], number, data))

    def link_control(self, link: Link, message: asap.Message) -> None:
        self._perform(self._retirement.control(self._links[link], message))

    def link_goodbye(self, link: Link) -> None:
        link.close()
        self._gone(link)

    def link_paused(self, link: Link) -> None:
        """Nothing is sent."""

    def link_resumed(self, link: Link) -> None:
        """Nothing is sent."""

    def link_lost(self, link: Link, reason: Failure) -> None:
        self._gone(link)

    def _gone(self, link: Link) -> None:
        retired = self._links.pop(link, None)
        if retired is not None:
            self._perform(self._retirement.gone(retired, self._now()))
