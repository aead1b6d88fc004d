"""Programs of the suite's servers: C{python -m tests.field.programs KIND NAME WHERE} answers NAME to whoever asks.

WHERE is a server string for those on Twisted, a port of 127.0.0.1 for the others.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from threading import Thread

HOST = "127.0.0.1"
NAMES = ["one", "two", "three"]


def klein(name: str, where: str) -> None:
    from klein import Klein

    app = Klein()
    app.route("/")(lambda request: name)
    app.run(endpoint_description=where)


def uvicorn(name: str, where: str) -> None:
    import uvicorn

    uvicorn.run(asgi(name), host=HOST, port=int(where), log_level="warning")


def asgi(name: str) -> Callable:
    """An ASGI application: over HTTP it answers its name, and it knows a lifespan. C{/ill} makes C{/health} say 503."""
    said = {"/health": 200}

    async def app(scope, receive, send) -> None:
        if scope["type"] == "lifespan":
            while (event := (await receive())["type"]) != "lifespan.shutdown":
                await send({"type": f"{event}.complete"})
            await send({"type": f"{event}.complete"})
        elif scope["type"] == "http":
            if (path := scope["path"]) in ("/ill", "/well"):
                said["/health"] = 503 if path == "/ill" else 200
            status = said.get(path, 200)
            await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"text/plain")]})
            await send({"type": "http.response.body", "body": name.encode()})

    return app


def hypercorn(name: str, where: str) -> None:
    from hypercorn.asyncio import serve
    from hypercorn.config import Config

    config = Config()
    config.bind = [f"{HOST}:{where}"]
    asyncio.run(serve(asgi(name), config))


def aiohttp(name: str, where: str) -> None:
    from aiohttp import web

    async def answer(request) -> web.Response:
        return web.Response(text=name)

    app = web.Application()
    app.router.add_get("/", answer)
    web.run_app(app, host=HOST, port=int(where), print=None)


def websockets(name: str, where: str) -> None:
    from websockets.asyncio.server import serve

    async def main() -> None:
        async with serve(lambda connection: connection.send(name), HOST, int(where)) as server:
            await server.serve_forever()

    asyncio.run(main())


def aiosmtpd(name: str, where: str) -> None:
    from aiosmtpd.handlers import Sink
    from aiosmtpd.smtp import SMTP

    async def main() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: SMTP(Sink(), hostname=name, loop=loop), HOST, int(where))
        await server.serve_forever()

    asyncio.run(main())


def pymodbus(name: str, where: str) -> None:
    from pymodbus.server import StartTcpServer
    from pymodbus.simulator import DataType, SimData, SimDevice

    device = SimDevice(1, simdata=[SimData(0, values=[NAMES.index(name), 0], datatype=DataType.REGISTERS)])
    StartTcpServer(device, address=(HOST, int(where)))


def amqtt(name: str, where: str) -> None:
    from amqtt.broker import Broker

    async def main() -> None:
        listeners = {"default": {"type": "tcp", "bind": f"{HOST}:{where}"}}
        plugins = {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}
        broker = Broker({"listeners": listeners, "plugins": plugins})
        await broker.start()
        await broker.retain_message(None, "name", name.encode())
        await asyncio.Event().wait()

    asyncio.run(main())


def fakeredis(name: str, where: str) -> None:
    from fakeredis import TcpFakeServer
    from redis import Redis

    server = TcpFakeServer((HOST, int(where)), server_type="redis")
    Thread(target=server.serve_forever).start()
    Redis(HOST, int(where), protocol=2).set("name", name)


def autobahn(name: str, where: str) -> None:
    from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol

    class Named(WebSocketServerProtocol):
        def onOpen(self) -> None:
            self.sendMessage(name.encode())

    factory = WebSocketServerFactory()
    factory.protocol = Named
    on_string(where, factory)


def ldaptor(name: str, where: str) -> None:
    from ldaptor.inmemory import ReadOnlyInMemoryLDAPEntry
    from ldaptor.interfaces import IConnectedLDAPEntry
    from ldaptor.protocols.ldap.ldapserver import LDAPServer
    from twisted.internet.protocol import ServerFactory
    from twisted.python.components import registerAdapter

    entry = {"objectClass": ["organization"], "o": ["field"], "description": [name]}
    root = ReadOnlyInMemoryLDAPEntry("o=field", entry)

    class Factory(ServerFactory):
        protocol = LDAPServer

    registerAdapter(lambda factory: root, Factory, IConnectedLDAPEntry)

    on_string(where, Factory())


def on_string(where: str, factory) -> None:
    """Serve on a server string until SIGTERM."""
    from twisted.internet import reactor
    from twisted.internet.endpoints import serverFromString
    from twisted.logger import globalLogBeginner, textFileLogObserver

    globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stderr)])
    serverFromString(reactor, where).listen(factory)
    reactor.run()


KINDS = (klein, uvicorn, hypercorn, aiohttp, websockets, aiosmtpd, pymodbus, amqtt, fakeredis, autobahn, ldaptor)
if __name__ == "__main__":
    print(f"pid {os.getpid()}", flush=True)
    {each.__name__: each for each in KINDS}[sys.argv[1]](*sys.argv[2:])
