"""Reads the handle tables of registrars over ENRP (RFC 5353 section 2.2), as somebody who is no registrar.

A process of its own, started by the benchmarks: C{python -m bench.tables --help}. It prints one line of JSON for each
registrar: how many elements it has, a digest of them all, and by home registrar their number and checksum. With
C{--poll} it reads on, and prints a line whenever something changed, with the time.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections import Counter
from typing import Any

from twisted.internet import reactor as installed
from twisted.python.failure import Failure

from rserpool.core import parse_transport_address
from rserpool.core.handlespace.checksum import fold, handle_sum, identifier_sum
from rserpool.core.profiles import RFC
from rserpool.core.wire import enrp
from rserpool.core.wire.parameters import encode_pool_element
from rserpool.sctp import ISctpAssociation, open_stack
from rserpool.sctp.base import PPID_ENRP, SctpHandler

reactor: Any = installed
LATER = 0.2
"""Seconds until a registrar that refused is asked again."""


class Table:
    """The table of one registrar, as it comes in."""

    def __init__(self, at: str) -> None:
        self.at = at
        self.last: dict[str, Any] | None = None
        self._clear()

    def _clear(self) -> None:
        self._lines: list[bytes] = []
        self._homes: Counter[int] = Counter()
        self._sums: Counter[int] = Counter()

    def take(self, response: enrp.HandleTableResponse) -> None:
        """One more response."""
        for entry in response.entries:
            for element in entry.elements:
                self._lines.append(entry.handle + b"\0" + encode_pool_element(element))
                self._homes[element.home] += 1
                self._sums[element.home] += handle_sum(entry.handle) + identifier_sum(element.identifier)

    def finish(self) -> dict[str, Any]:
        """What it was; the next begins empty."""
        lines, homes, sums = sorted(self._lines), self._homes, self._sums
        self._clear()
        return {
            "at": self.at,
            "elements": len(lines),
            "digest": hashlib.sha256(b"".join(lines)).hexdigest()[:16],
            "homes": {str(home): homes[home] for home in sorted(homes)},
            "checksums": {str(home): f"0x{fold(sums[home]):04x}" for home in sorted(sums)},
        }


class Reading(SctpHandler):
    """Asks every registrar for its table."""

    def __init__(self, poll: float | None) -> None:
        self.tables: dict[Any, Table] = {}
        self._poll = poll
        self._left = 0

    def start(self, stack: Any, addresses: list[Any]) -> None:
        """Connect to each."""
        self._left = len(addresses)
        endpoint = stack.open(0, self, ("127.0.0.1",), False)
        for address in addresses:
            self.tables[address] = Table(str(address))
            endpoint.connect(address)

    def associationUp(self, association: ISctpAssociation) -> None:
        self._ask(association)

    def messageReceived(
        self, association: ISctpAssociation, data: bytes, ppid: int, stream: int, unordered: bool
    ) -> None:
        message = enrp.decode(data).message
        if not isinstance(message, enrp.HandleTableResponse):
            return
        table = self.tables[association.peer]
        table.take(message)
        if message.rejected:
            reactor.callLater(LATER, self._ask, association)
        elif message.more_to_send:
            self._ask(association)
        else:
            self._have(association, table)

    def associationLost(self, association: ISctpAssociation, reason: Failure) -> None:
        self._done()

    def _ask(self, association: ISctpAssociation) -> None:
        if association.established:
            association.send(enrp.encode(enrp.HandleTableRequest(0, 0)), PPID_ENRP)

    def _have(self, association: ISctpAssociation, table: Table) -> None:
        found = table.finish()
        if found != table.last:
            table.last = found
            print(json.dumps({"time": time.monotonic(), **found}), flush=True)
        if self._poll is None:
            self._done()
        else:
            reactor.callLater(self._poll, self._ask, association)

    def _done(self) -> None:
        self._left -= 1
        if not self._left and reactor.running:
            reactor.stop()


def main() -> None:
    """Read them once, or over and over."""
    parser = argparse.ArgumentParser(description="Reads the handle tables of registrars.")
    parser.add_argument("registrar", nargs="+", type=parse_transport_address, metavar="HOST:PORT/UDPPORT")
    parser.add_argument("--poll", type=float, metavar="SECONDS", help="read on, so long after each table")
    parser.add_argument("--seconds", type=float, default=120.0, help="when it ends at the latest")
    options = parser.parse_args()
    stack = open_stack(reactor, profile=RFC, hosts=("127.0.0.1",))
    reading = Reading(options.poll)
    reactor.callWhenRunning(reading.start, stack, options.registrar)
    reactor.callLater(options.seconds, reactor.stop)
    reactor.run()


if __name__ == "__main__":
    main()
