"""C{rserpool keys}: what it makes, what it finds, what it says."""

from __future__ import annotations

import asyncio
import os
import stat
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rserpool.cli.keys import run
from rserpool.cli.parser import make_parser
from rserpool.core.access import State
from rserpool.core.errors import ConfigurationError
from rserpool.core.identity import Identity
from rserpool.security.certificates import describe
from rserpool.security.keys import read_keys, read_own_key
from rserpool.security.making import new_ca, new_certificate
from rserpool.security.settings import security_of
from tests.conformance import rfc

NOW = datetime(2027, 1, 1, tzinfo=UTC)


class Case(SynchronousTestCase):
    def setUp(self) -> None:
        self.scope = Path(self.mktemp()) / "scope"

    def keys(self, *arguments: str, after: timedelta = timedelta()) -> tuple[int, str]:
        """Run it; what it printed is for 80 columns."""
        options = make_parser("keys").parse_args(["keys", *arguments])
        out = StringIO()
        code = asyncio.run(run(None, options, out, lambda: NOW + after))
        short = out.getvalue().replace(f"{self.scope}", "scope")
        self.assertEqual([], [line for line in short.splitlines() if len(line) > 80])
        return code, " ".join(short.split())

    def made(self, *elements: str) -> None:
        registrars = ["reg1.example,192.0.2.1", "reg2.example,2001:db8::2"]
        named = ["--element", *elements] if elements else []
        code, self.said = self.keys(
            "make", str(self.scope), "--scope", "pools.example", "--registrar", *registrars, *named
        )
        self.assertEqual(0, code)

    def wrong(self, after: timedelta = timedelta()) -> str:
        code, said = self.keys("check", str(self.scope), after=after)
        self.assertEqual(1, code)
        return said

    def well(self, directory: str = "", days: float = 0.0) -> None:
        code, said = self.keys("check", str(self.scope / directory), after=timedelta(days=days))
        self.assertEqual((0, True), (code, said.endswith("all is well")), said)


class OperatorTests(Case):
    """Operators with certificates (C{--operator-certificate})."""

    def made_with(self, *options: str) -> None:
        names = "--registrar", "reg1", "reg2", "--operator", "ann"
        code, self.said = self.keys("make", str(self.scope), "--scope", "pools.example", *names, *options)
        self.assertEqual(0, code)

    def operators(self, registrar: str = "reg1") -> set[Identity]:
        access = security_of(self.scope / registrar).access
        return {each for each in access.identities if access.standing((each,)).operator}

    def by_certificate(self, operator: str) -> Identity:
        (name,) = describe((self.scope / operator / "certificate.pem").read_bytes(), "")[0].names
        return name

    def test_made(self) -> None:
        """Each registrar takes the certificate for its bearer's, beside the key; without the option there is none."""
        self.made_with("--operator-certificate")
        name = self.by_certificate("ann")
        self.assertEqual(Identity("dns", "ann.operators.pools.example"), name)
        # Who is told to act over HTTPS is told how a registrar comes to speak it, also on loopback.
        self.assertIn("rserpool-ns --security reg1 --asap reg1 --peer reg2 --admin https://reg1:PORT", self.said)
        self.assertIn("rserpool drain --security ann --admin https://reg1:PORT POOL ELEMENT", self.said)
        for registrar in ("reg1", "reg2"):
            self.assertLessEqual({name, Identity("psk", "ann")}, self.operators(registrar))
            self.assertIsNotNone(security_of(self.scope / registrar).client_ca)
        self.well()
        self.scope = self.scope.with_name("plain")
        self.made_with()
        self.assertFalse((self.scope / "ann" / "certificate.pem").exists())
        self.assertFalse((self.scope / "reg1" / "access.toml").exists())

    def test_added_and_removed(self) -> None:
        """What stands in the access file already stays there; a new registrar knows operators, too."""
        self.made_with()
        for registrar in ("reg1", "reg2"):
            own = '[eve]\nidentities = ["dns:eve.example"]\nroles = ["operator"]'
            (self.scope / registrar / "access.toml").write_text(own)
        code, said = self.keys("add", str(self.scope), "--operator", "ann", "b.o_b", "--operator-certificate")
        self.assertEqual((0, True), (code, "reg1/ operators.keys access.toml client-ca.pem" in said), said)
        self.keys("add", str(self.scope), "--registrar", "reg3")
        ann, bob = self.by_certificate("ann"), self.by_certificate("b.o_b")
        for registrar in ("reg1", "reg2", "reg3"):
            self.assertLessEqual({ann, bob, Identity("dns", "eve.example")}, self.operators(registrar))
        self.keys("remove", str(self.scope), "b.o_b")
        self.well()
        for registrar in ("reg1", "reg2", "reg3"):
            self.assertNotIn(bob, self.operators(registrar))
            self.assertIn(ann, self.operators(registrar))
        # The first of two keys: ann is an operator yet.
        self.keys("remove", str(self.scope), "ann")
        self.assertIn(ann, self.operators())

    def test_nobody(self) -> None:
        self.made_with()
        with self.assertRaisesRegex(ConfigurationError, "name the --operator"):
            self.keys("add", str(self.scope), "--element", "web1", "--operator-certificate")


class MakeTests(Case):
    """A new scope."""

    @rfc("5352", "9.2", "MUST possess a site certificate")
    @rfc("5353", "6.2", "MUST possess a site certificate")
    def test_whole(self) -> None:
        """Each process has what it needs, and knows the others; the printed text says what goes where."""
        self.made("web1", "web2,192.0.2.7")
        reg1, reg2 = (security_of(self.scope / f"reg{n}.example") for n in (1, 2))
        web1, users = security_of(self.scope / "web1"), security_of(self.scope / "users")
        assert reg1.own and reg2.own and web1.own and reg1.certificate
        self.assertEqual(reg2.own.secret, reg1.registrars.find("reg2.example"))
        self.assertEqual(reg1.own.secret, reg2.registrars.find("reg1.example"))
        self.assertEqual((web1.own.secret, web1.own.secret), (reg1.elements.find("web1"), reg2.elements.find("web1")))
        self.assertEqual((None, State.REQUIRED, "pools.example"), (users.own, users.state, users.scope))
        names = describe(reg1.certificate.chain, "")[0].names
        self.assertEqual(
            (Identity("dns", "reg1.example"), Identity("dns", "pools.example"), Identity("ip", "192.0.2.1")), names
        )
        ns = "twistd rserpool-ns --security reg1.example --asap 192.0.2.1 --peer [2001:db8::2]"
        self.assertIn(f"reg1.example/ the registrar: {ns}", self.said)
        pe = "twistd rserpool-pe --security web1 --registrar 192.0.2.1 --pool POOL -- PLUGIN"
        self.assertIn(f"web1/ the element: {pe}", self.said)
        self.assertIn("rserpool status --security operator 192.0.2.1", self.said)
        self.assertIn("rserpool resolve --security users --registrar 192.0.2.1 POOL", self.said)
        self.assertIn("Certificates end in 365 days", self.said)
        self.well()
        self.well("reg1.example")

    def test_modes(self) -> None:
        """What is secret is its owner's alone."""
        self.made("web1")
        for path in self.scope.rglob("*"):
            mode = stat.S_IMODE(path.stat().st_mode)
            public = path.name in ("security.toml", "certificate.pem", "server-ca.pem", "ca.pem")
            self.assertEqual(0o700 if path.is_dir() else 0o644 if public else 0o600, mode, path)

    def test_nobody_is_told(self) -> None:
        """What is printed cannot be written: the sentence does not say that the keys could not."""
        options = make_parser("keys").parse_args(
            ["keys", "make", str(self.scope), "--scope", "pools.example", "--registrar", "reg"]
        )
        with open("/dev/full", "w") as full:
            with self.assertRaises(OSError) as refused:
                asyncio.run(run(None, options, full, lambda: NOW))
            self.assertIn(f"{self.scope} is changed, but", str(refused.exception))
            os.dup2(os.open(os.devnull, os.O_WRONLY), full.fileno())
        self.assertTrue((self.scope / "reg").exists())

    def test_never_overwrites(self) -> None:
        self.made("web1")
        before = {path: path.read_bytes() for path in self.scope.rglob("*") if path.is_file()}
        again = ["make", str(self.scope), "--scope", "a.example", "--registrar", "reg"]
        self.assertIn("this exists", str(self.assertRaises(ConfigurationError, self.keys, *again)))
        self.assertEqual(before, {path: path.read_bytes() for path in self.scope.rglob("*") if path.is_file()})

    def test_no_secret_is_printed(self) -> None:
        self.made("web1")
        self.assertNotIn(read_own_key(self.scope / "web1" / "own.key").secret.hex()[:8], self.said)

    def test_mistakes(self) -> None:
        """The sentences of options that cannot be."""
        make = ["make", str(self.scope), "--scope", "pools.example", "--registrar"]
        for arguments, sentence in (
            ([*make, "reg1", "--element", "reg1"], "two members have the name reg1"),
            (["add", str(self.scope), "--element", "web1"], "rserpool keys make has not made this directory"),
            (["remove", str(self.scope), "web1"], "rserpool keys make has not made this directory"),
            (["add", str(self.scope)], "name --registrar, --element, --operator or --submitter"),
            (["check", str(self.scope)], "there is no such directory"),
        ):
            self.assertIn(sentence, str(self.assertRaises(ConfigurationError, self.keys, *arguments)))
        self.scope.mkdir(parents=True)
        self.assertIn("no keys", str(self.assertRaises(ConfigurationError, self.keys, "check", str(self.scope))))


class AddTests(Case):
    """Later members, and second keys."""

    def test_member(self) -> None:
        self.made("web1")
        _, said = self.keys("add", str(self.scope), "--element", "web9", "--registrar", "reg3.example")
        self.assertIn("Copy these first", said)
        reg1, reg3 = security_of(self.scope / "reg1.example"), security_of(self.scope / "reg3.example")
        self.assertEqual(["web1", "web9"], list(reg1.elements))
        self.assertEqual(["web1", "web9"], list(reg3.elements))
        self.assertEqual(["reg1.example", "reg2.example"], list(reg3.registrars))
        self.well()

    def test_submitter(self) -> None:
        """Who submits code has a certificate and no key; workers then know who issued it, and serve with their own."""
        self.made("w1", "w2")
        _, said = self.keys("add", str(self.scope), "--submitter", "alice")
        self.assertIn("w2/ client-ca.pem", said)
        alice, w1 = security_of(self.scope / "alice"), security_of(self.scope / "w1")
        self.assertEqual((None, ""), (alice.own, alice.whose))
        self.assertEqual((w1.whose, w1.server_ca), ("", w1.client_ca))
        assert alice.certificate is not None
        self.assertEqual((Identity("dns", "alice"),), describe(alice.certificate.chain, "")[0].names)
        self.keys("add", str(self.scope), "--submitter", "alice")
        self.assertNotEqual(alice.certificate, security_of(self.scope / "alice").certificate)
        self.well()
        with self.assertRaisesRegex(ConfigurationError, "alice is there already: the submitter"):
            self.keys("add", str(self.scope), "--element", "alice")

    def test_rotation(self) -> None:
        """Both keys are good, until the old one is taken away; what was is set aside."""
        self.made("web1")
        folder = self.scope / "web1"
        before = read_own_key(folder / "own.key")
        self.keys("add", str(self.scope), "--element", "web1")
        after = read_own_key(folder / "own.key")
        self.assertEqual(("web1", "web1@2", "web1"), (before.name, after.name, after.bearer))
        self.assertEqual(before, read_own_key(folder / "own.key.old1"))
        elements = security_of(self.scope / "reg2.example").elements
        self.assertEqual((before.secret, after.secret), (elements.find("web1"), elements.find("web1@2")))
        self.well()
        _, said = self.keys("remove", str(self.scope), "web1")
        self.assertIn("reg1.example/ elements.keys", said)
        self.assertEqual(["web1@2"], list(security_of(self.scope / "reg1.example").elements))
        self.well()

    def test_registrar(self) -> None:
        """A registrar's second key and certificate; the names that it had stay."""
        self.made("web1")
        self.keys("add", str(self.scope), "--registrar", "reg1.example,192.0.2.99", "--days", "700")
        reg1, reg2 = security_of(self.scope / "reg1.example"), security_of(self.scope / "reg2.example")
        assert reg1.own and reg1.certificate
        self.assertEqual(reg1.own.secret, reg2.registrars.find("reg1.example@2"))
        names = [each.name for each in describe(reg1.certificate.chain, "")[0].names]
        self.assertEqual(["reg1.example", "pools.example", "192.0.2.1", "192.0.2.99"], names)
        self.well()

    def test_revoked(self) -> None:
        """Who has no other key is nobody any more; nothing is deleted."""
        self.made("web1", "web2")
        self.keys("remove", str(self.scope), "web1")
        self.assertEqual(["web2"], list(security_of(self.scope / "reg1.example").elements))
        self.assertTrue((self.scope / "web1.removed" / "own.key").exists())
        self.well()
        error = self.assertRaises(ConfigurationError, self.keys, "remove", str(self.scope), "web1")
        self.assertIn("no key has the identity web1; there are operator, reg1.example, reg2.example, web2", str(error))

    def test_the_other(self) -> None:
        self.made("web1")
        error = self.assertRaises(ConfigurationError, self.keys, "add", str(self.scope), "--registrar", "web1")
        self.assertIn("web1 is there already: the element", str(error))


class CheckTests(Case):
    """What C{rserpool keys check} finds, and that it names the file and what to do."""

    def setUp(self) -> None:
        super().setUp()
        self.made("web1")
        self.reg1, self.web1 = self.scope / "reg1.example", self.scope / "web1"

    def test_modes(self) -> None:
        (self.web1 / "own.key").chmod(0o644)
        self.assertIn("chmod 0600 scope/web1/own.key", self.wrong())
        (self.web1 / "own.key").chmod(0o600)
        (self.web1 / "private-key.pem").chmod(0o660)
        self.assertIn("chmod 0600 scope/web1/private-key.pem", self.wrong())
        (self.web1 / "private-key.pem").chmod(0o600)
        self.web1.chmod(0o770)
        self.assertIn("chmod go-w scope/web1", self.wrong())

    def test_expiry(self) -> None:
        """Soon, past, and not yet: of a clock that is wrong."""
        self.well(days=334)
        self.assertIn("SOON: scope/web1/certificate.pem: it ends in 29 days", self.wrong(timedelta(days=335, hours=1)))
        self.assertIn("it ends in 5 hours", self.wrong(timedelta(days=364, hours=19)))
        self.assertIn("WRONG: scope/web1/certificate.pem: it ended at 2028-01-01", self.wrong(timedelta(days=366)))
        self.assertIn("it is good from 2026-12-31 23:00 UTC on: is the clock right?", self.wrong(timedelta(days=-300)))

    def test_keys(self) -> None:
        """A short key, and keys of which two processes do not know the same."""
        keys = self.reg1 / "elements.keys"
        keys.write_text("web1:0123456789\n")
        self.assertIn("scope/reg1.example/elements.keys, line 1: the key of web1 has 5 bytes", self.wrong())
        keys.write_text(f"web1:{bytes(range(32)).hex()}\n")
        self.assertIn("its key of web1 is not that in scope/web1/own.key", self.wrong())
        keys.write_text(f"web7:{bytes(range(32)).hex()}\n")
        said = self.wrong()
        self.assertIn("scope/reg1.example/elements.keys: it has no key of web1 (scope/web1/own.key)", said)
        self.assertIn("reg2.example/elements.keys: it has no key of web7, and that of reg1.example has", said)
        (self.reg1 / "own.key").unlink()
        self.assertIn("registrars know each other by keys, and this one has none", self.wrong())

    def test_certificates(self) -> None:
        """Another's private key, another's CA, a name that is missing, a weak key."""
        (self.web1 / "private-key.pem").write_bytes((self.reg1 / "private-key.pem").read_bytes())
        self.assertIn("this is not the private key of the certificate in scope/web1/certificate.pem", self.wrong())
        other = new_ca("other.example", NOW)
        issued = new_certificate(other, ["reg1.example"], NOW, 365)
        (self.reg1 / "certificate.pem").write_bytes(issued.certificate)
        (self.reg1 / "private-key.pem").write_bytes(issued.private_key)
        said = self.wrong()
        self.assertIn("a registrar's certificate has the name of the scope, too: pools.example", said)
        self.assertIn("who trusts scope/reg1.example/server-ca.pem does not believe it: unable to get local", said)
        weak = new_certificate(other, ["reg1.example"], NOW, 365, rsa_bits=1024)
        (self.reg1 / "certificate.pem").write_bytes(weak.certificate)
        self.assertIn("its RSA key has 1024 bits; 2048 are needed", self.wrong())
        (self.reg1 / "certificate.pem").write_bytes(b"")
        self.assertIn("reg1.example/certificate.pem: there is no certificate in it", self.wrong())

    def test_table(self) -> None:
        (self.scope / "users" / "security.toml").write_text("[security]\n")
        self.assertIn("without the name of the scope", self.wrong())
        (self.scope / "users" / "security.toml").write_text('[security]\nscoop = "x"\n')
        said = self.wrong()
        self.assertIn("there is no setting 'scoop'", said)
        self.assertNotIn("without the name of the scope", said)

    def test_one_mistake(self) -> None:
        """What cannot be read says nothing about anything else."""
        (self.reg1 / "elements.keys").write_text("web1:0123")
        self.assertEqual(1, self.wrong().count("WRONG: scope/reg1.example"))

    def test_access(self) -> None:
        """A name in the access file that no key has, and a file that is wrong."""
        access = self.reg1 / "access.toml"
        access.write_text('[web]\nidentities = ["psk:web7", "psk:web1", "psk:reg1.example"]\nroles = ["element"]\n')
        said = self.wrong()
        self.assertIn("scope/reg1.example/access.toml: it names psk:web7, and no file here has a key of that", said)
        self.assertNotIn("psk:web1,", said)
        access.write_text('[web]\nidentities = ["psk:web1"]\nroles = ["elephant"]\n')
        self.assertIn("there is no role 'elephant'", self.wrong())

    def test_read_keys(self) -> None:
        """What the command writes is what services read."""
        self.assertEqual(["web1"], [key.name for key in read_keys(self.reg1 / "elements.keys")])
