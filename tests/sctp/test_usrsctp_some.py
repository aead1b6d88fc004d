"""Endpoints of usrsctp that are at some of their process's addresses: nobody reaches them at others."""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor

from rserpool.core import ConfigurationError, TransportAddress
from rserpool.registrar import RegistrarService
from tests.sctp.usrsctp_case import UsrsctpTestCase


class SomeAddressesTests(UsrsctpTestCase):
    async def test_some_of_all_addresses(self) -> None:
        """An endpoint with an address of its own, in a process that has all: reached there, it dials from there."""
        stack = await self.makeStack("0.0.0.0")  # noqa: S104
        there = self.recorder()
        server = stack.open(0, there, ("127.0.0.2",))
        for host, reached in (("127.0.0.2", True), ("127.0.0.1", False)):
            recorder = self.recorder()
            stack.open(0, recorder, ("0.0.0.0",)).connect(  # noqa: S104
                TransportAddress((host,), server.port, stack.encapsulation_port)
            )
            await self.until(lambda recorder=recorder: bool(recorder.up or recorder.lost))  # type: ignore[misc]
            self.assertEqual(bool(recorder.up), reached)
        listening = self.recorder()
        anywhere = stack.open(0, listening)
        server.connect(TransportAddress(("127.0.0.1",), anywhere.port, stack.encapsulation_port))
        await self.until(lambda: bool(listening.up))
        self.assertEqual(("127.0.0.2",), listening.up[0].peer.hosts)

    async def test_a_registrar_opens_enrp_where_it_was_told(self) -> None:
        """And nowhere else, wherever it receives SCTP over UDP; or not at all."""
        stack = await self.makeStack("127.0.0.1", "127.0.0.2")
        for options in ({"enrp": TransportAddress(("127.0.0.1",), 0)}, {"peering": False}):
            service = RegistrarService(
                reactor,
                asap=TransportAddress(("127.0.0.1",), 0),
                encapsulation_hosts=("127.0.0.1", "127.0.0.2"),
                tcp=False,
                stack=stack,
                tame_garbage=False,
                **options,
            )
            service.startService()
            self.addCleanup(service.stopService)
            self.assertEqual(service.node.asap.sctp.hosts, ("127.0.0.1", "127.0.0.2"))
            if "enrp" not in options:
                self.assertNotIn("enrp", service.node.channels)
                continue
            channel: Any = service.node.channels["enrp"]
            enrp = channel.sctp
            self.assertEqual(enrp.hosts, ("127.0.0.1",))
            recorder = self.recorder()
            stack.open(0, recorder, ("127.0.0.2",)).connect(
                TransportAddress(("127.0.0.2",), enrp.port, stack.encapsulation_port)
            )
            await self.until(lambda recorder=recorder: bool(recorder.up or recorder.lost))  # type: ignore[misc]
            self.assertFalse(recorder.up)

    def test_no_enrp_and_peers(self) -> None:
        peers = [TransportAddress(("127.0.0.1",), 9901)]
        self.assertRaises(ConfigurationError, RegistrarService, reactor, peering=False, peers=peers)
