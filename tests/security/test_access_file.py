"""The access file: who may be what."""

from __future__ import annotations

import tomllib

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core.access import Access, Standing, State
from rserpool.core.errors import ConfigurationError
from rserpool.core.identity import parse_identity
from rserpool.security.access_file import KeyNames, access_of

KEYS = KeyNames(registrars=["reg2"], elements=["web1", "web1@2", "web2"], operators=["alice"], own="reg1")


def access(text: str | None = None) -> Access:
    return access_of(None if text is None else tomllib.loads(text), KEYS)


def standing(who: Access, identity: str) -> Standing:
    return who.standing((parse_identity(identity),))


class AccessFileTests(SynchronousTestCase):
    def roles(self, who: Access, identity: str) -> str:
        """Its roles, a letter each."""
        one = standing(who, identity)
        return "r" * one.registrar + "e" * one.element + "o" * (one.operator and not one.registrar)

    def test_no_file(self) -> None:
        """The files of keys say it; the keys of one bearer are one."""
        who = access()
        self.assertEqual(
            ["r", "e", "e", "o", "", "r"],
            [self.roles(who, f"psk:{name}") for name in ("reg2", "web1", "web2", "alice", "bob", "reg1")],
        )
        self.assertEqual("", self.roles(who, "dns:reg2"))
        self.assertIs(State.REQUIRED, who.state)

    def test_named(self) -> None:
        """Who is named is what the file says; the others are what their keys are."""
        who = access(
            '[web]\nidentities = ["psk:web1", "dns:web1.example"]\nroles = ["element"]\npools = ["www"]\n'
            '[bob]\nidentities = ["dns:bob.example"]\nroles = ["operator"]\n'
        )
        for identity in ("psk:web1", "dns:web1.example"):
            one = standing(who, identity)
            self.assertEqual((parse_identity(identity), None), (one.owner(b"www"), one.owner(b"api")))
            self.assertIn(parse_identity("psk:web1"), one.owned)
        self.assertIsNotNone(standing(who, "psk:web2").owner(b"api"))
        self.assertEqual(
            ["r", "o", "o"], [self.roles(who, each) for each in ("psk:reg2", "psk:alice", "dns:bob.example")]
        )

    def test_submitters(self) -> None:
        """Who may submit code, and to which pools; that is nothing else."""
        who = access(
            '[alice]\nidentities = ["dns:alice"]\nroles = ["submit-code"]\npools = ["farm"]\n'
            '[bob]\nidentities = ["dns:bob"]\nroles = ["submit-code", "operator"]\n'
        )
        alice, bob = standing(who, "dns:alice"), standing(who, "dns:bob")
        self.assertEqual([True, False, True], [alice.submits(b"farm"), alice.submits(b"www"), bob.submits(b"www")])
        self.assertEqual(["", "o"], [self.roles(who, "dns:alice"), self.roles(who, "dns:bob")])
        self.assertIsNone(alice.owner(b"farm"))
        self.assertFalse(standing(who, "psk:web1").submits(b"farm"))

    def test_default_user(self) -> None:
        """Who is not named is no more than a user, whatever its key."""
        who = access('default = "user"\n[web]\nidentities = ["psk:web1"]\nroles = ["element"]\n')
        self.assertEqual(["", "e", ""], [self.roles(who, f"psk:{name}") for name in ("reg2", "web1", "web2")])

    def test_the_same_everywhere(self) -> None:
        """A registrar finds itself in the file of the scope, and makes nothing of it."""
        who = access('[reg1]\nidentities = ["psk:reg1", "dns:reg1.example"]\nroles = ["registrar"]\n')
        self.assertEqual("r", self.roles(who, "dns:reg1.example"))
        self.assertNotIn(parse_identity("psk:reg1"), who.identities)

    def test_mistakes(self) -> None:
        """The table is named, and what would be right."""
        good = 'identities = ["psk:a"]\nroles = ["element"]\n'
        for text, sentence in {
            'default = "all"': 'default is "keys" or "user", not \'all\'',
            "web = 1": "web is no table: write [web]",
            f"[web]\n{good}pool = 1": "[web]: there is no 'pool'; there are identities, roles and pools",
            '[web]\nroles = ["element"]': "[web]: identities is a list of texts",
            '[web]\nidentities = "psk:a"\nroles = ["element"]': "[web]: identities is a list of texts",
            f"[web]\n{good}pools = [1]": "[web]: pools is a list of texts",
            f"[web]\n{good}pools = []": "[web]: pools is a list of texts",
            '[web]\nidentities = ["a"]\nroles = ["element"]': "[web]: 'a' is no identity: write psk:NAME",
            '[web]\nidentities = ["psk:a@2"]\nroles = ["element"]': "[web]: psk:a@2 is a key of psk:a: write that",
            '[web]\nidentities = ["psk:a"]\nroles = ["root"]': "[web]: there is no role 'root'",
            '[web]\nidentities = ["psk:a"]\nroles = ["operator"]\npools = ["a"]': "pools are for who has the role",
            f"[web]\n{good}[www]\n{good}": "psk:a is web and www",
        }.items():
            error = self.assertRaises(ConfigurationError, access, text)
            self.assertTrue(str(error).startswith("access.toml: "), error)
            self.assertIn(sentence, str(error))
