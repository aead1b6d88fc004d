"""Programs that stop nothing by themselves: they listen, and their reactor runs until a signal comes."""

from __future__ import annotations

from tests.processes.harness import Process, ProcessTests, Registrar, all_of, free_address

RUNS = """
import sys
from twisted.internet import reactor
from twisted.internet.endpoints import serverFromString
from twisted.internet.protocol import Factory
from twisted.protocols.wire import Echo
serverFromString(reactor, sys.argv[1]).listen(Factory.forProtocol(Echo))
reactor.run()
"""
REACTS = """
import sys
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.protocol import Factory
from twisted.internet.task import react
from twisted.protocols.wire import Echo
async def main(reactor):
    await serverFromString(reactor, sys.argv[1]).listen(Factory.forProtocol(Echo))
    await Deferred()
react(lambda reactor: Deferred.fromCoroutine(main(reactor)))
"""

SERVES = """
import sys
from twisted.internet import reactor
from rserpool.core import parse_transport_address
from rserpool.registrar import RegistrarService
RegistrarService(reactor, asap=parse_transport_address(sys.argv[1] + ":3863"), encapsulation=9899).startService()
print("ready", flush=True)
reactor.run()
"""


class EndlessTests(ProcessTests):
    """Servers on endpoint strings."""

    def start(self, program: str, registrar: Registrar | str, policy: str = "round-robin") -> Process:
        where = (registrar if isinstance(registrar, str) else registrar.text).replace(":", r"\:")
        text = rf"rserpool:pool:tcp\:0\:interface=127.0.0.1:registrar={where}:policy={policy}"
        return self.spawn("-c", program, text)

    async def test_terminated(self) -> None:
        """At SIGTERM and SIGINT they deregister, whatever their program does."""
        registrar = await self.registrar()
        pool = self.watch(self.user(registrar))
        for program, name in ((RUNS, "TERM"), (REACTS, "INT")):
            server = self.start(program, registrar)
            await pool.until(lambda elements: len(elements) == 1)
            server.signal(name)
            await all_of(pool.holds(), registrar.process.says(r"removed: deregistered"))
            registrar.process.lines.clear()
            await server.ended
            self.assertEqual("", server.text)

    async def test_told(self) -> None:
        """Why they are in no pool they say even without a log: a registrar refuses, or there is none."""
        registrar = await self.registrar()
        self.start(RUNS, registrar)
        await registrar.process.says("pool: element 0x[0-9a-f]+ registered")
        other = self.start(RUNS, registrar, "random")
        nobody = self.start(RUNS, "127.0.0.1:3999")
        await other.says("pool: serves, but is not in the pool: the registrar refused: the policy differs")
        await nobody.says("pool: serves, but is not in the pool: no registrar answers at 127.0.0.1:3999")
        nobody.signal("TERM")
        await nobody.ended
        self.no_traceback(other, nobody)

    async def test_registrar(self) -> None:
        """A registrar says goodbye, too: its elements look for another at once."""
        host = free_address()
        program = self.spawn("-c", SERVES, host)
        await program.says("ready")
        element = self.element(f"{host}:3863")
        await element.says("pool: registered as")
        program.signal("TERM")
        await all_of(program.ended, element.says("no home registrar: looking for one"))
        self.assertEqual("ready", program.text)
