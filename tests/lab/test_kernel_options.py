"""Options of the kernel's SCTP are set as meant, says another reader of them: pysctp, built from the C headers."""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor
from twisted.trial.unittest import SkipTest, TestCase

from rserpool.core import TransportAddress
from rserpool.core.profiles import FAST
from rserpool.sctp import open_stack, pysctp_view
from rserpool.sctp.base import STREAMS
from rserpool.sctp.kernel import options
from tests.lab import LabTests
from tests.sctp.harness import SctpHarness

try:
    import sctp
except ImportError:
    sctp = None


class OptionTests(LabTests, SctpHarness, TestCase):
    """One association of a kernel endpoint."""

    async def makeStack(self, *hosts: str) -> Any:
        return open_stack(reactor, backend="kernel", hosts=hosts, profile=FAST)

    async def other_reader(self, host: str) -> tuple[Any, Any]:
        """An association that is up, and its socket as pysctp sees it."""
        if sctp is None:
            raise SkipTest("pysctp is not installed")
        association, *_ = await self.pair(host)
        reader = pysctp_view(association)
        self.addCleanup(reader.close)
        return association, reader

    async def test_timers(self) -> None:
        """The profile's timers reach the association, in milliseconds."""
        association, reader = await self.other_reader(self.host)
        rto = reader.get_rtoinfo(association.identifier)
        self.assertEqual((FAST.rto_initial, FAST.rto_min), (rto.initial / 1000, rto.min / 1000))
        # Milliseconds are kept in ticks of the kernel's clock.
        self.assertAlmostEqual(FAST.rto_max, rto.max / 1000, delta=0.02)
        parameters = reader.get_assocparams(association.identifier)
        self.assertEqual(FAST.association_max_retransmissions, parameters.assocmaxrxt)
        path = reader.get_paddrparams(association.identifier, (self.host, association.peer.port))
        self.assertAlmostEqual(FAST.heartbeat_interval * 1000, path.hbinterval, delta=20)
        self.assertEqual(FAST.association_max_retransmissions, path.pathmaxrxt)
        association.endpoint.setHeartbeat(7)
        path = reader.get_paddrparams(association.identifier, (self.host, association.peer.port))
        self.assertEqual(7000, path.hbinterval)

    async def test_streams_and_events(self) -> None:
        """Streams, attempts, Nagle's algorithm, notifications."""
        _, reader = await self.other_reader(self.host)
        self.assertEqual(
            (STREAMS, FAST.max_init_retransmissions), (reader.initparams.num_ostreams, reader.initparams.max_attempts)
        )
        self.assertTrue(reader.nodelay)
        events = reader.events
        self.assertEqual((1, 1, 1, 1), (events.association, events.address, events.shutdown, events.partial_delivery))

    async def test_addresses(self) -> None:
        """Addresses of both ends, over IPv4 and IPv6."""
        for host in (self.host, self.host6):
            association, reader = await self.other_reader(host)
            peers, ours = reader.getpaddrs(association.identifier), reader.getladdrs(association.identifier)
            self.assertEqual(((host, association.peer.port),), peers)
            self.assertEqual([host], [address for address, _ in ours])
            self.assertEqual(
                ((host,), association.peer.port),
                options.peer_addresses(association.socket.socket, association.identifier),
            )

    async def test_round_trip(self) -> None:
        """The smoothed round trip time is that of the primary path, in seconds; on this host there is next to none."""
        association, reader = await self.other_reader(self.host)
        status = reader.get_status(association.identifier)
        self.assertLess(association.smoothed_round_trip, 0.1)
        tick = options.clock_tick(association.socket.socket, association.identifier)
        self.assertEqual(status.primary.srtt * tick, association.smoothed_round_trip)
        self.assertIsNone(association.endpoint.connect(TransportAddress((self.host,), 1)).smoothed_round_trip)
