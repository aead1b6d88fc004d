"""The reference implementation as a partner: its programs on hosts of their own, ours in this very process.

Each program has a host (a network namespace), so that each has SCTP and the well-known ports for itself. Services of
ours are started inside their host, too, and stay there: their sockets belong to it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred

from rserpool.core import SctpTransport, TransportAddress, UnknownPool
from rserpool.core.addresses import ASAP_PORT, ENRP_PORT
from rserpool.core.wire.parameters import DATA_PLUS_CONTROL
from rserpool.element import PoolElementService
from rserpool.registrar import RegistrarService
from rserpool.sctp import listenSCTP
from rserpool.user import PoolUserService
from tests.lab import LabTests
from tests.lab.networks import Host, Networks, tool
from tests.processes.harness import Process, ProcessTests

CHECKED = 0.02
"""So often, in seconds, L{RsplibTests.until} looks whether something is so."""
QUICK = (
    "-mentordiscoverytimeout=500",
    "-peerheartbeatcycle=500",
    "-peermaxtimelastheard=1500",
    "-peermaxtimenoresponse=500",
    "-takeoverexpiryinterval=3000",
)
"""rsplib's registrars among themselves, ten times as quick as they are by default."""
SUPERVISING = ("-endpointkeepalivetransmissioninterval=400", "-endpointkeepalivetimeoutinterval=2500")


class RsplibTests(LabTests, ProcessTests):
    """Hosts, rsplib's programs and services of ours; all of it ends with the test."""

    timeout = 60
    networks_wanted = 1

    def setUp(self) -> None:
        super().setUp()
        self.networks = Networks(self, self.networks_wanted)

    def host(self) -> Host:
        """One more host."""
        return self.networks.hosts(1)[0]

    async def until(self, condition: Callable[[], Any], what: str = "") -> Any:
        """Wait until this is so; what it was.

        @raise AssertionError: if it is not when the test's time is nearly over.
        """
        deadline = reactor.seconds() + self.timeout * 0.5  # type: ignore[attr-defined]
        while not (found := condition()):
            if reactor.seconds() > deadline:  # type: ignore[attr-defined]
                raise AssertionError(f"never: {what or condition}")
            await self.pause()
        return found

    @staticmethod
    async def pause() -> None:
        """Let others work, before looking again."""
        turn: Deferred[None] = Deferred()
        reactor.callLater(CHECKED, turn.callback, None)  # type: ignore[attr-defined]
        await turn

    async def holds(self, registrar: RegistrarService, handle: bytes, *identifiers: int) -> None:
        """Wait until a registrar of ours knows just these elements of a pool."""
        await self.until(
            lambda: elements(registrar, handle) == sorted(identifiers), f"{handle!r} with {identifiers} and no other"
        )

    async def resolves(self, user: PoolUserService, pool: str, *identifiers: int) -> None:
        """Wait until a user of ours finds just these elements in a pool."""
        while True:
            try:
                found = (await user.resolve(pool, fresh=True, timeout=20)).elements
            except UnknownPool:
                found = ()
            if sorted(element.identifier for element in found) == sorted(identifiers):
                return
            await self.pause()

    # rsplib's

    def rsplib(self, host: Host, program: str, *options: str) -> Process:
        """Start a program of rsplib on a host; it says line by line what it has to say."""
        process = Process()
        arguments = [program, *options]
        with host:
            # Without a terminal: with one this whole process would be forked, which takes the guest half a second.
            command = ["stdbuf", "-oL", tool(program), *options]
            reactor.spawnProcess(process, tool("stdbuf"), command, dict(os.environ))  # type: ignore[attr-defined]

        async def end() -> None:
            process.signal("KILL")
            await process.ended
            if "TEST_OUTPUT" in os.environ:
                print(f"\n{' '.join(arguments)} at {host.addresses}\n{process.text}")

        self.addCleanup(end)
        return process

    def their_registrar(self, host: Host, identifier: int, *options: str, peers: tuple[Host, ...] = ()) -> Process:
        """rsplib's registrar, without multicast unless C{options} ask for it."""
        address = host.addresses[0]
        alone = not any("announce" in option for option in options)
        return self.rsplib(
            host,
            "rspregistrar",
            f"-identifier=0x{identifier:x}",
            f"-asap={address}:{ASAP_PORT}",
            f"-enrp={address}:{ENRP_PORT}",
            *(f"-peer={peer.addresses[0]}:{ENRP_PORT}" for peer in peers),
            *(("-asapannounce=off", "-enrpannounce=off") if alone else ()),
            *QUICK,
            *SUPERVISING,
            *options,
        )

    def their_element(self, host: Host, registrar: Host, service: str, identifier: int, *options: str) -> Process:
        """rsplib's C{rspserver} with one of its services: C{"echo"}, C{"pingpong"}, ..."""
        return self.rsplib(
            host,
            "rspserver",
            f"-{service}",
            f"-identifier=0x{identifier:x}",
            f"-registrar={registrar.addresses[0]}:{ASAP_PORT}",
            "-asapannounce=off",
            *options,
        )

    def their_user(self, host: Host, registrar: Host, program: str, *options: str) -> Process:
        """rsplib's C{rspterminal}, C{pingpongclient}, ..."""
        where = f"-registrar={registrar.addresses[0]}:{ASAP_PORT}"
        return self.rsplib(host, program, where, "-asapannounce=off", *options)

    # Ours

    async def our_registrar(self, host: Host, identifier: int, *peers: Host, **options: Any) -> RegistrarService:
        """A registrar of ours that serves at a host."""
        service = RegistrarService(
            reactor,
            asap=TransportAddress(host.addresses, ASAP_PORT),
            peers=[TransportAddress(peer.addresses, ENRP_PORT) for peer in peers],
            tcp=False,
            identifier=identifier,
            **options,
        )
        self._serve(host, service)
        return service

    async def our_process(self, host: Host, identifier: int) -> Process:
        """A registrar of ours that can be killed."""
        where = (f"--asap={host.addresses[0]}:{ASAP_PORT}", f"--enrp={host.addresses[0]}:{ENRP_PORT}")
        with host:
            process = self.twistd("rserpool-ns", *where, f"--identifier={identifier}", "--asap-tcp=none")
        await process.says("serves ASAP at")
        return process

    def our_element(self, host: Host, *registrars: Host, **options: Any) -> PoolElementService:
        """An element of ours; it serves where it is told to."""
        where = [TransportAddress(registrar.addresses, ASAP_PORT) for registrar in registrars]
        service = PoolElementService(reactor, checked=False, registrars=where, hosts=host.addresses, **options)
        self._serve(host, service)
        return service

    async def our_service(
        self, host: Host, pool: bytes, factory: Any, identifier: int, *registrars: Host, **options: Any
    ) -> PoolElementService:
        """An element of ours that serves a factory's protocols over SCTP, registered."""
        with host:
            port = listenSCTP(reactor, 0, factory, host.addresses)
        self.addCleanup(port.stopListening)
        element = self.our_element(host, *registrars)
        await element.serve(pool, self.transport(host, port.getHost().port), identifier=identifier, **options)
        return element

    def our_user(self, host: Host, *registrars: Host) -> PoolUserService:
        """A user of ours, over SCTP."""
        where = [TransportAddress(registrar.addresses, ASAP_PORT) for registrar in registrars]
        service = PoolUserService(reactor, where, transport="sctp")
        self._serve(host, service)
        return service

    def _serve(self, host: Host, service: Any) -> None:
        with host:
            service.startService()
        self.addCleanup(service.stopService)

    def count(self, thing: Any, method: str) -> list[tuple[Any, ...]]:
        """From now on, the arguments of each call of a method."""
        calls: list[tuple[Any, ...]] = []
        called = getattr(thing, method)

        def note(*arguments: Any) -> Any:
            calls.append(arguments)
            return called(*arguments)

        self.patch(thing, method, note)
        return calls

    async def registrars(self) -> tuple[Host, Host]:
        """Hosts with a registrar of ours, and with one of theirs, which do not know each other."""
        ours, theirs = self.networks.hosts(2)
        await self.our_registrar(ours, 1)
        self.their_registrar(theirs, 2)
        return ours, theirs

    @staticmethod
    def transport(host: Host, port: int, use: int = DATA_PLUS_CONTROL) -> SctpTransport:
        """Where an element of ours serves, with the Transport Use of rsplib's sessions."""
        return SctpTransport(port, use, host.addresses)


def elements(registrar: RegistrarService, handle: bytes) -> list[int]:
    """Who is in this pool, as a registrar of ours knows."""
    pool = registrar.registrar.handlespace.pools.get(handle)
    return [] if pool is None else sorted(pool.elements)
