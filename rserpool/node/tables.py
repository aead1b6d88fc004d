"""What a registrar has in its handlespace, asked over ENRP by somebody who is no registrar (RFC 5353 section 3.2.3).

So rsplib's registrars answer as well. Who asks has the server identifier 0, which no registrar has.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import SystemRandom
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.python.failure import Failure

from rserpool.core.addresses import TransportAddress
from rserpool.core.errors import CauseCode, ConfigurationError, WireError
from rserpool.core.wire import enrp
from rserpool.core.wire.parameters import DATA_ONLY, PoolElementParameter, SctpTransport, ServerInformation
from rserpool.node.candidates import local_host_towards
from rserpool.sctp.base import PPID_ENRP, SctpHandler
from rserpool.sctp.interfaces import ISctpAssociation, ISctpEndpoint, ISctpStack


@dataclass
class Table:
    """What one registrar has.

    @ivar pools: its elements, by pool.
    @ivar peers: the registrars that it knows; None while it has not said so.
    @ivar complete: whether it has told all its elements.
    """

    address: TransportAddress
    identifier: int = 0
    checksum: int | None = None
    pools: dict[bytes, dict[int, PoolElementParameter]] = field(default_factory=dict)
    peers: tuple[ServerInformation, ...] | None = None
    complete: bool = False


class Asking(SctpHandler):
    """Asks the first registrar that accepts for all that it has, and the next one if it does not tell.

    @ivar done: fires with its L{Table}, or with None if nobody tells.
    @ivar why: what was said by those that do not tell.
    @ivar places: from which endpoint each is asked.
    """

    def __init__(self, addresses: Sequence[TransportAddress]) -> None:
        self.done: Deferred[Table | None] = Deferred()
        self.why: dict[TransportAddress, str] = {}
        self._left = set(addresses)
        self._waiting: list[ISctpAssociation] = []
        self._asked: ISctpAssociation | None = None
        self._table: Table | None = None
        self._name = 0
        self.places: dict[TransportAddress, ISctpEndpoint] = {}

    def associationUp(self, association: ISctpAssociation) -> None:
        self._waiting.append(association)
        self._next()

    def associationLost(self, association: ISctpAssociation, reason: Failure) -> None:
        failure = getattr(association, "failure", None)
        if failure is not None:
            self.gone(association.peer, str(failure))
        elif association.credentials is not None:
            self.gone(association.peer, _NO_OPERATOR)
        else:
            self.gone(association.peer, "it hangs up" if association is self._asked else "")

    def messageReceived(
        self, association: ISctpAssociation, data: bytes, ppid: int, stream: int, unordered: bool
    ) -> None:
        table = self._table
        if association is not self._asked or table is None:
            return
        try:
            message = enrp.decode(data).message
        except WireError:
            return
        table.identifier = message.sender or table.identifier
        match message:
            case enrp.Presence(checksum=checksum):
                table.checksum = checksum
            case enrp.ListResponse(servers=servers, rejected=rejected):
                table.peers = () if rejected else servers
            case enrp.HandleTableResponse(rejected=True):
                if association.peer not in self.why or self._name:
                    self.gone(association.peer, "it is not ready")
                else:
                    self._pose(association)
            case enrp.HandleTableResponse(entries=entries, more_to_send=more):
                for entry in entries:
                    pool = table.pools.setdefault(entry.handle, {})
                    pool.update((element.identifier, element) for element in entry.elements)
                table.complete = not more
                if more:
                    association.send(enrp.encode(enrp.HandleTableRequest(self._name, table.identifier)), PPID_ENRP)
            case enrp.Error(causes=causes):
                if any(cause.code == CauseCode.REJECTED_FOR_SECURITY for cause in causes):
                    self.gone(association.peer, _SECURED)
                else:  # rsplib's does so at a presence of nobody, and answers the rest
                    self.why.setdefault(association.peer, f"it answers with an error (cause 0x{causes[0].code:x})")
        if table.complete and table.peers is not None and not self.done.called:
            self.done.callback(table)

    def gone(self, address: TransportAddress, why: str = "") -> None:
        """Nothing more is to be expected from there."""
        if why:
            self.why.setdefault(address, why)
        self._left.discard(address)
        self._waiting = [each for each in self._waiting if each.peer != address]
        if self._asked is not None and self._asked.peer == address:
            self._asked, self._table, self._name = None, None, 0
            self._next()
        if not self._left and not self.done.called:
            self.done.callback(None)

    def late(self) -> Table | None:
        """The time is over: what one has told so far, if that are all its elements."""
        return self._table if self._table is not None and self._table.complete else None

    def _pose(self, association: ISctpAssociation) -> None:
        """rsplib's registrars give their table to registrars alone: be one for that moment, as rsplib's hsdump is."""
        endpoint = self.places[association.peer]
        self._name = SystemRandom().randrange(1, 2**32)
        here = ServerInformation(self._name, SctpTransport(endpoint.port, DATA_ONLY, endpoint.hosts))
        for message in (enrp.Presence(self._name, 0, 0xFFFF, here), enrp.HandleTableRequest(self._name, 0)):
            association.send(enrp.encode(message), PPID_ENRP)

    def _next(self) -> None:
        if self._asked is not None or not self._waiting:
            return
        self._asked = association = self._waiting.pop(0)
        self._table = Table(association.peer)
        for question in (enrp.Presence(0, 0, None, None, True), enrp.ListRequest(0, 0), enrp.HandleTableRequest(0, 0)):
            association.send(enrp.encode(question), PPID_ENRP)


async def ask(
    reactor: Any, stack: ISctpStack, addresses: Sequence[TransportAddress], timeout: float
) -> tuple[Table | None, dict[TransportAddress, str]]:
    """Ask, for so many seconds at most.

    @return: what one of them has, None if nobody tells; and what was said by those that do not.
    """
    asking = Asking(addresses)
    endpoints: dict[str, ISctpEndpoint] = {}
    try:
        for address in addresses:
            try:
                host = local_host_towards(address.hosts[0])
                if host not in endpoints:
                    endpoints[host] = stack.open(0, asking, (host,), False)
                asking.places[address] = endpoints[host]
                endpoints[host].connect(address)
            except (CannotListenError, ConfigurationError, OSError):
                # For example an address family that this host does not have.
                asking.gone(address)
        asking.done.addTimeout(timeout, reactor, lambda result, seconds: asking.late())
        return await asking.done, asking.why
    finally:
        for endpoint in endpoints.values():
            with suppress(ConfigurationError, OSError):
                endpoint.abort()


_SECURED = "it is secured, and answers registrars and operators alone: name keys or certificates with --security"
_NO_OPERATOR = "it takes us for nobody whom it answers: that needs the key of an operator (rserpool keys: operator)"
