"""A secured scope of real processes, from C{rserpool keys make} on; and who has not the right keys."""

from __future__ import annotations

from pathlib import Path

from tests.conformance import rfc
from tests.processes.harness import Process, ProcessTests, Registrar, free_address

ELEMENT = "0x0000000a"


class SecuredTests(ProcessTests):
    """Each process has the folder that C{rserpool keys} has made for it."""

    def setUp(self) -> None:
        super().setUp()
        self.host = free_address()
        self.path = Path(self.mktemp()).absolute()

    async def done(self, process: Process) -> tuple[int, str]:
        """Its exit code, and what it has said, when it has ended."""
        return await process.ended, process.text

    async def made(self, name: str = "scope") -> Path:
        made = self.rserpool(
            "keys", "make", str(self.path / name), "--scope", "pools.example",
            "--registrar", f"reg1,{self.host}", f"reg2,{self.host}", "--element", "web1", "web2",
        )  # fmt: skip
        code, text = await self.done(made)
        self.assertEqual(0, code, text)
        return self.path / name

    async def secured(self, folder: Path, *options: str) -> Registrar:
        return await self.registrar("--security", str(folder), *options, asap=f"{self.host}:3863")

    def ask(self, registrar: Registrar, *arguments: str, transport: str = "sctp", **environment: str) -> Process:
        where = registrar.text.replace("3864", "3863") if transport == "sctp" else f"{self.host}:3863"
        options = ["--transport", transport, "--registrar", where, "--timeout", "3"]
        return self.rserpool(*arguments, "pool", *options, **environment)

    async def test_scope(self) -> None:
        """Two registrars are peers, an element is in the pool at both, users resolve over SCTP and TCP, and an operator
        sees it all; who has no key hears that TLS is wanted, in one line."""
        scope = await self.made()
        one = await self.secured(scope / "reg1")
        await one.process.says(r"TLS is required; the scope is pools\.example; its own key is reg1")
        self.assertEqual(3864, one.address.port)
        enrp = f"{self.host}/{one.address.encapsulation}"
        two = await self.secured(scope / "reg2", "--peer", enrp)
        await two.process.says("ready: ")
        element = self.element(one, "--security", str(scope / "web1"), "--identifier", ELEMENT)
        await element.says("registered as 0x0000000a")
        await one.process.says("audit: psk:web1 at .* registered pool 0x0000000a")
        users = str(scope / "users")
        asked = [
            self.ask(one, "resolve", "--security", users),
            self.ask(two, "resolve", RSERPOOL_SECURITY=users),
            self.ask(one, "resolve", "--security", users, transport="tcp"),
        ]
        for process in asked:
            code, text = await self.done(process)
            self.assertEqual(0, code, text)
            self.assertIn(ELEMENT, text)
        status = self.rserpool("status", enrp, "--security", str(scope / "operator"))
        code, text = await self.done(status)
        self.assertEqual((0, True), (code, "ready, TLS" in text), text)
        for refused, sentence in (
            (self.ask(one, "resolve"), "the registrar wants TLS, and was asked in the clear: say by which keys"),
            (self.rserpool("status", enrp), "is secured, and --security is needed"),
            (self.rserpool("status", enrp, "--security", users), "--security has no key that it takes"),
            (
                self.rserpool("status", enrp, "--security", str(scope / "web2")),
                "the peer refuses: it does not know the key that we offer; who asks for the status needs the key of an",
            ),
        ):
            code, text = await self.done(refused)
            self.assertIn(code, (1, 4), text)
            self.assertIn(sentence, text.splitlines()[-1])
        self.no_traceback(one.process, two.process, element, *asked, status)

    @rfc("5352", "9.2", "MUST have a mechanism for validating")
    @rfc("5353", "6.2", "MUST have a mechanism for validating")
    async def test_strangers(self) -> None:
        """A key that is another, a key that is not known, another CA, no key: nobody gets in, and each reads why."""
        scope, other = await self.made(), await self.made("other")
        one = await self.secured(scope / "reg1")
        (other / "web2" / "own.key").write_text("web9:" + "0123456789abcdef" * 4 + "\n")
        for options, sentence in (
            (("--security", str(other / "web1")), "its key is not the one that we know by this identity"),
            (("--security", str(other / "web2")), "it does not know the key that we offer"),
        ):
            element = self.element(one, *options)
            await element.says(f"TLS with .*: {sentence}|TLS with .* failed: .*{sentence}")
        plain = self.element(one.text.replace("3864", "3863"))
        code, text = await self.done(plain)
        self.assertEqual(1, code, text)
        self.assertIn("rserpool-pe: rejected for security reasons: the registrar wants TLS", text)
        await one.process.says("speaks in the clear, and is refused")
        code, text = await self.done(self.ask(one, "resolve", "--security", str(other / "users")))
        self.assertEqual(4, code, text)
        last = text.splitlines()[-1]
        self.assertTrue(last.startswith("rserpool resolve: no registrar can be used (tried: "), text)
        self.assertIn("we do not take its certificate", last)
        self.assertTrue(last.endswith("rserpool keys check DIR says what is wrong with keys and certificates"), text)
        code, text = await self.done(self.ask(one, "resolve", "--security", str(scope / "users")))
        self.assertEqual(3, code, text)
        self.no_traceback(one.process, plain)

    async def test_files_change(self) -> None:
        """A key that is taken away counts at SIGHUP: its element is cut off and gone; a broken file changes nothing."""
        scope = await self.made()
        one = await self.secured(scope / "reg1")
        element = self.element(one, "--security", str(scope / "web1"), "--identifier", ELEMENT)
        await element.says("registered as 0x0000000a")
        keys = scope / "reg1" / "elements.keys"
        before = keys.read_text()
        keys.write_text(before + "web3:0123")
        one.process.signal("HUP")
        await one.process.says("elements.keys, line 4.*; nothing changes until this is mended")
        keys.write_text("".join(line for line in before.splitlines(True) if not line.startswith("web1:")))
        one.process.signal("HUP")
        await one.process.says("keys of elements gone: web1")
        await one.process.says("pool: element 0x0000000a removed")
        keys.write_text(before)
        await one.process.says("keys of elements added: web1")
        await one.process.says("pool: element 0x0000000a registered", after=len(one.process.lines))
        self.no_traceback(one.process, element)

    async def test_classic_services(self) -> None:
        """The classic services show the certificate of their element's folder: echo over TCP, pingpong over SCTP."""
        scope = await self.made()
        one = await self.secured(scope / "reg1")
        web1 = str(scope / "web1")
        for name, over in (("echo", "--tcp"), ("pingpong", "--sctp")):
            plugin = (f"rserpool-{name}", over, "0", "--tls", web1)
            element = self.element(one, "--security", web1, pool=name, plugin=plugin)
            await element.says("registered as")
        where = one.text.replace("3864", "3863")
        asking = ("--registrar", where, "--security", str(scope / "users"), "--count", "2", "--interval", "0.01")
        for command, pool in (("echo", "echo"), ("ping", "pingpong")):
            process = self.rserpool(command, pool, *asking, "--tls", "web1")
            code, text = await self.done(process)
            self.assertEqual(0, code, text)
            self.assertIn("2 answered, 0 lost", text)
