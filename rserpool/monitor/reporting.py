"""Sends status reports to a server of rsplib's Component Status Protocol (UDP), at regular intervals."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from twisted.application.service import IService, MultiService
from twisted.internet.defer import Deferred, ensureDeferred, maybeDeferred
from twisted.internet.error import MessageLengthError
from twisted.internet.protocol import DatagramProtocol
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from rserpool.core.addresses import TransportAddress, is_name
from rserpool.core.monitoring.report import CSP_PORT, Component, Report, encode
from rserpool.core.reading import number, one_place, with_port
from rserpool.monitor.status import Describe, Status
from rserpool.node.own_ports import own_port
from rserpool.node.reactor import clock_of
from rserpool.sctp.lookup import look_up, own

INTERVAL = 1.0
"""Seconds between two reports, where nothing else is said."""
LOOK_UP = 30.0
"""Seconds between two looks at what the monitor's name stands for."""


SHORTEST, LONGEST = 0.1, 60.0

report_interval = number(
    float,
    lambda seconds: SHORTEST <= seconds <= LONGEST,
    lambda text: f"{text!r} is not a number of seconds from {SHORTEST:g} to {LONGEST:g}",
)
"""A parser of the seconds between two reports."""


def csp_address(text: str) -> TransportAddress:
    """Where reports are received: C{HOST[:PORT]}.

    @raise ConfigurationError: with a sentence that says what is wrong.
    """
    address = own(one_place(text, CSP_PORT))
    return replace(address, hosts=address.hosts[:1])


def csp_server(text: str) -> TransportAddress:
    """Where to report to: C{HOST[:PORT]}.

    @raise ConfigurationError: with a sentence that says what is wrong.
    """
    return with_port(one_place(text, CSP_PORT), repr(text), "a monitor")


class StatusReporter(MultiService):
    """Reports on components, from its start until the services in it have stopped; then it says goodbye for them.

    @param describe: tells what there is to report now; a component that it does not name any more is gone.
    @param server: the IP address and UDP port to report to.
    @param services: started and stopped with it.
    @param interval: seconds between two reports.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        describe: Describe,
        server: TransportAddress,
        *services: IService,
        interval: float = INTERVAL,
    ) -> None:
        super().__init__()
        self._reactor = reactor
        self._describe = describe
        self._server = server
        self._interval = interval
        self._now = clock_of(reactor)
        self._started = 0.0
        self._port: Any = None
        self._host = ""
        self._unknown = False
        self._looking: Any = None
        self._present: set[Component] = set()
        self._loop = LoopingCall(self._report)
        self._loop.clock = reactor
        for service in services:
            service.setServiceParent(self)

    def startService(self) -> None:
        """Start the services, and report.

        @raise twisted.internet.error.CannotListenError: if no UDP port can be had.
        """
        super().startService()
        self._started = self._now()
        (host,) = self._server.hosts
        if is_name(host):
            self._look_up()
        else:
            self._aim([host])
        self._loop.start(self._interval)

    def _look_up(self) -> None:
        """Ask now and then where the monitor is."""
        self._looking = self._reactor.callLater(LOOK_UP, self._look_up)
        look_up(self._reactor, self._server.hosts[0], self._aim)

    def _aim(self, hosts: list[str]) -> None:
        """The monitor is at the first of these addresses."""
        if not self.running:
            return
        if not hosts:
            self._nowhere()
            return
        self._unknown = False
        if self._host == hosts[0]:
            return
        host = hosts[0]
        if self._port is None or (":" in host) != (":" in self._host):
            if self._port is not None:
                self._port.stopListening()
            port = self._reactor.listenUDP(0, DatagramProtocol(), interface="::" if ":" in host else "")
            self._port = own_port(port)
        self._host = host

    def _nowhere(self) -> None:
        """There is no such name now: that is told once, unless reports go where it was before."""
        if self._host or self._unknown:
            return
        self._unknown = True
        self._log.warn(
            "no status is reported: there is no host named {host}; it is looked up again each {pause:g} s",
            host=self._server.hosts[0],
            pause=LOOK_UP,
        )

    def stopService(self) -> Deferred[None]:
        """Stop the services, report meanwhile, and say goodbye."""
        return ensureDeferred(self._stop(maybeDeferred(super().stopService)))

    async def _stop(self, stopped: Deferred[Any]) -> None:
        try:
            await stopped
        finally:
            if self._loop.running:
                self._loop.stop()
            if self._looking is not None:
                self._looking.cancel()
                self._looking = None
            if self._port is not None:
                self._send(())
                port, self._port = self._port, None
                await maybeDeferred(port.stopListening)

    def _report(self) -> None:
        try:
            described = list(self._describe())
        except Exception:
            # A monitor that shows nothing is better than a server that does not serve.
            self._log.failure("there is no status to report")
            return
        if self._port is not None:
            self._send(described)

    def _send(self, described: Iterable[Status]) -> None:
        uptime = self._now() - self._started
        host = socket.gethostname()
        reports = [
            Report(
                status.component,
                uptime,
                self._interval,
                f"{host}: {', '.join(status.where)}" if status.where else host,
                status.text,
                status.workload,
                status.associations,
            )
            for status in described
        ]
        present = {report.sender for report in reports}
        gone = sorted(self._present - present)
        self._present = present
        for report in (*reports, *(Report(one, uptime, self._interval, final=True) for one in gone)):
            try:
                self._port.write(encode(report), (self._host, self._server.port))
            except (OSError, MessageLengthError) as error:
                # The network may come up later.
                self._log.debug("cannot report to {server}: {error}", server=str(self._server), error=error)
