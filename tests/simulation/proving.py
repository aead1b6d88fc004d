"""Who proves what to whom in a secured cluster: the outcome of a TLS handshake, without its records.

A key is known by its name; who has it genuinely, and who knows it, decides. Everything else is the product's own.
"""

from __future__ import annotations

from typing import Any

from rserpool.core.access import Access, Principal, State
from rserpool.core.addresses import ENRP_PORT, TransportAddress
from rserpool.core.element import PoolElement
from rserpool.core.identity import Credentials, Identity
from rserpool.core.trail import Acted
from rserpool.testing import ElementProcess, Process, RegistrarProcess, UserProcess


class Prover(Process):
    """A process that speaks TLS, or, where it has no key and nobody has given it one, is a user.

    @ivar key: the identity of its key; None for a user.
    @ivar genuine: whether it has the secret of that key, and the certificate of the scope; else it has guessed.
    @ivar clear: whether it speaks in the clear.
    """

    key: Identity | None = None
    genuine = True
    clear = False

    def knows(self, key: Identity) -> bool:
        """Whether it has the secret of somebody else's key."""
        return False

    def _told(self, log: Any, report: Any, *arguments: Any) -> None:
        association, kind = arguments[0], report.__name__
        failed = self.__dict__.setdefault("_failed", set())
        if kind == "associationUp":
            proved = self._handshake(association)
            if isinstance(proved, str):
                failed.add(association)
                association.abort()
                return
            association.credentials = proved
        elif association in failed:
            if kind != "associationLost":
                return
            failed.discard(association)
        super()._told(log, report, *arguments)

    def _handshake(self, association: Any) -> Credentials | str:
        """What the other end has proved to this one; a text, if it fails."""
        other = self._at(association.peer)
        assert isinstance(other, Prover)
        dialler = self if association.outbound else other
        if dialler.clear:
            return None
        if self.clear or other.clear:
            return "not TLS"
        enrp = ENRP_PORT in (association.endpoint.port, association.peer.port)
        server = other if dialler is self else self
        if not enrp:
            # On ASAP the registrar is the server, whoever dialled.
            server = self if isinstance(self, RegistrarProcess) else other
        client = other if server is self else self
        if client.key is None:
            if not server.genuine:
                return "no certificate of the scope"
            return () if server is self else (Identity("dns", server.name),)
        if not (client.genuine and server.genuine and server.knows(client.key)):
            return "no such key"
        return (client.key,)

    def _at(self, place: TransportAddress) -> Process:
        processes: dict[str, Process] = self.scope.processes  # type: ignore[attr-defined]
        return processes[self.scope.network.names[place.hosts[0]]]


class SecuredRegistrar(Prover, RegistrarProcess):
    """A registrar that requires TLS.

    @ivar access: who may be what, as its operator has said it here.
    @ivar retired: whether its operator takes it away.
    @ivar trail: where it writes who did what.
    """

    access: Access
    trail: list[Acted]
    retired = False

    def knows(self, key: Identity) -> bool:
        return key in self.access.identities

    def learn(self, access: Access) -> None:
        """Its operator has changed who may be what."""
        self.access = access
        if self.alive:
            self.reactor.enter(self._heard)

    def _heard(self) -> None:
        if self.alive:
            self.note("hears who may be what")
            self.node.perform(self.role.access_changed(self.access, self.node.now()))

    def note(self, what: Any) -> None:
        if isinstance(what, Acted):
            self.trail.append(what)
        super().note(what)

    def _start(self) -> None:
        super()._start()
        self.node.perform(self.role.access_changed(self.access, self.node.now()))


class SecuredElement(Prover, ElementProcess):
    """An element that has a key.

    @ivar banned: whether its key is not valid any more.
    """

    banned = False

    def prove(self, key: Identity) -> None:
        """It has another key."""
        self.key = key
        if self.alive:
            self.reactor.enter(self._prove)

    def _prove(self) -> None:
        if self.alive:
            self.note(f"has the key {self.key}")
            self.node.perform(self.role.identity_changed(self.node.now()))

    def _start(self) -> None:
        super()._start()
        assert isinstance(self.role, PoolElement)
        self.role.secured = True


class SecuredUser(Prover, UserProcess):
    """A user that believes registrars of the scope alone."""

    def _start(self) -> None:
        super()._start()
        if self.role is not None:
            self.role.secured = True


def psk(name: str) -> Identity:
    """The identity of a key."""
    return Identity("psk", name)


class Directory:
    """Who may be what, as the operator wants it; each registrar hears of a change at another time.

    @ivar keys: which keys are valid, by the process that has them.
    """

    def __init__(self, registrars: int, elements: int) -> None:
        self.registrars = [f"r{number}" for number in range(1, registrars + 1)]
        self.elements = [f"e{number}" for number in range(1, elements + 1)]
        self.keys = {name: frozenset({psk(name)}) for name in (*self.registrars, *self.elements)}

    def access(self, own: str, key: Identity | None) -> Access:
        """What the file of one registrar says, which has this key."""
        others = (Principal(name, self.keys[name], registrar=True) for name in self.registrars if name != own)
        elements = (Principal(name, self.keys[name], element=True) for name in self.elements)
        # An attacker has one valid key: that of an element of another pool.
        insider = Principal("insider", frozenset({psk("insider")}), element=True, pools=frozenset({b"attic"}))
        known = [each for each in (*others, *elements) if each.identities]
        return Access([*known, insider], State.REQUIRED, own=key)
