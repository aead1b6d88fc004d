"""C{rserpool proxy}: relay connections to the elements of a pool, for programs that know nothing of pools."""

from __future__ import annotations

import argparse
import signal
from typing import Any, TextIO

from twisted.internet.defer import CancelledError, Deferred

from rserpool.cli.options import OK, add_reporting_options, add_user_options, number, reporting, user_from
from rserpool.cli.signals import ENDING, RELOADING, on_signals
from rserpool.core.errors import ConfigurationError
from rserpool.core.reading import handle
from rserpool.core.user.trying import GRACE, TIMEOUT
from rserpool.proxy.descriptors import room_for
from rserpool.proxy.listening import server_endpoint
from rserpool.proxy.service import LIMIT, ProxyService, address_text
from rserpool.user.service import PoolUserService
from rserpool.user.tls_text import TLS_CA, tls_from

ROLE = "proxy"
SUMMARY = "relay connections to the elements of a pool until it is interrupted, for programs that know nothing of pools"


def configure(parser: argparse.ArgumentParser) -> None:
    add_user_options(
        parser,
        json=False,
        pool="",
        timeout=f"how long a client waits for an element that accepts (default: {TIMEOUT:g})",
    )
    add_reporting_options(parser)
    parser.add_argument(
        "--config",
        metavar="FILE",
        help="options (TOML, [proxy]), which the command line overrides; see rserpool config",
    )
    parser.add_argument(
        "--listen",
        metavar="ENDPOINT",
        action="append",
        default=[],
        required=True,
        help="where to accept connections: tcp:8080 (at every address), tcp:8080:interface=127.0.0.1, unix:/run/www, "
        "a port alone (at 127.0.0.1), or any other server endpoint of Twisted; may be repeated",
    )
    parser.add_argument(
        "--limit",
        metavar="N",
        type=number(int),
        default=LIMIT,
        help=f"so many connections at once; who comes beyond that is closed at once (default: {LIMIT})",
    )
    parser.add_argument(
        "--grace",
        metavar="SECONDS",
        type=number(float),
        default=GRACE,
        help=f"how long connections in use may take to end when it is interrupted, or (with --drop) when their element "
        f"leaves the pool (default: {GRACE:g}); "
        "a second signal ends them at once",
    )
    parser.add_argument(
        "--tls",
        metavar="NAME",
        help="speak TLS with elements, whose certificates must be for this name; with --listen ssl:... TLS ends "
        "here and begins anew (default: what clients speak is passed on as it is)",
    )
    parser.add_argument("--tls-ca", metavar="FILE", help=TLS_CA)
    parser.add_argument(
        "--drop",
        action=argparse.BooleanOptionalAction,
        default=False,
        help="abort connections to elements that the registrar has removed; those in use may take --grace seconds "
        "where the element left by itself",
    )


async def run(reactor: Any, options: argparse.Namespace, out: TextIO, user: PoolUserService | None = None) -> int:
    """Relay until this is cancelled, and then until the connections have ended."""
    if not options.pool:
        named = options.configured.arguments
        if not named:
            raise ConfigurationError("name the POOL to which connections are relayed")
        options.pool = handle(named[0])
    try:
        endpoints = [server_endpoint(reactor, text) for text in options.listen]
    except ConfigurationError as error:
        raise ConfigurationError(f"argument --listen: {error}") from None
    user = user or user_from(reactor, options)
    timeout = {} if options.timeout is None else {"timeout": options.timeout}
    limit = room_for(options.limit)
    if limit < options.limit:
        print(f"{options.prog}: no more than {limit} connections fit the limit of file descriptors", file=out)
    tls = tls_from(options.tls, options.tls_ca)
    settings = {"drop": options.drop, "limit": limit, "grace": options.grace} | timeout | tls
    proxy = ProxyService(user, options.pool, endpoints, **settings)
    restore = on_signals(reactor, (signal.SIGUSR1,), lambda _: print(proxy.counters, file=out, flush=True))
    nothing = f"{options.prog}: SIGHUP: nothing is to be loaded anew"
    keep = on_signals(reactor, RELOADING, lambda _: print(nothing, file=out, flush=True))
    service = reporting(reactor, options, user, proxy)
    service.startService()
    try:
        assert proxy.listening is not None
        await proxy.listening
        for port in proxy.ports:
            print(f"{options.prog}: relays {address_text(port)}", file=out, flush=True)
        await Deferred()
    except CancelledError:
        on_signals(reactor, tuple(set(ENDING) - set(RELOADING)), lambda _: proxy.hurry())
        if proxy.counters.open:
            print(f"{options.prog}: waiting for {proxy.counters.open} connections", file=out, flush=True)
    finally:
        await service.stopService()
        restore()
        keep()
    print(f"{options.prog}: {proxy.counters}", file=out, flush=True)
    return OK
