"""What RFC 5353 section 3.2 requires of a registrar that starts, and of its mentor."""

from __future__ import annotations

from random import Random

from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import CauseCode, Notify, SctpTransport, TransportAddress
from rserpool.core.addresses import ASAP_PORT
from rserpool.core.peering.events import Initialized
from rserpool.core.profiles import RFC
from rserpool.core.wire import enrp
from rserpool.core.wire.parameters import ErrorCause, ServerInformation
from rserpool.registrar import RegistrarService
from rserpool.sctp.memory import Network
from tests.conformance import rfc
from tests.core.peering.stage import SERVER, P, PeeringStage, Q, R, information, owned, place
from tests.core.stage import element
from tests.sctp.harness import Recorder

POOL = b"pool"


def entry(*identifiers: int, handle: bytes = POOL, policy: str = "round-robin") -> enrp.PoolEntry:
    """A pool as a table has it: elements of the peer Q."""
    return enrp.PoolEntry(handle, tuple(owned(Q, identifier, policy) for identifier in identifiers))


class IdentifierTests(SynchronousTestCase):
    """2.1 and 3.2.1."""

    @rfc("5353", "2.1", "MUST pick a randomly generated, non-zero 32-bit", "MUST use this same ID until")
    @rfc("5353", "3.2.1", "MUST generate a non-zero, 32-bit server ID", "MUST remain unchanged")
    def test_identifier(self) -> None:
        """Drawn at random once, and in every message from then on."""
        drawn = set()
        for seed in range(50):
            service = RegistrarService(Clock(), random=Random(seed))
            drawn.add(service.registrar.identifier)
        self.assertEqual(len(drawn), 50)
        self.assertTrue(all(0 < identifier < 2**32 for identifier in drawn))
        self.assertGreater(max(drawn), 2**31)
        scope = PeeringStage().ready(P)
        senders = {message.sender for message in scope.to(P, scope.effects + scope.silence(300.0, P))}
        self.assertEqual(senders, {SERVER})
        self.assertEqual(scope.registrar.identifier, SERVER)


class MentorTests(SynchronousTestCase):
    """3.2.2: finding a mentor, and its list."""

    @rfc(
        "5353",
        "3.2.2.1",
        "MUST assume that it is alone",
        "MUST skip the procedures",
        "MUST consider its initialization completed",
    )
    def test_alone(self) -> None:
        """Without any peer it is ready at once, asks nobody, and serves."""
        scope = PeeringStage()
        self.assertTrue(scope.peering.ready)
        self.assertEqual(scope.began, [])
        scope.up("a")
        scope.register("a", POOL, element(1))
        self.assertEqual(len(scope.request().elements), 1)

    @rfc("5353", "3.2.2.1", "MUST then use this peer server as its mentor")
    @rfc("5353", "3.2.2.2", "MUST send an ENRP_LIST_REQUEST message to the mentor")
    def test_one_peer(self) -> None:
        scope = PeeringStage(P)
        self.assertEqual(scope.calls(scope.began), [place(P)])
        self.assertFalse(scope.peering.ready)
        self.assertIn(enrp.ListRequest(SERVER, P), scope.meet(P, True))

    @rfc("5353", "3.2.2.2", "MUST send an ENRP_LIST_REQUEST message to the mentor")
    def test_discovered(self) -> None:
        """Nobody was named; one that announces itself by multicast is dialled, and asked."""
        scope = PeeringStage()
        own = ServerInformation(SERVER, SctpTransport(9901, 0, ("10.0.3.0",)))
        scope.enrp.join(own, [], scope.now, discover=True)
        self.assertFalse(scope.peering.ready)
        presence = enrp.Presence(P, 0, 0xFFFF, information(P))
        effects = scope.enrp.announcement(presence, place(P).hosts[0], scope.now)
        self.assertEqual(scope.calls(effects), [place(P)])
        self.assertIn(enrp.ListRequest(SERVER, P), scope.meet(P, True))

    @rfc("5353", "3.2.2.2", "MUST send an ENRP_LIST_REQUEST message to the mentor")
    @rfc("5353", "3.2.3", "MUST request a copy of the current handlespace")
    def test_before_it_says_who_it_is(self) -> None:
        """A configured peer is asked when its association is up; one that answers no presence is a mentor, too."""
        scope = PeeringStage(P)
        effects = scope.note(scope.enrp.association_up(P, place(P), scope.now, True))
        self.assertIn(enrp.ListRequest(SERVER, 0), scope.to(P, effects))
        again = scope.to(P, scope.pass_time(RFC.max_time_no_response))
        self.assertEqual([type(message) for message in again], [enrp.Presence, enrp.ListRequest])
        self.assertIn(enrp.HandleTableRequest(SERVER, P), scope.hear(P, enrp.ListResponse(P, SERVER)))
        scope.hear(P, enrp.HandleTableResponse(P, SERVER, (entry(1),)))
        self.assertTrue(scope.peering.ready)
        self.assertEqual(scope.elements(POOL), {1: Q})

    @rfc("5353", "3.2.2.1", "MUST pick one of them as its mentor server and keep the others")
    @rfc(
        "5353",
        "3.2.2.2",
        "SHOULD start a MAX-TIME-NO-RESPONSE timer",
        "SHOULD abandon the",
    )
    def test_backup_mentor(self) -> None:
        """One of two is asked; when it says nothing for MAX-TIME-NO-RESPONSE, the other."""
        scope = PeeringStage(P, Q)
        self.assertEqual(scope.calls(scope.began), [place(P), place(Q)])
        self.assertIn(enrp.ListRequest(SERVER, P), scope.meet(P, True))
        self.assertEqual([m for m in scope.meet(Q, True) if isinstance(m, enrp.ListRequest)], [])
        self.assertEqual(scope.to(Q, scope.pass_time(RFC.max_time_no_response - 0.1)), [])
        self.assertEqual(scope.to(Q, scope.pass_time(0.1)), [enrp.ListRequest(SERVER, Q)])

    @rfc("5353", "3.2.2.2", "SHOULD either wait ... and re-send")
    def test_list_is_rejected(self) -> None:
        """With a backup mentor that one is asked; without, the same again after a few seconds."""
        scope = PeeringStage(P, Q)
        scope.meet(P, True)
        scope.meet(Q, True)
        effects = scope.all_of(P, enrp.ListResponse(P, SERVER, rejected=True))
        self.assertEqual(scope.to(Q, effects), [enrp.ListRequest(SERVER, Q)])
        scope = PeeringStage(P)
        scope.meet(P, True)
        self.assertEqual(scope.hear(P, enrp.ListResponse(P, SERVER, rejected=True)), [])
        self.assertEqual(scope.to(P, scope.pass_time(1.0)), [])
        self.assertIn(enrp.ListRequest(SERVER, P), scope.to(P, scope.pass_time(4.0)))

    @rfc("5353", "3.2.2.2", "MUST use the server information carried")
    @rfc(
        "5353",
        "3.2.3",
        "MUST request a copy of the current handlespace",
        "MUST first send an ENRP_HANDLE_TABLE_REQUEST",
    )
    def test_list(self) -> None:
        """Those who are listed are dialled, and become peers; the whole handlespace is asked for (W=0)."""
        scope = PeeringStage(P)
        scope.meet(P, True)
        listed = (information(Q), information(R))
        effects = scope.all_of(P, enrp.ListResponse(P, SERVER, listed))
        self.assertEqual(scope.calls(effects), [place(Q), place(R)])
        self.assertEqual(scope.to(P, effects), [enrp.HandleTableRequest(SERVER, P, own_children_only=False)])
        scope.meet(Q, True)
        scope.meet(R, True)
        self.assertEqual({peer.identifier for peer in scope.peering.peers}, {P, Q, R})


class DownloadTests(SynchronousTestCase):
    """3.2.3, as who starts."""

    def setUp(self) -> None:
        self.scope = PeeringStage(P)
        self.scope.meet(P, True)
        self.scope.hear(P, enrp.ListResponse(P, SERVER))

    def table(self, *entries: enrp.PoolEntry, more: bool = False, rejected: bool = False) -> list[object]:
        return self.scope.hear(P, enrp.HandleTableResponse(P, SERVER, entries, more, rejected))

    @rfc(
        "5353",
        "3.2.3",
        "MUST transfer the data entries carried",
        "MUST send another ENRP_HANDLE_TABLE_REQUEST",
        "MUST handle each pool entry carried",
        "MUST create the pool in the local handlespace",
        "MUST set the overall member selection policy",
        "MUST add the PE(s) to the pool",
        "SHOULD start to provide ENRP services",
    )
    def test_download(self) -> None:
        """Three responses: a pool, a second element of it, an element of the mentor; then it serves."""
        request = enrp.HandleTableRequest(SERVER, P)
        self.assertEqual(self.table(entry(1, policy="least-used:load=0.5"), more=True), [request])
        pool = self.scope.registrar.handlespace.pools[POOL]
        self.assertEqual(pool.policy.name, "least-used")
        self.assertEqual(self.scope.elements(POOL), {1: Q})
        self.assertEqual(self.table(entry(2, policy="least-used:load=0.5"), more=True), [request])
        self.assertEqual(self.scope.elements(POOL), {1: Q, 2: Q})
        last = owned(P, 3, "least-used:load=0.25", port=81)
        self.scope.up("early", host="10.0.8.8")
        refusal = self.scope.resolve("early", POOL)
        self.assertEqual([cause.code for cause in refusal.causes], [CauseCode.LACK_OF_RESOURCES])
        self.assertFalse(self.scope.peering.ready)
        effects = self.scope.all_of(P, enrp.HandleTableResponse(P, SERVER, (enrp.PoolEntry(POOL, (last,)),)))
        self.assertIn(Notify(Initialized(P, 3)), effects)
        self.assertEqual(self.scope.elements(POOL), {1: Q, 2: Q, 3: P})
        found = self.scope.registrar.handlespace.find(POOL, 3)
        assert found is not None
        self.assertEqual(found.parameter(), last)
        self.assertEqual(len(self.scope.request().elements), 3)

    @rfc("5353", "3.2.3", "SHOULD either wait ... and re-send")
    def test_table_is_rejected(self) -> None:
        self.scope.meet(Q)
        effects = self.scope.all_of(P, enrp.HandleTableResponse(P, SERVER, rejected=True))
        self.assertEqual(self.scope.to(Q, effects), [enrp.ListRequest(SERVER, Q)])

    @rfc("5353", "3.2.3", "SHOULD start a timer every time", "SHOULD abort the current download session")
    def test_mentor_falls_silent(self) -> None:
        """In the middle of a download: it begins anew with the backup mentor."""
        self.scope.meet(Q)
        self.scope.pass_time(3.0)
        self.table(entry(1), more=True)
        self.assertEqual(self.scope.to(Q, self.scope.pass_time(RFC.max_time_no_response - 0.1)), [])
        self.assertEqual(self.scope.to(Q, self.scope.pass_time(0.1)), [enrp.ListRequest(SERVER, Q)])
        effects = self.scope.all_of(Q, enrp.ListResponse(Q, SERVER))
        self.assertEqual(self.scope.to(Q, effects), [enrp.HandleTableRequest(SERVER, Q)])


class BeingMentorTests(SynchronousTestCase):
    """3.2.2.2 and 3.2.3, as the mentor."""

    def served(self, elements: int) -> PeeringStage:
        scope = PeeringStage().ready(P)
        scope.up("a")
        for identifier in range(1, elements + 1):
            scope.register("a", POOL, element(identifier))
        return scope

    @rfc("5353", "3.2.2.2", "SHOULD reply with an ENRP_LIST_RESPONSE")
    def test_list(self) -> None:
        scope = PeeringStage().ready(P, Q, R)
        [answer] = scope.hear(P, enrp.ListRequest(P, SERVER))
        self.assertEqual(answer, enrp.ListResponse(SERVER, P, (information(Q), information(R))))

    @rfc("5353", "3.2.2.2", "it MUST reject the request")
    @rfc("5353", "3.2.3", "MUST reject the request")
    @rfc("5353", "2.3", "MUST be set to '1' if the sender", "pool entries MUST NOT be included")
    @rfc("5353", "2.6", "MUST be set to '1' if the sender", "MUST NOT include any Server Information")
    def test_not_ready(self) -> None:
        """Still waiting for its own mentor, which told some elements already: R is set, and nothing is told."""
        scope = PeeringStage(P)
        scope.meet(P, True)
        scope.hear(P, enrp.ListResponse(P, SERVER))
        scope.hear(P, enrp.HandleTableResponse(P, SERVER, (entry(1),), more_to_send=True))
        scope.meet(Q)
        self.assertEqual(scope.hear(Q, enrp.ListRequest(Q, SERVER)), [enrp.ListResponse(SERVER, Q, (), True)])
        for own in (False, True):
            answers = scope.hear(Q, enrp.HandleTableRequest(Q, SERVER, own))
            self.assertEqual(answers, [enrp.HandleTableResponse(SERVER, Q, (), False, True)])
        # what goes over the wire: type, flags, length, the two identifiers, and nothing more
        self.assertEqual(enrp.encode(answers[0])[:4], b"\x03\x01\0\x0c")

    @rfc(
        "5353",
        "3.2.3",
        "MUST start a download session",
        "MUST use the M flag in each",
        "MUST set the M flag to '1'",
        "MUST keep track of the progress",
        "MUST set the M flag to '0'",
    )
    @rfc("5353", "2.3", "MUST start with a Pool Handle parameter")
    def test_download(self) -> None:
        """A large handlespace in several responses; each element once; the next request begins a new session."""
        scope = self.served(2000)
        for _ in range(2):
            found: list[int] = []
            flags: list[bool] = []
            while not flags or flags[-1]:
                [answer] = scope.hear(P, enrp.HandleTableRequest(P, SERVER))
                self.assertFalse(answer.rejected)
                self.assertTrue(answer.entries)
                found += [each.identifier for table in answer.entries for each in table.elements]
                self.assertEqual({table.handle for table in answer.entries}, {POOL})
                flags.append(answer.more_to_send)
            self.assertEqual(found, list(range(1, 2001)))
            self.assertGreater(len(flags), 3)
            self.assertEqual(flags, [True] * (len(flags) - 1) + [False])

    @rfc("5353", "3.2.3", "it SHOULD start a session timer", "SHOULD abort the session, cleaning out")
    def test_session_times_out(self) -> None:
        """Who does not go on within twice MAX-TIME-NO-RESPONSE begins from the beginning."""
        scope = self.served(2000)
        [first] = scope.hear(P, enrp.HandleTableRequest(P, SERVER))
        scope.silence(2 * RFC.max_time_no_response - 1.0, P)
        [second] = scope.hear(P, enrp.HandleTableRequest(P, SERVER))
        self.assertNotEqual(second, first)
        scope.silence(2 * RFC.max_time_no_response + 1.0, P)
        [again] = scope.hear(P, enrp.HandleTableRequest(P, SERVER))
        self.assertEqual(again, first)


class ErrorTests(SynchronousTestCase):
    """3.7, over SCTP."""

    @rfc("5353", "3.7", "SHOULD send back an ENRP_ERROR message")
    def test_unknown_message(self) -> None:
        """It is reported, by the channel of ENRP."""
        reactor = MemoryReactorClock()
        network = Network(reactor)
        service = RegistrarService(
            reactor,
            asap=TransportAddress(("10.0.0.1",), ASAP_PORT),
            identifier=SERVER,
            stack=network.stack("10.0.0.1", registrar=True),
        )
        service.startService()
        self.addCleanup(service.stopService)
        peer = Recorder(lambda: None)
        endpoint = network.stack("10.0.0.2").open(0, peer, ("10.0.0.2",))
        association = endpoint.connect(TransportAddress(("10.0.0.1",), 9901, service.encapsulation_port))
        reactor.pump([0.01] * 50)
        peer.received.clear()
        unknown = b"\x77\0\0\4"
        association.send(unknown, 12)
        reactor.pump([0.01] * 50)
        [(data, ppid, _, _)] = peer.received
        cause = ErrorCause(CauseCode.UNRECOGNIZED_MESSAGE, unknown)
        self.assertEqual((enrp.decode(data).message, ppid), (enrp.Error(SERVER, 0, (cause,)), 12))
