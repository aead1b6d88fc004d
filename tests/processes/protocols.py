r"""AMP, Perspective Broker, IRC (words) and SSH (conch), served and asked as Twisted has them: each says who serves.

C{python -m tests.processes.protocols NAME REGISTRAR} serves them all, each in the pool of its name, by
C{rserpool:POOL:tcp\:0}.
"""

from __future__ import annotations

import sys
from typing import Any

from twisted.conch.avatar import ConchUser
from twisted.conch.interfaces import ISession
from twisted.conch.ssh import keys
from twisted.conch.ssh.channel import SSHChannel
from twisted.conch.ssh.common import NS
from twisted.conch.ssh.connection import SSHConnection
from twisted.conch.ssh.factory import SSHFactory
from twisted.conch.ssh.session import SSHSession
from twisted.conch.ssh.transport import SSHClientTransport
from twisted.conch.ssh.userauth import SSHUserAuthClient
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import IRealm, Portal
from twisted.internet.defer import Deferred, ensureDeferred, maybeDeferred, succeed
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.protocol import Factory, connectionDone
from twisted.internet.testing import StringTransport
from twisted.protocols import amp
from twisted.python.components import registerAdapter
from twisted.python.failure import Failure
from twisted.spread import pb
from twisted.words.protocols import irc
from twisted.words.service import InMemoryWordsRealm, IRCFactory
from zope.interface import implementer

USER, PASSWORD = "user", "secret"


@implementer(ICredentialsChecker)
class OneUser:
    """Knows one user; conch has names as bytes, words as text."""

    credentialInterfaces = (IUsernamePassword,)

    async def _check(self, credentials: Any) -> Any:
        password = PASSWORD if isinstance(credentials.username, str) else PASSWORD.encode()
        if not await maybeDeferred(credentials.checkPassword, password):
            raise UnauthorizedLogin
        return credentials.username

    def requestAvatarId(self, credentials: Any) -> Any:
        return ensureDeferred(self._check(credentials))


# AMP


class Who(amp.Command):
    """Who serves?"""

    response = [(b"name", amp.Unicode())]


def amp_server(name: str) -> IProtocolFactory:
    """AMP: answers L{Who}."""

    class Server(amp.AMP):
        @Who.responder
        def who(self) -> dict[str, str]:
            return {"name": name}

    return Factory.forProtocol(Server)


class AmpClient:
    """Asks by L{Who}."""

    def __init__(self) -> None:
        self.factory: Any = Factory.forProtocol(amp.AMP)

    async def ask(self, protocol: Any) -> str:
        return (await protocol.callRemote(Who))["name"]


# Perspective Broker


def pb_server(name: str) -> IProtocolFactory:
    """A root object that says it."""

    class Root(pb.Root):
        def remote_who(self) -> str:
            return name

    return pb.PBServerFactory(Root())


class PbClient:
    """Asks the root object."""

    def __init__(self) -> None:
        self.factory: Any = pb.PBClientFactory()

    async def ask(self, protocol: Any) -> str:
        root = await self.factory.getRootObject()
        return await root.callRemote("who")


# IRC


def irc_server(name: str) -> IProtocolFactory:
    """The server's name is in all its messages."""
    realm = InMemoryWordsRealm(name)
    realm.createUserOnRequest = True
    return IRCFactory(realm, Portal(realm, [OneUser()]))


class IrcSession(irc.IRCClient):
    """One connection, which signs on."""

    nickname = USER
    password: Any = PASSWORD

    def __init__(self) -> None:
        self.asked: list[Deferred[str]] = []

    def irc_PONG(self, prefix: str, params: list[str]) -> None:
        self.asked.pop(0).callback(prefix)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        super().connectionLost(reason)
        asked, self.asked = self.asked, []
        for each in asked:
            each.errback(reason)


class IrcClient:
    """Pings; a server's name stands before its answer."""

    def __init__(self) -> None:
        self.factory: Any = Factory.forProtocol(IrcSession)

    async def ask(self, protocol: Any) -> str:
        answer: Deferred[str] = Deferred()
        protocol.asked.append(answer)
        protocol.sendLine("PING who")
        return await answer


# SSH


@implementer(ISession)
class Command:
    """A command says it, whatever it is."""

    def __init__(self, avatar: Any) -> None:
        self._name = avatar.name

    def execCommand(self, protocol: Any, command: bytes) -> None:
        protocol.makeConnection(StringTransport())
        protocol.outReceived(self._name.encode())
        protocol.processEnded(None)

    def getPty(self, *_: Any) -> None:
        """No terminal."""

    windowChanged = openShell = getPty

    def eofReceived(self) -> None:
        """Nobody writes."""

    def closed(self) -> None:
        """It has ended."""


class Avatar(ConchUser):
    """Somebody who may run commands."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.channelLookup[b"session"] = SSHSession


registerAdapter(Command, Avatar, ISession)


def ssh_server(name: str) -> IProtocolFactory:
    """Commands say it."""

    @implementer(IRealm)
    class Realm:
        def requestAvatar(self, avatarId: Any, mind: Any, *interfaces: Any) -> Any:
            return interfaces[0], Avatar(name), lambda: None

    key = keys.Key._fromEd25519Components(a=_PUBLIC, k=_PRIVATE)

    class Server(SSHFactory):
        publicKeys = {b"ssh-ed25519": key}
        privateKeys = {b"ssh-ed25519": key}

        def getPrimes(self) -> None:
            return None

    factory: Any = Server()
    factory.portal = Portal(Realm(), [OneUser()])
    return factory


class _UserAuth(SSHUserAuthClient):
    def getPassword(self, prompt: Any = None) -> Any:
        return succeed(PASSWORD.encode())


class _Connection(SSHConnection):
    def __init__(self, ready: Deferred[Any]) -> None:
        super().__init__()
        self._ready = ready

    def serviceStarted(self) -> None:
        self._ready.callback(self)


class _Channel(SSHChannel):
    name = b"session"

    def __init__(self, answer: Deferred[str]) -> None:
        super().__init__()
        self._answer = answer
        self._data = b""

    def channelOpen(self, data: bytes) -> None:
        self.conn.sendRequest(self, b"exec", NS(b"who"), wantReply=False)

    def dataReceived(self, data: bytes) -> None:
        self._data += data

    def closed(self) -> None:
        if self._data:
            self._answer.callback(self._data.decode())
        else:
            self._answer.errback(ConnectionLost())


class SshTransport(SSHClientTransport):
    """One connection, which logs in; all elements have the same host key."""

    def __init__(self) -> None:
        self.connection: Any = None
        self.ready: Deferred[Any] = Deferred()

    def verifyHostKey(self, pubKey: bytes, fingerprint: bytes) -> Any:
        return succeed(keys.Key.fromString(pubKey) == keys.Key._fromEd25519Components(a=_PUBLIC))

    def connectionSecure(self) -> None:
        self.requestService(_UserAuth(USER.encode(), _Connection(self.ready)))


class SshClient:
    """Runs a command."""

    def __init__(self) -> None:
        self.factory: Any = Factory.forProtocol(SshTransport)

    async def ask(self, protocol: Any) -> str:
        if protocol.connection is None:
            protocol.connection = await protocol.ready
        answer: Deferred[str] = Deferred()
        protocol.connection.openChannel(_Channel(answer))
        return await answer


_PUBLIC = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
_PRIVATE = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
"""The first test vector of RFC 8032: nobody's secret."""

SERVERS = {"amp": amp_server, "pb": pb_server, "irc": irc_server, "ssh": ssh_server}
CLIENTS: dict[str, Any] = {"amp": AmpClient, "pb": PbClient, "irc": IrcClient, "ssh": SshClient}


def main(name: str, registrar: str) -> None:
    """Serve them all."""
    from twisted.internet import reactor
    from twisted.logger import globalLogBeginner, textFileLogObserver

    globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stdout)], redirectStandardIO=False)
    where = registrar.replace(":", r"\:")
    for pool, server in SERVERS.items():
        listening = serverFromString(reactor, rf"rserpool:{pool}:tcp\:0:registrar={where}").listen(server(name))

        def registered(port: Any, pool: str = pool) -> None:
            port.registered.addCallback(lambda identifier: print(f"{pool}: {identifier}", flush=True))

        listening.addCallback(registered)
    reactor.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
