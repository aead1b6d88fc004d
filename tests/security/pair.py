"""Both ends of a TLS connection in memory, and what they are made of."""

from __future__ import annotations

from functools import cache
from typing import Any

from rserpool.core.identity import Credentials, Identity
from rserpool.security.engine import TlsSide
from rserpool.security.failure import TlsFailure
from rserpool.security.keys import Key
from rserpool.security.settings import Certificate
from rserpool.security.way import Terms
from tests.security.certificates import Authority

KEY = Key("web1", bytes(range(16)))
SECOND = Key("web1@2", bytes(range(16, 48)))


@cache
def authority() -> Authority:
    """Who issues what is trusted."""
    return Authority()


@cache
def certificate(*names: str, **options: Any) -> Certificate:
    """A certificate that it issued."""
    return authority().issue(*names, **options)


def long_hellos() -> str | None:
    """Why packets are more than they should be: this Python offers ML-KEM, and cannot be asked for another group."""
    longer = len(TlsSide(Terms(False, own=KEY)).connection().start()) > 1200
    return "C{ssl} chooses groups since Python 3.15, and OpenSSL offers ML-KEM" if longer else None


def nobody(name: str) -> None:
    """No key is known."""


def dns(*names: str) -> list[Identity]:
    """These names."""
    return [Identity("dns", name) for name in names]


class Pair:
    """A client and a server, and the wire between them.

    @ivar failed: why each of them gave up.
    """

    def __init__(self, client: Any, server: Any) -> None:
        self.client, self.server = client, server
        self.failed: dict[str, str] = {}
        self.sent = {"client": b"", "server": b""}

    def run(self) -> Pair:
        """Let them speak until nobody has anything to say."""
        ends = {"client": self.client, "server": self.server}
        waiting = [("server", self.client.start())]
        while waiting:
            to, data = waiting.pop(0)
            end, other = ends[to], "client" if to == "server" else "server"
            self.sent[other] += data
            if to in self.failed:
                continue
            try:
                answer = end.open(data) and b"" if end.established else end.handshake(data)
            except TlsFailure as failure:
                self.failed[to] = str(failure)
                answer = end.output()
            if answer:
                waiting.append((other, answer))
        return self


class Rogue:
    """A server that checks nothing."""

    def __init__(self, terms: Terms) -> None:
        self.established = False
        self.credentials: Credentials = None
        context = TlsSide(terms).by_certificate
        assert context is not None
        self._wire = context.wire()

    def key(self, name: str) -> None:
        """It knows none."""

    def handshake(self, data: bytes) -> bytes:
        """Go on, whatever it is."""
        self.established = self._wire.step(data, self)
        return self._wire.output()

    def output(self) -> bytes:
        """What OpenSSL says."""
        return self._wire.output()
