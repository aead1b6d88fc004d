"""pysctp's view of our sockets: what docs/sctp.md says it reads soundly, and what it says pysctp gets wrong."""

from __future__ import annotations

import re
import socket
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.protocol import Factory
from twisted.trial.unittest import SkipTest, SynchronousTestCase, TestCase

from rserpool.core import ConfigurationError, TransportAddress
from rserpool.core.profiles import FAST
from rserpool.sctp import SctpClientEndpoint, SctpProtocol, listenSCTP, open_stack, pysctp_view
from rserpool.sctp.kernel import options
from rserpool.sctp.kernel.sockaddr import pack
from tests.lab import LabTests
from tests.sctp.harness import SctpHarness

try:
    import sctp
except ImportError:
    sctp = None

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "sctp.md").read_text()
SCTP = options.IPPROTO_SCTP
PATH = "i128sIIIII"


def read(thing: Any, names: str) -> tuple[Any, ...]:
    """Some of its attributes."""
    return tuple(getattr(thing, name) for name in names.split())


class ViewTests(LabTests, SctpHarness, TestCase):
    """Each row of the table is what the kernel itself answers."""

    def setUp(self) -> None:
        super().setUp()
        if sctp is None:
            raise SkipTest("pysctp is not installed")

    async def makeStack(self, *hosts: str) -> Any:
        return open_stack(reactor, backend="kernel", hosts=hosts, profile=FAST)

    def view(self, of: Any) -> Any:
        view = pysctp_view(of)
        self.addCleanup(view.close)
        return view

    def told(self, association: Any, option: int, layout: str, *question: Any) -> tuple[Any, ...]:
        """What the kernel answers, without the association's number."""
        shape = struct.Struct("=" + layout)
        asked = shape.pack(association.identifier, *question) if question else struct.pack("=i", association.identifier)
        return shape.unpack(options._get(association.socket.socket, option, asked, shape.size))[1:]

    async def test_table(self) -> None:
        """All rows, and no other, of an association over IPv4 and over IPv6."""
        for host in (self.host, self.host6):
            association, *_ = await self.pair(host)
            association.send(bytes(1000))
            sock = association.socket.socket
            # None of them is what it was.
            sock.setsockopt(SCTP, 7, struct.pack("=I", 77))
            sock.setsockopt(SCTP, 8, 1)
            sock.setsockopt(SCTP, 13, struct.pack("=iI", 0, 700))
            sock.setsockopt(SCTP, 4, 42)
            sock.setsockopt(SCTP, options._PEER_ADDR_PARAMS, self.path_parameters(association))
            checks = self.checks(association, self.view(association), host)
            self.assertEqual(set(checks), set(re.findall(r"^\| `([^`]+)` \| (?:all|`|the)", PAGE, re.MULTILINE)))
            for row, (expected, found) in checks.items():
                with self.subTest(row=row, host=host):
                    self.assertEqual(expected, found)

    @staticmethod
    def path_parameters(association: Any) -> bytes:
        address = pack(association.peer_addresses[0], association.peer.port)
        return options._PADDRPARAMS.pack(association.identifier, address, 4320, 7, 0, 0, options._SPP_HB_ENABLE, 0, 0)

    def checks(self, association: Any, view: Any, host: str) -> dict[str, tuple[Any, Any]]:
        """Of each row what the kernel answers, and what pysctp does."""
        number, peer = association.identifier, (host, association.peer.port)
        sock, address = association.socket.socket, pack(*peer)
        rto, limits = view.get_rtoinfo(number), view.get_assocparams(number)
        status, path = view.get_status(number), view.get_paddrinfo(number, peer)
        parameters = view.get_paddrparams(number, peer)
        own = [(each, association.endpoint.port) for each in association.local_addresses]
        state, rwnd, unacked, pending, inbound, outbound, point, _, raw, *primary = self.told(
            association, 14, "iiIHHHHI" + PATH
        )
        self.assertEqual(address, raw[: len(address)])
        kernel_path = self.told(association, 15, PATH, address, 0, 0, 0, 0, 0)[1:]
        interval, retransmissions, *_ = self.told(association, 9, "i128sIHIIIIBx", address, 0, 0, 0, 0, 0, 0, 0)[1:]
        streams = struct.unpack("=HHHH", sock.getsockopt(SCTP, 2, 8))
        return {
            "get_rtoinfo(id)": (self.told(association, 0, "iIII"), read(rto, "initial max min")),
            "get_assocparams(id)": (
                self.told(association, 1, "iHHIII"),
                read(limits, "assocmaxrxt number_peer_destinations peer_rwnd local_rwnd cookie_life"),
            ),
            "get_status(id)": (
                (state, rwnd, unacked, pending, inbound, outbound, point, *primary, peer),
                (
                    *read(status, "state rwnd unackdata penddata instrms outstrms fragmentation_point"),
                    *read(status.primary, "state cwnd srtt rto mtu sockaddr"),
                ),
            ),
            "get_paddrinfo(id, address)": (kernel_path, read(path, "state cwnd srtt rto mtu")),
            "get_paddrparams(id, address)": ((interval, retransmissions), read(parameters, "hbinterval pathmaxrxt")),
            "getpaddrs(id)": ((peer,), view.getpaddrs(number)),
            "getladdrs(id)": (tuple(own), view.getladdrs(number)),
            "initparams": (streams[:3], read(view.initparams, "num_ostreams max_instreams max_attempts")),
            "nodelay": (True, view.nodelay),
            "adaptation": (77, view.adaptation),
            "disable_fragments": (True, view.disable_fragments),
            "mappedv4": (":" not in host, view.mappedv4),
            "maxseg": (700, view.maxseg),
            "autoclose": (42, view.autoclose),
            "get_sndbuf()": (sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF), view.get_sndbuf()),
            "get_rcvbuf()": (sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF), view.get_rcvbuf()),
            "events": (
                (False, True, True, False, False, True, True, False),
                read(
                    view.events,
                    "data_io association address send_failure peer_error shutdown partial_delivery adaptation_layer",
                ),
            ),
        }

    async def test_one_to_one(self) -> None:
        """A port's endpoint and a transport's association can be viewed, too."""
        factory = Factory.forProtocol(SctpProtocol)  # type: ignore[type-var]
        port = listenSCTP(reactor, 0, factory, (self.host,), backend="kernel")
        peer = TransportAddress((self.host,), port.getHost().port)
        client: Any = await SctpClientEndpoint(reactor, peer, backend="kernel").connect(factory)
        association = client.transport.association
        self.assertEqual(((self.host, peer.port),), self.view(association).getpaddrs(association.identifier))
        self.assertEqual((self.host, peer.port), self.view(port.endpoint).getsockname())
        client.transport.loseConnection()
        await self.fired(port.stopListening())

    async def test_a_duplicate(self) -> None:
        """Closing the view closes nothing of ours."""
        association, _, _, accepting = await self.pair()
        pysctp_view(association).close()
        association.send(b"still there")
        await self.until(lambda: bool(accepting.received))

    async def test_no_socket(self) -> None:
        """What has no socket, or a closed one, is a sentence."""
        association, *_ = await self.pair()
        endpoint = association.endpoint
        endpoint.abort()
        for nothing in (endpoint, association, object()):
            self.assertIn("no open socket", str(self.assertRaises(ConfigurationError, pysctp_view, nothing)))


class WrongTests(LabTests, SynchronousTestCase):
    """What pysctp gets wrong."""

    def test_programs(self) -> None:
        """Each program of the page prints what stands beneath it, if anything does, and otherwise runs."""
        if sctp is None:
            raise SkipTest("pysctp is not installed")
        programs = re.findall(r"```python\n((?:(?!```).)*)```\n(?:\n```text\n(.*?)```)?", PAGE, re.DOTALL)
        self.assertEqual(8, len(programs))
        for text, expected in programs:
            ended = subprocess.run([sys.executable, "-c", text], capture_output=True, timeout=60, text=True)
            printed = ended.stdout if ended.returncode >= 0 else f"killed by signal {-ended.returncode}\n"
            self.assertEqual((expected, ""), (printed, ended.stderr), text)
