"""Contract of the SCTP backends: endpoints, and handlers that raise or act at once."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.error import (
    CannotListenError,
    ConnectionAborted,
    ConnectionDone,
    ConnectionLost,
    ConnectionRefusedError,
)

from rserpool.sctp import ISctpAssociation
from rserpool.sctp.base import MAX_MESSAGE
from tests.sctp.harness import SctpHarness


class EndpointContract(SctpHarness):
    """Opening and closing endpoints."""

    async def test_port_chosen(self) -> None:
        """Port 0 lets the stack choose."""
        one, _ = await self.open(port=0)
        two = self.stack_of(one).open(0, self.recorder(), (self.host,))
        self.assertNotIn(0, (one.port, two.port))
        self.assertNotEqual(one.port, two.port)

    async def test_port_busy(self) -> None:
        """A port that is taken: CannotListenError, and the owner is not disturbed."""
        one, here = await self.open()
        self.assertRaises(CannotListenError, self.stack_of(one).open, one.port, self.recorder(), (self.host,))
        client, connecting = await self.open()
        client.connect(self.address(one))
        await self.until(lambda: bool(here.up))

    async def test_address_not_local(self) -> None:
        """An address of nobody (RFC 5737): CannotListenError."""
        stack = await self.stack()
        self.assertRaises(CannotListenError, stack.open, 0, self.recorder(), ("192.0.2.1",))

    async def test_stop_listening(self) -> None:
        """stopListening refuses new associations, shuts the present ones down gracefully, and then fires."""
        server, accepting = await self.open()
        clients = [await self.open() for _ in range(2)]
        for client, _ in clients:
            client.connect(self.address(server))
        await self.until(lambda: len(accepting.up) == 2)
        accepting.up[0].send(bytes(MAX_MESSAGE))
        lost_when_fired: list[int] = []
        stopped = server.stopListening()
        self.assertIsInstance(stopped, Deferred)
        stopped.addCallback(lambda _: lost_when_fired.append(len(accepting.lost)))
        self.assertEqual([], lost_when_fired)
        late, refused = await self.open()
        late.connect(self.address(server))
        await self.fired(stopped)
        await self.until(lambda: bool(refused.lost) and all(connecting.lost for _, connecting in clients))
        self.assertEqual(([2], [ConnectionDone] * 2, 0), (lost_when_fired, accepting.reasons, server.associations))
        self.assertEqual([[ConnectionDone]] * 2, [connecting.reasons for _, connecting in clients])
        self.assertEqual([ConnectionRefusedError], refused.reasons)
        self.assertEqual([MAX_MESSAGE], [len(data) for _, connecting in clients for data in connecting.data])
        again = self.stack_of(server).open(server.port, self.recorder(), (self.host,))
        self.assertEqual(server.port, again.port)

    async def test_stop_listening_gives_up_setting_up(self) -> None:
        """Associations that are not up yet are aborted when the endpoint stops."""
        server, _ = await self.open()
        client, connecting = await self.open()
        client.connect(self.address(server))
        await self.fired(client.stopListening())
        self.assertEqual(([], [ConnectionAborted]), (connecting.up, connecting.reasons))

    async def test_accept_no_more(self) -> None:
        """Who is there stays, and who comes is refused."""
        server, accepting = await self.open()
        client, connecting = await self.open()
        association = client.connect(self.address(server))
        await self.until(lambda: bool(connecting.up and accepting.up))
        server.acceptNoMore()
        late, refused = await self.open()
        late.connect(self.address(server))
        await self.until(lambda: bool(refused.lost))
        self.assertEqual([ConnectionRefusedError], refused.reasons)
        association.send(b"still here", 6)
        await self.until(lambda: bool(accepting.received))
        self.assertEqual((1, [b"still here"]), (server.associations, accepting.data))
        self.assertEqual([], connecting.lost)

    async def test_stop_listening_alone(self) -> None:
        """Without associations it fires, too, and the port is free; whether peers could connect or not."""
        for listening in (True, False):
            server, _ = await self.open(listening=listening)
            await self.fired(server.stopListening())
            self.stack_of(server).open(server.port, self.recorder(), (self.host,))

    async def test_abort_endpoint(self) -> None:
        """abort on an endpoint aborts all its associations and frees the port at once."""
        server, accepting = await self.open()
        client, connecting = await self.open()
        client.connect(self.address(server))
        await self.until(lambda: bool(accepting.up and connecting.up))
        server.abort()
        again = self.stack_of(server).open(server.port, self.recorder(), (self.host,))
        await self.until(lambda: bool(accepting.lost and connecting.lost))
        self.assertEqual(([ConnectionAborted], [ConnectionLost]), (accepting.reasons, connecting.reasons))
        self.assertEqual(server.port, again.port)

    async def test_heartbeat(self) -> None:
        """The heartbeat interval can be set at any time, for present and future associations."""
        server, accepting = await self.open()
        server.setHeartbeat(0.5)
        client, connecting = await self.open()
        association = client.connect(self.address(server))
        client.setHeartbeat(0.25)
        await self.until(lambda: bool(connecting.up))
        client.setHeartbeat(10)
        association.send(b"beats")
        await self.until(lambda: bool(accepting.received))


class HandlerContract(SctpHarness):
    """Handlers that raise, or call back from inside a callback."""

    async def test_handler_raises(self) -> None:
        """What a handler raises is logged, and disturbs neither this association nor another."""
        server, accepting = await self.open()
        one, first = await self.open()
        two, second = await self.open()

        def fail(*_: object) -> None:
            raise ZeroDivisionError("the handler's own fault")

        accepting.on_up = accepting.on_message = accepting.on_lost = fail
        association = one.connect(self.address(server))
        association.send(b"1")
        association.send(b"2")
        two.connect(self.address(server)).send(b"3")
        await self.until(lambda: len(accepting.received) == 3)
        association.close()
        await self.until(lambda: bool(first.lost and accepting.lost))
        self.assertEqual([b"1", b"2", b"3"], sorted(accepting.data))
        self.assertEqual([], second.lost)
        accepting.on_lost = None
        self.assertEqual(6, len(self.flushLoggedErrors(ZeroDivisionError)))

    async def test_answer_at_once(self) -> None:
        """Inside associationUp and messageReceived a handler may send."""
        server, accepting = await self.open()
        accepting.on_up = lambda association: association.send(b"welcome")
        accepting.on_message = lambda association, data: association.send(data + b"!")
        client, connecting = await self.open()
        connecting.on_message = lambda association, data: association.send(data) if len(data) < 12 else None
        client.connect(self.address(server))
        await self.until(lambda: len(connecting.received) == 6)
        self.assertEqual([b"welcome" + b"!" * i for i in range(6)], connecting.data)

    async def test_close_at_once(self) -> None:
        """Inside messageReceived a handler may close: its answer before that arrives."""
        association, connecting, _, accepting = await self.pair()

        def answer(accepted: ISctpAssociation, data: bytes) -> None:
            accepted.send(b"answer")
            accepted.close()

        accepting.on_message = answer
        association.send(b"question")
        await self.until(lambda: bool(connecting.lost and accepting.lost))
        self.assertEqual([b"answer"], connecting.data)
        self.assertEqual(([ConnectionDone], [ConnectionDone]), (connecting.reasons, accepting.reasons))

    async def test_abort_at_once(self) -> None:
        """Inside messageReceived a handler may abort: nothing more is delivered."""
        association, connecting, _, accepting = await self.pair()
        accepting.on_message = lambda accepted, data: accepted.abort()
        for data in (b"1", b"2", b"3"):
            association.send(data)
        await self.until(lambda: bool(connecting.lost and accepting.lost))
        await self.settle()
        self.assertEqual(([b"1"], [ConnectionAborted], 1), (accepting.data, accepting.reasons, len(connecting.lost)))

    async def test_abort_in_up(self) -> None:
        """Inside associationUp a handler may abort."""
        server, accepting = await self.open()
        accepting.on_up = lambda association: association.abort()
        client, connecting = await self.open()
        client.connect(self.address(server))
        await self.until(lambda: bool(connecting.lost and accepting.lost))
        self.assertEqual([ConnectionAborted], accepting.reasons)

    async def test_connect_in_lost(self) -> None:
        """Inside associationLost a handler may connect again, also to the same peer."""
        server, accepting = await self.open()
        client, connecting = await self.open()
        connecting.on_lost = lambda association: len(connecting.lost) < 3 and client.connect(self.address(server))
        accepting.on_up = lambda association: association.close()
        client.connect(self.address(server))
        await self.until(lambda: len(connecting.lost) == 3)
        self.assertEqual([ConnectionDone] * 3, connecting.reasons)

    async def test_stop_in_message(self) -> None:
        """Inside messageReceived the whole endpoint may be stopped."""
        server, accepting = await self.open()
        stopped: list[Deferred[None]] = []
        accepting.on_message = lambda association, data: stopped.append(server.stopListening())
        client, connecting = await self.open()
        client.connect(self.address(server)).send(b"stop")
        await self.until(lambda: bool(connecting.lost))
        await self.fired(stopped[0])
        self.assertEqual(([ConnectionDone], [ConnectionDone]), (connecting.reasons, accepting.reasons))
