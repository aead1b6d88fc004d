"""What RFC 5353 sections 3.3 and 3.6 require: updates, checksums, audits; and RFC 5352 of the home about its peers."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import Announce, CauseCode, Notify, SctpTransport
from rserpool.core.handlespace.checksum import fold, handle_sum, identifier_sum
from rserpool.core.peering.events import Audited
from rserpool.core.profiles import RFC
from rserpool.core.wire import asap, enrp
from rserpool.core.wire.parameters import ServerInformation
from tests.conformance import rfc
from tests.core.peering.stage import SERVER, P, PeeringStage, Q, R, owned
from tests.core.stage import element

POOL = b"pool"


def updates(scope: PeeringStage, effects: list[Any], *peers: int) -> list[enrp.HandleUpdate]:
    """The one sequence of updates that each of these peers is sent."""
    first, *others = (scope.to(peer, effects, enrp.HandleUpdate) for peer in peers)
    assert all(other == first for other in others)
    return first


class HomeTests(SynchronousTestCase):
    """What the home tells its peers."""

    def setUp(self) -> None:
        self.scope = PeeringStage().ready(P, Q)
        self.scope.up("a")

    def says(self, message: Any) -> tuple[list[Any], list[enrp.HandleUpdate]]:
        """An element says something; what it is answered, and what the peers are told."""
        effects = self.scope.registrar.receive("a", asap.decode(asap.encode(message)).message, self.scope.now)
        self.scope.effects += effects
        return self.scope.sent("a", effects), updates(self.scope, effects, P, Q)

    @rfc("5352", "3.1", "MUST take the handlespace update action")
    @rfc(
        "5353",
        "3.3.1",
        "MUST announce this update to all its peers",
        "MUST be indicated in the message",
        "SHOULD fill in its server ID",
    )
    @rfc("5353", "2.1", "this field MUST be sent with all 0s")
    @rfc("5353", "2.4", "MUST be set to one of the following")
    def test_registered(self) -> None:
        """New and changed elements are announced whole, to all."""
        for port in (80, 81):
            _, [update] = self.says(asap.Registration(POOL, element(1, port=port)))
            found = self.scope.registrar.handlespace.find(POOL, 1)
            assert found is not None
            self.assertEqual(update, enrp.HandleUpdate(SERVER, 0, 0, POOL, found.parameter()))
            self.assertEqual(update.element.user_transport, element(1, port=port).user_transport)
            self.assertEqual(update.element.home, SERVER)
            self.assertEqual(update.element.asap_transport, found.parameter().asap_transport)

    @rfc("5352", "3.2", "MUST take the handlespace update action")
    @rfc(
        "5353",
        "3.3.2",
        "MUST use this procedure to inform all its peers",
        "MUST announce the PE removal",
        "MUST be indicated in the message",
        "MUST fill in its server ID",
    )
    @rfc("5353", "2.4", "MUST be set to one of the following")
    def test_removed(self) -> None:
        """Deregistered, or found unreachable."""
        for identifier in (1, 2):
            _, [added] = self.says(asap.Registration(POOL, element(identifier)))
            if identifier == 1:
                _, [update] = self.says(asap.Deregistration(POOL, identifier))
            else:
                effects = self.scope.silence(RFC.keep_alive_interval * 1.5 + RFC.keep_alive_timeout, P, Q)
                [update] = updates(self.scope, effects, P, Q)
            self.assertEqual(update, enrp.HandleUpdate(SERVER, 0, 1, POOL, added.element, dead=identifier == 2))

    @rfc("5352", "3.2", "MUST NOT inform its peers")
    def test_what_is_not_removed_is_not_announced(self) -> None:
        """A deregistration that is refused, one of an unknown element, and a refused registration."""
        self.says(asap.Registration(POOL, element(1)))
        self.scope.up("b", host="10.0.0.66")
        refusal = self.scope.tell("b", asap.Deregistration(POOL, 1))
        self.assertEqual([cause.code for cause in refusal[0].causes], [CauseCode.REJECTED_FOR_SECURITY])
        answers, told = self.says(asap.Deregistration(POOL, 9))
        self.assertEqual((answers, told), ([asap.DeregistrationResponse(POOL, 9)], []))
        answers, told = self.says(asap.Registration(POOL, element(2, "random")))
        self.assertEqual((answers[0].rejected, told), (True, []))
        self.assertEqual(len(updates(self.scope, self.scope.effects, P, Q)), 1)

    @rfc("5352", "3.1", "MUST take over ownership of this PE", "MUST assign itself the owner of this PE")
    @rfc("5352", "1.1", "MUST know and keep track")
    @rfc("5353", "1.1", "MUST only have one Home", "MUST keep track of this master/slave relationship")
    def test_an_element_of_a_peer_registers_here(self) -> None:
        """It is ours from then on, and nobody else's; and a peer's once that announces it."""
        self.scope.update(P, POOL, owned(P, 1))
        self.assertEqual(self.scope.elements(POOL), {1: P})
        answers, [update] = self.says(asap.Registration(POOL, element(1)))
        self.assertFalse(answers[0].rejected)
        self.assertEqual((self.scope.elements(POOL), update.element.home), ({1: SERVER}, SERVER))
        handlespace = self.scope.registrar.handlespace
        self.assertEqual((len(handlespace.owned_by(SERVER)), len(handlespace.owned_by(P))), (1, 0))
        self.scope.update(Q, POOL, owned(Q, 1))
        self.assertEqual(self.scope.elements(POOL), {1: Q})
        self.assertEqual((len(handlespace.owned_by(SERVER)), len(handlespace.owned_by(Q))), (0, 1))
        self.assertEqual(self.scope.registrar.supervision.watched, 0)


class GroupTests(SynchronousTestCase):
    """What goes to all."""

    @rfc("5353", "2.1", "this field MUST be sent with all 0s")
    def test_nobody_is_the_receiver(self) -> None:
        """Presences, by multicast too, updates, claims and takeovers: each kind that is announced."""
        scope = PeeringStage()
        own = ServerInformation(SERVER, SctpTransport(9901, 0, ("10.0.3.0",)))
        scope.note(scope.enrp.join(own, [], scope.now, discover=True))
        scope.pass_time(3 * RFC.max_time_no_response)
        scope.ready(P, Q, R)
        scope.up("a")
        scope.register("a", POOL, element(1))
        scope.tell("a", asap.Deregistration(POOL, 1))
        scope.silence(RFC.peer_heartbeat_cycle, P, Q, R)
        scope.all_of(P, enrp.InitTakeover(P, 0, SERVER))
        scope.silence(RFC.max_time_last_heard + RFC.max_time_no_response, P, R)
        for peer in (P, R):
            scope.all_of(peer, enrp.InitTakeoverAck(peer, SERVER, Q))
        told = [message for message in scope.to(P, scope.effects) if message in scope.to(R, scope.effects)]
        told += [effect.message for effect in scope.effects if isinstance(effect, Announce)]
        kinds = {type(message) for message in told}
        self.assertEqual(kinds, {enrp.Presence, enrp.HandleUpdate, enrp.InitTakeover, enrp.TakeoverServer})
        self.assertEqual({message.receiver for message in told}, {0})


class PeerTests(SynchronousTestCase):
    """What a peer does with updates."""

    def setUp(self) -> None:
        self.scope = PeeringStage().ready(P)

    @rfc(
        "5353",
        "3.3.1",
        "MUST take the following actions",
        "MUST create the named pool",
        "MUST then copy in all other attributes",
        "MUST be set to the policy type",
        "MUST add the PE to the pool as a new PE",
        "MUST replace the attributes of the PE",
    )
    def test_added(self) -> None:
        """A pool, a second element, and new attributes."""
        handlespace = self.scope.registrar.handlespace
        steps = [
            owned(P, 1, "least-used:load=0.5"),
            owned(P, 2, "least-used:load=0.1"),
            owned(P, 1, "least-used:load=0.2", port=81),
        ]
        for parameter in steps:
            self.scope.update(P, POOL, parameter)
            found = handlespace.find(POOL, parameter.identifier)
            assert found is not None
            self.assertEqual(found.parameter(), parameter)
            self.assertEqual(handlespace.pools[POOL].policy.name, "least-used")
        self.assertEqual(self.scope.elements(POOL), {1: P, 2: P})
        self.assertEqual([each.identifier for each in self.scope.request().elements], [2, 1])

    @rfc(
        "5353",
        "3.3.2",
        "MUST first find the pool and the PE",
        "MUST also delete the pool",
        "SHOULD take no further actions",
    )
    def test_deleted(self) -> None:
        for identifier in (1, 2):
            self.scope.update(P, POOL, owned(P, identifier))
        self.scope.update(P, POOL, owned(P, 1), enrp.UpdateAction.DEL_PE)
        self.assertEqual(self.scope.elements(POOL), {2: P})
        for handle in (POOL, b"other"):
            self.assertEqual(self.scope.update(P, handle, owned(P, 1), enrp.UpdateAction.DEL_PE), [])
        self.scope.update(P, POOL, owned(P, 2), enrp.UpdateAction.DEL_PE)
        self.assertEqual(self.scope.registrar.handlespace.pools, {})

    @rfc("5353", "2.4", "MUST be set to all 0s by the sender", "MUST NOT be used")
    def test_reserved(self) -> None:
        """The reserved field is sent as 0 and ignored; other actions are not sent, and do nothing."""
        message = enrp.HandleUpdate(P, 0, enrp.UpdateAction.ADD_PE, POOL, owned(P, 1))
        data = enrp.encode(message)
        self.assertEqual(data[12:16], bytes(4))
        self.assertEqual(enrp.decode(data[:14] + b"\xff\xff" + data[16:]).message, message)
        self.assertEqual(self.scope.update(P, POOL, owned(P, 1), 0x1234), [])
        self.assertEqual(self.scope.elements(POOL), {})
        self.assertEqual({int(action) for action in enrp.UpdateAction}, {0, 1})


class AuditTests(SynchronousTestCase):
    """3.6."""

    def setUp(self) -> None:
        self.scope = PeeringStage(keep_alives=False).ready(P)
        for identifier in (1, 2):
            self.scope.update(P, POOL, owned(P, identifier))
        self.scope.update(P, b"other", owned(P, 3))

    @rfc("5353", "2.1", "SHOULD be included for handlespace consistency auditing")
    @rfc("5353", "3.6.1", "MUST include in the message its current PE checksum")
    @rfc("5353", "3.6.2", "MUST calculate its own PE checksum", "MUST immediately update all its internal")
    def test_every_presence_has_the_checksum(self) -> None:
        """Of our own elements alone: after each change, periodic, asked for, and asking."""
        self.scope.up("a")
        total = 0
        for identifier in (0x1234, 0x56789):
            self.scope.register("a", POOL, element(identifier, life=-1))
            total += handle_sum(POOL) + identifier_sum(identifier)
            presences = self.scope.presence(P, reply_required=True)
            presences += self.scope.to(P, self.scope.pass_time(RFC.peer_heartbeat_cycle), enrp.Presence)
            presences += self.scope.to(P, self.scope.all_of(P, enrp.InitTakeover(P, 0, SERVER)))
            self.assertEqual([presence.checksum for presence in presences], [fold(total)] * 3)

    @rfc("5353", "3.6", "SHOULD periodically verify")
    @rfc(
        "5353",
        "3.6.1",
        "SHOULD keep a separate PE checksum",
        "SHOULD compare the PE checksum",
        "SHOULD consider that there is a handlespace inconsistency",
        "SHOULD be carried out immediately",
    )
    @rfc("5353", "3.6.3", "MUST perform the following steps", "SHOULD then send an ENRP_HANDLE_TABLE_REQUEST")
    def test_compares(self) -> None:
        """With each presence: nothing if equal, else the peer's own elements are asked for (W=1)."""
        self.assertEqual(self.scope.presence(P), [])
        self.assertEqual(self.scope.presence(P, 0x1234), [enrp.HandleTableRequest(SERVER, P, True)])

    @rfc(
        "5353",
        "3.6.3",
        'SHOULD first "mark" every PE',
        "SHOULD transfer the PE entries",
        "MUST replace the entry with the copy",
        "SHOULD check whether there are still PE entries",
        'SHOULD silently remove those "marked" entries',
    )
    def test_resynchronises(self) -> None:
        """Of three elements the peer has one, changed, and a new one; it says so in two responses."""
        self.scope.presence(P, 0x1234)
        changed, new = owned(P, 2, port=99), owned(P, 4)
        table = enrp.HandleTableResponse(P, SERVER, (enrp.PoolEntry(POOL, (changed,)),), more_to_send=True)
        self.assertEqual(self.scope.hear(P, table), [enrp.HandleTableRequest(SERVER, P, True)])
        self.assertEqual(self.scope.elements(POOL), {1: P, 2: P})
        effects = self.scope.all_of(P, enrp.HandleTableResponse(P, SERVER, (enrp.PoolEntry(POOL, (new,)),)))
        self.assertIn(Notify(Audited(P, 2)), effects)
        self.assertEqual(self.scope.to(P, effects), [])
        self.assertEqual((self.scope.elements(POOL), self.scope.elements(b"other")), ({2: P, 4: P}, {}))
        for parameter in (changed, new):
            found = self.scope.registrar.handlespace.find(POOL, parameter.identifier)
            assert found is not None
            self.assertEqual(found.parameter(), parameter)

    @rfc("5353", "3.6.3", "SHOULD immediately respond with an ENRP_HANDLE_TABLE_RESPONSE")
    def test_answers_an_audit(self) -> None:
        """With W=1 our own elements are listed, not those of others."""
        self.scope.up("a")
        self.scope.register("a", POOL, element(7))
        [answer] = self.scope.hear(P, enrp.HandleTableRequest(P, SERVER, True))
        [entry] = answer.entries
        self.assertEqual([each.identifier for each in entry.elements], [7])
        [answer] = self.scope.hear(P, enrp.HandleTableRequest(P, SERVER, False))
        found = {each.identifier for entry in answer.entries for each in entry.elements}
        self.assertEqual(found, {1, 2, 3, 7})
