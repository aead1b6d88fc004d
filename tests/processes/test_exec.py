"""C{rserpool exec} with real commands and signals."""

from __future__ import annotations

import sys

from tests.processes.harness import ProcessTests, all_of, free_address

ASK = """
import os, socket, sys
print("asking", os.environ["RSERPOOL_ATTEMPT"], sys.stdin.readline().strip(), flush=True)
with socket.create_connection((os.environ["RSERPOOL_HOST"], int(os.environ["RSERPOOL_PORT"]))) as connection:
    connection.sendall(b"begin\\nend\\n")
    print(connection.makefile().read().split(), flush=True)
sys.exit(5)
"""
WAIT = """
import signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(9))
signal.signal(signal.SIGUSR1, lambda *_: print("heard", flush=True))
print("waiting", flush=True)
while True: signal.pause()
"""


class ExecTests(ProcessTests):
    """What scripts see."""

    async def test_elsewhere(self) -> None:
        """It fails with one element, and succeeds with another; its status, input and output are passed on."""
        registrar = await self.registrar()
        elements = [
            self.element(registrar, "--identifier", str(n), "--policy", f"priority:priority={9 - n}") for n in (1, 2)
        ]
        await all_of(*(element.says("registered as") for element in elements))
        at = ("--registrar", registrar.text)
        first = self.rserpool("exec", *at, "--retry-on", "1", "pool", "--", sys.executable, "-c", ASK)
        first.transport.write(b"one\n")
        self.assertEqual(5, await first.ended)
        self.assertIn("asking 1 one", first.lines)
        self.assertIn("['begun', 'done']", first.lines)
        again = self.rserpool(
            "exec", *at, "--retry-on", "1,77", "pool", "--", "sh", "-c",
            'test "$RSERPOOL_ELEMENT" = 0x00000002 && echo "at $RSERPOOL_ADDRESS" || exit 77',
        )  # fmt: skip
        self.assertEqual(0, await again.ended, again.text)
        self.assertRegex(again.output, r"^at 127\.0\.0\.1:\d+\n$")
        self.assertRegex(again.text, r"rserpool exec: status 77 with 0x00000001 at tcp \S+; trying 0x00000002")
        self.no_traceback(registrar.process, first, again)

    async def test_signals(self) -> None:
        """Signals reach the command, and what it ends with is the end; it is not run elsewhere."""
        registrar = await self.registrar()
        elements = [self.element(registrar) for _ in (1, 2)]
        await all_of(*(element.says("registered as") for element in elements))
        at = ("--registrar", registrar.text)
        polite = self.rserpool("exec", *at, "pool", "--", sys.executable, "-u", "-c", WAIT)
        rude = self.rserpool("exec", *at, "pool", "--", "sh", "-c", "echo waiting; exec sleep 60")
        await all_of(polite.says("^waiting"), rude.says("^waiting"))
        polite.signal("USR1")
        await polite.says("^heard")
        polite.signal("TERM")
        rude.signal("INT")
        self.assertEqual([9, 128 + 2], await all_of(polite.ended, rude.ended))
        self.assertEqual((["waiting", "heard"], ["waiting"]), (polite.lines, rude.lines))

    async def test_errors(self) -> None:
        """One sentence, and a status that says what it is; a registrar that never answers can be interrupted."""
        registrar = await self.registrar()
        nobody = f"{free_address()}:3863"
        unknown, absent, missing, none, patient = processes = [
            self.rserpool("exec", *arguments)
            for arguments in (
                ("--registrar", registrar.text, "nothing", "--", "true"),
                ("--registrar", nobody, "--timeout", "0.5", "pool", "--", "true"),
                ("--registrar", nobody, "pool", "--", "no-such-command-here"),
                ("pool",),
                ("--registrar", nobody, "--timeout", "60", "--transport", "tcp", "pool", "--", "true"),
            )
        ]
        self.assertEqual([3, 4, 127, 2], await all_of(unknown.ended, absent.ended, missing.ended, none.ended))
        patient.signal("TERM")
        self.assertIn(await patient.ended, (130, -15))
        for process in processes[:4]:
            self.assertEqual(1, len(process.lines), process.text)
            self.assertRegex(process.text, "^rserpool exec: ")
