"""A secured scope over the kernel's SCTP and two networks: one network fails, a registrar dies; nobody is lost."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from twisted.internet import reactor

from rserpool.core.wire.parameters import TcpTransport
from rserpool.element import PoolElementService
from rserpool.security.scope_directory import ScopeDirectory, Terms, member_of
from rserpool.user import PoolUserService
from tests.lab import strange
from tests.lab.hosts import BACKEND, ScopeTests, at
from tests.lab.networks import Host
from tests.processes.harness import Process, all_of


class SecuredTests(ScopeTests):
    """Registrars are processes; an element on a host of its own, and a user here."""

    timeout = 120

    def start(self, host: Host, other: Host, number: int) -> Process:
        with host:
            return self.twistd(
                "rserpool-ns", f"--asap={at(host)}", f"--enrp={at(host, 9901)}", f"--backend={BACKEND}",
                f"--identifier={number}", f"--security={self.path / f'reg{number}'}", f"--peer={at(other, 9901)}",
            )  # fmt: skip

    async def test_networks(self) -> None:
        """TLS over associations with two paths each; at the element, too, which registrars dial."""
        hosts = one, two, there = self.networks.hosts(3)
        for host in (*hosts, self.here):
            for address in host.addresses:
                # What the dissector of ASAP would make of TLS is nothing.
                strange(address)
        self.path = Path(self.mktemp()).absolute()
        members = [member_of("registrar", ",".join([f"reg{n}", *host.addresses])) for n, host in ((1, one), (2, two))]
        made = ScopeDirectory(self.path)
        made.make("pools.example", [*members, member_of("element", "web1")], Terms(datetime.now(UTC)))
        registrars = [self.start(one, two, 1), self.start(two, one, 2)]
        await all_of(registrars[0].says("peer 0x00000002 at"), registrars[1].says("peer 0x00000001 at"))
        element = PoolElementService(
            reactor, registrars=[at(one), at(two)], hosts=there.addresses, backend=BACKEND,
            security=str(self.path / "web1"), checked=False,
        )  # fmt: skip
        with there:
            element.startService()
        self.addCleanup(element.stopService)
        await element.serve("pool", TcpTransport(80, there.addresses[0]), identifier=7)
        user = PoolUserService(
            reactor, [at(one), at(two)], transport="sctp", backend=BACKEND, security=str(self.path / "users")
        )
        user.startService()
        self.addCleanup(user.stopService)
        pool = self.watch(user)
        await pool.holds(7)
        self.networks.cut(0)
        for _ in range(3):
            resolved = await user.resolve("pool", fresh=True, timeout=20)
            self.assertEqual([7], [each.identifier for each in resolved.elements])
        self.networks.mend(0)
        home = element.element.home
        assert home is not None
        number = 1 if home.hosts[0] in one.addresses else 2
        registrars[number - 1].signal("KILL")
        # Where the element has found the other one before that, there is nothing to take over.
        await registrars[2 - number].says(f"registrar 0x{number:08x} is gone: [01] elements belong to us now")
        resolved = await user.resolve("pool", fresh=True, timeout=30)
        self.assertEqual([7], [each.identifier for each in resolved.elements])
        self.assertNotIn("removed", registrars[2 - number].text)
        self.no_traceback(*registrars)
