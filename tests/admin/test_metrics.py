"""What Prometheus reads: names, units, bounded labels, and numbers that are so."""

from __future__ import annotations

import sys
from unittest.mock import patch

from prometheus_client.parser import text_string_to_metric_families
from twisted.trial.unittest import SynchronousTestCase

from rserpool.admin.metrics import LARGEST
from rserpool.admin.subjects import ElementSubject, UserSubject
from rserpool.testing import Scope
from tests.admin.stage import Admin
from tests.pool_scope import PoolScope


class MetricTests(SynchronousTestCase):
    """A registrar's, an element's, a user's."""

    def setUp(self) -> None:
        self.scope = PoolScope(self)
        self.admin = Admin(self, self.scope, self.scope.registrars[0])

    def test_registrar(self) -> None:
        """What an element does shows."""
        self.scope.member(1, "www")
        self.scope.member(2, "www").kill()
        self.scope.result(self.scope.client.service.resolve("www"))
        self.scope.advance(60)
        read = values(self.admin)
        home = {"pool": "www", "home": "0x00000001"}
        self.assertEqual(1, read("rserpool_registrar_elements", **home))
        self.assertEqual(1, read("rserpool_registrar_ready"))
        self.assertEqual(2, read("rserpool_registrar_registrations_total", kind="new"))
        self.assertEqual(1, read("rserpool_registrar_removals_total", reason="unreachable"))
        self.assertEqual(1, read("rserpool_registrar_resolutions_total"))
        answers = read("rserpool_registrar_keep_alive_round_trip_seconds_count")
        self.assertGreater(answers, 3)
        self.assertEqual(answers, read("rserpool_registrar_keep_alive_round_trip_seconds_bucket", le="+Inf"))
        self.assertLessEqual(answers, read("rserpool_registrar_keep_alives_total"))
        self.assertGreater(read("rserpool_received_bytes_total", protocol="asap"), 100)
        self.assertGreater(read("rserpool_sent_bytes_total", protocol="asap"), 100)
        self.assertEqual(2, read("rserpool_registrar_associations", protocol="asap"))
        self.assertEqual(0, read("rserpool_loop_delay_seconds_sum"))
        self.assertGreater(read("rserpool_loop_delay_seconds_count"), 100)

    def test_refusals(self) -> None:
        """What is refused is counted by its cause, in the RFC's words."""
        self.scope.member(1, "www")
        self.scope.member(2, "www", "random")
        self.assertEqual(
            1, values(self.admin)("rserpool_registrar_registration_refusals_total", cause="inconsistent_pooling_policy")
        )

    def test_bounded(self) -> None:
        """Only the largest pools have a label; the others are counted together, and nothing is lost."""
        handlespace = self.scope.registrars[0].role.handlespace
        element = self.scope.member(1, "big").role.element(b"big")
        for number in range(LARGEST + 20):
            handlespace.register(b"pool %d" % number, element, others=True)
        read = values(self.admin)
        samples = read.samples("rserpool_registrar_elements")
        self.assertEqual(LARGEST, len({labels["pool"] for labels, _ in samples} - {""}))
        self.assertEqual(LARGEST + 21, sum(value for _, value in samples))

    def test_strange_names(self) -> None:
        """A pool's name may be anything: it stays within its label."""
        for number, name in enumerate((b'a"} 1\nb 2', b"\xff", "ü".encode()), 1):
            self.scope.member(number, name)
        names = {labels["pool"] for labels, _ in values(self.admin).samples("rserpool_registrar_elements")}
        self.assertEqual({'a"} 1\\nb 2', "\\xff", "ü"}, names)

    def test_others(self) -> None:
        """An element, and a user."""
        member = self.scope.member(1, "www")
        read = values(Admin(self, self.scope, member, ElementSubject(lambda: member.service)))
        self.assertEqual((1, 1), (read("rserpool_element_registered", pool="www"), read("rserpool_element_home")))
        user = self.scope.client
        admin = Admin(self, self.scope, user, UserSubject(user.service, b"www"))
        self.scope.advance(1)
        self.assertEqual(1, values(admin)("rserpool_user_elements", pool="www"))

    def test_missing(self) -> None:
        """Without the library all else works, and a sentence says what to install."""
        with patch.dict(sys.modules, {"prometheus_client": None}):
            said = self.admin.ask("/metrics")
        self.assertEqual((503, True), (said.status, "pip install 'rserpool[metrics]'" in said.error))
        self.assertEqual(200, self.admin.ask("/live").status)


class TakeoverTests(SynchronousTestCase):
    """Registrars among each other."""

    def test_takeover(self) -> None:
        """A takeover shows in its phases, and the peer that is gone is none any more."""
        scope = Scope(3)
        self.addCleanup(scope.stop)
        scope.element("www")
        scope.settle()
        dead = next(each for each in scope.registrars if each.host in scope.elements[0].homes)
        admins = [Admin(self, scope, each) for each in scope.registrars if each is not dead]
        self.assertEqual(2, values(admins[0])("rserpool_registrar_peers", state="connected"))
        dead.kill()
        scope.settle()
        done = [values(admin)("rserpool_registrar_takeovers_total", phase="done") for admin in admins]
        claimed = [values(admin)("rserpool_registrar_takeovers_total", phase="claiming") for admin in admins]
        self.assertEqual([1, 1], done)
        self.assertGreaterEqual(sum(claimed), 1)
        self.assertEqual(1, values(admins[0])("rserpool_registrar_peers", state="connected"))


class SecuredTests(SynchronousTestCase):
    """A secured scope."""

    def test_handshakes(self) -> None:
        """Handshakes are counted, and who is refused in one, too."""
        scope = Scope(1, secure=True)
        self.addCleanup(scope.stop)
        scope.element("www")
        scope.settle()
        admin = Admin(self, scope, scope.registrars[0])
        self.assertEqual(1, values(admin)("rserpool_tls_handshakes_total", protocol="asap", result="completed"))
        (element,) = admin.ask("/v1/pools/www/elements").json["elements"]
        self.assertEqual("psk:e1", element["owner"])


class values:
    """Reads numbers."""

    def __init__(self, admin: Admin) -> None:
        said = admin.ask("/metrics")
        assert said.status == 200, said.body
        self._families = list(text_string_to_metric_families(said.body.decode()))

    def samples(self, name: str):
        return [(each.labels, each.value) for family in self._families for each in family.samples if each.name == name]

    def __call__(self, name: str, **labels: str):
        found = [value for given, value in self.samples(name) if given == labels]
        assert len(found) == 1, (name, labels, self.samples(name))
        return found[0]
