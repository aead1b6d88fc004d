"""Who may be what, by the identities that it has proved."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core.access import PLAIN, Access, Principal, State, access_by_keys
from rserpool.core.errors import ConfigurationError
from rserpool.core.identity import Identity, parse_identity


def identities(*texts: str) -> tuple[Identity, ...]:
    return tuple(map(parse_identity, texts))


def principal(name: str, *texts: str, **what: object) -> Principal:
    return Principal(name, frozenset(identities(*texts)), **what)  # type: ignore[arg-type]


class DefaultTests(SynchronousTestCase):
    """Two sets of keys, and no access file."""

    def setUp(self) -> None:
        self.access = access_by_keys(["reg1"], ["web"], own="reg2")

    def test_separate(self) -> None:
        """A registrar is no element, and an element no registrar; nobody is an operator alone."""
        registrar, element = (self.access.standing(identities(name)) for name in ("psk:reg1", "psk:web"))
        self.assertEqual((True, False), (registrar.registrar, registrar.element))
        self.assertEqual((False, True), (element.registrar, element.element))
        self.assertFalse(element.operator)

    def test_any_pool(self) -> None:
        element = self.access.standing(identities("psk:web"))
        self.assertEqual(Identity("psk", "web"), element.owner(b"any pool"))
        self.assertIsNone(self.access.standing(identities("psk:reg1")).owner(b"any pool"))

    def test_a_certificate_alone_is_a_user(self) -> None:
        """And the certificate of a name is not the key of that name."""
        for name in ("dns:web", "dns:reg1"):
            standing = self.access.standing(identities(name))
            self.assertFalse(standing.registrar or standing.element or standing.operator or standing.clear, name)

    def test_who_has_our_own_key_is_a_registrar(self) -> None:
        """It was dialled by us, and knew the key of our hello; it is no element."""
        standing = self.access.standing(identities("psk:reg2"))
        self.assertEqual((True, False), (standing.registrar, standing.element))

    def test_one_name_twice(self) -> None:
        with self.assertRaisesRegex(ConfigurationError, "psk:web is registrar web and element web"):
            access_by_keys(["web"], ["web"])
        with self.assertRaisesRegex(ConfigurationError, "psk:reg2 is our own identity"):
            access_by_keys(["reg2"], own="reg2")


class AccessTests(SynchronousTestCase):
    """Principals with several identities, and few pools."""

    def setUp(self) -> None:
        self.access = Access(
            (
                principal("web", "psk:old", "psk:new", element=True, pools=frozenset({b"www"})),
                principal("mail", "dns:mail.example", element=True, pools=frozenset({b"mail"})),
                principal("desk", "psk:desk", operator=True),
            )
        )

    def test_pools(self) -> None:
        web = self.access.standing(identities("psk:old"))
        self.assertIsNotNone(web.owner(b"www"))
        self.assertIsNone(web.owner(b"mail"))
        old, unknown = identities("psk:old", "psk:unknown")
        self.assertIs(True, self.access.serves(old, b"www"))
        self.assertIs(False, self.access.serves(old, b"mail"))
        self.assertIsNone(self.access.serves(unknown, b"www"))

    def test_overlapping_keys(self) -> None:
        """What was registered by one identity may be changed by the other."""
        old, new, mail = identities("psk:old", "psk:new", "dns:mail.example")
        web = self.access.standing((new,))
        self.assertEqual(new, web.owner(b"www"))
        self.assertEqual((True, True, False), tuple(each in web.owned for each in (old, new, mail)))

    def test_one_owner_or_two(self) -> None:
        """Identities of one principal are one owner; what has no owner is anybody's; whom we do not know is itself."""
        old, new, mail, unknown = identities("psk:old", "psk:new", "dns:mail.example", "psk:unknown")
        alike = ((old, old), (old, new), (new, old), (unknown, unknown), (None, old), (old, None), (None, None))
        self.assertEqual([True] * 7, [self.access.alike(*pair) for pair in alike])
        others = ((old, mail), (mail, new), (old, unknown), (unknown, old))
        self.assertEqual([False] * 4, [self.access.alike(*pair) for pair in others])

    def test_certificate_of_several_names(self) -> None:
        """All that was proved counts."""
        both = self.access.standing(identities("dns:host7", "dns:mail.example", "psk:old"))
        self.assertEqual(identities("psk:old")[0], both.owner(b"www"))
        self.assertEqual(identities("dns:mail.example")[0], both.owner(b"mail"))

    def test_operator(self) -> None:
        desk = self.access.standing(identities("psk:desk"))
        self.assertEqual((True, False, False), (desk.operator, desk.registrar, desk.element))


class StateTests(SynchronousTestCase):
    """Who is judged at all."""

    def test_in_the_clear(self) -> None:
        for state, clear in ((State.PLAIN, False), (State.OFFERED, False), (State.REQUIRED, True)):
            standing = access_by_keys(elements=["web"], state=state).standing(None)
            self.assertEqual((clear, clear, not clear), (standing.clear, standing.judged, standing.registrar), state)

    def test_identities_count_where_tls_is_offered(self) -> None:
        for state, judged in ((State.PLAIN, False), (State.OFFERED, True), (State.REQUIRED, True)):
            standing = access_by_keys(elements=["web"], state=state).standing(identities("psk:web"))
            self.assertEqual((judged, not judged), (standing.judged, standing.registrar), state)

    def test_in_words(self) -> None:
        access = access_by_keys(elements=["web"])
        words = [str(access.standing(each)) for each in (None, (), identities("psk:web"))]
        self.assertEqual(["in the clear", "anonymous", "psk:web"], words)
        self.assertFalse(PLAIN.secured)
