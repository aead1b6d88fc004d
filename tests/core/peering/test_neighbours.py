"""Peers that know no private parameter, and what multicast tells of a peer (RFC 5353 sections 2.1, 3.1, 3.4)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import Announce, SctpTransport
from rserpool.core.addresses import ENRP_PORT
from rserpool.core.peering.events import PeerLost
from rserpool.core.wire import enrp
from rserpool.core.wire.parameters import DATA_ONLY, ServerInformation
from tests.core.peering.stage import SERVER, P, PeeringStage, Q, R, information, owned, place

POOL = b"pool"
OURS = ServerInformation(SERVER, SctpTransport(ENRP_PORT, DATA_ONLY, ("10.0.3.0",)), 9899)
SEEN = replace(place(P), encapsulation=9898)


class Old(PeeringStage):
    """Peers that never show that they know our private parameters."""

    private = False


class PrivateTests(SynchronousTestCase):
    """Who never showed that it knows private parameters gets none."""

    def stage(self, kind: type[PeeringStage], **options: Any) -> PeeringStage:
        scope = kind(**options)
        scope.enrp.join(OURS, [], scope.now, discover=True)
        return scope.ready(P)

    def ports(self, effects: list[Any]) -> set[int]:
        """The UDP ports that our presences to P tell."""
        presences = PeeringStage.to(P, effects, enrp.Presence)
        return {each.information.encapsulation for each in presences if each.information is not None}

    def test_presences(self) -> None:
        """The UDP port goes to who knows it, over associations that are encapsulated, never by multicast."""
        for kind, encapsulated, told in ((PeeringStage, True, 9899), (PeeringStage, False, 0), (Old, True, 0)):
            scope = self.stage(kind, encapsulated=lambda association, it=encapsulated: it)
            effects = scope.silence(61.0, P) + scope.presence(P, reply_required=True)
            self.assertEqual(self.ports(effects), {told})
            announced = [effect.message.information for effect in scope.effects if isinstance(effect, Announce)]
            self.assertEqual({each.encapsulation for each in announced}, {0})
        first = PeeringStage()
        first.enrp.join(OURS, [], first.now)
        self.assertEqual(self.ports(first.enrp.association_up(P, place(P), first.now, True)), {0})

    def test_tables_and_updates(self) -> None:
        """An element's private parameters go to the peer that knows them; the same element, without, to the other."""
        scope = Old().ready(P)
        scope.hear(P, enrp.Presence(P, SERVER, 0xFFFF, information(P), private=True))
        scope.ready(Q)
        scope.up("a")
        scope.register("a", POOL, owned(0, 1))
        for peer, private in ((P, True), (Q, False)):
            (update,) = scope.to(peer, scope.effects, enrp.HandleUpdate)
            (table,) = scope.hear(peer, enrp.HandleTableRequest(peer, SERVER))
            for element in (update.element, table.entries[0].elements[0]):
                self.assertEqual(bool(element.encapsulation), private)
                self.assertEqual(element.identifier, 1)

    def test_one_that_was_removed(self) -> None:
        """A peer that was taken over and lives is known as before, over the same association."""
        scope = PeeringStage().ready(P, Q)
        scope.up("a")
        scope.register("a", POOL, owned(0, 1))
        scope.peering.peers.remove(P)
        tables = scope.to(P, scope.all_of(P, enrp.HandleTableRequest(P, SERVER)), enrp.HandleTableResponse)
        self.assertNotEqual(tables[0].entries[0].elements[0].encapsulation, 0)

    def test_one_that_was_heard_is_known_by_the_port_that_is_seen(self) -> None:
        scope = Old()
        scope.enrp.association_up(P, SEEN, scope.now)
        scope.hear(P, enrp.Presence(P, SERVER, 0xFFFF, information(P)))
        peer = scope.peering.peers.get(P)
        assert peer is not None
        self.assertEqual(peer.address, SEEN)


class ListTests(SynchronousTestCase):
    """2.6: all peers are listed, also one that never told where it is."""

    def test_without_server_information(self) -> None:
        scope = PeeringStage().ready(P)
        scope.enrp.association_up(R, place(R), scope.now)
        scope.hear(R, enrp.Presence(R, SERVER, 0xFFFF))
        (answer,) = scope.hear(P, enrp.ListRequest(P, SERVER))
        self.assertEqual(answer.servers, (information(R),))


class MulticastTests(SynchronousTestCase):
    """3.4.1, 3.6.1: a presence is one however it comes."""

    def setUp(self) -> None:
        self.scope = PeeringStage().ready(P)

    def announce(self, checksum: int, host: str | None = None) -> list[Any]:
        message = enrp.Presence(P, 0, checksum, information(P))
        source = place(P).hosts[0] if host is None else host
        return self.scope.note(self.scope.enrp.announcement(message, source, self.scope.now))

    def test_a_sign_of_life(self) -> None:
        """Only from where the peer is."""
        for host, lost in ((None, False), ("10.9.9.9", True)):
            effects = []
            for _ in range(20):
                effects += self.scope.pass_time(10.0)
                effects += self.announce(0xFFFF, host)
            self.assertEqual(any(getattr(each, "event", None) == PeerLost(P) for each in effects), lost)

    def test_a_sign_of_life_without_an_association(self) -> None:
        """A peer that cannot be dialled now, and is heard, is not dead; it is dialled again."""
        for host, lost in ((None, False), ("10.9.9.9", True)):
            self.setUp()
            self.scope.lose(P)
            effects = self.announce(0xFFFF, host)
            effects += self.scope.note(self.scope.enrp.connect_failed(place(P), self.scope.now))
            self.assertEqual(any(getattr(each, "event", None) == PeerLost(P) for each in effects), lost)
            if not lost:
                self.assertEqual(self.scope.calls(self.announce(0xFFFF)), [place(P)])

    def test_without_a_udp_port(self) -> None:
        """A stranger that was announced is looked for at the UDP ports that registrars take, where we have one."""
        for ours, ports in ((OURS, [0, *range(9899, 9891, -1)]), (replace(OURS, encapsulation=0), [0])):
            scope = PeeringStage()
            scope.enrp.join(ours, [], scope.now, discover=True)
            message = enrp.Presence(Q, 0, 0xFFFF, information(Q))
            effects = scope.enrp.announcement(message, place(Q).hosts[0], scope.now)
            tried = []
            while dialled := scope.calls(effects):
                (address,) = dialled
                tried.append(address.encapsulation)
                effects = scope.note(scope.enrp.connect_failed(address, scope.now))
            self.assertEqual(tried, ports)

    def test_a_checksum(self) -> None:
        """One that differs has the peer's elements asked for; in the wrong byte order it is the same."""
        self.scope.update(P, POOL, owned(P, 1))
        right = self.scope.registrar.handlespace.checksum_of(P)
        swapped = (right & 0xFF) << 8 | right >> 8
        for checksum in (right, swapped):
            self.assertEqual(self.scope.to(P, self.announce(checksum)), [])
        self.assertEqual(self.scope.to(P, self.announce(right ^ 0x1234, "10.9.9.9")), [])
        self.assertEqual(self.scope.to(P, self.announce(right ^ 0x1234)), [enrp.HandleTableRequest(SERVER, P, True)])
