"""Addresses that a peer names and has not proved: nobody is anybody by them (RFC 9260 section 5.4)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import CauseCode, SctpTransport, TransportAddress
from rserpool.core.profiles import DEFAULT
from rserpool.core.wire import asap
from tests.core.registrar.stage import RegistrarStage
from tests.core.stage import element

POOL = b"pool"
VICTIM, OWN = "10.0.0.1", "10.0.6.6"


class UnconfirmedTests(SynchronousTestCase):
    """The element is at C{VICTIM}; somebody at C{OWN} says in its INIT that it is at C{VICTIM}, too."""

    def setUp(self) -> None:
        self.unconfirmed: dict[Any, tuple[str, ...]] = {}
        self.stage = RegistrarStage(unconfirmed=lambda association: self.unconfirmed.get(association, ()))
        self.come("element", VICTIM)
        self.stage.register("element", POOL, element(1, host=VICTIM))

    def come(self, name: str, proved: str, *others: str, port: int = 5000) -> None:
        """As a node tells it: first all addresses, then those that are proved."""
        self.unconfirmed[name] = others
        peer = TransportAddress((proved, *others), port, 40000)
        self.stage.note(self.stage.registrar.association_up(name, peer, self.stage.now))
        if others:
            self.proved(name, proved)

    def proved(self, name: str, *hosts: str) -> list[Any]:
        self.unconfirmed[name] = tuple(host for host in self.unconfirmed[name] if host not in hosts)
        effects = self.stage.registrar.addresses_changed(name, hosts, self.stage.now)
        return self.stage.sent(name, self.stage.note(effects))

    def test_ownership(self) -> None:
        """It neither deregisters nor changes what is another's, not even after its association is gone."""
        self.come("liar", OWN, VICTIM)
        [answer] = self.stage.tell("liar", asap.Deregistration(POOL, 1))
        self.assertEqual([cause.code for cause in answer.causes], [CauseCode.REJECTED_FOR_SECURITY])
        [answer] = self.stage.register("liar", POOL, element(1, host=OWN))
        self.assertTrue(answer.rejected)
        self.assertIsNotNone(self.stage.registrar.handlespace.find(POOL, 1))

    def test_nobody_registers_what_it_has_not_proved(self) -> None:
        """A port of somebody else: it waits, and is refused when nothing is proved in time."""
        self.come("liar", OWN, VICTIM)
        self.assertEqual(self.stage.register("liar", b"trap", element(2, host=VICTIM, port=22)), [])
        self.assertEqual(self.stage.registrar.handlespace.pools.get(b"trap"), None)
        [answer] = self.stage.sent("liar", self.stage.pass_time(0.75 * DEFAULT.t2_registration))
        self.assertEqual([cause.code for cause in answer.causes], [CauseCode.INVALID_VALUES])

    def test_an_element_with_two_networks(self) -> None:
        """Its registration waits until both are proved, and is whole then."""
        self.come("honest", "10.1.0.7", "10.2.0.7")
        both = replace(element(3), user_transport=SctpTransport(80, 0, ("10.1.0.7", "10.2.0.7")))
        self.assertEqual(self.stage.register("honest", b"both", both), [])
        self.stage.pass_time(0.3)
        [granted] = self.proved("honest", "10.1.0.7", "10.2.0.7")
        self.assertEqual((granted.rejected, granted.causes), (False, ()))
        [found] = self.stage.resolve("honest", b"both").elements
        self.assertEqual(found.user_transport.addresses, ("10.1.0.7", "10.2.0.7"))
        self.assertEqual(found.asap_transport.addresses, ("10.1.0.7", "10.2.0.7"))
        self.stage.pass_time(5.0)

    def test_one_network_is_cut(self) -> None:
        """After a while it is registered at what was proved, with a warning, as every address that is not its own."""
        self.come("honest", "10.1.0.7", "10.2.0.7")
        both = replace(element(3), user_transport=SctpTransport(80, 0, ("10.1.0.7", "10.2.0.7")))
        self.stage.register("honest", b"both", both)
        answers = self.stage.sent("honest", self.stage.pass_time(0.75 * DEFAULT.t2_registration))
        [granted] = [each for each in answers if isinstance(each, asap.RegistrationResponse)]
        self.assertFalse(granted.rejected)
        [found] = self.stage.resolve("honest", b"both").elements
        self.assertEqual(found.user_transport.addresses, ("10.1.0.7",))

    def test_proved_later(self) -> None:
        """It is reached at all its addresses as soon as they are proved; other registrars hear of that."""
        self.come("honest", "10.1.0.7", "10.2.0.7")
        self.stage.register("honest", b"both", element(3, host="10.1.0.7"))
        found = self.stage.registrar.handlespace.find(b"both", 3)
        assert found is not None
        self.assertEqual(found.asap_address().hosts, ("10.1.0.7",))  # type: ignore[union-attr]
        self.proved("honest", "10.1.0.7", "10.2.0.7")
        self.assertEqual(found.asap_address().hosts, ("10.1.0.7", "10.2.0.7"))  # type: ignore[union-attr]

    def test_the_way_that_was_proved_is_cut(self) -> None:
        """An element comes back over its other network, and has the address that it had: it was proved then."""
        self.come("honest", "10.1.0.7", "10.2.0.7")
        self.proved("honest", "10.1.0.7", "10.2.0.7")
        self.stage.register("honest", b"both", element(3, host="10.1.0.7"))
        self.stage.lost("honest")
        self.come("again", "10.2.0.7", "10.1.0.7")
        [granted] = self.stage.register("again", b"both", element(3, host="10.1.0.7"))
        self.assertEqual((granted.rejected, granted.causes), (False, ()))
        [found] = self.stage.resolve("again", b"both").elements
        self.assertEqual(found.user_transport.address, "10.1.0.7")

    def test_who_goes_waits_no_longer(self) -> None:
        self.come("honest", "10.1.0.7", "10.2.0.7")
        self.stage.register("honest", b"both", element(3, host="10.2.0.7"))
        self.stage.lost("honest")
        self.assertEqual(self.stage.sent("honest", self.stage.pass_time(5.0)), [])
