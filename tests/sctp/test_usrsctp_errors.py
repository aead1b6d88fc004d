"""ICMP errors, and event loops that take a socket which has one for dead, as uvloop's does."""

from __future__ import annotations

import select
from typing import Any

from twisted.internet import reactor
from twisted.python.failure import Failure

from rserpool.core import TransportAddress
from rserpool.sctp.usrsctp.udp import UdpSocket
from tests.sctp.usrsctp_case import UsrsctpTestCase


class DeafTests(UsrsctpTestCase):
    """The loop looks at a socket with an error once, as if something could be read, and then no more."""

    host = "127.0.98.1"

    def setUp(self) -> None:
        super().setUp()
        read = UdpSocket.doRead

        def look_once(sock: Any) -> None:
            poll = select.poll()
            poll.register(sock.fileno(), select.POLLIN)
            if any(events & select.POLLERR for _, events in poll.poll(0)):
                reactor.removeReader(sock)
            read(sock)

        def error(sock: Any, reason: Failure) -> None:
            # Reactors that see an error tell so: this one does not.
            look_once(sock)

        self.patch(UdpSocket, "doRead", look_once)
        self.patch(UdpSocket, "connectionLost", error)

    async def test_heard_again(self) -> None:
        """After any number of refusals, whoever is there at last is heard."""
        stranger = self.udp(self.host)
        port = stranger.getsockname()[1]
        stranger.close()
        stack = await self.makeStack(self.host)
        recorder = self.recorder()
        client = stack.open(0, recorder, (self.host,))
        for number in range(3):
            client.connect(TransportAddress((self.host,), 5000, port))
            await self.until(lambda number=number: len(recorder.lost) == number + 1)  # type: ignore[misc]
        server = stack.open(0, self.recorder(), (self.host,))
        client.connect(TransportAddress((self.host,), server.port, stack.encapsulation_port))
        await self.until(lambda: bool(recorder.up))
