"""The subcommands of C{rserpool}: each one's module, and what it is for; help loads none of them."""

from __future__ import annotations

from typing import NamedTuple


class Command(NamedTuple):
    """One subcommand.

    @ivar module: its full name. It has C{configure(parser)}, and the coroutine function C{run(reactor, options, out)},
        which returns the exit code; when it is interrupted it is cancelled. It may have C{USAGE} and C{EPILOG} for its
        help, C{ROLE} if C{--config} names a file with a table for it, C{TAKES_COMMAND} if what follows C{--} is a
        command line (C{options.command}), and C{IN_THE_CLEAR} if it speaks no TLS where nothing secures it.
    """

    module: str
    summary: str


COMMANDS = {
    "resolve": Command(
        "rserpool.cli.resolve",
        "show the elements of a pool, in the order in which to try them",
    ),
    "watch": Command(
        "rserpool.cli.watch",
        "print every change of a pool until it is interrupted (SIGINT), also before the pool exists",
    ),
    "status": Command(
        "rserpool.cli.status",
        "show whether registrars are ready, and their peers (the checksum is over each one's own elements)",
    ),
    "pools": Command(
        "rserpool.cli.pools",
        "list all pools: their policies, how many elements they have, and at which home registrars",
    ),
    "elements": Command(
        "rserpool.cli.elements",
        "list the elements of a pool, or of all pools: where they are, their homes, and how they answer",
    ),
    "registrars": Command(
        "rserpool.cli.registrars",
        "list the registrars of the scope, as one of them knows them, and how many elements each is the home of",
    ),
    "doctor": Command(
        "rserpool.cli.doctor.run",
        "look for what keeps this host or its scope from working, and say the cure",
    ),
    "trace": Command(
        "rserpool.cli.trace.run",
        "show the messages of ASAP and ENRP, live (as root) or from a capture (pcap, pcapng)",
    ),
    "drain": Command(
        "rserpool.cli.drain",
        "have an element take no new users, and serve those that it has, until it is undrained",
    ),
    "undrain": Command(
        "rserpool.cli.undrain",
        "have an element that drains serve again",
    ),
    "evict": Command(
        "rserpool.cli.evict",
        "remove an element from its pool, and refuse it for a while, at all registrars that know evictions",
    ),
    "retire": Command(
        "rserpool.cli.retire",
        "have a registrar hand its elements over to the others of its scope, and end: the first step of an upgrade",
    ),
    "monitor": Command(
        "rserpool.cli.monitor.run",
        "show pools and elements, registrars and users, live: those that report, and those that a registrar knows",
    ),
    "ping": Command(
        "rserpool.cli.ping",
        "ping a pool of pingpong servers until it is interrupted, and count what is lost or comes twice",
    ),
    "echo": Command(
        "rserpool.cli.echo",
        "send lines to a pool of echo servers until it is interrupted, and count what is lost or comes twice",
    ),
    "calcapp": Command(
        "rserpool.cli.calcapp",
        "have a pool of CalcApp elements do jobs until it is interrupted, and count what is lost",
    ),
    "paint": Command(
        "rserpool.cli.paint",
        "have a pool of fractal generators paint a picture, in the colours of who painted what",
    ),
    "exec": Command(
        "rserpool.cli.execute",
        "run a command with the address of a pool's element in its environment, again elsewhere if it fails",
    ),
    "proxy": Command(
        "rserpool.cli.proxy",
        "relay connections to the elements of a pool until it is interrupted, for programs that know nothing of pools",
    ),
    "config": Command(
        "rserpool.cli.config",
        "check a configuration file (TOML), and show what holds",
    ),
    "worker": Command(
        "rserpool.cli.worker",
        "work for a pool until it is interrupted: run a program for each job, or call the functions of a module",
    ),
    "submit": Command(
        "rserpool.cli.submit",
        "have a worker of a pool call a function (or run its program), and print the result",
    ),
    "map": Command(
        "rserpool.cli.mapping",
        "a job for each line of standard input, done by the workers of a pool; its results are lines in their order",
    ),
    "keys": Command(
        "rserpool.cli.keys",
        "make the keys and certificates of a scope, change them, and check them",
    ),
    "demo": Command(
        "rserpool.cli.demo.run",
        "show a pool that survives: registrars, web servers, users, and their faults",
    ),
    "fractal": Command(
        "rserpool.cli.fractal.run",
        "compute a picture by a pool whose workers are killed: what is lost, and what goes on elsewhere",
    ),
    "completion": Command(
        "rserpool.cli.completion",
        "print what has a shell complete command lines of rserpool, or of twistd",
    ),
}
