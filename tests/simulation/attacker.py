"""Somebody who has the network, and at most the key of an element of another pool: says what could change something."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

from rserpool.core import PolicyParameter, PoolElementParameter, SctpTransport, TcpTransport, TransportAddress
from rserpool.core.access import Access, Principal
from rserpool.core.addresses import ASAP_PORT, ENRP_PORT
from rserpool.core.registrar import Registrar
from rserpool.core.wire import asap, enrp
from rserpool.registrar.service import RegistrarService
from rserpool.sctp.base import PPID_ASAP, PPID_ENRP, SctpHandler
from rserpool.sctp.interfaces import ISctpAssociation
from tests.simulation.proving import Prover, SecuredRegistrar, psk

DISGUISES = ("clear", "nobody", "insider", "guesses")
"""In the clear; over TLS without a key; with the valid key of an element of another pool; with a key, and no secret."""
OWN = 0x0BADBAD0


class Attacker(Prover):
    """A process that dials registrars and elements.

    @ivar said: how many messages it sent.
    """

    letter, net = "x", 3
    said = 0
    service: Any = None

    @property
    def role(self) -> Any:
        return None

    def _start(self) -> None:
        self._endpoint = self.stack.open(0, _Talk(self), (self.host,))

    def attack(self, dice: Random) -> None:
        """Dial somebody, as somebody."""
        disguise = dice.choice(DISGUISES)
        processes = [each for each in self.scope.processes.values() if each.alive]  # type: ignore[attr-defined]
        victims = [each for each in processes if isinstance(each, SecuredRegistrar)]
        if not victims:
            return
        self.clear, self.genuine = disguise == "clear", disguise != "guesses"
        self.key = psk("insider") if disguise == "insider" else psk("e1") if disguise == "guesses" else None
        victim: Any = dice.choice(victims)
        port = dice.choice((ASAP_PORT, ENRP_PORT))
        self.note(f"attacks {victim.name}:{port} as {disguise}")
        elements = [(handle, each) for pool in victim.role.handlespace.pools.values() for handle, each in _named(pool)]
        self._messages = self._asap(dice, elements) if port == ASAP_PORT else self._enrp(dice, elements, victims)
        self._ppid = PPID_ASAP if port == ASAP_PORT else PPID_ENRP
        association = self._endpoint.connect(TransportAddress((victim.host,), port))
        self.scope.clock.callLater(dice.uniform(0.1, 2.0), association.abort)

    def talk(self, association: ISctpAssociation) -> None:
        """It is up."""
        for data in self._messages:
            self.said += 1
            association.send(data, self._ppid)

    def _element(self, identifier: int, home: int = 0) -> PoolElementParameter:
        own = TcpTransport(80, self.host)
        control = SctpTransport(7000, 0, (self.host,)) if home else None
        return PoolElementParameter(identifier, home, 300, own, PolicyParameter(1), control, owner=psk("insider"))

    def _asap(self, dice: Random, elements: list[Any]) -> list[bytes]:
        handle, found = dice.choice(elements) if elements else (b"pool-0", None)
        identifier = OWN if found is None else found.identifier
        messages: list[Any] = [
            asap.Registration(handle, self._element(identifier)),
            asap.Registration(handle, self._element(OWN)),
            asap.Deregistration(handle, identifier),
            asap.EndpointKeepAliveAck(handle, identifier),
        ]
        if found is not None:
            messages.append(asap.Registration(handle, replace(found.parameter(), home=0, asap_transport=None)))
        dice.shuffle(messages)
        return [asap.encode(message) for message in messages]

    def _enrp(self, dice: Random, elements: list[Any], registrars: list[Any]) -> list[bytes]:
        handle, found = dice.choice(elements) if elements else (b"pool-0", None)
        name = dice.choice([OWN, *(each.identifier for each in registrars)])
        messages: list[Any] = [
            enrp.Presence(name, 0, 0x1234, None, True, True, psk(dice.choice(("r1", "insider")))),
            enrp.HandleUpdate(name, 0, 0, handle, self._element(OWN, name)),
            enrp.InitTakeover(name, 0, dice.choice(registrars).identifier),
            enrp.TakeoverServer(name, 0, dice.choice(registrars).identifier),
            enrp.HandleTableRequest(0, 0),
        ]
        if found is not None:
            gone = replace(found.parameter(), home=name)
            messages.append(enrp.HandleUpdate(found.home, 0, 1, handle, gone))
            messages.append(enrp.HandleUpdate(name, 0, 0, handle, self._element(found.identifier, name)))
        dice.shuffle(messages)
        return [enrp.encode(message) for message in messages]


class Rogue(Prover):
    """A registrar that has no more than the key of an element: it wants to be a peer.

    @ivar service: its L{RegistrarService}.
    """

    letter, net = "y", 4
    service: RegistrarService

    @property
    def role(self) -> Registrar:
        return self.service.registrar

    def _start(self) -> None:
        self.key = psk("insider")
        others = [each for each in self.scope.processes.values() if isinstance(each, SecuredRegistrar)]  # type: ignore[attr-defined]
        peers = [TransportAddress((each.host,), ENRP_PORT) for each in others]
        self.service = RegistrarService(
            self.reactor,
            asap=TransportAddress((self.host,), ASAP_PORT),
            peers=peers,
            profile=self.scope.profile,
            tame_garbage=False,
            security=False,
            random=self.random,
            stack=self.stack,
        )
        self._listen()
        self.service.startService()
        everybody = [Principal(each.name, frozenset({psk(each.name)}), registrar=True) for each in others]
        self.node.perform(self.role.access_changed(Access(everybody, own=self.key), self.node.now()))


class _Talk(SctpHandler):
    def __init__(self, attacker: Attacker) -> None:
        self._attacker = attacker

    def associationUp(self, association: ISctpAssociation) -> None:
        self._attacker.talk(association)


def _named(pool: Any) -> list[tuple[bytes, Any]]:
    return [(pool.handle, element) for element in pool.elements.values()]
