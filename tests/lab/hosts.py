"""Hosts of a scope in the lab: registrars and elements are processes on hosts of their own, at two networks."""

from __future__ import annotations

from twisted.internet import reactor

from rserpool.core import TransportAddress
from rserpool.element import PoolElementService
from rserpool.user import PoolUserService
from tests.lab import LabTests
from tests.lab.networks import Host, Networks
from tests.processes.harness import Process, ProcessTests, all_of

BACKEND = "kernel"


def at(host: Host, port: int = 3863) -> TransportAddress:
    """A port at all addresses of a host."""
    return TransportAddress(host.addresses, port)


class ScopeTests(LabTests, ProcessTests):
    """With networks; this very process is on a host of them, too.

    @ivar here: the host that this process is on.
    @ivar registrars: the hosts of registrars.
    """

    timeout = 60

    def setUp(self) -> None:
        super().setUp()
        self.networks = Networks(self)
        (self.here,) = self.networks.hosts(1)
        self.networks.enter(self.here)
        self.registrars: list[Host] = []

    async def registrars_at(self, *hosts: Host) -> list[Process]:
        """Registrars that are all peers of each other, with the identifiers 1, 2, ..."""
        self.registrars = list(hosts)
        numbers = range(1, len(hosts) + 1)
        processes = [self._registrar(host, number) for number, host in zip(numbers, hosts, strict=True)]
        await all_of(*(process.says("serves ASAP at") for process in processes))
        known = [
            process.says(f"peer 0x{other:08x} at")
            for own, process in zip(numbers, processes, strict=True)
            for other in numbers
            if own != other
        ]
        await all_of(*known)
        return processes

    def _registrar(self, host: Host, identifier: int) -> Process:
        peers = [f"--peer={at(other, 9901)}" for other in self.registrars if other is not host]
        where = (f"--asap={at(host)}", f"--enrp={at(host, 9901)}", f"--backend={BACKEND}", "--asap-tcp=none")
        with host:
            return self.twistd("rserpool-ns", *where, f"--identifier={identifier}", *peers)

    async def element_at(self, host: Host, identifier: int, *plugin: str) -> Process:
        """A process that serves in the pool C{pool}, registered with one of all registrars.

        @param plugin: the plugin and its options.
        """
        with host:
            process = self.twistd(
                "rserpool-pe",
                "--pool=pool",
                f"--identifier={identifier}",
                *(f"--registrar={at(registrar)}" for registrar in self.registrars),
                f"--address={','.join(host.addresses)}",
                f"--backend={BACKEND}",
                "--",
                *(plugin or ("served",)),
            )
        await process.says("pool: registered as")
        return process

    def user_of(self, *hosts: Host) -> PoolUserService:
        """A user in this very process, which asks registrars on these hosts."""
        homes = [at(host) for host in hosts]
        user = PoolUserService(reactor, homes, transport="sctp", backend=BACKEND)
        user.startService()
        self.addCleanup(user.stopService)
        return user

    def element_of(self, host: Host, *homes: Host) -> PoolElementService:
        """An element in this very process, but on that host, which registers with registrars on C{homes}."""
        element = PoolElementService(
            reactor, registrars=[at(home) for home in homes], hosts=host.addresses, backend=BACKEND, checked=False
        )
        with host:
            element.startService()
        self.addCleanup(element.stopService)
        return element

    def nothing_lost(self, *registrars: Process) -> None:
        """These registrars removed no element, and missed no peer."""
        for registrar in registrars:
            for bad in ("removed", "is silent", "is gone"):
                self.assertNotIn(bad, registrar.text)
        self.no_traceback(*registrars)
