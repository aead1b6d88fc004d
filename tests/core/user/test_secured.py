"""A user that wants registrars to prove who they are (RFC 5355 section 2.7)."""

from __future__ import annotations

from random import Random
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import Abort, Connect, Send
from rserpool.core.identity import Identity
from rserpool.core.profiles import DEFAULT
from rserpool.core.user import PoolUser
from rserpool.core.wire import asap
from tests.conformance import rfc
from tests.core.user.stage import registrar

ONE, TWO = registrar(1), registrar(2)
PROVED = (Identity("dns", "reg1.example"),)


class SecuredTests(SynchronousTestCase):
    """It asks one of two registrars."""

    def setUp(self) -> None:
        self.user = PoolUser([ONE, TWO], profile=DEFAULT, random=Random(1))
        self.user.secured = True
        self.user.resolve("request", b"pool", 0.0, deadline=10.0)

    @staticmethod
    def messages(effects: list[Any]) -> list[type]:
        return [type(each.message) for each in effects if isinstance(each, Send)]

    def test_asks_who_has_proved_it(self) -> None:
        self.assertEqual([asap.HandleResolution], self.messages(self.user.association_up("a", ONE, 0.0, True, PROVED)))

    @rfc("5355", "2.7.3", "ASAP SHOULD authenticate the ENRP server")
    def test_never_in_the_clear(self) -> None:
        for credentials in (None, ()):
            self.setUp()
            effects = self.user.association_up("a", ONE, 0.0, True, credentials)
            self.assertEqual((Abort("a"), []), (effects[0], self.messages(effects)))
            self.assertEqual([], self.user.association_lost("a", 0.0))
            effects = self.user.association_up("b", TWO, 0.0, True, PROVED)
            self.assertEqual([asap.HandleResolution], self.messages(effects))
            self.assertEqual(TWO, self.user.home)

    def test_nobody_who_dials_in_the_clear(self) -> None:
        self.assertEqual([Abort("a")], self.user.association_up("a", ONE, 0.0))

    def test_another_identity(self) -> None:
        """The same registrar is dialled again, and what was asked is asked again."""
        self.assertEqual([], self.user.identity_changed(0.0))
        self.user.association_up("a", ONE, 0.0, True, PROVED)
        effects = self.user.identity_changed(0.0)
        self.assertEqual([Abort("a"), Connect(ONE)], effects[:2])
        self.assertEqual([asap.HandleResolution], self.messages(self.user.association_up("b", ONE, 0.0, True, PROVED)))
