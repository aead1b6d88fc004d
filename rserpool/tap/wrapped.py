"""What C{twistd rserpool-pe} wraps besides twistd plugins: C{run PROGRAM}, and C{application FILE}."""

from __future__ import annotations

import os
from typing import Any

from twisted.application import service
from twisted.application.service import IService
from twisted.python import usage

from rserpool.core.errors import ConfigurationError
from rserpool.core.reading import seconds
from rserpool.tap.options import read


class RunOptions(usage.Options):
    """What C{twistd rserpool-pe -- run --help} shows."""

    synopsis = "run [options] PROGRAM [arguments]"
    longdesc = (
        "Runs a program, and again when it ends; it ends with this process, also if that is killed. Name the port "
        "where it serves with --port, before run: rserpool-pe --pool cache --port 6379 -- run redis-server --port 6379"
    )
    optParameters = [
        ["user", None, None, "NAME[:GROUP], or numbers, that it runs as (ours)"],
        ["grace", None, "5", "seconds that it may take to end"],
    ]

    def __init__(self) -> None:
        super().__init__()
        self.environment: dict[str, str] = {}
        self.program: tuple[str, ...] = ()

    def opt_env(self, text: str) -> None:
        """NAME=VALUE of its environment; may be given several times."""
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise usage.UsageError(f"--env: {text!r} is not NAME=VALUE")
        self.environment[name] = value

    def parseArgs(self, *program: str) -> None:
        """The program, and its arguments."""
        self.program = program

    def postOptions(self) -> None:
        if not self.program:
            raise usage.UsageError("name the program: run PROGRAM [arguments]")
        self.grace = read("grace", self["grace"], seconds)
        self.user = None if self["user"] is None else read("user", self["user"], user_and_group)


class ApplicationOptions(usage.Options):
    """What C{twistd rserpool-pe -- application --help} shows."""

    synopsis = "application FILE"
    longdesc = "Runs the application of a .tac file, as twistd -y does."

    def parseArgs(self, *words: str) -> None:
        """The file."""
        if len(words) != 1:
            raise usage.UsageError("name one file: application FILE")
        (file,) = words
        if not os.path.isfile(file):
            raise usage.UsageError(f"there is no file {file}")
        self.file = file


class Run:
    """C{run}: as a maker of twistd plugins is."""

    tapname = "run"
    options = RunOptions

    def makeService(self, options: RunOptions) -> IService:
        """The service that runs the program."""
        from twisted.internet import reactor

        from rserpool.programs import ProgramService

        made: Any = ProgramService(
            reactor, options.program, user=options.user, environment=options.environment, grace=options.grace
        )
        return made  # type: ignore[no-any-return]


class Application:
    """C{application}: the same."""

    tapname = "application"
    options = ApplicationOptions

    def makeService(self, options: ApplicationOptions) -> IService:
        """The service of the application.

        @raise ConfigurationError: if the file has none.
        """
        from twisted.persisted import sob

        try:
            application = sob.loadValueFromFile(options.file, "application")
        except KeyError:
            raise ConfigurationError(f"{options.file}: it sets no variable 'application'") from None
        found: Any = service.IService(application)
        return found  # type: ignore[no-any-return]


class Beside:
    """Nothing: another process serves, and this one sees to its being in the pool."""

    tapname = "--"
    options = usage.Options

    def makeService(self, options: usage.Options) -> IService:
        """A service that does nothing."""
        nothing: Any = service.MultiService()
        return nothing  # type: ignore[no-any-return]


WRAPPED = {each.tapname: each for each in (Run(), Application())}


def user_and_group(text: str) -> tuple[int, int]:
    """Read C{NAME[:GROUP]}; both may be numbers.

    @raise ConfigurationError: if there is no such user or group, or we may not become it.
    """
    import grp
    import pwd

    name, _, group = text.partition(":")
    try:
        entry = pwd.getpwuid(int(name)) if name.isdigit() else pwd.getpwnam(name)
    except KeyError:
        if not (name.isdigit() and group):
            raise ConfigurationError(f"there is no user {name}") from None
        uid, gid = int(name), 0
    else:
        uid, gid = entry.pw_uid, entry.pw_gid
    if group:
        try:
            gid = int(group) if group.isdigit() else grp.getgrnam(group).gr_gid
        except KeyError:
            raise ConfigurationError(f"there is no group {group}") from None
    if os.getuid() and (uid, gid) != (os.getuid(), os.getgid()):
        raise ConfigurationError("only root may run programs as somebody else")
    return uid, gid
