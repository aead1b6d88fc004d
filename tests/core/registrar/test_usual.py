"""Acknowledgements of keep-alives are known by their bytes, where nothing is unusual (RFC 5352 section 3.4)."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core.wire import asap
from tests.core.registrar.stage import RegistrarStage
from tests.core.stage import element

POOL = b"www"


class UsualTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.stage = RegistrarStage()
        self.stage.up("a")
        self.stage.register("a", POOL, element(1))
        self.stage.up("other", host="10.0.0.9")
        self.stage.register("other", POOL, element(2))

    def at_once(self, name: str, message: asap.EndpointKeepAliveAck) -> Any:
        return self.stage.registrar.at_once(name, asap.encode(message), self.stage.now)

    def asked(self) -> None:
        """A keep-alive has gone to each."""
        self.stage.pass_time(0.52)

    def test_known(self) -> None:
        """It counts like any other, and nothing goes out; whatever flags it has."""
        counts = self.stage.registrar.counts
        for private in (True, False):
            self.asked()
            before = sum(counts.delays)
            self.assertEqual([], self.at_once("a", asap.EndpointKeepAliveAck(POOL, 1, private)))
            self.assertEqual(before + 1, sum(counts.delays))
        self.assertEqual(1, len(self.stage.sent("a", self.stage.pass_time(0.6))))

    def test_to_be_looked_at(self) -> None:
        """One for another's element, for none, of nobody."""
        self.asked()
        for name, message in (
            ("a", asap.EndpointKeepAliveAck(POOL, 2, True)),
            ("a", asap.EndpointKeepAliveAck(b"other", 1, True)),
            ("nobody", asap.EndpointKeepAliveAck(POOL, 1, True)),
        ):
            self.assertIsNone(self.at_once(name, message))

    def test_of_several(self) -> None:
        """Who has two elements over an association says of which it speaks: that is looked at."""
        self.stage.register("a", POOL, element(3))
        self.asked()
        self.assertIsNone(self.at_once("a", asap.EndpointKeepAliveAck(POOL, 1, True)))
        self.assertEqual([], self.stage.tell("a", asap.EndpointKeepAliveAck(POOL, 1, True)))
