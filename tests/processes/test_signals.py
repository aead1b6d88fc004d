"""SIGHUP and SIGUSR1: a registrar, an element and a proxy live on, and say what they did."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.processes.harness import ProcessTests


class SignalTests(ProcessTests):
    """In the foreground."""

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
