"""What an element tells its operator: events of its role as log lines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.logger import Logger

from rserpool.core.addresses import in_short, out_of_reach
from rserpool.core.element import events
from rserpool.core.errors import Rejected
from rserpool.core.handles import handle_text
from rserpool.core.server_hunt import HomeChanged
from rserpool.core.wire.causes import ErrorCause
from rserpool.node.candidates import THIS_HOST
from rserpool.node.counting import CountedLog, LimitedLog
from rserpool.node.homes import Homes


class ElementLog:
    """Logs events; those that a registrar can cause at will are counted up (L{CountedLog}).

    @param hosts: where the element is.
    """

    def __init__(
        self, reactor: Any, log: Logger, now: Callable[[], float], hosts: Callable[[], tuple[str, ...]]
    ) -> None:
        self._log = log
        self._counted = CountedLog(reactor, log)
        self._limited = LimitedLog(log, now)
        self._homes = Homes()
        self._hosts = hosts

    def tell(self, event: Any) -> None:
        """Something happened."""
        match event:
            case events.Registered():
                self._homes.answered()
            case events.Drains(handle=handle):
                self._log.info(
                    "{pool}: drains, as an operator wants: no user gets it", event="drains", pool=handle_text(handle)
                )
            case events.Left(handle=handle, never=False):
                self._log.info("{pool}: left", event="left", pool=handle_text(handle))
            case events.RegistrationPostponed(handle, identifier, cause, pause, information):
                self._log.warn(
                    "{pool}: the registrar refused 0x{identifier:08x} for now: {error}; trying again in {pause:g} s",
                    event="registration-postponed",
                    pool=handle_text(handle),
                    identifier=identifier,
                    error=str(Rejected(cause, information)),
                    pause=pause,
                )
            case events.RegistrationUnanswered(handle=handle, attempts=attempts):
                self._log.warn(
                    "{pool}: {attempts} registrations were not answered; trying on",
                    event="registration-unanswered",
                    pool=handle_text(handle),
                    attempts=attempts,
                )
            case events.RegistrationWarned(handle=handle, causes=causes):
                self._limited.warn(
                    "{pool}: registered, but {why}",
                    event="registration-warned",
                    pool=handle_text(handle),
                    why=_sentences(causes),
                )
            case HomeChanged(registrar=None):
                if self._homes.new(None):
                    self._limited.warn("no home registrar: looking for one", event="home-lost")
            case HomeChanged(registrar=registrar):
                if self._homes.new(registrar):
                    self._limited.info("home registrar is {registrar}", event="home", registrar=str(registrar))
            case events.NoRegistrarFound(tried=tried, why=why):
                here = all(each.hosts == (THIS_HOST,) for each in tried)
                where = "('rserpool status' says where those of this host listen)" if here else ""
                why_not = why or out_of_reach(self._hosts(), tried)
                self._log.warn(
                    "no registrar can be {what} at {tried}; trying on{note}",
                    event="no-registrar",
                    what="used" if why else "reached",
                    tried=in_short(tried),
                    note=f"; {why_not}" if why_not else f" {where}".rstrip(),
                )
            case _:
                self._tell_of_errors(event)

    def stop(self) -> None:
        """Log no more."""
        self._counted.stop()

    def _tell_of_errors(self, event: Any) -> None:
        match event:
            case events.OutOfPlace(handle=handle, message=message):
                self._counted.debug(
                    "messages out of place",
                    "{pool}: {message} where none is expected, ignored",
                    event="out-of-place",
                    pool=handle_text(handle),
                    message=message,
                )
            case events.ErrorReceived(causes=causes):
                self._limited.warn(
                    "the registrar reports an error: {causes}",
                    event="error-reported",
                    causes=", ".join(f"cause 0x{cause.code:x}" for cause in causes),
                )


def _sentences(causes: tuple[ErrorCause, ...]) -> str:
    return ", ".join(str(Rejected(cause.code)) for cause in causes)
