"""C{rserpool exec}: run a command with the address of a pool's element, and again with another's if it fails."""

from __future__ import annotations

import argparse
import sys
from typing import Any, TextIO

from twisted.internet.protocol import Factory, Protocol

from rserpool.cli.command import CannotRun, Command
from rserpool.cli.options import add_reporting_options, add_user_options, number, reporting, user_from
from rserpool.core.errors import ConfigurationError, RSerPoolError
from rserpool.core.handles import handle_text
from rserpool.core.user.places import describe
from rserpool.core.user.resolution import Resolved
from rserpool.core.wire.parameters import PoolElementParameter, TcpTransport
from rserpool.user.service import PoolUserService
from rserpool.user.tcp import tcp_endpoint

SUMMARY = "run a command with the address of a pool's element in its environment, again elsewhere if it fails"
USAGE = "rserpool exec [options] POOL -- COMMAND..."
TAKES_COMMAND = True
EPILOG = """environment: RSERPOOL_HOST, RSERPOOL_PORT, RSERPOOL_ADDRESS (HOST:PORT, an IPv6 address in brackets),
            RSERPOOL_TRANSPORT (tcp, udp or sctp), RSERPOOL_HOSTS (all addresses, with commas),
            RSERPOOL_UDP_PORT (of SCTP over UDP; empty: none), RSERPOOL_POOL, RSERPOOL_ELEMENT, RSERPOOL_ATTEMPT.
            exit codes: that of the command (128 and the signal's number where one ended it); 126 it cannot be
            executed, 127 there is no such command; and before it ever ran: 2 a wrong option, 3 no such pool,
            4 no registrar answered, 130 interrupted, 1 any other error"""

REPORTS = ("checked", "always", "never")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add_user_options(parser, json=False)
    add_reporting_options(parser)
    parser.add_argument(
        "--attempts", metavar="N", type=number(int), default=3, help="try at most N elements (default: 3)"
    )
    parser.add_argument(
        "--retry-on",
        metavar="STATUS[,STATUS...]",
        type=statuses,
        default=frozenset(range(1, 256)),
        help="only these exit statuses are failures: 7, 100-128, none or any (default: any, which is all but 0)",
    )
    parser.add_argument(
        "--report",
        choices=REPORTS,
        default="checked",
        help="whether to report an element where the command failed to the registrar as unreachable: checked "
        "(default) if it serves over TCP and accepts no connection, always, or never",
    )
    parser.add_argument("--quiet", action="store_true", help="do not tell on standard error of failures")


def statuses(text: str) -> frozenset[int]:
    """A parser of exit statuses."""
    if text in ("any", "none"):
        return frozenset(range(1, 256) if text == "any" else ())
    found: set[int] = set()
    for part in text.split(","):
        low, dash, high = part.partition("-")
        try:
            first, last = int(low), int(high if dash else low)
        except ValueError:
            first, last = 0, 0
        if not 0 < first <= last < 256:
            raise argparse.ArgumentTypeError(f"{part!r} is not an exit status from 1 to 255; write 7, 100-128, any")
        found.update(range(first, last + 1))
    return frozenset(found)


async def run(
    reactor: Any,
    options: argparse.Namespace,
    out: TextIO,
    user: PoolUserService | None = None,
    command: Any = None,
    complaints: TextIO | None = None,
) -> int:
    """Run the command until it succeeds, or there is nowhere else to run it.

    @param command: what to run; by default the L{Command} that the options name.
    """
    complaints = complaints or sys.stderr
    if not options.command:
        raise ConfigurationError(f"name a command after --: {USAGE}")
    try:
        user = user or user_from(reactor, options)
        command = command or Command(reactor, options.command)
        service = reporting(reactor, options, user)
        service.startService()
        try:
            return await Elsewhere(user, command, options, complaints).run()
        finally:
            await service.stopService()
            command.done()
    except CannotRun as error:
        print(f"{options.prog}: {error}", file=complaints)
        return error.status


class Elsewhere:
    """Runs a command at one element after the other; none is tried twice."""

    def __init__(
        self, user: PoolUserService, command: Command, options: argparse.Namespace, complaints: TextIO
    ) -> None:
        self._user = user
        self._command = command
        self._options = options
        self._complaints = complaints
        self._tried: set[int] = set()

    async def run(self) -> int:
        """The exit status of the last run."""
        options, pool = self._options, self._options.pool
        resolved: Resolved = await self._user.resolve(pool, timeout=options.timeout)
        element = self._next(resolved)
        if element is None:
            raise RSerPoolError(f"pool {handle_text(pool)!r} has no element with an address")
        while True:
            self._tried.add(element.identifier)
            status = await self._command.run(environment(element, pool, len(self._tried)))
            if self._command.told_to_end or status not in options.retry_on:
                return status
            await self._report(element)
            another = None
            if len(self._tried) < options.attempts:
                try:
                    resolved = await self._user.resolve(pool, timeout=options.timeout, fresh=True)
                except RSerPoolError:
                    # What was known before is still worth a try.
                    pass
                another = self._next(resolved)
            self._say(element, status, another)
            if another is None:
                return status
            element = another

    def _next(self, resolved: Resolved) -> PoolElementParameter | None:
        for element in resolved.elements:
            transport = element.user_transport
            if element.identifier not in self._tried and transport.addresses and hasattr(transport, "port"):
                return element
        return None

    async def _report(self, element: PoolElementParameter) -> None:
        report = self._options.report
        if report == "always" or (report == "checked" and await refuses(self._user, element)):
            self._user.report(self._options.pool, element.identifier)

    def _say(self, element: PoolElementParameter, status: int, another: PoolElementParameter | None) -> None:
        if self._options.quiet:
            return
        then = "there is no other to try" if another is None else f"trying {describe(another)}"
        if another is None and len(self._tried) >= self._options.attempts:
            then = f"tried {len(self._tried)}, which is enough"
        print(f"{self._options.prog}: status {status} with {describe(element)}; {then}", file=self._complaints)


def environment(element: PoolElementParameter, pool: bytes, attempt: int) -> dict[str, str]:
    """What a command is told; see L{EPILOG}."""
    transport: Any = element.user_transport
    kind = type(transport).__name__.removesuffix("Transport").lower()
    host = transport.addresses[0]
    return {
        "RSERPOOL_POOL": handle_text(pool),
        "RSERPOOL_HOST": host,
        "RSERPOOL_PORT": str(transport.port),
        "RSERPOOL_ADDRESS": f"[{host}]:{transport.port}" if ":" in host else f"{host}:{transport.port}",
        "RSERPOOL_TRANSPORT": kind,
        "RSERPOOL_HOSTS": ",".join(transport.addresses),
        "RSERPOOL_UDP_PORT": str(element.encapsulation or "") if kind == "sctp" else "",
        "RSERPOOL_ELEMENT": f"0x{element.identifier:08x}",
        "RSERPOOL_ATTEMPT": str(attempt),
    }


async def refuses(user: PoolUserService, element: PoolElementParameter) -> bool:
    """Whether an element that serves over TCP accepts no connection within T1."""
    transport = element.user_transport
    if not isinstance(transport, TcpTransport):
        return False
    endpoint = tcp_endpoint(user.reactor, transport.address, transport.port, user.profile.t1_enrp_request)
    try:
        protocol: Any = await endpoint.connect(Factory.forProtocol(Protocol))
    except Exception:  # noqa: BLE001
        return True
    protocol.transport.abortConnection()
    return False
