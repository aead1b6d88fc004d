"""What the subcommands that ask registrars have in common: their options, exit codes and pool user."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from random import SystemRandom
from typing import TYPE_CHECKING, Any, TypeVar

from rserpool.core.choices import BACKENDS, REGISTRARS, TRANSPORTS
from rserpool.core.errors import ConfigurationError
from rserpool.core.profiles import DEFAULT, profile
from rserpool.core.reading import above_0, handle
from rserpool.security.text import HELP, OFF, secured_as

# Help needs none of them.
if TYPE_CHECKING:
    from twisted.application.service import Service

    from rserpool.security.following import Secured
    from rserpool.user.service import PoolUserService

T = TypeVar("T")
N = TypeVar("N", int, float)


LOOKING = "how long to look for a registrar (default: 5, or 45 with the profile rfc)"


def add_user_options(
    parser: argparse.ArgumentParser, json: bool = True, pool: str | None = None, timeout: str = LOOKING
) -> None:
    """The options of every subcommand that asks a registrar about a pool.

    @param json: whether it can print JSON.
    @param pool: the pool that it asks about where none is named; None if one must be, and empty if a file may name it.
    @param timeout: what C{--timeout} means.
    """
    if pool is None:
        parser.add_argument("pool", metavar="POOL", type=configured(handle), help="the pool's name (its handle)")
    else:
        text = f"the pool's name (its handle; default: {pool or 'that of the file'})"
        default = handle(pool) if pool else None
        parser.add_argument("pool", metavar="POOL", type=configured(handle), nargs="?", default=default, help=text)
    parser.add_argument(
        "--registrar",
        metavar="HOST[,HOST...]:PORT[/UDPPORT]",
        action="append",
        default=[],
        help="where a registrar is; may be repeated (default: those of "
        f"{REGISTRARS}, else of a file, else on this host)",
    )
    parser.add_argument(
        "--transport",
        choices=TRANSPORTS,
        default="auto",
        help="how to speak with the registrar; auto (default) is SCTP if it can be had, else TCP",
    )
    add_security_option(parser)
    parser.add_argument(
        "--profile",
        metavar="NAME[,mtu=BYTES]",
        type=configured(profile),
        default=DEFAULT,
        help="the timers: fast, default (if nothing is said) or rfc",
    )
    add_backend_option(parser)
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=number(float),
        help=timeout,
    )
    parser.add_argument(
        "--announce",
        action=argparse.BooleanOptionalAction,
        default=False,
        help="also look for registrars that announce themselves by multicast (default: no)",
    )
    if json:
        parser.add_argument("--json", action="store_true", help="print JSON")


def add_backend_option(parser: argparse.ArgumentParser) -> None:
    """The option of every subcommand that speaks SCTP."""
    parser.add_argument("--backend", choices=BACKENDS, default="auto", help="which SCTP (default: auto)")


def add_security_option(parser: argparse.ArgumentParser) -> None:
    """The option of every subcommand that speaks with registrars."""
    parser.add_argument("--security", metavar="DIR[,NAME=VALUE...]", help=f"{HELP}; {OFF} for none")


def security_from(options: argparse.Namespace) -> Secured | None:
    """What secures this command; None if nothing does.

    @raise ConfigurationError: if something is wrong with it; the text names the option.
    """
    from rserpool.node.securing import secured_from

    written = getattr(getattr(options, "configured", None), "security", None)
    try:
        if options.security is None and written is not None:
            return secured_as(written)
        return secured_from(options.security)
    except ConfigurationError as error:
        # Else it is the environment, or a file, and the sentence says so.
        raise ConfigurationError(f"argument --security: {error}" if options.security else str(error)) from None


def user_from(reactor: Any, options: argparse.Namespace) -> PoolUserService:
    """The pool user that these options describe, not started.

    @raise ConfigurationError: if an option is wrong; the text names it.
    """
    from rserpool.node.candidates import registrars_from
    from rserpool.user.service import PoolUserService

    try:
        registrars = registrars_from(options.registrar)
    except ConfigurationError as error:
        raise ConfigurationError(f"argument --registrar: {error}" if options.registrar else str(error)) from None
    return PoolUserService(
        reactor,
        registrars,
        transport=options.transport,
        profile=options.profile,
        backend=options.backend,
        announcements=options.announce,
        security=security_from(options) or False,
    )


def add_reporting_options(parser: argparse.ArgumentParser) -> None:
    """The options of a subcommand that runs for long, and may report its status to a monitor."""
    # What reports knows elements, too; who asks once is spared all that.
    from rserpool.core.monitoring.report import CSP_PORT
    from rserpool.monitor.reporting import INTERVAL, csp_server, report_interval

    parser.add_argument(
        "--csp-server",
        metavar="HOST[:PORT]",
        type=configured(csp_server),
        help=f"report to this monitor what this user does (port {CSP_PORT})",
    )
    parser.add_argument(
        "--csp-interval",
        metavar="SECONDS",
        type=configured(report_interval),
        default=INTERVAL,
        help=f"seconds between two reports ({INTERVAL:g})",
    )


def reporting(
    reactor: Any, options: argparse.Namespace, user: PoolUserService, service: Service | None = None
) -> Service:
    """The service to start and stop in place of C{service}: one that reports what C{user} does, or itself.

    @param service: what C{user} is part of; itself by default.
    """
    service = service or user
    if options.csp_server is None:
        return service
    from rserpool.monitor.reporting import StatusReporter
    from rserpool.monitor.status import user_status

    identifier = SystemRandom().randrange(1, 2**56)
    return StatusReporter(
        reactor, lambda: user_status(user, identifier), options.csp_server, service, interval=options.csp_interval
    )


def configured(parse: Callable[[str], T]) -> Callable[[str], T]:
    """A parser whose mistakes C{argparse} tells."""

    def parsed(text: str) -> T:
        try:
            return parse(text)
        except ConfigurationError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return parsed


def number(read: Callable[[str], N]) -> Callable[[str], N]:
    """A parser of numbers above 0, C{int} or C{float}, for C{argparse}."""
    return configured(above_0(read))
