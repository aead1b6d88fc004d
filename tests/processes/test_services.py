"""What C{twistd rserpool-pe} runs: several pools, measured loads, and ports of every kind; IPv6; announcements."""

from __future__ import annotations

import json
import re
import signal
import socket
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import DatagramProtocol, Factory
from twisted.trial.unittest import SkipTest

from rserpool.core import TcpTransport, UdpTransport
from rserpool.user import PoolClientEndpoint
from tests.names.loopback import free_port
from tests.processes.harness import Client, ProcessTests, all_of, free_address, has_ipv6


class Asker(DatagramProtocol):
    """Sends one datagram, and waits for one."""

    def __init__(self, where: tuple[str, int]) -> None:
        self._where = where
        self.answer: Deferred[bytes] = Deferred()

    def startProtocol(self) -> None:
        transport: Any = self.transport
        transport.write(b"echo", self._where)

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        self.answer.callback(datagram)


class PortTests(ProcessTests):
    """The port of a service is found, wherever it is."""

    async def test_kinds(self) -> None:
        """TCP, UDP, SCTP, late, several, hidden: each in a pool of its own."""
        registrar = await self.registrar()
        host = free_address()
        hidden = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(hidden.close)
        hidden.bind(("127.0.0.1", 0))
        port = hidden.getsockname()[1]
        only_here = ("--address", host)
        process = {
            kind: self.element(registrar, *options, pool=kind, plugin=plugin)
            for kind, options, plugin in (
                ("web", (), ("web", "--listen", "tcp:0")),
                ("udp", ("--port", "udp"), ("served", "--kind", "udp")),
                ("sctp", (), ("web", "--listen", "sctp:0")),
                ("late", (), ("served", "--kind", "late")),
                ("hidden", ("--port", f"udp:{port}"), ("served", "--kind", "none")),
                ("bound", only_here, ("served", "--interface", host)),
            )
        }
        user = self.user(registrar)
        transports: dict[str, Any] = {}
        for kind in process:
            pool = self.watch(user, kind.encode())
            await pool.until(lambda elements: len(elements) == 1)
            (element,) = (pool.elements or {}).values()
            transports[kind] = element.user_transport
        self.assertEqual(UdpTransport(port, "127.0.0.1"), transports["hidden"])
        for kind in ("late", "bound"):
            (port, *_) = [int(m[1]) for line in process[kind].lines if (m := re.search(r"open at (\d+)", line))]
            where = host if kind == "bound" else "127.0.0.1"
            self.assertEqual(TcpTransport(port, where), transports[kind])
        web = await self.client(transports["web"].addresses[0], transports["web"].port)
        web.transport.write(b"GET / HTTP/1.0\r\n\r\n")
        await web.gets(b"200 OK")
        over_sctp: Any = await PoolClientEndpoint(user, "sctp").connect(Factory.forProtocol(Client))
        over_sctp.transport.write(b"GET / HTTP/1.0\r\n\r\n")
        await over_sctp.gets(b"200 OK")
        await over_sctp.lost
        self.assertIsInstance(transports["udp"], UdpTransport)
        asker = Asker((transports["udp"].addresses[0], transports["udp"].port))
        network: Any = reactor
        listening = network.listenUDP(0, asker)
        self.addCleanup(listening.stopListening)
        self.assertEqual(b"echo", await asker.answer)
        self.no_traceback(registrar.process, *process.values())

    async def test_several(self) -> None:
        """Of several ports the options name what is registered; otherwise a sentence lists them."""
        registrar = await self.registrar()
        two = self.element(registrar, plugin=("served", "--kind", "two"))
        self.assertEqual(1, await two.ended)
        (first, second) = re.findall(r"open at (\d+)", two.text)
        await two.says(f"rserpool-pe: the service opened 2 ports, .* of tcp:{first}, tcp:{second}")
        listen = [f"tcp:{free_port()}:interface=127.0.0.1" for _ in range(2)]
        ports = [where.split(":")[1] for where in listen]
        named = self.element(
            registrar,
            *("--port", ports[0], "--port", ports[1]),
            plugin=("web", "--listen", listen[0], "--listen", listen[1]),
        )
        pool = self.watch(self.user(registrar), b"pool")
        await pool.until(lambda elements: len(elements) == 2)
        found = {str(element.user_transport.port) for element in (pool.elements or {}).values()}
        self.assertEqual(set(ports), found)
        named.signal("TERM")
        await pool.holds()
        self.no_traceback(registrar.process, two, named)

    async def test_another_process(self) -> None:
        """C{--port} is checked: another process's port is registered while it is open there."""
        registrar = await self.registrar()
        server = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(server.close)
        port = server.getsockname()[1]
        server.close()
        element = self.element(registrar, "--port", str(port), plugin=("served", "--kind", "none"))
        await element.says("starting up")
        pool = self.watch(self.user(registrar))
        for _ in range(2):
            server = socket.create_server(("127.0.0.1", port))
            await pool.until(lambda elements: len(elements) == 1)
            server.close()
            await pool.holds()
        await element.says(f"nobody listens on tcp:{port} any more: left the pool until that has changed")
        self.no_traceback(registrar.process, element)

    async def test_no_port(self) -> None:
        """A service without a port that can be found is waited for, one at an address that is not the element's ends:
        a sentence.
        """
        registrar = await self.registrar()
        none = self.element(registrar, plugin=("served", "--kind", "none"))
        elsewhere = self.element(registrar, "--address", "127.0.0.1", plugin=("served", "--interface", free_address()))
        only_ipv4 = self.element("[::1]:3863", plugin=("served", "--kind", "late"))
        self.assertEqual([1, 1], await all_of(elsewhere.ended, only_ipv4.ended), none.text)
        await none.says("the service opened no port that can be found: name it with --port")
        sentence = "rserpool-pe: the service listens on %s alone, and the element is at %s"
        self.assertRegex(elsewhere.text, sentence % ("127[0-9.]+", "127.0.0.1"))
        self.assertRegex(only_ipv4.text, sentence % ("IPv4", "::1"))
        self.no_traceback(none, elsewhere, only_ipv4)

    async def test_pools_and_loads(self) -> None:
        """One process in two pools with its processor's load; another policy in one of them is refused."""
        registrar = await self.registrar()
        policy = ("--policy", "least-used:load=cpu")
        element = self.element(registrar, "--pool", "second", *policy, "--life", "30", pool="first")
        user = self.user(registrar)
        first, second = self.watch(user, b"first"), self.watch(user, b"second")
        await all_of(*(pool.until(lambda elements: len(elements) == 1) for pool in (first, second)))
        for pool in (first, second):
            (seen,) = (pool.elements or {}).values()
            self.assertEqual(0x40000001, seen.policy.type)
            self.assertEqual(30, seen.life)
            self.assertEqual(4, len(seen.policy.data))
        stranger = self.element(registrar, "--policy", "random", pool="first")
        self.assertEqual(1, await stranger.ended)
        await stranger.says("rserpool-pe: the policy differs from that of the pool")
        element.signal("TERM")
        self.assertEqual(-signal.SIGTERM, await element.ended)
        await all_of(first.holds(), second.holds())
        self.no_traceback(registrar.process, element, stranger)


class Ipv6Tests(ProcessTests):
    """The IPv6 loopback address."""

    async def test_ipv6(self) -> None:
        """Registrar, element and user over C{[::1]:3863}, over SCTP and TCP."""
        if not has_ipv6():
            raise SkipTest("this host has no IPv6 loopback address")
        registrar = await self.registrar("--asap-tcp", "[::1]:0", asap="[::1]:3863")
        self.assertRegex(registrar.text, r"^\[::1\]:3863/98\d\d$")
        element = self.element(registrar, plugin=("served", "--interface", "::"))
        await element.says(r"pool: registered as 0x[0-9a-f]+ with \[::1\]:3863")
        over_sctp = self.rserpool("resolve", "pool", "--json", "--registrar", registrar.text)
        tcp = f"[::1]:{registrar.tcp.port}"
        over_tcp = self.rserpool("resolve", "pool", "--json", "--registrar", tcp, "--transport", "tcp")
        self.assertEqual([0, 0], await all_of(over_sctp.ended, over_tcp.ended), over_sctp.text)
        for process in (over_sctp, over_tcp):
            (found,) = json.loads(process.output)["elements"]
            self.assertEqual(["::1"], found["transport"]["addresses"])
        with socket.create_connection(("::1", found["transport"]["port"]), timeout=5) as connection:
            connection.sendall(b"begin\n")
            self.assertEqual(b"begun\n", connection.recv(10))
        element.signal("KILL")
        await registrar.process.says("pool: element 0x[0-9a-f]+ removed: unreachable")
        self.no_traceback(registrar.process, element)


class AnnouncementTests(ProcessTests):
    """Registrars that announce themselves by multicast."""

    group = f"239.{free_address().removeprefix('127.')}"

    async def test_announced(self) -> None:
        """An element and a user that know no working registrar find one that announces itself."""
        if not multicast(self.group):
            raise SkipTest("this host has no multicast")
        nobody = f"{free_address()}:3863"
        announced = ("--announce-group", f"{self.group}:13863")
        element = self.element(nobody, *announced)
        await element.says(f"no registrar can be reached at {nobody}")
        registrar = await self.registrar("--announce", *announced)
        await element.says(f"pool: registered as 0x[0-9a-f]+ with {registrar.host}:3863")
        # A second registrar with the same group on the same host: both announce, and the element has one of them.
        other = await self.registrar("--announce", *announced)
        registrar.process.signal("KILL")
        await element.says(f"home registrar is {other.host}:3863")
        self.no_traceback(registrar.process, other.process, element)


def multicast(group: str) -> bool:
    """Whether a datagram to the group comes back."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        try:
            receiver.bind(("", 0))
            membership = socket.inet_aton(group) + socket.inet_aton("127.0.0.1")
            receiver.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
            receiver.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
            receiver.settimeout(2)
            receiver.sendto(b"?", (group, receiver.getsockname()[1]))
            return receiver.recv(1) == b"?"
        except OSError:
            return False
