"""The connections of one session to elements that left the pool, and may still answer what they were asked."""

from __future__ import annotations

from collections.abc import Callable

from rserpool.core.session.effects import SessionEffect
from rserpool.core.session.retired import Retired
from rserpool.core.session.retirement import Retirement
from rserpool.core.wire import asap
from rserpool.session.links import Link


class RetiredLinks:
    """Those of one session.

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
        """Nothing more is sent over it."""
        if link is not None:
            self._links[link] = retired

    def heard(self, link: Link, number: int | None, data: bytes) -> None:
        """A message came over a connection, which may be one of these."""
        retired = self._links.get(link)
        if retired is not None:
            self._perform(self._retirement.message(retired, number, data))

    def told(self, link: Link, message: asap.Message) -> None:
        """The same of the control channel."""
        retired = self._links.get(link)
        if retired is not None:
            self._perform(self._retirement.control(retired, message))

    def gone(self, link: Link) -> None:
        """A connection, which may be one of these, is lost, or the element took its leave."""
        retired = self._links.pop(link, None)
        if retired is not None:
            link.close()
            self._perform(self._retirement.gone(retired, self._now()))

    def release(self, retired: Retired) -> None:
        """Nothing more is expected of it."""
        for link in [link for link, each in self._links.items() if each is retired]:
            del self._links[link]
            link.close()
