"""C{twistd rserpool-worker}: does jobs for a pool, by the functions of a module or by a program."""

from __future__ import annotations

import rserpool.tap.interrupts  # noqa: F401  # isort: skip

import os
import shutil
from functools import partial
from pathlib import Path
from typing import Any

from twisted.application.service import IService
from twisted.internet.endpoints import TCP4ServerEndpoint, TCP6ServerEndpoint
from twisted.python import usage
from twisted.python.failure import Failure

from rserpool.admin.subjects import ElementSubject
from rserpool.compute.function_slot import FunctionSlot
from rserpool.compute.program_slot import ProgramSlot
from rserpool.compute.service import WorkerService
from rserpool.core.addresses import TransportAddress
from rserpool.core.errors import ConfigurationError
from rserpool.core.reading import above_0, between, parse_transport_address, seconds
from rserpool.core.session.cookies import SignedCookies
from rserpool.monitor.status import element_status
from rserpool.node.candidates import local_hosts_towards
from rserpool.node.steady import make_steady
from rserpool.sctp.lookup import own
from rserpool.sctp.stack import load_stack
from rserpool.security.following import Secured
from rserpool.session.keys import KeyFile
from rserpool.tap import code
from rserpool.tap.admin import administered
from rserpool.tap.notifying import status_text
from rserpool.tap.options import AskingOptions, read
from rserpool.tap.started import Started

MIB = 1024 * 1024


class WorkerOptions(AskingOptions):
    """What C{twistd rserpool-worker --help} shows."""

    name = "rserpool-worker"
    roles = ("element",)
    role = "worker"
    arguments = "program"
    arguments_meaning = "the program that does the jobs, and its arguments: what follows --"
    synopsis = "--pool NAME (--functions MODULE | -- PROGRAM [arguments] | --accept-code) [options]"
    longdesc = (
        "Does jobs for a pool: calls the functions of a Python module, or runs a program with a job on its standard "
        "input and the result on its standard output. Users: rserpool.compute.PoolExecutor, rserpool submit, rserpool "
        "map. Example: twistd -n --pidfile= rserpool-worker --pool farm --slots auto --functions jobs.py"
    )
    optParameters = [
        ["functions", None, None, "MODULE, or FILE.py, whose functions users may have called"],
        ["slots", None, "auto", "how many jobs at one time, each in a process of its own; auto: one a processor"],
        ["tcp", None, None, "[HOST:]PORT to serve at (any, at the element's addresses)"],
        ["cookie-keys", None, None, "FILE of keys that sign checkpoints, lines of NAME HEXADECIMAL; all workers' own"],
        ["job-seconds", None, None, "seconds that a job may take; then its process is ended"],
        ["job-memory", None, None, "MiB of address space that the process of a slot may have"],
        ["address", None, None, "HOST[,HOST...], our own addresses (the one that reaches the registrar)"],
        ["identifier", None, None, "PE identifier, 1 to 0xffffffff (random)"],
        ["grace", None, "5", "seconds that jobs may go on for when it stops; then they go on elsewhere"],
        *code.PARAMETERS,
    ]
    optFlags = [code.FLAG, ["no-accept-code", None, "Do not (the default)."]]

    def __init__(self) -> None:
        super().__init__()
        self.pools: list[str] = []
        self.program: tuple[str, ...] = ()

    def opt_pool(self, name: str) -> None:
        """NAME of the pool to work for; may be given several times."""
        self.pools.append(name)

    def parseArgs(self, *program: str) -> None:
        """The program that does the jobs."""
        self.program = program

    def postOptions(self) -> None:
        """Read every value, so that a mistake shows before anything starts."""
        self.check_flags()
        if not self.pools or not all(self.pools):
            raise usage.UsageError("--pool NAME is needed: the pool to work for")
        if bool(self["functions"]) + bool(self.program) + bool(self["accept-code"]) != 1:
            raise usage.UsageError("say what does the jobs: --functions MODULE, a program after --, or --accept-code")
        if self["code-user"] is not None and not self["accept-code"]:
            raise usage.UsageError("--code-user goes with --accept-code")
        if self.program and shutil.which(self.program[0]) is None:
            raise usage.UsageError(f"there is no program {self.program[0]}, or it cannot be executed")
        if self["job-memory"] is not None and self.program:
            raise usage.UsageError("--job-memory goes with --functions: let a program limit itself")
        if self["functions"] and self["functions"].endswith(".py") and not os.path.isfile(self["functions"]):
            raise usage.UsageError(f"--functions: there is no file {self['functions']}")
        self.slots = read("slots", self["slots"], _slots)
        self.settings: dict[str, Any] = {"grace": read("grace", self["grace"], seconds), **self.read_role()}
        given = self.given(
            {
                "identifier": between(1, 2**32 - 1),
                "address": lambda text: own(parse_transport_address(text)).hosts,
                "job-seconds": above_0(float),
                "job-memory": between(1, 2**31),
                "cookie-keys": lambda path: KeyFile(None, os.path.expanduser(path)) and path,
                "tcp": self._place,
            }
        )
        self.seconds, self.memory = given.pop("job_seconds", None), given.pop("job_memory", 0)
        self.cookie_keys, self.place = given.pop("cookie_keys", None), given.pop("tcp", None)
        if "address" in given:
            self.settings["hosts"] = given.pop("address")
        self.settings |= given
        self.code: Any = None
        if self["accept-code"]:
            self.seconds = code.SECONDS if self.seconds is None else self.seconds
            self.code = read("accept-code", "", lambda _: self._read_code())
        if self.place is None:
            hosts = self.settings.get("hosts") or read(
                "registrar", "", lambda _: local_hosts_towards(self.settings["registrars"])
            )
            self.place = TransportAddress(tuple(hosts), 0)

    def _read_code(self) -> code.Code:
        secrets = [Path(self[name]) for name in ("cookie-keys", "admin-token") if self[name] is not None]
        secured = self.settings_security if isinstance(self.settings_security, Secured) else None
        return code.Code(
            self, secured, slots=self.slots, memory=self.memory * MIB, seconds=self.seconds, secrets=secrets
        )

    def _place(self, text: str) -> TransportAddress:
        if ":" in text:
            return own(parse_transport_address(text))
        return TransportAddress(("127.0.0.1",), between(0, 65535)(text))


Options = WorkerOptions
"""What C{twistd} asks for."""


def _slots(text: str) -> int:
    if text == "auto":
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return between(1, 1024)(text)


def makeService(options: WorkerOptions) -> IService:
    """The service that C{twistd} starts."""
    from twisted.internet import reactor

    make_steady(reactor)
    load_stack(options.settings["backend"])
    host = options.place.hosts[0] if len(options.place.hosts) == 1 else ""
    kind = TCP6ServerEndpoint if any(":" in each for each in options.place.hosts) else TCP4ServerEndpoint
    endpoint = kind(reactor, options.place.port, interface=host or ("::" if kind is TCP6ServerEndpoint else ""))
    make: Any
    more: dict[str, Any] = {}
    if options.code is not None:
        submitters = options.code.submitters
        make, more = options.code.make(reactor), {"tls": submitters.tls, "submitters": submitters}
    elif options.program:
        make = partial(ProgramSlot, reactor, command=options.program)
    else:
        make = partial(FunctionSlot, reactor, module=options["functions"], memory=options.memory * MIB)
    started = Started("rserpool-worker")
    keys = None if options.cookie_keys is None else KeyFile(reactor, os.path.expanduser(options.cookie_keys))
    worker = WorkerService(
        reactor,
        endpoint,
        options.pools,
        make,
        slots=options.slots,
        seconds=options.seconds,
        cookies=None if keys is None else SignedCookies(keys.ring),
        failed=lambda why: started.fail(Failure(ConfigurationError(why))),
        refused=started.fail,
        alone=True,
        **more,
        **options.settings,
    )
    if keys is not None:
        keys.setServiceParent(started)
    reported = options.reported(reactor, lambda: element_status(worker.element), worker)
    subject = ElementSubject(lambda: worker.element)
    started.tells(reactor, subject.ready, lambda: status_text(subject.about()))
    administered(reactor, reported, subject, options).setServiceParent(started)
    return started
