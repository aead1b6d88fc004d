"""Where a process has many endpoints, those are looked at for which the library may have something."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import TransportAddress
from rserpool.core.profiles import FAST
from rserpool.sctp.usrsctp.crowd import FEW as ALONE
from rserpool.sctp.usrsctp.news import ALL, FEW, News
from tests.sctp.usrsctp_case import UsrsctpTestCase

SHORT = 0.01
LONG = 2 * (FAST.rto_max + FAST.rto_min) + SHORT


class NewsTests(SynchronousTestCase):
    """By a clock of one's own."""

    def setUp(self) -> None:
        self.endpoints: dict[int, Any] = {
            port: SimpleNamespace(profile=FAST, port=port) for port in range(40_000, 40_001 + FEW)
        }
        self.news: News[Any] = News(self.endpoints)
        self.news.expect(FAST)
        self.news.take(100.0, True)

    def ports(self, now: float, crowd: bool = True) -> list[int]:
        return [each.port for each in self.news.take(now, crowd)]

    def went(self, port: int, now: float) -> None:
        self.news.went(port.to_bytes(2, "big"), now)

    def test_one(self) -> None:
        """One from which a packet went out is looked at for as long as a timer may run."""
        self.went(40_003, 100.0)
        self.assertEqual([40_003], self.ports(100.0 + SHORT))
        self.assertEqual([], self.ports(100.0 + LONG))

    def test_all(self) -> None:
        """All are, now and then; always, where the library sends heartbeats by itself."""
        self.assertEqual([], self.ports(100.0 + SHORT))
        self.assertEqual([*self.endpoints], self.ports(100.0 + SHORT, crowd=False))
        self.assertEqual([], self.ports(100.0 + 2 * SHORT))
        self.assertEqual([*self.endpoints], self.ports(100.0 + ALL + SHORT))

    def test_remembered(self) -> None:
        """A look at all is no reason to forget one."""
        self.went(40_003, 100.0 + ALL)
        self.ports(100.0 + ALL + SHORT)
        self.assertEqual([40_003], self.ports(100.0 + ALL + 2 * SHORT))

    def test_few(self) -> None:
        """A registrar has one endpoint, and thousands of associations: it is looked at each time."""
        for port in [*self.endpoints][1:]:
            del self.endpoints[port]
        self.assertEqual([40_000], self.ports(100.0 + SHORT))
        self.assertEqual([40_000], self.ports(100.0 + 2 * SHORT))

    def test_closed(self) -> None:
        self.endpoints[1] = SimpleNamespace(profile=FAST, port=1)
        self.went(40_003, 100.0)
        del self.endpoints[40_003]
        self.assertEqual([], self.ports(100.0 + SHORT))


class ManyTests(UsrsctpTestCase):
    """Of an endpoint among many, in a crowd."""

    host = "127.0.94.1"

    async def test_timer(self) -> None:
        """What only a timer brings about is noticed: nobody answers one that dials."""
        stack: Any = await self.makeStack(self.host, profile=FAST)
        self.recorded = self.recorder()
        server = stack.open(0, self.recorder(), (self.host,))
        ends = [stack.open(0, self.recorded, (self.host,)) for _ in range(max(FEW, ALONE) + 1)]
        for number, each in enumerate(ends):
            each.connect(TransportAddress((self.host,), server.port, stack.encapsulation_port))
            await self.until(lambda number=number: len(self.recorded.up) > number)  # type: ignore[misc]
        clock = stack.engine.clock
        self.patch(clock.pace, "next", lambda *arguments, next_=clock.pace.next: self._after(next_(*arguments)))
        await self.until(lambda: clock.pace.crowd.here)
        self.patch(clock.news, "_all_at", float("inf"))
        last = stack.open(0, self.recorded, (self.host,))
        silent = self.udp(self.host).getsockname()[1]
        last.connect(TransportAddress((self.host,), 7, silent))
        await self.until(lambda: bool(self.recorded.lost))

    def _after(self, found: Any) -> Any:
        self._noticed()
        return found
