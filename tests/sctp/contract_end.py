"""Contract of the SCTP backends: how associations end, gracefully or not (RFC 9260 section 9)."""

from __future__ import annotations

from twisted.internet.error import (
    ConnectionAborted,
    ConnectionDone,
    ConnectionLost,
)

from rserpool.sctp.base import PPID_ASAP
from tests.sctp.harness import SctpHarness


class EndContract(SctpHarness):
    """Close, abort, and what is reported."""

    async def test_close_delivers(self) -> None:
        """A graceful close delivers what was sent before; both ends hear ConnectionDone, once."""
        association, connecting, accepted, accepting = await self.pair()
        for i in range(100):
            association.send(bytes([i]) * 10000)
        association.close()
        association.send(b"too late")
        association.close()
        await self.until(lambda: bool(connecting.lost and accepting.lost))
        await self.settle()
        self.assertEqual([bytes([i]) * 10000 for i in range(100)], accepting.data)
        self.assertEqual(([ConnectionDone], [ConnectionDone]), (connecting.reasons, accepting.reasons))
        self.assertEqual((False, False), (association.established, accepted.established))
        self.assertEqual([], connecting.failed)

    async def test_close_before_up(self) -> None:
        """connect, send, close: the message arrives."""
        server, accepting = await self.open()
        client, connecting = await self.open()
        association = client.connect(self.address(server))
        association.send(b"card")
        association.close()
        await self.until(lambda: bool(connecting.lost and accepting.lost))
        self.assertEqual([b"card"], accepting.data)
        self.assertEqual(([ConnectionDone], [ConnectionDone]), (connecting.reasons, accepting.reasons))

    async def test_both_close(self) -> None:
        """Both ends may close at the same time."""
        association, connecting, accepted, accepting = await self.pair()
        association.send(b"bye")
        accepted.send(b"bye bye")
        association.close()
        accepted.close()
        await self.until(lambda: bool(connecting.lost and accepting.lost))
        await self.settle()
        self.assertEqual(([ConnectionDone], [ConnectionDone]), (connecting.reasons, accepting.reasons))
        self.assertEqual(([b"bye bye"], [b"bye"]), (connecting.data, accepting.data))

    async def test_abort(self) -> None:
        """Abort: ConnectionAborted here, ConnectionLost there, once; after that, calls do nothing."""
        association, connecting, accepted, accepting = await self.pair()
        association.abort()
        self.assertFalse(association.established)
        await self.until(lambda: bool(connecting.lost and accepting.lost))
        for end in (association, accepted):
            end.send(b"to nobody")
            end.close()
            end.abort()
            self.assertEqual((False, 0), (end.established, end.buffered))
        await self.settle()
        self.assertEqual(([ConnectionAborted], [ConnectionLost]), (connecting.reasons, accepting.reasons))
        self.assertEqual(([], []), (connecting.received, accepting.received))

    async def test_abort_before_up(self) -> None:
        """A set-up can be given up; its peer can be dialled again at once."""
        server, accepting = await self.open()
        client, connecting = await self.open()
        client.connect(self.address(server)).abort()
        again = client.connect(self.address(server))
        again.send(b"again")
        await self.until(lambda: bool(connecting.lost and accepting.received))
        await self.settle()
        self.assertEqual(([ConnectionAborted], [again]), (connecting.reasons, connecting.up))
        self.assertEqual([b"again"], accepting.data)

    async def test_again(self) -> None:
        """After a graceful end the same two endpoints can have another association."""
        association, connecting, accepted, accepting = await self.pair()
        accepted.close()
        await self.until(lambda: bool(connecting.lost and accepting.lost))
        endpoint, ours = await self.open()
        server, theirs = await self.open()
        for count in (1, 2, 3):
            association = endpoint.connect(self.address(server))
            association.send(b"x")
            await self.until(lambda count=count: len(theirs.received) == count)  # type: ignore[misc]
            association.close()
            await self.until(lambda count=count: len(ours.lost) == len(theirs.lost) == count)  # type: ignore[misc]
        self.assertEqual([ConnectionDone] * 3, ours.reasons)

    async def test_undelivered(self) -> None:
        """When the peer aborts, each message has arrived or is reported as failed before the association is lost."""
        association, connecting, _, accepting = await self.pair()
        accepting.on_message = lambda association, data: association.abort()
        failed_when_lost: list[int] = []
        connecting.on_lost = lambda association: failed_when_lost.append(len(connecting.failed))
        messages = [b"%d " % i * 8000 for i in range(100)]
        for message in messages:
            association.send(message, PPID_ASAP)
        await self.until(lambda: bool(connecting.lost and accepting.lost))
        await self.settle()
        failed = [data for data, _ in connecting.failed]
        self.assertEqual(1, len(accepting.received))
        if not self.reports_undelivered:
            return
        self.assertEqual(set(), set(messages) - set(accepting.data) - set(failed))
        self.assertEqual({PPID_ASAP}, {ppid for _, ppid in connecting.failed})
        self.assertEqual([len(failed)], failed_when_lost)
