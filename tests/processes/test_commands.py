"""C{rserpool resolve} and C{rserpool watch} against real processes, and a program with an endpoint string."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.processes.harness import Process, ProcessTests, all_of, free_address

PROGRAM = """
import sys
from twisted.internet import reactor, task
from twisted.internet.endpoints import clientFromString, connectProtocol
from twisted.internet.defer import Deferred
from twisted.protocols.basic import LineReceiver

class Asking(LineReceiver):
    delimiter = b"\\n"
    def __init__(self): self.done = Deferred()
    def connectionMade(self): self.sendLine(b"begin"); self.sendLine(b"end")
    def lineReceived(self, line): print(line.decode(), flush=True)
    def connectionLost(self, reason): self.done.callback(None)

async def main(reactor, endpoint):
    for line in sys.stdin:
        asking = await connectProtocol(clientFromString(reactor, endpoint), Asking())
        await asking.done

task.react(lambda *arguments: Deferred.fromCoroutine(main(*arguments)), sys.argv[1:])
"""


class CommandTests(ProcessTests):
    """What operators and scripts see."""

    def changes(self, process: Process) -> list[dict[str, Any]]:
        """What C{watch --json} has printed."""
        return [json.loads(line) for line in process.output.splitlines()]

    async def test_resolve(self) -> None:
        """Exit codes 0, 2, 3 and 4, each with one sentence; tables and JSON; over SCTP and TCP."""
        registrar = await self.registrar()
        element = self.element(registrar, "--identifier", "0x17", "--policy", "weighted-round-robin:weight=3")
        at = ("--registrar", registrar.text)
        over_tcp = ("--registrar", f"{registrar.tcp.hosts[0]}:{registrar.tcp.port}", "--transport", "tcp")
        nobody = ("--registrar", f"{free_address()}:3863", "--timeout", "1")
        await element.says("registered as")
        port = int((await element.says(r"open at (\d+)"))[1])
        table, as_json, one, unknown, no_registrar, no_tcp, bad, worse = processes = [
            self.rserpool("resolve", *arguments)
            for arguments in (
                ("pool", *at),
                ("pool", "--json", *over_tcp),
                ("pool", "--items", "1", *at),
                ("nothing", *over_tcp),
                ("pool", *nobody),
                ("pool", *nobody, "--transport", "tcp"),
                ("pool", "--registrar", "some where"),
                ("pool", "--items", "0", *at),
            )
        ]
        self.assertEqual([0, 0, 0, 3, 4, 4, 2, 2], await all_of(*(process.ended for process in processes)))
        self.assertRegex(table.output, rf"0x00000017 +tcp 127\.0\.0\.1:{port} +weighted-round-robin:weight=3 ")
        found = json.loads(as_json.output)
        self.assertEqual(["0x00000017"], [each["identifier"] for each in found["elements"]])
        self.assertEqual(3, found["elements"][0]["policy"]["weight"])
        self.assertIn("0x00000017", one.output)
        for process, sentence in (
            (unknown, "rserpool resolve: no pool is named 'nothing'"),
            (no_registrar, "rserpool resolve: no registrar answered"),
            (no_tcp, "rserpool resolve: no registrar answered"),
            (bad, "rserpool resolve: argument --registrar: 'some where'"),
            (worse, "rserpool resolve: argument --items: '0' is not a whole number above 0"),
        ):
            self.assertEqual("", process.output)
            self.assertEqual(1, len(process.lines), process.text)
            self.assertIn(sentence, process.text)
        self.no_traceback(registrar.process, element, *processes)

    async def test_watch(self) -> None:
        """A pool that does not exist yet, then comes, changes and goes; the registrar is replaced meanwhile."""
        registrar = await self.registrar()
        over_tcp = ("--registrar", f"{registrar.tcp.hosts[0]}:{registrar.tcp.port}", "--transport", "tcp")
        sctp = self.rserpool("watch", "pool", "--json", "--registrar", registrar.text)
        tcp = self.rserpool("watch", "pool", "--json", *over_tcp)
        people = self.rserpool("watch", "pool", "--registrar", registrar.text)
        watching = (sctp, tcp)
        await all_of(*(process.says('"no pool"') for process in watching), people.says("no pool is named pool"))
        element = self.element(registrar, "--identifier", "7")
        await all_of(*(process.says(r'"\+"') for process in watching), people.says(r"\+ 0x00000007  tcp 127"))
        registrar.process.signal("KILL")
        again = await self.registrar(asap=f"{registrar.host}:3863")
        await element.says("home registrar is", len(element.lines))
        second = self.element(again, "--identifier", "8")
        await all_of(*(process.says(r'"\+".*0x00000008') for process in watching))
        element.signal("KILL")
        second.signal("KILL")
        await all_of(*(process.says(r'"-".*0x0000000[78]') for process in watching), people.says("- 0x0000000[78]"))
        await all_of(*(process.says('"no pool"', 3) for process in watching))
        for process in (sctp, tcp, people):
            process.signal("INT")
        self.assertEqual([0, 0, 0], await all_of(*(process.ended for process in (sctp, tcp, people))), people.text)
        self.assertEqual("no pool", self.changes(sctp)[0]["change"])
        self.no_traceback(again.process, sctp, tcp, people)
        # None found at the start is an error.
        nobody = self.rserpool("watch", "pool", "--registrar", f"{free_address()}:3863", "--timeout", "1")
        self.assertEqual(4, await nobody.ended)
        self.assertRegex(nobody.text, "^rserpool watch: no registrar answered")

    async def test_endpoint_string(self) -> None:
        """A program that knows nothing of pools but C{rserpool:POOL:registrar=HOST:PORT} fails over by itself."""
        registrar = await self.registrar()
        elements = [self.element(registrar, "--identifier", str(number)) for number in (1, 2)]
        await all_of(*(element.says("registered as") for element in elements))
        endpoint = f"rserpool:pool:registrar={registrar.text}"
        program = self.spawn("-c", PROGRAM, endpoint)

        async def ask(times: int) -> None:
            before = len(program.lines)
            program.transport.write(b"\n" * times)
            while len(program.lines) < before + 2 * times:
                await program.says("^(begun|done)$", len(program.lines))

        await ask(4)
        for element in elements:
            await element.says("a request has begun")
        elements[0].signal("KILL")
        await elements[0].ended
        await ask(3)
        # Its registrar dies, too: what it knew last is good enough.
        registrar.process.signal("KILL")
        await ask(3)
        program.transport.closeStdin()
        self.assertEqual(0, await program.ended, program.text)
        self.assertEqual(["begun", "done"] * 10, program.lines)
        over_tcp = f"rserpool:pool:registrar={registrar.text}:transport=tcp:timeout=1"
        failing = self.spawn("-c", PROGRAM, over_tcp)
        failing.transport.write(b"\n")
        failing.transport.closeStdin()
        self.assertNotEqual(0, await failing.ended)
        self.assertTrue(re.search("NoRegistrar: no registrar answered", failing.text), failing.text)

    async def test_broken_pipe(self) -> None:
        """C{rserpool watch POOL | head -1} ends without a word, also where nothing more happens."""
        registrar = await self.registrar()
        element = self.element(registrar)
        watching = self.rserpool("watch", "pool", "--registrar", registrar.text)
        await watching.says(r"[=+] 0x")
        watching.transport.closeStdout()
        self.assertEqual(0, await watching.ended, watching.text)
        self.assertIsNone(element.status)
        self.no_traceback(watching)
