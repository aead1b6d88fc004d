"""The checks of this package: a TCP connection, an HTTP request, a command."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Callable
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.protocol import ProcessProtocol, Protocol
from twisted.python.failure import Failure

from rserpool.core.errors import ConfigurationError
from rserpool.element.health import Ask, Check, Unwell
from rserpool.plugins import checks

LONGEST: Final = 200
"""Characters of what a command says that are told."""
NOBODY: Final = "nobody"
"""As whom commands run where we are root."""


def tcp(argument: str) -> Check:
    """A connection is accepted.

    @raise ConfigurationError: if there is an argument.
    """
    if argument:
        raise ConfigurationError(f"the check tcp has nothing behind it: {argument!r}")

    def check(reactor: Any, host: str, port: int) -> Ask:
        async def ask() -> None:
            # It loads OpenSSL.
            from twisted.internet.endpoints import connectProtocol

            try:
                connection = await connectProtocol(_endpoint(reactor, host, port), Protocol())
            except Exception as error:
                raise _unwell(error, host, port) from None
            transport: Any = connection.transport
            transport.loseConnection()

        return ask

    return check


def http(argument: str) -> Check:
    """A request is answered, with a status from 200 to 399.

    @param argument: the path.
    @raise ConfigurationError: if it is none.
    """
    if not argument.startswith("/") or any(not 0x20 < ord(char) < 0x7F for char in argument):
        raise ConfigurationError(f"the check http has a path behind it, as in http:/health, and not {argument!r}")

    def check(reactor: Any, host: str, port: int) -> Ask:
        async def ask() -> None:
            # It loads much.
            from twisted.web.client import Agent, HTTPConnectionPool, _HTTP11ClientFactory
            from twisted.web.http_headers import Headers

            class Quiet(_HTTP11ClientFactory):
                noisy = False

            named = f"[{host}]" if ":" in host else host
            pool = HTTPConnectionPool(reactor, persistent=False)
            pool._factory = Quiet
            agent = Agent(reactor, pool=pool)
            headers = Headers({b"User-Agent": [b"rserpool"], b"Connection": [b"close"]})
            try:
                response: Any = await agent.request(b"GET", f"http://{named}:{port}{argument}".encode(), headers)
            except Exception as error:
                raise _unwell(error, host, port) from None
            response.deliverBody(_Enough())
            if not 200 <= response.code < 400:
                raise Unwell(f"HTTP status {response.code} at {argument}")

        return ask

    return check


def command(argument: str) -> Check:
    """A command ends with status 0; it finds where to look in RSERPOOL_HOST and RSERPOOL_PORT.

    It runs without a shell, with nothing of our environment but PATH and LANG, and where we are root as C{nobody}.

    @param argument: its words.
    @raise ConfigurationError: if there is no such command.
    """
    try:
        words = shlex.split(argument)
    except ValueError as error:
        raise ConfigurationError(f"the check exec: {argument!r}: {error}") from None
    if not words:
        raise ConfigurationError("the check exec has a command behind it, as in exec:/usr/bin/check --fast")
    path = shutil.which(words[0])
    if path is None:
        raise ConfigurationError(f"the check exec: there is no command {words[0]}")

    def check(reactor: Any, host: str, port: int) -> Ask:
        async def ask() -> None:
            inherited = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
            environment = {**inherited, "RSERPOOL_HOST": host, "RSERPOOL_PORT": str(port)}
            running = _Command()
            user, group = _unprivileged()
            try:
                reactor.spawnProcess(running, path, words, environment, "/", user, group)
            except OSError as error:
                raise Unwell(f"{words[0]}: {error.strerror}") from None
            await running.ended

        return ask

    return check


KINDS: Final[dict[str, Callable[[str], Check]]] = {"tcp": tcp, "http": http, "exec": command}
"""By name: what reads what stands behind the colon."""


def parse_check(text: str) -> Check:
    """Read a check as people write it: C{tcp}, C{http:/path}, C{exec:COMMAND}, or C{NAME[:ARGUMENT]} of a plugin.

    @raise ConfigurationError: with a sentence that says what is wrong.
    """
    name, _, argument = text.partition(":")
    known = {**KINDS, **checks(tuple(KINDS))}
    if name not in known:
        raise ConfigurationError(f"there is no check {name!r}; there are {', '.join(known)}")
    check: Check = known[name](argument)
    return check


class _Enough(Protocol):
    """The status was all."""

    def connectionMade(self) -> None:
        transport: Any = self.transport
        stop = getattr(transport, "abortConnection", None)
        if stop is not None:
            stop()


class _Command(ProcessProtocol):
    """A command that runs; if its time is over it is killed."""

    def __init__(self) -> None:
        self.ended: Deferred[None] = Deferred(lambda _: self._kill())
        self._said = b""
        self._killed = False

    def outReceived(self, data: bytes) -> None:
        self._said = (self._said + data)[-LONGEST:]

    errReceived = outReceived

    def processEnded(self, reason: Failure) -> None:
        if self._killed:
            return
        end: Any = reason.value
        if not end.exitCode and end.signal is None:
            self.ended.callback(None)
            return
        how = f"status {end.exitCode}" if end.signal is None else f"signal {end.signal}"
        said = self._said.decode("utf-8", "replace").strip()
        self.ended.errback(Unwell(f"{how}{': ' if said else ''}{said}"))

    def _kill(self) -> None:
        self._killed = True
        transport: Any = self.transport
        if transport.pid is not None:
            transport.signalProcess("KILL")


def _unprivileged() -> tuple[int | None, int | None]:
    """As whom a command is to run; None for as who we are."""
    if os.getuid():
        return None, None
    import pwd

    try:
        nobody = pwd.getpwnam(NOBODY)
    except KeyError:
        return 65534, 65534
    return nobody.pw_uid, nobody.pw_gid


def _endpoint(reactor: Any, host: str, port: int) -> Any:
    from twisted.internet.endpoints import HostnameEndpoint, TCP4ClientEndpoint, TCP6ClientEndpoint

    if ":" in host:
        return TCP6ClientEndpoint(reactor, host, port)
    if host.replace(".", "").isdigit():
        return TCP4ClientEndpoint(reactor, host, port)
    return HostnameEndpoint(reactor, host.encode(), port)


def _unwell(error: Exception, host: str, port: int) -> Exception:
    from twisted.internet.defer import CancelledError

    if isinstance(error, CancelledError):
        return error
    # An answer of HTTP that broke off has several.
    error = next((failure.value for failure in getattr(error, "reasons", ())), error)
    return Unwell(f"{host} port {port}: {error or type(error).__name__}")
