"""Elements with nothing to say: C{python -m tests.field.crowd REGISTRAR NUMBER} serves so many in C{pool}."""

from __future__ import annotations

import sys

from twisted.internet import reactor
from twisted.internet.endpoints import serverFromString
from twisted.internet.protocol import Factory, Protocol
from twisted.logger import globalLogBeginner, textFileLogObserver

from rserpool.core import TcpTransport
from rserpool.element import PoolElementService
from rserpool.node.candidates import registrars_from


def main(registrar: str, number: str) -> None:
    """Serve."""
    globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stdout)], redirectStandardIO=False)
    for each in range(int(number)):
        port = 8000 + each
        serverFromString(reactor, f"tcp:{port}").listen(Factory.forProtocol(Protocol))
        element = PoolElementService(reactor, registrars=registrars_from([registrar]))
        element.startService()
        element.serve("pool", TcpTransport(port, element.hosts[0]), identifier=each + 1)
    reactor.run()  # type: ignore[attr-defined]


if __name__ == "__main__":
    main(*sys.argv[1:])
