"""Who speaks ENRP is one registrar: nobody invents registrars without end, or speaks for another that is there."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import Abort, Close, Notify, SctpTransport, TransportAddress
from rserpool.core.addresses import ENRP_PORT
from rserpool.core.authority import MOST_OF_A_MACHINE
from rserpool.core.peering.dials import FEW_TRIES, MOST_ANNOUNCED, MOST_OF_ONE, NAMED_A_SECOND, NAMED_AT_ONCE
from rserpool.core.peering.events import Namesake
from rserpool.core.peering.peers import MOST_ADDRESSES
from rserpool.core.wire import enrp
from rserpool.core.wire.parameters import ServerInformation
from tests.core.peering.stage import SERVER, P, PeeringStage, Q, information, owned, place

POOL = b"pool"


class StrangerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.scope = PeeringStage().ready(P)

    def come(self, association: Any, host: str) -> None:
        """Somebody dials."""
        self.scope.enrp.association_up(association, TransportAddress((host,), ENRP_PORT), self.scope.now)

    def say(self, association: Any, message: enrp.Message) -> list[Any]:
        return self.scope.enrp.receive(association, message, self.scope.now)

    def test_an_association_speaks_for_one_server(self) -> None:
        self.come("stranger", "10.0.8.8")
        self.say("stranger", enrp.Presence(Q, SERVER, 0xFFFF))
        for invented in range(1000, 1100):
            self.assertEqual(self.say("stranger", enrp.Presence(invented, SERVER, 0xFFFF)), [Abort("stranger")])
        self.assertEqual([peer.identifier for peer in self.scope.peering.peers], [P, Q])

    def test_nobody_speaks_for_another_that_is_there(self) -> None:
        """It is not heard; a second association from the peer's own host is."""
        self.scope.update(P, POOL, owned(P, 1))
        self.come("stranger", "10.0.8.8")
        deletion = enrp.HandleUpdate(P, SERVER, enrp.UpdateAction.DEL_PE, POOL, owned(P, 1))
        self.assertEqual(self.say("stranger", deletion), [])
        self.assertEqual(self.scope.elements(POOL), {1: P})
        self.come("again", place(P).hosts[0])
        self.say("again", deletion)
        self.assertEqual(self.scope.elements(POOL), {})

    def test_an_address_that_is_not_proved_is_nobodys(self) -> None:
        """Somebody says in its INIT that it is where P is: when it is told what of that is proved it is not heard."""
        self.scope.update(P, POOL, owned(P, 1))
        liar = TransportAddress(("10.0.8.8", *place(P).hosts), ENRP_PORT)
        self.scope.enrp.association_up("liar", liar, self.scope.now)
        self.scope.peering.peers.moved("liar", ("10.0.8.8",), self.scope.now)
        deletion = enrp.HandleUpdate(P, SERVER, enrp.UpdateAction.DEL_PE, POOL, owned(P, 1))
        self.assertEqual(self.say("liar", deletion), [])
        self.assertEqual(self.scope.elements(POOL), {1: P})

    def test_who_is_away_may_come_back_from_anywhere(self) -> None:
        self.scope.lose(P)
        self.come("elsewhere", "10.0.8.8")
        presence = enrp.Presence(P, SERVER, 0xFFFF, information(P), True)
        self.assertEqual(len(self.scope.to("elsewhere", self.say("elsewhere", presence), enrp.Presence)), 1)  # type: ignore[arg-type]

    def test_a_registrar_with_our_identifier(self) -> None:
        """It is told of once, and no peer; we ourselves, dialled by mistake, are not told of."""
        ours = ServerInformation(SERVER, SctpTransport(ENRP_PORT, 0, ("10.0.3.0",)))
        for theirs in (ours, None):
            self.come("mirror", "10.0.3.0")
            self.assertEqual(self.say("mirror", enrp.Presence(SERVER, 0, 0xFFFF, theirs)), [Close("mirror")])
        for number, host in enumerate(("10.0.8.8", "10.0.9.9")):
            self.come(number, host)
            theirs = ServerInformation(SERVER, SctpTransport(ENRP_PORT, 0, (host,)), 9898)
            told = [Notify(Namesake(TransportAddress((host,), ENRP_PORT, 9898)))] if not number else []
            self.assertEqual(self.say(number, enrp.Presence(SERVER, 0, 0xFFFF, theirs)), [*told, Close(number)])
        self.assertEqual([peer.identifier for peer in self.scope.peering.peers], [P])

    def test_a_machine_has_so_many_registrars(self) -> None:
        """Whatever addresses they claim; others are welcome all the same."""
        for number in range(MOST_OF_A_MACHINE + 5):
            host = f"fd00::{number + 1:x}"
            self.come(number, host)
            lie = ServerInformation(1000 + number, SctpTransport(ENRP_PORT, 0, (f"10.9.{number}.9",)))
            effects = self.say(number, enrp.Presence(1000 + number, SERVER, 0xFFFF, lie))
            self.assertEqual(effects == [], number >= MOST_OF_A_MACHINE)
        self.assertEqual(len(self.scope.peering.peers), 1 + MOST_OF_A_MACHINE)
        self.scope.ready(Q)
        self.assertIn(Q, self.scope.peering.peers)

    def test_not_everybody_that_a_peer_names_is_dialled(self) -> None:
        servers = tuple(
            ServerInformation(1000 + n, SctpTransport(ENRP_PORT, 0, (f"10.7.{n // 250}.{n % 250}",)))
            for n in range(1000)
        )
        effects = self.say(P, enrp.ListResponse(P, SERVER, servers))
        self.assertEqual(len(self.scope.calls(effects)), NAMED_AT_ONCE)
        for address in self.scope.calls(effects):
            self.scope.enrp.connect_failed(address, self.scope.now)
        self.assertEqual(self.scope.calls(self.say(P, enrp.ListResponse(P, SERVER, servers))), [])
        self.scope.now += 5
        effects = self.say(P, enrp.ListResponse(P, SERVER, servers))
        self.assertEqual(len(self.scope.calls(effects)), 5 * NAMED_A_SECOND)

    def test_one_machine_does_not_use_up_what_others_may_name(self) -> None:
        """However many registrars it has: all dials have a limit, and so have those that are its."""
        for number in range(MOST_OF_A_MACHINE):
            self.come(number, "10.0.9.9")
            self.say(number, enrp.Presence(1000 + number, SERVER, 0xFFFF))
            servers = tuple(
                ServerInformation(2000 + n, SctpTransport(ENRP_PORT, 0, (f"10.{number}.7.{n}",))) for n in range(100)
            )
            effects = self.say(number, enrp.ListResponse(1000 + number, SERVER, servers))
            self.assertEqual(len(self.scope.calls(effects)), 0 if number else NAMED_AT_ONCE)
        named = ServerInformation(Q, SctpTransport(ENRP_PORT, 0, ("10.9.0.1",)))
        self.assertEqual(len(self.scope.calls(self.say(P, enrp.ListResponse(P, SERVER, (named,))))), 1)

    def test_what_it_says_it_is_stays_small(self) -> None:
        """Server Information of 40 kB: so many addresses of it are kept, and the list of all fits one message."""
        for number in range(10 * MOST_OF_A_MACHINE):
            host = f"10.0.{8 + number // MOST_OF_A_MACHINE}.1"
            self.come(number, host)
            many = tuple(f"10.{n // 250}.7.{n % 250}" for n in range(2000))
            lie = ServerInformation(1000 + number, SctpTransport(ENRP_PORT, 0, many))
            self.say(number, enrp.Presence(1000 + number, SERVER, 0xFFFF, lie))
        [answer] = self.scope.hear(P, enrp.ListRequest(P, SERVER))
        self.assertGreater(len(answer.servers), 100)
        self.assertEqual({len(server.transport.addresses) for server in answer.servers}, {MOST_ADDRESSES})
        self.assertLess(len(enrp.encode(answer)), 65_536)
        effects = self.scope.enrp.association_lost(5, self.scope.now)
        self.assertLessEqual({len(peer.hosts) for peer in self.scope.calls(effects)}, {MOST_ADDRESSES})

    def test_an_address_of_which_nobody_spoke_is_soon_given_up(self) -> None:
        """Who says that it is somewhere else makes us dial there a few times; who is where it was, for long."""
        tries = {}
        for identifier, host in ((1000, "10.6.6.6"), (1001, "10.0.8.9")):
            self.come(identifier, f"10.0.8.{identifier - 992}")
            told = ServerInformation(identifier, SctpTransport(ENRP_PORT, 0, (host,)))
            self.say(identifier, enrp.Presence(identifier, SERVER, 0xFFFF, told))
            calls = self.scope.calls(self.scope.enrp.association_lost(identifier, self.scope.now))
            tries[host] = 0
            while calls and tries[host] < 2 * FEW_TRIES:
                tries[host] += 1
                calls = self.scope.calls(self.scope.enrp.connect_failed(calls[0], self.scope.now))
                calls = calls or [peer for peer in self.scope.calls(self.scope.pass_time(7.0)) if peer.hosts == (host,)]
        self.assertEqual(tries, {"10.6.6.6": FEW_TRIES, "10.0.8.9": 2 * FEW_TRIES})

    def test_not_everybody_that_is_announced_is_dialled(self) -> None:
        """One machine announces registrars without end: another's are dialled all the same, and a peer's list is."""
        calls = []
        for n in range(1000):
            lie = ServerInformation(1000 + n, SctpTransport(ENRP_PORT, 0, (f"10.7.{n // 250}.{n % 250}",)))
            presence = enrp.Presence(1000 + n, 0, 0xFFFF, lie)
            calls += self.scope.calls(self.scope.enrp.announcement(presence, "10.0.9.9", self.scope.now))
        self.assertEqual(len(calls), MOST_OF_ONE)
        for n in range(1000):
            presence = enrp.Presence(2000 + n, 0, 0xFFFF, None)
            calls += self.scope.calls(
                self.scope.enrp.announcement(presence, f"10.8.{n // 250}.{n % 250}", self.scope.now)
            )
        self.assertEqual(len(calls), MOST_ANNOUNCED)
        named = ServerInformation(Q, SctpTransport(ENRP_PORT, 0, ("10.9.0.1",)))
        self.assertEqual(len(self.scope.calls(self.say(P, enrp.ListResponse(P, SERVER, (named,))))), 1)

    def test_who_accepts_and_hangs_up_is_dialled_less_and_less(self) -> None:
        """A configured peer that accepts and closes at once, without a word or with one."""
        for says in (False, True):
            scope = PeeringStage(Q)
            dialled, end = 0, scope.now + 10
            calls = scope.calls(scope.began)
            while scope.now < end:
                if calls:
                    dialled += 1
                    scope.enrp.association_up(Q, calls[0], scope.now, True)
                    if says:
                        scope.presence(Q)
                    calls = scope.calls(scope.enrp.association_lost(Q, scope.now))
                else:
                    calls = scope.calls(scope.pass_time(0.01))
            self.assertLess(dialled, 60)
