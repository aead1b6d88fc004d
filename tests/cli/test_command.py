"""A command as a child process: its environment, its status, and the signals it is sent."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, ensureDeferred
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import SynchronousTestCase, TestCase

from rserpool.cli.command import CannotRun, Command
from rserpool.cli.signals import on_signals


class CommandTests(TestCase):
    """Real children."""

    timeout = 30

    def command(self, *words: str) -> Command:
        command = Command(reactor, words)
        self.addCleanup(command.done)
        return command

    async def test_status(self) -> None:
        """The exit status; 128 and the signal's number. It may run again, with another environment."""
        command = self.command("sh", "-c", 'test "$STATUS" = kill && kill -9 $$; exit $STATUS')
        for given, status in (("0", 0), ("7", 7), ("255", 255), ("kill", 128 + 9)):
            self.assertEqual(status, await command.run({"STATUS": given}))
        self.assertFalse(command.told_to_end)

    async def test_signals(self) -> None:
        """What we are sent, it is sent; whether it was told to end is remembered."""
        # A reactor that begins to run takes signals for itself.
        await deferLater(reactor, 0)
        ready = Path(self.mktemp())
        os.mkfifo(ready)
        command = self.command("sh", "-c", f"trap 'exit 5' USR1; echo > {ready}; while :; do sleep 0.01; done")
        for number, status in ((signal.SIGUSR1, 5), (signal.SIGTERM, 128 + signal.SIGTERM)):
            running = ensureDeferred(command.run({}))
            ready.read_bytes()
            os.kill(os.getpid(), number)
            self.assertEqual(status, await running)
            self.assertEqual(number == signal.SIGTERM, command.told_to_end)

    async def test_cancelled(self) -> None:
        """A run that is cancelled is told to end."""
        command = self.command("sleep", "60")
        running = ensureDeferred(command.run({}))
        child = command._child
        assert child is not None
        running.cancel()
        with self.assertRaises(CancelledError):
            await running
        while child.poll() is None:
            os.sched_yield()
        self.assertEqual(-signal.SIGTERM, child.returncode)

    async def test_cannot_be_executed(self) -> None:
        """Neither a program nor a script that says for whom."""
        path = Path(self.mktemp()).absolute()
        path.write_text("\0")
        path.chmod(0o755)
        with self.assertRaisesRegex(CannotRun, "Exec format error") as raised:
            await self.command(str(path)).run({})
        self.assertEqual(126, raised.exception.status)


class SignalTests(SynchronousTestCase):
    """C{on_signals}."""

    def test_restored(self) -> None:
        """Afterwards all is as before; what was ignored stays ignored; a reactor of tests has none."""
        before = signal.getsignal(signal.SIGUSR2)
        self.addCleanup(signal.signal, signal.SIGUSR2, before)
        for handler in (signal.SIG_DFL, signal.SIG_IGN):
            signal.signal(signal.SIGUSR2, handler)
            restore = on_signals(reactor, (signal.SIGUSR2,), lambda _: None)
            self.assertEqual(handler is signal.SIG_IGN, signal.getsignal(signal.SIGUSR2) is handler)
            restore()
            self.assertIs(handler, signal.getsignal(signal.SIGUSR2))
        signal.signal(signal.SIGUSR2, signal.SIG_DFL)
        on_signals(Clock(), (signal.SIGUSR2,), lambda _: None)
        self.assertIs(signal.SIG_DFL, signal.getsignal(signal.SIGUSR2))
