"""C{rserpool exec}: run a command with the address of a pool's element, and again with another's if it fails."""

from __future__ import annotations

import argparse
import math
import sys
from typing import Any, TextIO

from twisted.internet.protocol import Factory, Protocol

from rserpool.cli.command import CannotRun, Command
from rserpool.cli.options import add_reporting_options, add_user_options, number, reporting, user_from
from rserpool.core.errors import ConfigurationError, NoElement, RSerPoolError
from rserpool.core.handles import handle_text
from rserpool.core.user.places import describe
from rserpool.core.user.trying import NotAccepted, PassedOver, Rules, Trying, try_elements
from rserpool.core.wire.parameters import PoolElementParameter, TcpTransport
from rserpool.user.dialling import UserHands, address_of, endpoint_at, in_time
from rserpool.user.service import PoolUserService

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
    """Read exit statuses from 1 to 255: C{7,100-128}, C{any} or C{none}."""
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


class Elsewhere(UserHands[int]):
    """Runs a command at one element after the other; none is tried twice."""

    hears = True

    def __init__(
        self, user: PoolUserService, command: Command, options: argparse.Namespace, complaints: TextIO
    ) -> None:
        super().__init__(user, options.pool)
        self._command = command
        self._options = options
        self._complaints = complaints
        self._failed: PoolElementParameter | None = None
        self._runs = 0
        self._status = 0

    async def run(self) -> int:
        """The exit status of the last run."""
        rules = Rules(timeout=math.inf, pauses=None, attempts=self._options.attempts, each=True)
        try:
            return await try_elements(Trying(self.handle, rules, self.now()), self)
        except NoElement:
            if self._failed is None:
                raise RSerPoolError(f"pool {handle_text(self.handle)!r} has no element with an address") from None
        enough = self._runs >= self._options.attempts
        self._say(self._failed, f"tried {self._runs}, which is enough" if enough else "there is no other to try")
        return self._status

    async def resolve(self, seconds: float, fresh: bool) -> list[PoolElementParameter]:
        elements = await super().resolve(self._options.timeout or math.inf, fresh)
        return [each for each in elements if each.user_transport.addresses]

    async def reach(self, element: PoolElementParameter, seconds: float) -> int:
        if self._failed is not None:
            self._say(self._failed, f"trying {describe(element)}")
        self._runs += 1
        self._status = await self._command.run(environment(element, self.handle, self._runs))
        if self._command.told_to_end or self._status not in self._options.retry_on:
            return self._status
        self._failed = element
        report = self._options.report
        if report == "always" or (report == "checked" and await refuses(self.user, element)):
            raise NotAccepted(f"status {self._status}")
        raise PassedOver(f"status {self._status}")

    def _say(self, failed: PoolElementParameter, then: str) -> None:
        if not self._options.quiet:
            text = f"{self._options.prog}: status {self._status} with {describe(failed)}; {then}"
            print(text, file=self._complaints)


def environment(element: PoolElementParameter, pool: bytes, attempt: int) -> dict[str, str]:
    """What a command is told; see L{EPILOG}."""
    transport = element.user_transport
    host = transport.addresses[0]
    return {
        "RSERPOOL_POOL": handle_text(pool),
        "RSERPOOL_HOST": host,
        "RSERPOOL_PORT": str(transport.port),
        "RSERPOOL_ADDRESS": f"[{host}]:{transport.port}" if ":" in host else f"{host}:{transport.port}",
        "RSERPOOL_TRANSPORT": transport.kind,
        "RSERPOOL_HOSTS": ",".join(transport.addresses),
        "RSERPOOL_UDP_PORT": str(element.encapsulation or "") if transport.kind == "sctp" else "",
        "RSERPOOL_ELEMENT": f"0x{element.identifier:08x}",
        "RSERPOOL_ATTEMPT": str(attempt),
    }


async def refuses(user: PoolUserService, element: PoolElementParameter) -> bool:
    """Whether an element that serves over TCP accepts no connection within T1."""
    if not isinstance(element.user_transport, TcpTransport):
        return False
    seconds = user.profile.t1_enrp_request
    connecting = endpoint_at(user, address_of(element), seconds).connect(Factory.forProtocol(Protocol))
    try:
        protocol: Any = await in_time(user.reactor, connecting, seconds)
    except Exception:  # noqa: BLE001
        return True
    protocol.transport.abortConnection()
    return False
