"""What C{--accept-code} takes: who may submit, as whom jobs run, and what they may use up."""

from __future__ import annotations

import importlib.util
import os
import resource
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

from twisted.python import usage

from rserpool.compute.code_slot import CodeSlot
from rserpool.compute.submitters import Submitters
from rserpool.core.errors import ConfigurationError
from rserpool.core.reading import between
from rserpool.job import linux
from rserpool.job.confined import Limits
from rserpool.security.following import Secured
from rserpool.tap.wrapped import user_and_group

MIB: Final = 1024 * 1024
MEMORY: Final = 1024
"""MiB of address space of each process of a job, where nothing is said."""
SECONDS: Final = 3600.0
"""That a job may take, where nothing is said."""
DISK: Final = 256
"""MiB that a job may write."""
PROCESSES: Final = 32
"""That a job may have, threads included."""
PARAMETERS: Final = [
    ["code-user", None, None, "USER[:GROUP] that such jobs run as, who owns nothing and runs nothing else"],
    ["code-disk", None, None, f"MiB that such a job may write ({DISK})"],
    ["code-processes", None, None, f"how many processes and threads such a job may have ({PROCESSES})"],
]
FLAG: Final = [
    "accept-code",
    None,
    "Run code that users submit who have the authority submit-code, as --code-user; see docs/compute.md.",
]


def check_platform() -> None:
    """
    @raise ConfigurationError: if code can be confined on no account.
    """
    if not linux.LINUX:
        raise ConfigurationError("only Linux can confine what a job does")
    if os.geteuid():
        raise ConfigurationError("start it as root: jobs run as another user (--code-user), whom only root can become")
    if importlib.util.find_spec("cloudpickle") is None:
        raise ConfigurationError("cloudpickle is needed: pip install 'rserpool[code]'")


class Code:
    """What a worker that accepts code is told.

    @param options: what was given, by name.
    @param memory: bytes of address space of each process of a job; 0 if nothing was said.
    @param seconds: that a job may take.
    @raise ConfigurationError: if it cannot be.
    @raise usage.UsageError: the same.
    """

    def __init__(
        self, options: Any, secured: Secured | None, *, slots: int, memory: int, seconds: float, secrets: list[Path]
    ) -> None:
        if options["code-user"] is None:
            raise usage.UsageError(
                "--accept-code goes with --code-user USER: whom jobs run as. Make one who owns nothing: "
                "useradd --system --no-create-home rserpool-code"
            )
        check_platform()
        uid, gid = _other(options["code-user"])
        disk = _number(options, "code-disk", DISK) * MIB
        # Those of one user are counted together.
        processes = _number(options, "code-processes", PROCESSES) * slots
        self.submitters = Submitters(secured)
        found = [*self.submitters.secrets, *secrets]
        named = tuple(str(each.expanduser().absolute()) for each in found)
        self.limits = Limits(uid, gid, memory or MEMORY * MIB, seconds, disk, processes, named)

    def make(self, reactor: Any) -> Callable[..., Any]:
        """What makes a slot."""
        # What is in our memory is not for a file, whoever may read that.
        linux.prctl(linux.PR_SET_DUMPABLE, 0)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        return partial(CodeSlot, reactor, limits=self.limits)


def _other(text: str) -> tuple[int, int]:
    try:
        uid, gid = user_and_group(text)
    except ConfigurationError as error:
        raise ConfigurationError(f"--code-user: {error}") from None
    if not uid or not gid:
        raise ConfigurationError("--code-user: jobs run as somebody who has no rights, not as root or its group")
    return uid, gid


def _number(options: Any, name: str, default: int) -> int:
    if options[name] is None:
        return default
    try:
        return between(1, 2**20)(options[name])
    except ConfigurationError as error:
        raise ConfigurationError(f"--{name}: {error}") from None
