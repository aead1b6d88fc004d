"""C{rserpool worker}: work for a pool, by a program or a module's functions; C{twistd rserpool-worker} in short."""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any, TextIO

from rserpool.cli.codes import EXIT_CODES
from rserpool.cli.options import add_security_option, configured
from rserpool.core.errors import ConfigurationError
from rserpool.core.reading import handle

USAGE = "rserpool worker [options] POOL (--functions MODULE | -- PROGRAM [arguments])"
TAKES_COMMAND = True
EPILOG = f"""the program gets a job on its standard input, and its result is what it prints. Checked programs and more
            options: twistd rserpool-worker --help. {EXIT_CODES}"""

TWISTD = "import sys; sys.argv[0] = 'rserpool worker'; from twisted.scripts.twistd import run; run()"
PASSED_ON = ("functions", "slots", "registrar", "security", "cookie-keys", "job-seconds")


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pool", metavar="POOL", type=configured(handle), help="the pool's name (its handle)")
    parser.add_argument("--functions", metavar="MODULE", help="a module, or FILE.py, whose functions users may call")
    parser.add_argument("--slots", metavar="N", default="auto", help="how many jobs at one time (one a processor)")
    parser.add_argument("--registrar", metavar="HOST:PORT", help="where a registrar is")
    add_security_option(parser)
    parser.add_argument("--cookie-keys", metavar="FILE", help="keys that sign checkpoints; all workers have the same")
    parser.add_argument("--job-seconds", metavar="SECONDS", help="that a job may take")


async def run(reactor: Any, options: argparse.Namespace, out: TextIO) -> int:
    """Become C{twistd rserpool-worker}."""
    if bool(options.functions) == bool(options.command):
        raise ConfigurationError(f"say what does the jobs: {USAGE}")
    words = ["-c", TWISTD, "--nodaemon", "--pidfile=", "rserpool-worker"]
    words += ["--pool", os.fsdecode(options.pool)]
    for name in PASSED_ON:
        value = getattr(options, name.replace("-", "_"))
        if value is not None:
            words.append(f"--{name}={value}")
    if options.command:
        words += ["--", *options.command]
    out.flush()
    os.execv(sys.executable, [sys.executable, *words])
