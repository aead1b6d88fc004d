"""C{rserpool submit}: have a worker of a pool do one job, and print its result."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any, TextIO

from rserpool.cli.codes import EXIT_CODES
from rserpool.cli.options import add_user_options, number, user_from
from rserpool.compute.jobs import Jobs
from rserpool.core.compute.errors import JobFailed
from rserpool.user.tls_text import TLS_CA, tls_from

EPILOG = f"""an ARGUMENT is JSON where it is JSON, and text otherwise: submit farm square 7.
            {EXIT_CODES}"""


def add_job_options(parser: argparse.ArgumentParser) -> None:
    """The options of every subcommand that has jobs done."""
    parser.add_argument(
        "--at-most-once",
        action="store_true",
        help="fail where a worker dies over a job (by default another one does it, perhaps for the second time)",
    )
    parser.add_argument("--deadline", metavar="SECONDS", type=number(float), help="that a job may take (no limit)")
    parser.add_argument(
        "--patience",
        metavar="SECONDS",
        type=number(float),
        default=30.0,
        help="how long the pool may be without workers (default: 30)",
    )
    parser.add_argument("--tls", metavar="NAME", help="workers speak TLS, with a certificate for this name")
    parser.add_argument("--tls-ca", metavar="FILE", help=TLS_CA)


def jobs_from(user: Any, options: argparse.Namespace) -> Jobs:
    """What gives jobs to the workers that the options name.

    @raise ConfigurationError: if one of them is wrong.
    """
    return Jobs(
        user,
        options.pool,
        at_most_once=options.at_most_once,
        deadline=options.deadline,
        patience=options.patience,
        **tls_from(options.tls, options.tls_ca),
    )


def configure(parser: argparse.ArgumentParser) -> None:
    add_user_options(parser, json=False)
    parser.add_argument("function", metavar="FUNCTION", help="the name of a function that the workers offer")
    parser.add_argument("arguments", metavar="ARGUMENT", nargs="*", help="what it is called with")
    add_job_options(parser)


async def run(reactor: Any, options: argparse.Namespace, out: TextIO) -> int:
    """Have it done."""
    user = user_from(reactor, options)
    user.startService()
    try:
        jobs = jobs_from(user, options)
        try:
            value = await jobs.submit(options.function, *map(value_of, options.arguments))
        except JobFailed as error:
            sys.stderr.write(error.traceback)
            raise
        finally:
            await jobs.close(cancel=True)
    finally:
        await user.stopService()
    out.write(shown(value) + "\n")
    return 0


def value_of(text: str) -> Any:
    """What a person means who writes this: JSON, or text."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def shown(value: Any) -> str:
    """A result, for a line: JSON, and bytes as text."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return json.dumps(value, ensure_ascii=False)
