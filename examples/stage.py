"""What the examples share: a registrar of their own on this machine, and processes that end when the example does.

A program of yours needs nothing of this. There twistd rserpool-ns runs somewhere, and the environment variable
RSERPOOL_REGISTRARS says where; if it does so here, that registrar is used.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any

REGISTRARS = "RSERPOOL_REGISTRARS"


def _quietly(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """Ctrl-C is no error, also while Python is still importing."""
    if kind is not KeyboardInterrupt:
        sys.__excepthook__(kind, error, traceback)


sys.excepthook = _quietly


class Stage:
    """with Stage() as stage: there is a registrar, and what is started ends with the block, or with this process."""

    def __enter__(self) -> Stage:
        self._programs: list[subprocess.Popen[str]] = []
        self._before = os.environ.get(REGISTRARS)
        try:
            if not self._before:
                os.environ[REGISTRARS] = self._start(__file__)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        # The servers first, so that they can say goodbye.
        for program in reversed(self._programs):
            assert program.stdin is not None and program.stdout is not None
            program.stdin.close()
            try:
                program.wait(10)
            except subprocess.TimeoutExpired:
                program.kill()
                program.wait()
            program.stdout.close()
        if not self._before:
            os.environ.pop(REGISTRARS, None)
        signal.signal(signal.SIGINT, before)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start this example once more, with arguments, in a process of its own, and wait until it serves."""
        self._start(sys.argv[0], *arguments)
        return self._programs[-1]

    async def plays(self, reactor: Any, client: Callable[[Any, Stage], Awaitable[None]]) -> None:
        """What react is to run: what this function does, and then Ctrl-C would come too late."""
        try:
            await client(reactor, self)
        finally:
            signal.signal(signal.SIGINT, signal.SIG_IGN)

    def _start(self, *command: str) -> str:
        program = subprocess.Popen(
            [sys.executable, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            # What is typed at the terminal is for the example alone, which ends its processes.
            start_new_session=True,
        )
        self._programs.append(program)
        assert program.stdout is not None
        said = program.stdout.readline().strip()
        if not said:
            raise SystemExit(f"{' '.join(command)} has not started: see above")
        return said


def serve(listening: Any) -> None:
    """Serve until the example that started this process has ended.

    @param listening: what listen of an endpoint rserpool:... has returned.
    """
    from twisted.python.failure import Failure

    def failed(failure: Failure) -> None:
        failure.printTraceback(file=sys.stderr)
        _end()

    listening.addCallback(lambda port: port.registered)
    listening.addCallback(lambda identifier: _end() if identifier is None else print("serves", flush=True))
    listening.addErrback(failed)
    _until_the_end()


def _end() -> None:
    from twisted.internet import reactor

    core: Any = reactor
    core.callWhenRunning(core.stop)


def _until_the_end() -> None:
    """Run the reactor until whoever started this process has ended, however that came about."""
    from twisted.internet import reactor, stdio
    from twisted.internet.protocol import Protocol, connectionDone
    from twisted.python.failure import Failure

    class Parent(Protocol):
        def connectionLost(self, reason: Failure = connectionDone) -> None:
            _end()

    core: Any = reactor
    stdio.StandardIO(Parent())
    core.run()


def _registrar() -> None:
    """A registrar at a port that is free, of the same number over TCP and SCTP."""
    from twisted.internet import reactor

    from rserpool.core import RSerPoolError, TransportAddress
    from rserpool.registrar import RegistrarService

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # Any UDP port: those that others look for first are for registrars that are here to stay.
    where = TransportAddress(("127.0.0.1",), port)
    registrar = RegistrarService(reactor, asap=where, encapsulation=0, peering=False)
    try:
        registrar.startService()
    except RSerPoolError as error:
        sys.exit(str(error))
    print(registrar.address, flush=True)
    _until_the_end()


if __name__ == "__main__":
    _registrar()
