"""The subagent of a role as a Twisted service: finds the SNMP agent, stays with it, and answers what it asks."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from random import SystemRandom
from typing import Any, Final

from twisted.application.internet import ClientService, backoffPolicy
from twisted.application.service import Service
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

import rserpool
from rserpool.admin.agentx.mib import Mib
from rserpool.admin.agentx.subagent import Closed, Subagent
from rserpool.admin.agentx.view import EMPTY, View
from rserpool.admin.agentx.wire import Malformed, Region, Status
from rserpool.admin.answers import AT_ONCE
from rserpool.admin.subjects import Subject

FRESH: Final = 2.0
"""So old may what is answered be, in seconds."""
EVERY: Final = 5.0
"""Seconds between two looks whether the agent lives and what there is to serve."""
LONGEST_WAIT: Final = 60.0
"""Seconds between two attempts to reach the agent, at most."""


class AgentXService(Service):
    """Tells an SNMP agent what a role knows, as long as both are there.

    @param endpoint: where the agent is.
    @param where: the same for people.
    """

    _log = Logger()

    def __init__(self, reactor: Any, subject: Subject, endpoint: IStreamClientEndpoint, where: str) -> None:
        self.reactor = reactor
        self.where = where
        self.mib = Mib(subject, SystemRandom().randrange(1, 2**31))
        self._began = 0.0
        self._told = False
        self._look: Iterator[View | None] | None = None
        self._view = EMPTY
        self._seen: float | None = None
        self._timer: Any = None
        self._waiting: list[Deferred[View]] = []
        self._factory = _Factory(self)
        policy = backoffPolicy(1.0, LONGEST_WAIT)
        self._client = ClientService(endpoint, self._factory, retryPolicy=policy, clock=reactor)

    def startService(self) -> None:
        """Look for the agent."""
        if self.running:
            return
        super().startService()
        self._began = self.reactor.seconds()
        self._client.startService()
        self._client.whenConnected(failAfterFailures=1).addErrback(self._not_there)

    def stopService(self) -> Deferred[Any]:
        """Leave it."""
        super().stopService()
        if self._timer is not None:
            self._timer.cancel()
        self._look = self._timer = None
        self._waiting.clear()
        if self._factory.protocol is not None:
            self._factory.protocol.leave()
        return maybeDeferred(self._client.stopService)

    def view(self) -> Deferred[View]:
        """What there is, at most L{FRESH} seconds ago; put together in turns, so that nobody waits for it."""
        asked: Deferred[View] = Deferred()
        if self._seen is not None and self.reactor.seconds() - self._seen <= FRESH:
            asked.callback(self._view)
            return asked
        self._waiting.append(asked)
        if self._look is None:
            self._look = self.mib.look(self.reactor.seconds() - self._began)
            self._go_on()
        return asked

    def opened(self) -> None:
        """The agent knows us."""
        self._told = False
        self._log.info("the SNMP agent at {where} is told what is here", where=self.where, event="agentx-opened")

    def refused(self, region: Region, status: int) -> None:
        """The agent does not take a part of the tree."""
        why = f"error {status} of RFC 2741"
        if status == Status.DUPLICATE:
            why = "another process of this host has these rows, so its --identifier is the same"
        name = ".".join(map(str, region.subtree))
        self._log.warn("the SNMP agent at {where} does not take {name}: {why}", where=self.where, name=name, why=why)

    def lost(self, why: str) -> None:
        """The agent is gone, or not what it should be; it is tried again."""
        if self.running and not self._told:
            self._told = True
            self._log.warn("no SNMP agent at {where}: {why}; it is tried again", where=self.where, why=why.rstrip("."))

    def _not_there(self, failure: Failure) -> None:
        if self.running:
            self.lost(str(failure.value) or type(failure.value).__name__)

    def _go_on(self) -> None:
        self._timer = None
        assert self._look is not None
        try:
            for view in islice(self._look, AT_ONCE):
                if view is not None:
                    self._view, self._seen, self._look = view, self.reactor.seconds(), None
                    break
            else:
                self._timer = self.reactor.callLater(0, self._go_on)
                return
        except Exception:
            self._log.failure("cannot tell the SNMP agent what is here")
            self._view, self._seen, self._look = EMPTY, self.reactor.seconds(), None
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.callback(self._view)


class _Factory(Factory):
    noisy = False
    protocol: Any = None

    def __init__(self, service: AgentXService) -> None:
        self._service = service

    def buildProtocol(self, addr: Any) -> Protocol:
        self.protocol = AgentXProtocol(self._service)
        return self.protocol  # type: ignore[no-any-return]


class AgentXProtocol(Protocol):
    """One connection to the agent: one request is answered after the other, and no more is read meanwhile."""

    transport: Any

    def __init__(self, service: AgentXService) -> None:
        self._service = service
        self._agent = Subagent(f"rserpool {rserpool.__version__}".encode(), service.refused)
        self._timer: Any = None
        self._busy = self._silent = False
        self._why = "it closed the connection"

    def connectionMade(self) -> None:
        self.transport.write(self._agent.open())
        self._timer = self._service.reactor.callLater(EVERY, self._look)

    def leave(self) -> None:
        """We go."""
        if self._timer is not None:
            self.transport.write(self._agent.close())

    def dataReceived(self, data: bytes) -> None:
        self._silent = False
        unknown = self._agent.session is None
        try:
            self._agent.receive(data)
        except (Malformed, Closed) as error:
            self._end(f"it speaks no AgentX: {error}" if isinstance(error, Malformed) else str(error))
            return
        if unknown and self._agent.session is not None:
            self._service.opened()
            self._keep()
        self._next()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        self._agent.requests.clear()
        self._service.lost(self._why)

    def _next(self) -> None:
        if self._agent.requests and not self._busy:
            self._busy = True
            self.transport.pauseProducing()
            self._service.view().addCallback(self._answer)

    def _answer(self, view: View) -> None:
        self._busy = False
        requests = self._agent.requests
        # What came at once is answered at once: the next view would be of the same moment.
        out = b"".join(self._agent.answer(requests.popleft(), view) for _ in range(len(requests)))
        if self._timer is not None:
            self.transport.write(out)
            self.transport.resumeProducing()

    def _keep(self) -> None:
        self.transport.write(self._agent.keep(self._service.mib.regions()))

    def _look(self) -> None:
        """Now and then: whether it answers, and whether what we have is what it knows of."""
        self._timer = self._service.reactor.callLater(EVERY, self._look)
        if self._silent or self._agent.session is None:
            self._end("it does not answer")
            return
        if self._busy:
            return
        self._keep()
        self.transport.write(self._agent.ping())
        self._silent = True

    def _end(self, why: str) -> None:
        self._why = why
        self._agent.requests.clear()
        self.transport.abortConnection()
