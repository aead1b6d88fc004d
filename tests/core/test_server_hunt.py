"""Server hunt (RFC 5352 section 3.6): which registrars are tried, and when."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import Abort, Close, Connect, Effect, SctpTransport, StopConnecting, TcpTransport, TransportAddress
from rserpool.core.deadlines import Deadlines, Timers
from rserpool.core.profiles import RFC
from rserpool.core.server_hunt import MOST_HEARD, ServerHunt
from rserpool.core.wire import asap
from rserpool.core.wire.parameters import DATA_PLUS_CONTROL
from tests.conformance import rfc


def registrar(number: int) -> TransportAddress:
    """Where the n-th registrar is."""
    return TransportAddress((f"10.0.0.{number}",), 3863)


class Hunting:
    """Drives one hunt; associations are named by the address that was dialled."""

    def __init__(self, registrars: int, protocol: str = "sctp") -> None:
        self.now = 1000.0
        self.timers: Timers = Deadlines()
        self.hunt = ServerHunt([registrar(n + 1) for n in range(registrars)], RFC, self.timers, protocol)
        self.dialling: list[TransportAddress] = []
        self.dialled: list[tuple[float, TransportAddress]] = []
        self.ended: list[object] = []
        self.most = 0
        self.ticks = 0

    def do(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Connect(peer):
                    assert peer not in self.dialling
                    self.dialling.append(peer)
                    self.dialled.append((self.now, peer))
                    self.most = max(self.most, len(self.dialling))
                case StopConnecting(peer):
                    self.dialling.remove(peer)
                case Close(association) | Abort(association):
                    self.ended.append(association)

    def start(self) -> None:
        self.do(self.hunt.hunt(self.now))

    def up(self, number: int) -> None:
        self.dialling.remove(registrar(number))
        self.do(self.hunt.association_up(registrar(number), registrar(number), self.now))

    def refused(self, number: int) -> None:
        self.dialling.remove(registrar(number))
        self.do(self.hunt.connect_failed(registrar(number), self.now))

    def announced(self, message: asap.ServerAnnounce, source: str) -> None:
        self.do(self.hunt.announcement(message, source, self.now))

    def pass_time(self, seconds: float) -> None:
        end = self.now + seconds
        while (due := self.timers.next()) is not None and due <= end:
            self.now = max(self.now, due)
            for key in self.timers.due(self.now):
                self.do(self.hunt.due(key, self.now))
            self.ticks += 1
            assert self.ticks < 10_000, "the timer runs in circles"
        self.now = end


def numbers(addresses: list[TransportAddress]) -> list[int]:
    return [int(address.hosts[0].rpartition(".")[2]) for address in addresses]


class HuntTests(SynchronousTestCase):
    """SH1 to SH6."""

    @rfc(
        "5352",
        "3.6",
        "MUST have a configured list of transport",
        "MUST be followed",
        "SHOULD try to establish an association or connection, with no",
        "MUST NOT establish more than three",
        "SHOULD try to establish an association or connection using",
    )
    def test_at_most_three(self) -> None:
        """SH1: three at a time; SH4: the next one when one fails."""
        hunting = Hunting(5)
        hunting.start()
        self.assertEqual(numbers(hunting.dialling), [1, 2, 3])
        hunting.refused(2)
        self.assertEqual(numbers(hunting.dialling), [1, 3, 4])
        hunting.refused(1)
        hunting.refused(3)
        self.assertEqual(numbers(hunting.dialling), [4, 5])
        self.assertEqual(hunting.most, 3)

    @rfc("5352", "3.6", "MUST be followed", "MUST stop its T5-Serverhunt timer")
    def test_home(self) -> None:
        """SH3, SH6: the first that is up is the home, the other attempts are given up, and no timer runs."""
        hunting = Hunting(5)
        hunting.start()
        hunting.up(2)
        self.assertEqual((hunting.hunt.home, hunting.hunt.address), (registrar(2), registrar(2)))
        self.assertEqual(hunting.dialling, [])
        self.assertFalse(hunting.hunt.hunting)
        self.assertIsNone(hunting.timers.next())

    def test_too_late(self) -> None:
        """An association that comes up after there is a home is closed."""
        hunting = Hunting(2)
        hunting.start()
        hunting.up(1)
        hunting.do(hunting.hunt.association_up("late", registrar(2), hunting.now))
        self.assertEqual(hunting.ended, ["late"])
        self.assertEqual(hunting.hunt.home, registrar(1))

    @rfc(
        "5352",
        "3.6",
        "MUST be followed",
        "MUST NOT establish more than three",
        "MUST double the value of the T5-Serverhunt",
        "SHOULD stop the establishment of associations",
        "SHOULD repeat trying to establish an association",
        "SHOULD attempt to select a different",
    )
    def test_t5(self) -> None:
        """SH5: T5 expires: a different set is tried, and T5 doubles up to RETRAN-MAX."""
        hunting = Hunting(4)
        hunting.start()
        expiries = []
        for _ in range(6):
            due = hunting.timers.next()
            assert due is not None
            hunting.pass_time(due - hunting.now)
            expiries.append(due - 1000)
            self.assertTrue(hunting.dialling)
        self.assertEqual(expiries, [10, 30, 70, 130, 190, 250])
        self.assertIn((1010.0, registrar(4)), hunting.dialled)
        self.assertEqual(hunting.most, 3)

    @rfc("5352", "3.6", "SHOULD also reset the T5-Serverhunt timer")
    def test_t5_begins_anew(self) -> None:
        """SH3: a home resets T5."""
        hunting = Hunting(1)
        hunting.start()
        hunting.pass_time(100)
        hunting.up(1)
        hunting.do(hunting.hunt.association_lost(registrar(1), hunting.now))
        self.assertEqual(hunting.timers.next(), hunting.now + RFC.t5_server_hunt)

    def test_everybody_refuses(self) -> None:
        """When all refuse, all are tried again after a pause that doubles up to two seconds; not once in T5."""
        hunting = Hunting(2)
        hunting.start()
        while hunting.now < 1030.0:
            for number in numbers(hunting.dialling):
                hunting.refused(number)
            hunting.pass_time(0.01)
        rounds = [when for when, peer in hunting.dialled if peer == registrar(1)]
        pauses = [later - earlier for earlier, later in zip(rounds, rounds[1:], strict=False)]
        self.assertLess(pauses[0], 0.1)
        self.assertAlmostEqual(max(pauses), 2.0, 1)
        self.assertGreater(len(rounds), 15)
        self.assertLess(len(rounds), 30)

    @rfc("5352", "3.6", "MUST establish a new Home ENRP")
    def test_lost_home(self) -> None:
        """A lost home is followed by a hunt at once; the one that was lost is tried last."""
        hunting = Hunting(5)
        hunting.start()
        hunting.up(1)
        hunting.do(hunting.hunt.association_lost(registrar(1), hunting.now))
        self.assertEqual(numbers(hunting.dialling), [2, 3, 4])
        for number in (2, 3, 4, 5):
            hunting.refused(number)
        self.assertEqual(numbers(hunting.dialling), [1])

    def test_silent_home(self) -> None:
        """3.7.2: a home that does not answer is left, and not waited for: it may be the only one."""
        hunting = Hunting(1)
        hunting.start()
        hunting.up(1)
        effects = hunting.hunt.fail(hunting.now)
        self.assertEqual(effects, [Abort(registrar(1)), Connect(registrar(1))])


class HeardTests(SynchronousTestCase):
    """Registrars that nobody named, and that spoke to us."""

    def test_claimed(self) -> None:
        """One that took us over is kept, and tried when it is lost, although only another one was named."""
        hunting = Hunting(1)
        hunting.start()
        hunting.up(1)
        hunting.do(hunting.hunt.adopt("new", registrar(2), hunting.now))
        hunting.do(hunting.hunt.association_lost("new", hunting.now))
        self.assertEqual(numbers(hunting.dialling), [1, 2])
        hunting.refused(1)
        hunting.refused(2)
        hunting.pass_time(0.1)
        self.assertEqual(numbers(hunting.dialling), [1, 2])

    def test_heard_while_hunting(self) -> None:
        """One that speaks to us while we hunt is dialled at once, and once."""
        hunting = Hunting(1)
        hunting.start()
        for _ in range(2):
            hunting.do(hunting.hunt.heard(registrar(2), hunting.now))
        self.assertEqual(numbers(hunting.dialling), [1, 2])
        hunting.do(hunting.hunt.heard(TransportAddress(("10.0.0.77", "10.0.0.1"), 3863), hunting.now))
        self.assertEqual(numbers(hunting.dialling), [1, 2])

    def test_bounded(self) -> None:
        """Those that were heard last are kept, behind those that were named."""
        hunting = Hunting(1)
        for number in (2, *range(3, 100), 2):
            hunting.do(hunting.hunt.heard(registrar(number), hunting.now))
            hunting.do(hunting.hunt.heard(registrar(2), hunting.now))
        self.assertEqual(numbers(hunting.hunt.known), [1, 2, *range(99, 99 - MOST_HEARD + 1, -1)])
        self.assertEqual(hunting.dialled, [])

    def test_announced_home(self) -> None:
        """A home that was found by its announcement is known when that is outdated."""
        hunting = Hunting(0)
        hunting.start()
        hunting.announced(asap.ServerAnnounce(1, (SctpTransport(3863, DATA_PLUS_CONTROL, ("10.0.0.1",)),)), "10.0.0.1")
        hunting.up(1)
        hunting.pass_time(60)
        self.assertEqual(numbers(hunting.hunt.known), [1])


class AnnouncementTests(SynchronousTestCase):
    """Announcements and T7."""

    @rfc("5352", "3.6", "SHOULD insert all new included transport")
    def test_announced(self) -> None:
        """Who is announced is hunted, with the UDP port that the message names."""
        hunting = Hunting(0)
        hunting.start()
        transport = SctpTransport(5000, DATA_PLUS_CONTROL, ("10.0.0.9", "10.0.1.9"))
        hunting.announced(asap.ServerAnnounce(1, (transport,), 9898), "10.0.0.9")
        self.assertEqual(hunting.dialling, [TransportAddress(("10.0.0.9", "10.0.1.9"), 5000, 9898)])

    def test_no_transports(self) -> None:
        """Without transports: SCTP at the source's address and port 3863."""
        hunting = Hunting(0)
        hunting.start()
        hunting.announced(asap.ServerAnnounce(1), "10.0.0.9")
        self.assertEqual(hunting.dialling, [registrar(9)])

    def test_without_a_udp_port(self) -> None:
        """Where SCTP over UDP is spoken, the ports that registrars take are tried in turn, each once in a round."""
        for guesses in (True, False):
            hunting = Hunting(0)
            hunting.hunt.guesses = guesses
            hunting.start()
            hunting.announced(asap.ServerAnnounce(1), "10.0.0.9")
            while hunting.dialling:
                peer = hunting.dialling.pop()
                hunting.do(hunting.hunt.connect_failed(peer, hunting.now))
            ports = [peer.encapsulation for _, peer in hunting.dialled]
            self.assertEqual(ports, [0, *(range(9899, 9891, -1) if guesses else ())])
            self.assertEqual(hunting.hunt.known, [registrar(9)])

    def test_protocol(self) -> None:
        """A user over TCP takes no interest in SCTP transports, and one over SCTP none in TCP."""
        message = asap.ServerAnnounce(
            1, (SctpTransport(3863, DATA_PLUS_CONTROL, ("10.0.0.9",)), TcpTransport(3863, "10.0.0.9"))
        )
        for protocol in ("sctp", "tcp"):
            hunting = Hunting(0, protocol)
            hunting.start()
            hunting.announced(message, "10.0.0.9")
            self.assertEqual([address.protocol for address in hunting.dialling], [protocol])

    def test_beside_silent_ones(self) -> None:
        """Silent registrars that are being tried do not keep an announced one waiting."""
        hunting = Hunting(2)
        hunting.start()
        hunting.announced(asap.ServerAnnounce(1), "10.0.0.9")
        self.assertEqual(numbers(hunting.dialling), [1, 2, 9])
        hunting.announced(asap.ServerAnnounce(2), "10.0.0.8")
        self.assertEqual(numbers(hunting.dialling), [1, 2, 9])
        hunting.refused(1)
        self.assertEqual(numbers(hunting.dialling), [2, 9, 8])

    @rfc("5352", "3.6", "SHOULD insert all new included transport", "MUST be restarted for each address")
    def test_t7(self) -> None:
        """T7: an address that is announced no more is forgotten; each announcement restarts it."""
        hunting = Hunting(1)
        hunting.announced(asap.ServerAnnounce(1), "10.0.0.9")
        hunting.pass_time(RFC.t7_enrp_outdate - 1)
        hunting.announced(asap.ServerAnnounce(1), "10.0.0.9")
        hunting.pass_time(RFC.t7_enrp_outdate - 1)
        self.assertEqual(numbers(hunting.hunt.known), [1, 9])
        hunting.pass_time(1)
        self.assertEqual(numbers(hunting.hunt.known), [1])
        self.assertIsNone(hunting.timers.next())

    def test_heard_at_home(self) -> None:
        """Who has a home notes announcements for later, and dials nobody."""
        hunting = Hunting(1)
        hunting.start()
        hunting.up(1)
        hunting.announced(asap.ServerAnnounce(1), "10.0.0.9")
        self.assertEqual(hunting.dialling, [])
        hunting.do(hunting.hunt.association_lost(registrar(1), hunting.now))
        self.assertEqual(numbers(hunting.dialling), [9, 1])


class AdoptionTests(SynchronousTestCase):
    """3.4: a registrar makes itself the home of an element (KA2.4)."""

    def test_adopted(self) -> None:
        """The hunt ends; what becomes of the association with the old home is the element's affair."""
        hunting = Hunting(2)
        hunting.start()
        hunting.up(1)
        hunting.do(hunting.hunt.adopt("other", registrar(7), hunting.now))
        self.assertEqual((hunting.hunt.home, hunting.hunt.address), ("other", registrar(7)))
        self.assertEqual(hunting.ended, [])

    def test_while_hunting(self) -> None:
        """What is being dialled is given up."""
        hunting = Hunting(2)
        hunting.start()
        hunting.do(hunting.hunt.adopt("other", registrar(7), hunting.now))
        self.assertEqual(hunting.dialling, [])
        self.assertFalse(hunting.hunt.hunting)
