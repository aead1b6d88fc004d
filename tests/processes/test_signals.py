"""SIGHUP and SIGUSR1: a registrar, an element and a proxy live on, and say what they did."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.processes.harness import ProcessTests, free_address

AT_ONCE = """
import signal, sys
from twisted.internet import reactor
from twisted.scripts.twistd import run

for phase, event in {phases!r}:
    reactor.addSystemEventTrigger(phase, event, signal.raise_signal, signal.{name})
sys.argv = ["twistd", "-n", "--pidfile=", *sys.argv[1:]]
run()
"""
"""twistd with a signal that comes while its reactor begins to run."""


class SignalTests(ProcessTests):
    """In the foreground."""

    async def test_at_once(self) -> None:
        """Who types Ctrl-C as soon as it says that it serves is heard, though the reactor does not run yet."""
        registrar = await self.registrar()
        where = registrar.text.replace(":", r"\:")
        pooled = rf"rserpool:web:tcp\:0\:interface=127.0.0.1:registrar={where}"
        ns = ("rserpool-ns", "--asap", free_address(), "--enrp", "none")
        for arguments in (ns, ("web", "--listen", pooled)):
            for name in ("SIGINT", "SIGTERM"):
                process = self.spawn("-c", AT_ONCE.format(phases=[("before", "startup")], name=name), *arguments)
                self.assertIn(await process.ended, (0, -getattr(signal, name)), process.text)
                self.assertIn("Server Shut Down", process.text)
                self.no_traceback(process)

    async def test_twice(self) -> None:
        """Who asks for the end while it ends already is told so: an element finishes, a proxy hurries."""
        registrar = await self.registrar()
        element = self.element(registrar, "--grace", "50")
        port = int((await element.says(r"serves at \S+ port (\d+)"))[1])
        await element.says("registered as")
        listen = ("--listen", "tcp:0:interface=127.0.0.1", "--grace", "50")
        proxy = self.twistd("rserpool-proxy", "--pool", "pool", "--registrar", registrar.text, *listen)
        front = int((await proxy.says(r"relays tcp 127\.0\.0\.1:(\d+) to pool pool"))[1])
        clients = [await self.client("127.0.0.1", where) for where in (port, front)]
        for client in clients:
            client.transport.write(b"begin\n")
            await client.gets(b"begun\n")
        proxy.signal("TERM")
        await proxy.says("waiting for 1 connections")
        proxy.signal("TERM")
        await proxy.says("rserpool-proxy: it is ending already")
        await clients[1].lost
        element.signal("INT")
        await element.says("pool: left")
        element.signal("TERM")
        await element.says("it is ending already")
        self.assertTrue(clients[0].open)
        clients[0].transport.write(b"end\n")
        clients[0].transport.loseConnection()
        for process in (proxy, element):
            self.assertIn(await process.ended, (0, -signal.SIGTERM, -signal.SIGINT))
        self.no_traceback(proxy, element)

    async def test_live_on(self) -> None:
        registrar = await self.registrar()
        keys = Path(self.mktemp()).absolute()
        keys.write_text("one " + "00" * 32 + "\n")
        classic = ("rserpool-pingpong", "--cookie-keys", str(keys), "--tcp", "0")
        element = self.element(registrar, plugin=classic)
        listen = ("--listen", "tcp:0:interface=127.0.0.1")
        proxy = self.twistd("rserpool-proxy", "--pool", "pool", "--registrar", registrar.text, *listen)
        command = self.rserpool("proxy", "pool", "--registrar", registrar.text, "--listen", "0")
        await element.says("registered as")
        await proxy.says("relays tcp")
        await command.says("relays tcp")
        keys.write_text("two " + "11" * 32 + "\n")
        for name in ("HUP", "USR1"):
            for process in (registrar.process, element, proxy, command):
                process.signal(name)
        await registrar.process.says("SIGHUP: nothing is to be loaded anew")
        await command.says("SIGHUP: nothing is to be loaded anew")
        await element.says("the keys of cookies have changed")
        await element.says("SIGHUP: the keys of cookies loaded anew")
        await proxy.says(r"0 connections \(0 open")
        await command.says(r"0 connections \(0 open")
        for process in (element, proxy, command, registrar.process):
            process.signal("TERM")
            # twistd ends by the very signal, when it has stopped.
            self.assertIn(await process.ended, (0, -signal.SIGTERM))
        await element.says("pool: left")
