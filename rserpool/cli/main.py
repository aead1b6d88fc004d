"""The command C{rserpool} and its subcommands."""

from __future__ import annotations

import argparse
import gc
import io
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from rserpool.cli.codes import OK, OTHER
from rserpool.cli.commands import COMMANDS
from rserpool.cli.parser import read


def main(argv: Sequence[str] | None = None) -> int:
    """Run a subcommand.

    @param argv: the arguments, without the program's name; those of the process by default.
    @return: the exit code.
    """
    _usable_streams()
    if argv is None:
        # What is loaded stays: to look for garbage in it meanwhile costs a tenth of a short command.
        gc.disable()
    words = list(sys.argv[1:] if argv is None else argv)
    del words[: words[:1] == ["--"]]
    chosen = words[0] if words and words[0] in COMMANDS else None
    command: list[str] = []
    if chosen and "--" in words and hasattr(import_module(COMMANDS[chosen].module), "TAKES_COMMAND"):
        command = words[words.index("--") + 1 :]
        del words[words.index("--") :]
    try:
        options = read(chosen, words)
        options.command = command
    except SystemExit as exited:
        # What was asked for may be help: it is written by now, or cannot be.
        return _written(int(exited.code or OK))
    except OSError as error:
        return _unwritable("rserpool", error)
    from rserpool.cli.running import log_to, run

    reactor = _reactor(options, chosen)

    if argv is None:
        gc.freeze()
        gc.enable()
    if not getattr(options, "quiet", False):
        log_to(sys.stderr)
    try:
        code = run(reactor, options, sys.stdout)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output had enough.
        _discard_output()
        code = OK
    except OSError as error:
        code = _unwritable(options.prog, error)
    return code


def _reactor(options: argparse.Namespace, chosen: str | None) -> Any:
    """The reactor; a quarter of it is TLS, and a command that would not speak it does as if there was no OpenSSL."""
    from rserpool.cli.running import is_secured

    spared = False
    if chosen and "OpenSSL" not in sys.modules:
        spared = getattr(import_module(COMMANDS[chosen].module), "IN_THE_CLEAR", False) and not is_secured(options)
    if spared:
        # What is None cannot be imported.
        sys.modules["OpenSSL"] = None  # type: ignore[assignment]
    try:
        from twisted.internet import reactor
    finally:
        if spared:
            del sys.modules["OpenSSL"]
    return reactor


def _usable_streams() -> None:
    """Let output be written whatever it is: nowhere, if it is closed, and escaped where the terminal has no such
    characters."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            # Else the first socket that is opened would get what is printed.
            os.open(os.devnull, os.O_RDWR)
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _written(code: int) -> int:
    """Write what was printed; the exit code, which is another one if that cannot be done."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _discard_output()
    except OSError as error:
        return _unwritable("rserpool", error)
    return code


def _unwritable(program: str, error: OSError) -> int:
    """Our output cannot be written, since the disk is full for example."""
    _discard_output()
    print(f"{program}: {error}", file=sys.stderr)
    return OTHER


def _discard_output() -> None:
    """The interpreter must not try to flush it at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
