"""WebSocket, LDAP, Modbus, SMTP, MQTT and Redis: servers and clients from the package index."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import connectProtocol

from tests.field.harness import FieldTests
from tests.field.programs import NAMES
from tests.field.rows import CUT, row

PROCMON = "`rserpool-pe --port P -- procmon`"
STRING = "`serverFromString(reactor, 'rserpool:...')`"


def by_websockets(port: int) -> str:
    from websockets.sync.client import connect

    with connect(f"ws://127.0.0.1:{port}/", open_timeout=10, proxy=None) as connection:
        name = connection.recv(timeout=10)
        return name if isinstance(name, str) else name.decode()


def by_pymodbus(port: int) -> str:
    from pymodbus.client import ModbusTcpClient

    with ModbusTcpClient("127.0.0.1", port=port, timeout=10, retries=0) as client:
        return NAMES[client.read_holding_registers(0, count=1).registers[0]]


def by_smtplib(port: int) -> str:
    from smtplib import SMTP

    with SMTP("127.0.0.1", port, timeout=10) as client:
        greeting = client.ehlo()[1].decode().split()[0]
        client.sendmail("a@example.com", ["b@example.com"], "Subject: field\n\nfield\n")
        return greeting


def by_paho(port: int) -> str:
    from paho.mqtt.client import Client
    from paho.mqtt.enums import CallbackAPIVersion

    came, names = Event(), []

    def received(client: Any, data: Any, message: Any) -> None:
        names.append(message.payload.decode())
        came.set()

    def subscribe(*arguments: Any) -> None:
        client.subscribe("name")

    client = Client(CallbackAPIVersion.VERSION2)
    client.on_message = received
    client.on_connect = subscribe
    client.connect("127.0.0.1", port)
    client.loop_start()
    came.wait(10)
    client.disconnect()
    client.loop_stop()
    return names[0]


def by_redis(port: int) -> str:
    from redis import Redis

    with Redis("127.0.0.1", port, socket_timeout=10, protocol=2) as client:
        return client.get("name").decode()


class OtherTests(FieldTests):
    """Each answers its name."""

    async def supervised_and_proxied(self, kind: str, ask: Callable[[int], str]) -> None:
        """Programs that cut what is under way when they are asked to end."""
        await self.begin()
        await self.fail_over(lambda name: self.supervised(kind, name), await self.proxied(ask))

    @row("autobahn, WebSocket", STRING, "websockets through `rserpool proxy`")
    async def test_autobahn(self) -> None:
        await self.begin()
        await self.fail_over(lambda name: self.program("autobahn", name), await self.proxied(by_websockets))

    @row("websockets", PROCMON, "autobahn's client on `rserpool:POOL`", drained=CUT)
    async def test_websockets(self) -> None:
        from autobahn.twisted.websocket import WebSocketClientFactory, WebSocketClientProtocol

        await self.begin()
        endpoint = self.endpoint()

        async def ask() -> str:
            came: Deferred[str] = Deferred()

            class Client(WebSocketClientProtocol):
                def onMessage(self, payload: bytes, isBinary: bool) -> None:
                    came.callback(payload.decode())

                def onClose(self, *arguments: Any) -> None:
                    if not came.called:
                        came.errback(ConnectionError(str(arguments)))

            factory = WebSocketClientFactory("ws://field/")
            factory.protocol = Client
            protocol = await endpoint.connect(factory)
            name = await came
            protocol.transport.abortConnection()
            return name

        await self.fail_over(lambda name: self.supervised("websockets", name), ask)

    @row("ldaptor, LDAP", STRING, "ldaptor's client on `rserpool:POOL`")
    async def test_ldaptor(self) -> None:
        from ldaptor.protocols.ldap.ldapclient import LDAPClient
        from ldaptor.protocols.ldap.ldapsyntax import LDAPEntry

        await self.begin()
        endpoint = self.endpoint()

        async def ask() -> str:
            client = await connectProtocol(endpoint, LDAPClient())
            (found,) = await LDAPEntry(client, "o=field").search()
            client.unbind()
            (name,) = found["description"]
            return name.decode() if isinstance(name, bytes) else name

        await self.fail_over(lambda name: self.program("ldaptor", name), ask)

    @row("pymodbus, Modbus TCP", PROCMON, "pymodbus through `rserpool proxy`", drained=CUT)
    async def test_pymodbus(self) -> None:
        await self.begin()
        await self.fail_over(lambda name: self.supervised("pymodbus", name), await self.proxied(by_pymodbus))

    @row("aiosmtpd, SMTP", PROCMON, "smtplib through `rserpool proxy`", drained=CUT)
    async def test_aiosmtpd(self) -> None:
        await self.begin()
        await self.fail_over(lambda name: self.supervised("aiosmtpd", name), await self.proxied(by_smtplib))

    @row("aMQTT, a broker of MQTT", PROCMON, "paho-mqtt through `rserpool proxy`", drained=CUT)
    async def test_amqtt(self) -> None:
        await self.supervised_and_proxied("amqtt", by_paho)

    @row("fakeredis, Redis", PROCMON, "redis-py through `rserpool proxy`", drained=CUT)
    async def test_fakeredis(self) -> None:
        await self.begin()
        await self.fail_over(lambda name: self.supervised("fakeredis", name), await self.proxied(by_redis))
