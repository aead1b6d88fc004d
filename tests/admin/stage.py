"""An admin interface in a scope in memory, and who asks it: raw requests over the scope's TCP."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.protocol import Factory

from rserpool.admin.places import TcpPlace
from rserpool.admin.service import AdminService
from rserpool.admin.subjects import RegistrarSubject, Subject
from rserpool.core import TransportAddress
from rserpool.testing import Scope
from tests.pool_scope import Taking

PORT = 8080


class Said:
    """One answer.

    @ivar status: of HTTP; 0 where there was none.
    """

    def __init__(self, data: bytes) -> None:
        head, _, body = data.partition(b"\r\n\r\n")
        first, *lines = head.split(b"\r\n")
        self.status = int(first.split()[1]) if first else 0
        self.headers = {name.lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines)}
        self.body = _whole(body) if self.headers.get(b"transfer-encoding") == b"chunked" else body

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        return self.json["error"]


class Admin:
    """An admin interface of a process of a scope: at its own address, since nothing else is dialled in memory."""

    tls: Any = None

    def __init__(self, case: Any, scope: Scope, process: Any, subject: Subject | None = None, **options: Any) -> None:
        self.scope = scope
        self.process = process
        place = TcpPlace(TransportAddress((process.host,), PORT), False)
        subject = subject or RegistrarSubject(process.service)
        self.service = AdminService(process.reactor, subject, [place], **options)
        self.service.startService()
        case.addCleanup(self.service.stopService)

    def connect(self) -> Taking:
        """A connection; C{lost} is set at once where nobody lets it in."""
        made: list[Taking] = []

        class Client(Factory):
            noisy = False

            def buildProtocol(self, addr: Any) -> Taking:
                made.append(Taking())
                return made[-1]

            def startedConnecting(self, connector: Any) -> None: ...

            def clientConnectionLost(self, connector: Any, reason: Any) -> None: ...

            def clientConnectionFailed(self, connector: Any, reason: Any) -> None:
                made.append(Taking())
                made[-1].lost = made[-1].transport = reason

        if self.tls is None:
            self.process.reactor.connectTCP(self.process.host, PORT, Client())
        else:
            self.process.reactor.connectSSL(self.process.host, PORT, Client(), self.tls)
        self.scope.until(lambda: bool(made) and made[0].transport is not None)
        return made[0]

    def ask(self, path: str, method: str = "GET", body: bytes = b"", **headers: str) -> Said:
        """One request, and the answer to it. Of a header's name C{_} stands for C{-}."""
        given = {"Host": f"127.0.0.1:{PORT}", "Connection": "close", **headers}
        if body:
            given.setdefault("Content-Length", str(len(body)))
        lines = [f"{method} {path} HTTP/1.1", *(f"{name.replace('_', '-')}: {value}" for name, value in given.items())]
        return self.raw("\r\n".join([*lines, "", ""]).encode() + body)

    def raw(self, data: bytes) -> Said:
        """What is answered until the connection ends."""
        client = self.connect()
        client.transport.write(data)
        self.scope.until(lambda: client.lost is not None)
        return Said(client.received)


def body_of(received: bytes) -> bytes:
    """What has come so far of an answer in chunks."""
    return _whole(received.partition(b"\r\n\r\n")[2])


def _whole(chunked: bytes) -> bytes:
    body = b""
    while chunked:
        size, _, rest = chunked.partition(b"\r\n")
        length = int(size or b"0", 16)
        if not length:
            break
        body += rest[:length]
        chunked = rest[length + 2 :]
    return body
