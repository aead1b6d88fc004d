"""What the admin interface shows of a registrar, an element and a user."""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from rserpool.admin.subjects import ElementSubject, UserSubject
from tests.admin.stage import Admin
from tests.pool_scope import PoolScope


class RegistrarTests(SynchronousTestCase):
    """A registrar among others."""

    def setUp(self) -> None:
        self.scope = PoolScope(self, 2)
        self.admin = Admin(self, self.scope, self.scope.registrars[0])

    def at_home(self, number: int) -> Admin:
        """The interface of the home of an element."""
        home = self.scope.registrars[0].role.handlespace.find(b"pool", number).home
        return self.admin if home == 1 else Admin(self, self.scope, self.scope.registrars[home - 1])

    def test_pools(self) -> None:
        """Each pool is there, with its name as it can be read and as it is, its policy, and whose its elements are."""
        self.scope.member(1, "www")
        self.scope.member(2, b"\xff<b>")
        self.assertEqual([], self.admin.ask("/v1/pools?limit=5&after=ffff").json["pools"])
        pools = {pool["handle"]: pool for pool in self.admin.ask("/v1/pools").json["pools"]}
        self.assertEqual({"777777", "ff3c623e"}, set(pools))
        self.assertEqual(
            ("www", "round-robin", 1), tuple(pools["777777"][key] for key in ("pool", "policy", "elements"))
        )
        self.assertEqual("\\xff<b>", pools["ff3c623e"]["pool"])
        self.assertEqual(1, sum(pools["777777"]["homes"].values()))

    def test_elements(self) -> None:
        """An element of ours tells since when it is there, and how fast it answered last."""
        self.scope.member(7)
        admin = self.at_home(7)
        self.scope.advance(30)
        (element,) = admin.ask("/v1/pools/pool/elements").json["elements"]
        self.assertEqual(
            ("0x00000007", "tcp", True), (element["identifier"], element["transport"]["protocol"], element["ours"])
        )
        self.assertGreater(element["age"], 29)
        self.assertIsInstance(element["delay"], float)
        self.assertLess(element["answered"], 30)
        self.assertEqual((0, False, None), (element["reports"], element["asked"], element["owner"]))

    def test_reported(self) -> None:
        """Who was reported shows how often, until it registers again."""
        member = self.scope.member(7)
        admin = self.at_home(7)
        self.scope.result(self.scope.client.service.resolve("pool"))
        self.scope.client.service.report("pool", 7)
        self.scope.advance(0.01)
        (element,) = admin.ask("/v1/pools/pool/elements").json["elements"]
        self.assertEqual(1, element["reports"])
        self.assertTrue(member.alive)

    def test_not_there(self) -> None:
        """Who asks for what there is not hears so."""
        self.assertEqual((404, "no pool is named so here"), _of(self.admin.ask("/v1/pools/none/elements")))
        self.assertEqual(404, self.admin.ask("/v1/pool").status)
        self.assertEqual(400, self.admin.ask("/v1/pools?limit=0").status)
        self.assertEqual(400, self.admin.ask("/v1/pools?limit=1&limit=2").status)
        self.assertEqual(400, self.admin.ask("/v1/registrars?x=1").status)
        self.assertEqual(400, self.admin.ask("/v1/pools/p/elements?after=7").status)

    def test_pages(self) -> None:
        """A page begins behind the last; a whole list is written in turns, and nothing of it is lost."""
        registrar = self.scope.registrars[0].role
        template = self.scope.member(1).role.element(b"pool")
        for number in range(2, 502):
            registrar.handlespace.register(b"pool", replace(template, identifier=number), others=True)
        whole = self.admin.ask("/v1/pools/pool/elements").json["elements"]
        self.assertEqual(501, len(whole))
        first = self.admin.ask("/v1/pools/pool/elements?limit=300").json
        second = self.admin.ask(f"/v1/pools/pool/elements?limit=300&after={first['next']}").json
        self.assertIsNone(second["next"])
        found = [each["identifier"] for each in first["elements"] + second["elements"]]
        self.assertEqual([f"0x{number:08x}" for number in range(1, 502)], found)

    def test_one_that_is_no_peer(self) -> None:
        """Whom only a peer has for a peer is shown as such, with who names it."""
        registrar = self.scope.registrars[0].role
        registrar.peering.peers.get(2).names = frozenset({1, 9})
        stranger = _registrars(self.admin)[-1]
        self.assertEqual(
            ("0x00000009", "unknown", ["0x00000002"]), tuple(of(stranger, "identifier", "state", "named_by"))
        )

    def test_registrars(self) -> None:
        """Each registrar is there with what it owns and the checksum over that; both say the same."""
        self.scope.member(1)
        other = Admin(self, self.scope, self.scope.registrars[1])
        self.scope.advance(10)
        seen = [
            {each["identifier"]: of(each, "elements", "checksum") for each in _registrars(admin)}
            for admin in (self.admin, other)
        ]
        self.assertEqual({"0x00000001", "0x00000002"}, set(seen[0]))
        self.assertEqual(seen[0], seen[1])
        for admin in (self.admin, other):
            own, peer = _registrars(admin)
            self.assertEqual((own["checksum"], peer["checksum"]), (own["told"], peer["told"]))
            self.assertEqual([[peer["identifier"]], [own["identifier"]]], [own["peers"], peer["peers"]])
        states = {each["state"] for each in _registrars(self.admin)}
        self.assertEqual({"ready", "connected"}, states)

    def test_about(self) -> None:
        """The registrar tells what it is."""
        about = self.admin.ask("/v1/about").json
        self.assertEqual(["registrar", "0x00000001", True, None], of(about, "role", "identifier", "ready", "reason"))

    def test_looking_changes_nothing(self) -> None:
        """Nobody who looks moves the head of a pool."""
        for number in (1, 2, 3):
            self.scope.member(number)
        pool = self.scope.registrars[0].role.handlespace.pools[b"pool"]
        before = [element.identifier for element in pool.peek()]
        self.admin.ask("/v1/pools/pool/elements")
        self.assertEqual(before, [element.identifier for element in pool.peek()])


class OtherTests(SynchronousTestCase):
    """An element, and a user."""

    def test_element(self) -> None:
        """An element shows the pools that it serves in, and its home."""
        scope = PoolScope(self)
        member = scope.member(5, "www")
        admin = Admin(self, scope, member, ElementSubject(lambda: member.service))
        self.assertEqual((True, 1), tuple(admin.ask("/v1/about").json[key] for key in ("ready", "registered")))
        (element,) = admin.ask("/v1/pools/www/elements").json["elements"]
        self.assertEqual("0x00000005", element["identifier"])
        self.assertEqual(["home"], [each["state"] for each in _registrars(admin)])
        scope.registrars[0].kill()
        scope.advance(60)
        about = admin.ask("/v1/about").json
        self.assertEqual((False, "not registered in www: no registrar is found"), (about["ready"], about["reason"]))

    def test_user(self) -> None:
        """A user shows the pools that it watches."""
        scope = PoolScope(self)
        user = scope.client.service
        admin = Admin(self, scope, scope.client, UserSubject(user, b"www"))
        user.subscribe("www", lambda change: None)
        scope.advance(1)
        self.assertEqual("pool www has no element", admin.ask("/v1/about").json["reason"])
        scope.member(5, "www")
        scope.advance(1)
        self.assertEqual([1], [pool["elements"] for pool in admin.ask("/v1/pools").json["pools"]])
        self.assertEqual(1, len(admin.ask("/v1/pools/www/elements?limit=1").json["elements"]))
        self.assertTrue(admin.ask("/v1/about").json["ready"])


def _registrars(admin):
    return admin.ask("/v1/registrars").json["registrars"]


def of(described, *keys):
    return [described[key] for key in keys]


def _of(said):
    return said.status, said.error
