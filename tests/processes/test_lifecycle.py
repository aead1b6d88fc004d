"""Elements and registrars that are killed, stopped, frozen and started again; users are served all the while."""

from __future__ import annotations

import signal
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred

from rserpool.cli.demo.processes import TWISTD
from rserpool.core.wire import asap
from rserpool.sctp.base import PPID_ASAP
from tests.processes.harness import Client, Pool, Process, ProcessTests, Registrar, all_of, free_address
from tests.processes.peer import peer_of

A, B = 0x0A, 0x0B


class LifecycleTests(ProcessTests):
    """Everything in the default profile, unless a test says so."""

    async def two(self, registrar: Registrar, *options: str) -> tuple[Process, Process, Any, Pool]:
        """Two elements, A and B, a user and what it sees."""
        one = self.element(registrar, "--identifier", str(A), *options)
        two = self.element(registrar, "--identifier", str(B), *options)
        user = self.user(registrar, backend="usrsctp" if "usrsctp" in options else "auto")
        pool = self.watch(user)
        await pool.holds(A, B)
        return one, two, user, pool

    async def request(self, pool: Pool, identifier: int) -> Client:
        """A request that this element has begun to serve."""
        transport: Any = (pool.elements or {})[identifier].user_transport
        client = await self.client(transport.addresses[0], transport.port)
        client.transport.write(b"begin\n")
        await client.gets(b"begun\n")
        return client

    async def test_killed(self) -> None:
        """SIGKILL: the element is removed at once, and resolutions give the other."""
        registrar = await self.registrar()
        one, _, user, pool = await self.two(registrar)
        began = reactor.seconds()
        one.signal("KILL")
        await pool.holds(B)
        self.assertLess(reactor.seconds() - began, 1.5)
        resolved = await user.resolve(b"pool", fresh=True)
        self.assertEqual([B], [element.identifier for element in resolved.elements])
        await registrar.process.says("pool: element 0x0000000a removed: unreachable")
        self.no_traceback(registrar.process)

    async def test_drained(self) -> None:
        """SIGTERM: it deregisters first, ends the request that it serves, and stops; later requests go elsewhere."""
        registrar = await self.registrar()
        one, two, user, pool = await self.two(registrar, "--grace", "30")
        client = await self.request(pool, A)
        one.signal("TERM")
        await pool.holds(B)
        await one.says("1 connections?: draining")
        resolved = await user.resolve(b"pool", fresh=True)
        self.assertEqual([B], [element.identifier for element in resolved.elements])
        self.assertIsNone(one.status)
        client.transport.write(b"end\n")
        self.assertEqual(b"begun\ndone\n", await client.lost)
        self.assertEqual(-signal.SIGTERM, await one.ended)
        await registrar.process.says("pool: element 0x0000000a removed: deregistered")
        # One that is not served to its end in time is cut off.
        await self.cut_off(registrar)
        self.no_traceback(registrar.process, one, two)

    async def cut_off(self, registrar: Registrar) -> None:
        short = self.element(registrar, "--grace", "0.2", "--identifier", "0x0c", pool="short")
        pool = self.watch(self.user(registrar), b"short")
        await pool.holds(0x0C)
        client = await self.request(pool, 0x0C)
        short.signal("TERM")
        self.assertEqual(-signal.SIGTERM, await short.ended)
        self.assertEqual(b"begun\n", await client.lost)

    async def test_frozen_element(self) -> None:
        """SIGSTOP: gone within 2 s; after SIGCONT it registers again by itself."""
        registrar = await self.registrar()
        one, _, _, pool = await self.two(registrar)
        began = reactor.seconds()
        one.signal("STOP")
        await pool.holds(B)
        self.assertLess(reactor.seconds() - began, 2.0)
        one.signal("CONT")
        await pool.holds(A, B)
        self.no_traceback(registrar.process, one)

    async def test_frozen_registrar(self) -> None:
        """A registrar that stood still for 5 s expires nobody who lives, and a user is served from what it knows."""
        # SCTP stands still with its process; that of the kernel would not.
        registrar = await self.registrar("--backend", "usrsctp")
        one, two, user, pool = await self.two(registrar, "--backend", "usrsctp")
        registrar.process.signal("STOP")
        waiting: Deferred[None] = Deferred()
        reactor.callLater(5.0, waiting.callback, None)
        resolved = await user.resolve(b"pool")
        self.assertEqual({A, B}, {element.identifier for element in resolved.elements})
        await waiting
        registrar.process.signal("CONT")
        # All three find it again.
        await all_of(*(process.says("home registrar is", len(process.lines)) for process in (one, two)))
        await pool.holds(A, B)
        fresh = self.watch(self.user(registrar, backend="usrsctp"))
        await fresh.holds(A, B)
        # Whoever would be expired wrongly would be so within the time for a keep-alive.
        settled: Deferred[None] = Deferred()
        reactor.callLater(1.5, settled.callback, None)
        await settled
        self.assertNotIn("removed", registrar.process.text)
        self.assertEqual([[A, B]], fresh.history)
        self.no_traceback(registrar.process, one, two)

    async def test_registrar_restarted(self) -> None:
        """A registrar is killed, and one starts in its place: elements register by themselves, users never notice."""
        registrar = await self.registrar()
        one, two, user, pool = await self.two(registrar)
        await user.resolve(b"pool")
        registrar.process.signal("KILL")
        await all_of(*(process.says("no home registrar: looking for one") for process in (one, two)))
        resolved = await user.resolve(b"pool")
        self.assertEqual({A, B}, {element.identifier for element in resolved.elements})
        again = await self.registrar(asap=f"{registrar.host}:3863")
        await self.watch(self.user(again)).holds(A, B)
        await user.resolve(b"pool", fresh=True)
        await pool.holds(A, B)
        self.no_traceback(again.process, one, two)

    async def test_no_registrar(self) -> None:
        """Without a registrar the element says so, goes on looking, and registers when one appears."""
        here = free_address()
        element = self.element(f"{here}:3863")
        await element.says(f"no registrar can be reached at {here}:3863; trying on")
        registrar = await self.registrar(asap=f"{here}:3863")
        await element.says(f"pool: registered as 0x[0-9a-f]+ with {here}:3863")
        # It can be stopped at any time, also when it looks in vain.
        registrar.process.signal("KILL")
        await element.says("no home registrar: looking for one")
        element.signal("TERM")
        self.assertEqual(-signal.SIGTERM, await element.ended)
        self.no_traceback(element)

    async def test_clock_set_back(self) -> None:
        """Somebody sets the clock back by an hour, and then forward by two: supervision does not care."""
        script = f"from tests.processes.jumping_clock import install; install(); {TWISTD}"
        process = self.spawn("-c", script, "-n", "--pidfile=", "rserpool-ns", "--asap", f"{free_address()}:3863")
        registrar = await self.serving(process)
        one, _, _, pool = await self.two(registrar)
        process.signal("USR2")
        await process.says("the clock is -3600 s off")
        began = reactor.seconds()
        one.signal("STOP")
        await pool.holds(B)
        self.assertLess(reactor.seconds() - began, 2.0)
        process.signal("USR2")
        await process.says("the clock is 3600 s off")
        one.signal("CONT")
        await pool.holds(A, B)
        self.assertNotIn("0x0000000b removed", process.text)
        self.no_traceback(process)

    async def test_ownership(self) -> None:
        """A second process can neither register nor remove what another has registered."""
        registrar = await self.registrar()
        one, _, _, pool = await self.two(registrar)
        peer, association = await peer_of(self, registrar.address)
        association.send(asap.encode(asap.Deregistration(b"pool", A)), PPID_ASAP)
        refusal = await peer.message(1)
        self.assertEqual((A, [0xA]), (refusal.identifier, [cause.code for cause in refusal.causes]))
        # Whoever reports it unreachable makes the registrar ask it, and no more.
        association.send(asap.encode(asap.EndpointUnreachable(b"pool", A)), PPID_ASAP)
        thief = self.element(registrar, "--identifier", str(A))
        await thief.says("pool: the registrar refused 0x0000000a for now: another pool element has this identifier")
        thief.signal("TERM")
        await thief.ended
        self.assertEqual([[A, B]], pool.history[-1:])
        self.assertNotIn("removed", registrar.process.text)
        one.signal("TERM")
        await pool.holds(B)

    async def test_stop_beside_frozen_peers(self) -> None:
        """Registrar and element end by SIGTERM in time, whatever their peers do."""
        registrar = await self.registrar("--profile", "rfc")
        one, two, _, pool = await self.two(registrar)
        one.signal("STOP")
        began = reactor.seconds()
        registrar.process.signal("TERM")
        self.assertEqual(-signal.SIGTERM, await registrar.process.ended)
        two.signal("TERM")
        self.assertEqual(-signal.SIGTERM, await two.ended)
        self.assertLess(reactor.seconds() - began, 10)
        self.no_traceback(registrar.process, two)
