"""The ceiling: a Twisted TCP server that answers framed requests from a dict, and does nothing else.

A process of its own, started by the benchmarks: C{python -m bench.ceiling PORT ELEMENTS}.
"""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet import reactor as installed
from twisted.internet.protocol import Factory, Protocol

from bench.load import POOL, registration
from rserpool.core.wire import asap
from rserpool.core.wire.parameters import encode_pool_element

reactor: Any = installed


class Dictionary(Protocol):
    """Looks each request up; requests are framed by their own length (RFC 5354 section 4)."""

    answers: dict[bytes, bytes]
    _rest = b""

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.setTcpNoDelay(True)  # type: ignore[attr-defined]

    def dataReceived(self, data: bytes) -> None:
        data = self._rest + data
        place = 0
        while len(data) - place >= 4:
            end = place + (int.from_bytes(data[place + 2 : place + 4], "big") + 3 & ~3)
            if len(data) < end:
                break
            assert self.transport is not None
            self.transport.write(self.answers[data[place:end]])
            place = end
        self._rest = data[place:]


def answers(elements: int) -> dict[bytes, bytes]:
    """A registrar's answers, ready made."""
    decoded = [asap.decode(registration(identifier)).message for identifier in range(1, elements + 1)]
    wires = [encode_pool_element(one.element) for one in decoded if isinstance(one, asap.Registration)]
    found = {asap.encode(asap.HandleResolution(POOL)): asap.encode_handle_resolution_response(POOL, b"", wires)}
    for identifier in range(1000, 1100):
        found[registration(identifier)] = asap.encode(asap.RegistrationResponse(POOL, identifier))
    return found


def main() -> None:
    """Serve until it is ended."""
    factory = Factory.forProtocol(Dictionary)
    Dictionary.answers = answers(int(sys.argv[2]))
    reactor.listenTCP(int(sys.argv[1]), factory, interface="127.0.0.1")
    reactor.callWhenRunning(print, "serves", flush=True)
    reactor.callLater(600, reactor.stop)
    reactor.run()


if __name__ == "__main__":
    main()
