"""What an operator wants of an element goes from the registrar that is asked to the element's home; all in memory."""

from __future__ import annotations

from typing import Any

from rserpool.core import authority
from rserpool.core.access import Access, State
from rserpool.core.errors import CauseCode
from rserpool.core.registrar import snapshot
from rserpool.core.ruling import What
from rserpool.core.trail import Act, Acted
from rserpool.core.wire import enrp
from rserpool.core.wire.orders import Order
from tests.registrar.operated import POOL, ActingTestCase


class PassedOnTests(ActingTestCase):
    """A registrar is asked that is not the element's home."""

    def test_drain_and_undrain(self) -> None:
        scope = self.begin(3)
        first, second = self.elements
        identifier, other = first.identifier(POOL), self.other(first)
        scope.result(other.service.drain(POOL, identifier, by="ann"))
        scope.until(lambda: all(set(each.elements(POOL)) == {second.identifier(POOL)} for each in scope.registrars))
        scope.advance(scope.profile.stale_cache_value + 1)
        self.assertEqual({second.name}, self.answered_by(3.0))
        # Each registrar tells that it drains, and with whom.
        home = f"0x{self.home(first).identifier:08x}"
        for registrar in scope.registrars:
            (listed,) = snapshot.draining(registrar.role, registrar.service.node.now())
            self.assertEqual((f"0x{identifier:08x}", home), (listed["identifier"], listed["home"]))
        # Again, and how many connections are left: nobody but its home knows it now.
        self.assertEqual(0, scope.result(other.service.drain(POOL, identifier)))
        scope.result(other.service.undrain(POOL, identifier))
        scope.until(lambda: all(identifier in each.elements(POOL) for each in scope.registrars))
        for registrar in scope.registrars:
            self.assertEqual([], list(snapshot.draining(registrar.role, registrar.service.node.now())))
        self.nothing_lost()
        (told,) = {each.identity for each in scope.trace.events(Acted, self.home(first).name) if "ann" in each.identity}
        self.assertEqual(f"registrar 0x{other.identifier:08x}, for ann", told)
        # Who knows where it drains asks nobody else.
        self.assertEqual(3, len([each for each in scope.trace.messages(enrp.Presence) if _orders(each.message)]))
        (asked,) = [each for each in scope.trace.events(Acted, other.name) if each.identity == "ann"]
        self.assertEqual(f"passed on to registrar 0x{self.home(first).identifier:08x}", asked.why)

    def test_secured(self) -> None:
        scope = self.begin(2, secure=True)
        first, second = self.elements
        identifier, other = first.identifier(POOL), self.other(first)
        scope.result(other.service.drain(POOL, identifier))
        scope.until(lambda: set(other.elements(POOL)) == {second.identifier(POOL)})
        scope.result(other.service.undrain(POOL, identifier))
        scope.until(lambda: identifier in other.elements(POOL))
        self.nothing_lost()

    def test_what_its_home_says(self) -> None:
        """What the home refuses, whoever asked hears in its words."""
        scope = self.begin(2)
        first, _ = self.elements
        identifier, other = first.identifier(POOL), self.other(first)
        self.refused(other.service.undrain(POOL, identifier), "serves already")
        self.refused(other.service.drain(POOL, 1), "0x00000001 of www", "gone, or never was")
        scope.freeze(first)
        self.refused(other.service.drain(POOL, identifier), "did not answer in time")
        scope.thaw(first)
        self.load.stop()

    def test_a_home_of_an_older_release(self) -> None:
        """It hears a presence, and nothing else: the sentence names it, and nothing has changed."""
        self.begin(2)
        first, _ = self.elements
        identifier, other, home = first.identifier(POOL), self.other(first), self.home(first)
        self.patch(enrp, "decode_order", lambda data, place: None)
        named = f"0x{home.identifier:08x} (ENRP at {home.host}:"
        self.refused(other.service.drain(POOL, identifier), named, "older release", "--admin")
        self.refused(other.service.drain(POOL, 1), named)
        self.assertIn(identifier, home.elements(POOL))
        # rsplib's registrars are not asked at all.
        peer: Any = other.role.peering.peers.get(home.identifier)
        peer.private = False
        self.refused(other.service.drain(POOL, identifier), "rsplib's", "ask there")
        self.nothing_lost()

    def test_in_the_clear(self) -> None:
        """Where TLS is offered, a registrar that has proved nothing passes nothing on: its home refuses."""
        rule = authority.passes_on(What.DRAIN, Access([], State.OFFERED), None)
        self.assertEqual(CauseCode.REJECTED_FOR_SECURITY, rule.cause)
        self.begin(2)
        first, _ = self.elements
        home, other = self.home(first), self.other(first)
        self.patch(authority, "passes_on", lambda what, access, standing: rule)
        self.refused(other.service.drain(POOL, first.identifier(POOL)), "proved nothing")
        self.assertEqual([Act.REFUSED], self.acts(home))
        self.assertIn(first.identifier(POOL), home.elements(POOL))
        self.nothing_lost()


def _orders(message: Any) -> bool:
    return isinstance(message.order, Order)
