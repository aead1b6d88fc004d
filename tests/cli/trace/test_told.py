"""C{rserpool trace --admin}: what a registrar itself sends and gets, over TLS as well; to operators alone."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rserpool.admin.subjects import RegistrarSubject
from rserpool.core.wire import asap
from rserpool.node.tap import tap
from rserpool.sctp.base import PPID_ASAP
from rserpool.testing import Scope
from tests.admin.stage import Admin


class TapTests(SynchronousTestCase):
    def test_over_tls(self) -> None:
        """Both ways, and no more when nobody looks on."""
        scope = Scope(1, secure=True)
        self.addCleanup(scope.stop)
        (registrar,) = scope.registrars
        heard: list[tuple[bool, Any, int, bytes]] = []
        end = tap(registrar.node, lambda *told: heard.append(told))
        again = tap(registrar.node, lambda *told: None)
        scope.element("www")
        scope.settle()
        kinds = [(comes, type(asap.decode(data).message)) for comes, _, ppid, data in heard if ppid == PPID_ASAP]
        self.assertIn((True, asap.Registration), kinds)
        self.assertIn((False, asap.RegistrationResponse), kinds)
        self.assertTrue(all(peer is not None for _, peer, _, _ in heard))
        end()
        number = len(heard)
        again()
        self.assertNotIn("perform", registrar.node.__dict__)
        scope.advance(5.0)
        self.assertEqual(number, len(heard))

    def test_for_operators_alone(self) -> None:
        scope = Scope(1)
        self.addCleanup(scope.stop)
        (registrar,) = scope.registrars
        admin = Admin(self, scope, registrar, RegistrarSubject(registrar.service))
        self.assertEqual(401, admin.ask("/v1/messages").status)
