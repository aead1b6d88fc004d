"""C{rserpool proxy}: relay connections to the elements of a pool, for programs that know nothing of pools."""

from __future__ import annotations

import argparse
import signal
from typing import Any, TextIO

from twisted.internet.defer import CancelledError, Deferred

from rserpool.admin.opening import ADMIN_HELP, TOKEN_HELP, admin_place, admin_token
from rserpool.admin.subjects import UserSubject
from rserpool.cli.codes import OK
from rserpool.cli.options import (
    add_reporting_options,
    add_user_options,
    configured,
    number,
    reporting,
    security_from,
    user_from,
)
from rserpool.cli.signals import ENDING, RELOADING, on_signals
from rserpool.config.showing import values
from rserpool.core.errors import ConfigurationError
from rserpool.core.handles import handle_text
from rserpool.core.reading import handle
from rserpool.core.user.trying import GRACE, TIMEOUT
from rserpool.proxy.descriptors import room_for
from rserpool.proxy.listening import server_endpoint
from rserpool.proxy.service import LIMIT, ProxyService, address_text
from rserpool.user.service import PoolUserService
from rserpool.user.tls_text import TLS_CA, tls_from

ROLE = "proxy"
AT_ONCE = frozenset({"grace", "limit", "timeout"})
"""Keys of the file that can change while it runs."""


def configure(parser: argparse.ArgumentParser) -> None:
    add_user_options(
        parser,
        json=False,
        pool="",
        timeout=f"how long a client waits for an element that accepts (default: {TIMEOUT:g})",
    )
    add_reporting_options(parser)
    parser.add_argument(
        "--admin", metavar="PLACE", action="append", default=[], type=configured(admin_place), help=ADMIN_HELP
    )
    parser.add_argument("--admin-token", metavar="FILE", type=configured(admin_token), help=TOKEN_HELP)
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
        help="where to accept connections: HOST:PORT (HOST is an IP address of this one), a port alone (at 127.0.0.1), "
        "tcp:8080 (at every address), unix:/run/www, or any other server endpoint of Twisted; may be repeated",
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
    pool = handle_text(options.pool)
    proxy.there = lambda count: print(f"{options.prog}: pool {pool} is there: {count} elements", file=out, flush=True)
    restore = on_signals(reactor, (signal.SIGUSR1,), lambda _: print(proxy.counters, file=out, flush=True))
    keep = on_signals(reactor, RELOADING, lambda _: _reload(options, proxy, out))
    subject = UserSubject(user, proxy.endpoint.handle, counters=proxy.counters)
    secured = security_from(options) if options.admin else None
    reported = reporting(reactor, options, user, proxy)
    service: Any = reported
    if options.admin:
        from rserpool.admin.service import shown

        service = shown(reactor, reported, subject, options.admin, secured, options.admin_token)
    try:
        service.startService()
        assert proxy.listening is not None
        await proxy.listening
        for port in proxy.ports:
            print(f"{options.prog}: relays {address_text(port)}", file=out, flush=True)
        for place in options.admin:
            print(f"{options.prog}: admin interface: {place}", file=out, flush=True)
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


def _reload(options: argparse.Namespace, proxy: ProxyService, out: TextIO) -> None:
    """SIGHUP: what the file of C{--config} says now counts, as far as it can."""
    if options.configured.file is None:
        print(f"{options.prog}: SIGHUP: nothing is to be loaded anew", file=out, flush=True)
        return
    try:
        fresh = options.read_again()
    except SystemExit:
        # What is wrong has been told.
        print(f"{options.prog}: SIGHUP: nothing changes until this is mended", file=out, flush=True)
        return
    before, after = values(options.configured), values(fresh.configured)
    for key in sorted(key for key in {*before, *after} if before.get(key) != after.get(key)):
        when = "now" if key in AT_ONCE else "when this is started anew, and not before"
        told = f"{key} is {after.get(key, 'not there')} {when} (was {before.get(key, 'not there')})"
        print(f"{options.prog}: SIGHUP: {told}", file=out, flush=True)
    timeout = TIMEOUT if fresh.timeout is None else fresh.timeout
    proxy.change(limit=room_for(fresh.limit), grace=fresh.grace, timeout=timeout)
    options.configured = fresh.configured
    print(f"{options.prog}: SIGHUP: {fresh.configured.file.path} loaded anew", file=out, flush=True)
