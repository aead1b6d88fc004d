"""The command C{rserpool} and its subcommands."""

from __future__ import annotations

import argparse
import io
import os
import re
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from functools import partial
from importlib import import_module
from typing import Any, NoReturn, TextIO

import rserpool
from rserpool.cli.options import (
    BAD_OPTION,
    EXIT_CODES,
    INTERRUPTED,
    NO_REGISTRAR,
    OK,
    OTHER,
    UNKNOWN_POOL,
    security_from,
)
from rserpool.config.commands import words_for
from rserpool.config.words import NOTHING, Configured
from rserpool.core.addresses import ASAP_TLS_PORT, ENRP_TLS_PORT
from rserpool.core.errors import CauseCode, ConfigurationError, NoRegistrar, Rejected, RSerPoolError, UnknownPool
from rserpool.security.text import OFF, SECURITY

COMMANDS = {
    "resolve": "rserpool.cli.resolve",
    "watch": "rserpool.cli.watch",
    "status": "rserpool.cli.status",
    "pools": "rserpool.cli.pools",
    "elements": "rserpool.cli.elements",
    "registrars": "rserpool.cli.registrars",
    "doctor": "rserpool.cli.doctor.run",
    "trace": "rserpool.cli.trace.run",
    "drain": "rserpool.cli.drain",
    "undrain": "rserpool.cli.undrain",
    "evict": "rserpool.cli.evict",
    "retire": "rserpool.cli.retire",
    "monitor": "rserpool.cli.monitor",
    "ping": "rserpool.cli.ping",
    "echo": "rserpool.cli.echo",
    "exec": "rserpool.cli.execute",
    "proxy": "rserpool.cli.proxy",
    "config": "rserpool.cli.config",
    "worker": "rserpool.cli.worker",
    "submit": "rserpool.cli.submit",
    "map": "rserpool.cli.mapping",
    "keys": "rserpool.cli.keys",
    "demo": "rserpool.cli.demo.run",
    "fractal": "rserpool.cli.fractal.run",
    "completion": "rserpool.cli.completion",
}
"""The subcommands. Each is a module with C{SUMMARY}, C{configure(parser)}, and the coroutine function C{run(reactor,
options, out)}, which returns the exit code; when it is interrupted it is cancelled. It may have C{USAGE} and C{EPILOG}
for its help, C{ROLE} if C{--config} names a file with a table for it, and C{TAKES_COMMAND} if what follows C{--} is a
command line (C{options.command})."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a subcommand.

    @param argv: the arguments, without the program's name; those of the process by default.
    @return: the exit code.
    """
    _usable_streams()
    words = list(sys.argv[1:] if argv is None else argv)
    chosen = words[0] if words and words[0] in COMMANDS else None
    command: list[str] = []
    if chosen and "--" in words and hasattr(import_module(COMMANDS[chosen]), "TAKES_COMMAND"):
        command = words[words.index("--") + 1 :]
        del words[words.index("--") :]
    try:
        options = _read(chosen, words)
        options.command = command
    except SystemExit as exited:
        return int(exited.code or OK)
    except OSError as error:
        return _unwritable("rserpool", error)
    from twisted.internet import reactor

    if not getattr(options, "quiet", False):
        _log_to(sys.stderr)
    try:
        code = _run(reactor, options, sys.stdout)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output had enough.
        _discard_output()
        code = OK
    except OSError as error:
        code = _unwritable(options.prog, error)
    return code


def _read(chosen: str | None, words: list[str]) -> argparse.Namespace:
    """What a command line says, with the files that it goes by; C{read_again} reads them again.

    @raise SystemExit: if something is wrong, which has been told; or help was asked for.
    """
    parser = make_parser(chosen)
    options, surplus = parser.parse_known_args(parser.with_files(words))
    if surplus:
        # The subcommand's help knows what there is.
        parser.prog = options.prog
        parser.error(f"unrecognized arguments: {' '.join(surplus)}{_meant(parser, chosen, surplus)}")
    options.configured, options.read_again = parser.configured, partial(_read, chosen, words)
    return options


def _meant(parser: argparse.ArgumentParser, chosen: str | None, surplus: list[str]) -> str:
    """What somebody may have meant by words that nothing takes."""
    if chosen is None:
        return ""
    commands: Any = next(action for action in parser._actions if isinstance(action.choices, dict))
    options = [option for action in commands.choices[chosen]._actions for option in action.option_strings]
    for word in surplus:
        like = get_close_matches(word.partition("=")[0], options, 1) if word.startswith("--") else []
        if like:
            return f"; did you mean {like[0]}?"
    return "; the command stands behind --" if hasattr(import_module(COMMANDS[chosen]), "TAKES_COMMAND") else ""


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


def _unwritable(program: str, error: OSError) -> int:
    """Our output cannot be written, since the disk is full for example."""
    _discard_output()
    print(f"{program}: {error}", file=sys.stderr)
    return OTHER


def _discard_output() -> None:
    """The interpreter must not try to flush it at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _Parser(argparse.ArgumentParser):
    chosen: _Parser | None = None
    role: str | None = None
    configured: Configured = NOTHING

    def error(self, message: str) -> NoReturn:
        """One sentence will do."""
        found = re.match("argument --([a-z-]+): (.*)", message)
        place = found and self.configured.place_of(found[1])
        if found and place:
            self.exit(BAD_OPTION, f"{self.prog}: {place}: {found[1]}: {found[2]}\n")
        self.exit(BAD_OPTION, f"{self.prog}: {message} (see {self.prog} --help)\n")

    def with_files(self, words: list[str]) -> list[str]:
        """A command line, with what files say that it does not: that of C{--config}, and those of users."""
        if self.chosen is None:
            return words
        try:
            more, self.configured = words_for(self.chosen, self.chosen.role, words[1:])
        except ConfigurationError as error:
            self.chosen.exit(BAD_OPTION, f"{self.chosen.prog}: {error}\n")
        self.chosen.configured = self.configured
        return [words[0], *more, *words[1:]]


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        """What is installed says so itself."""
        print(f"rserpool {rserpool.__version__}")
        parser.exit()


def make_parser(chosen: str | None = None) -> _Parser:
    """The parser of the whole command line.

    @param chosen: the subcommand that is meant, if that is known: the others are not loaded.
    """
    parser = _Parser(
        prog="rserpool",
        description="Reliable Server Pooling (RFC 5351 to 5356).",
        epilog=EXIT_CODES,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, module in COMMANDS.items():
        if chosen not in (None, name):
            commands.add_parser(name)
            continue
        command: Any = import_module(module)
        subparser = commands.add_parser(
            name,
            help=command.SUMMARY,
            description=command.SUMMARY + ".",
            usage=getattr(command, "USAGE", None),
            epilog=getattr(command, "EPILOG", EXIT_CODES),
            allow_abbrev=False,
        )
        command.configure(subparser)
        if chosen is not None:
            parser.chosen, subparser.role = subparser, getattr(command, "ROLE", None)
        subparser.set_defaults(run=command.run, prog=subparser.prog)
    return parser


def is_secured(options: argparse.Namespace) -> bool:
    """Whether an option secures the command, or else the environment."""
    if getattr(options, "security", None) or os.environ.get(SECURITY):
        return (options.security or os.environ.get(SECURITY)) != OFF
    return hasattr(options, "security") and security_from(options) is not None


def explain(error: BaseException | None, named: Sequence[str] | None = None, secured: bool = False) -> tuple[int, str]:
    """The exit code and the sentence for what a subcommand raised.

    @param named: the registrars of C{--registrar}; None if there is no such option.
    @param secured: whether the command is.
    """
    match error:
        case ConfigurationError():
            code = BAD_OPTION
        case UnknownPool():
            code = UNKNOWN_POOL
        case NoRegistrar():
            code = NO_REGISTRAR
        case _:
            code = OTHER
    sentence = str(error) or type(error).__name__
    if not isinstance(error, RSerPoolError | OSError) and type(error).__module__ != "twisted.internet.error":
        sentence = f"unexpected {type(error).__name__}: {sentence}"
    if (
        isinstance(error, Rejected)
        and error.cause == CauseCode.REJECTED_FOR_SECURITY
        and "--security" not in sentence
        and not secured
    ):
        sentence += f"; the scope is secured: name its keys or certificates with --security (or in {SECURITY})"
    if isinstance(error, NoRegistrar) and error.unproved:
        return code, f"{sentence}; rserpool keys check DIR says what is wrong with keys and certificates"
    if code == NO_REGISTRAR and named is not None and not named:
        option = " --security DIR" if secured else ""
        sentence += f"; start one (twistd -n --pidfile= rserpool-ns{option}), or name one that is elsewhere"
    elif code == NO_REGISTRAR and secured:
        sentence += "; with --security only registrars that speak TLS are asked"
    elif code == NO_REGISTRAR and any(f":{port}" in sentence for port in (ASAP_TLS_PORT, ENRP_TLS_PORT)):
        sentence += "; that port is for TLS: name keys or certificates with --security"
    return code, sentence


async def _attempt(reactor: Any, options: argparse.Namespace, out: TextIO) -> int:
    try:
        return int(await options.run(reactor, options, out))
    except NoRegistrar as error:
        if not hasattr(options, "transport") or options.registrar or security_from(options):
            raise
        from rserpool.cli.elsewhere import elsewhere
        from rserpool.node.candidates import named_registrars

        options.registrar = named_registrars()
        where = "" if options.registrar else await elsewhere(reactor, options.backend, options.transport)
        if not where:
            raise
        options.registrar = [where]
        raise NoRegistrar(f"{error}; {where}") from None


def _run(reactor: Any, options: argparse.Namespace, out: TextIO) -> int:
    from twisted.internet.defer import CancelledError, ensureDeferred
    from twisted.python.failure import Failure

    outcome: list[int] = []
    broken: list[BrokenPipeError] = []
    stopping = False

    def start() -> None:
        running = ensureDeferred(_attempt(reactor, options, out))

        def interrupted() -> Any:
            nonlocal stopping
            stopping = True
            running.cancel()
            return running

        trigger = reactor.addSystemEventTrigger("before", "shutdown", interrupted)

        def ended(result: Any) -> None:
            if not isinstance(result, Failure):
                outcome.append(result)
            elif result.check(CancelledError):
                outcome.append(INTERRUPTED)
            elif isinstance(result.value, BrokenPipeError):
                broken.append(result.value)
            else:
                code, sentence = explain(result.value, getattr(options, "registrar", None), is_secured(options))
                print(f"{options.prog}: {sentence}", file=sys.stderr)
                outcome.append(code)
            if not stopping:
                reactor.removeSystemEventTrigger(trigger)
                reactor.stop()

        running.addBoth(ended)

    reactor.callWhenRunning(start)
    reactor.run()
    if broken:
        raise broken[0]
    return outcome[0] if outcome else INTERRUPTED


def _log_to(stream: TextIO) -> None:
    """Warnings and worse are told on C{stream}, a sentence each."""
    from twisted.logger import ILogObserver, LogEvent, LogLevel, formatEvent, globalLogBeginner
    from zope.interface import provider

    @provider(ILogObserver)
    def observe(event: LogEvent) -> None:
        level = event.get("log_level")
        if level is not None and level >= LogLevel.warn:
            print(f"rserpool: {formatEvent(event)}", file=stream)

    globalLogBeginner.beginLoggingTo([observe], redirectStandardIO=False, discardBuffer=True)


if __name__ == "__main__":
    sys.exit(main())
