"""Registrars, elements and users among hostile neighbours, all in memory, on one clock.

Strangers speak ASAP and ENRP with a registrar, a rogue registrar speaks with an element and a user, and somebody sends
to the multicast groups. Meanwhile the bystanders, two elements, a user and the other registrar, must go on undisturbed.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import ILogObserver, formatEvent, globalLogPublisher
from zope.interface import implementer

from rserpool.core import RSerPoolError, TransportAddress
from rserpool.core.registrar.events import ElementRemoved
from rserpool.core.wire import asap, enrp
from rserpool.sctp.base import PPID_ASAP, PPID_ENRP, SctpHandler
from rserpool.testing import RegistrarProcess, Scope
from tests.core.wire.test_properties import decodes_or_raises
from tests.hostile.mutation import Mutator, Target

STEP = 0.002
"""Seconds between two messages."""
POOL, ELEMENT = b"bystander", 7
SECOND_POOL, SECOND = b"second", 8
SERVER, OTHER = 0x1111, 0x2222
STRANGERS = ("10.9.1.1", "10.9.1.2", "10.9.1.3", "10.9.2.1", "10.9.2.2", "10.9.3.1")
"""Their hosts: three that speak ASAP, two that speak ENRP, and a rogue registrar."""


class Disturbed(AssertionError):
    """Something went wrong; the text says what."""


@implementer(ILogObserver)
class Errors:
    """Collects what is logged as an error: an exception that a handler let through; and lines that do not print."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def __call__(self, event: Any) -> None:
        if not formatEvent(event).isprintable():
            self.seen.append(f"a line with what a terminal obeys: {formatEvent(event)!r}")
        failure = event.get("log_failure")
        if failure is not None:
            self.seen.append(failure.getTraceback())


class Stranger(SctpHandler):
    """Somebody who sends what he likes, on as many associations as there are.

    @ivar acknowledges: whether he answers keep-alives, so that what he registered stays.
    @ivar server: the registrar that he says he is, most of the time; 0 for none.
    """

    def __init__(self, acknowledges: bool = False, server: int = 0) -> None:
        self.server = server
        self.associations: list[Any] = []
        self.dialling = False
        self.acknowledges = acknowledges
        self.heard = 0

    def signed(self, data: bytes, random: Random) -> bytes:
        """A message of ENRP, mostly from the registrar that he says he is: an association speaks for one alone."""
        if self.server and random.random() < 0.95:
            return data[:4] + self.server.to_bytes(4, "big") + data[8:]
        return data

    def associationUp(self, association: Any) -> None:
        self.dialling = False
        self.associations.append(association)

    def messageReceived(self, association: Any, data: bytes, ppid: int, stream: int, unordered: bool) -> None:
        self.heard += 1
        codec = asap if ppid == PPID_ASAP else enrp
        # Whatever is answered is well formed.
        message = codec.decode(data).message
        if self.acknowledges and isinstance(message, asap.EndpointKeepAlive):
            acknowledgement = asap.EndpointKeepAliveAck(message.handle, message.identifier or 0)
            association.send(asap.encode(acknowledgement), ppid)

    def associationLost(self, association: Any, reason: Any) -> None:
        self.dialling = False
        if association in self.associations:
            self.associations.remove(association)


class Arena(Scope):
    """All of them.

    @ivar sent: how many messages were sent, by lane.
    @ivar slowest: the longest time that one message took, in seconds of processor time.
    """

    def __init__(
        self, seed: int, *, lanes: tuple[str, ...] = ("asap", "enrp", "rogue", "multicast"), secure: bool = False
    ) -> None:
        super().__init__(0, seed=seed, secure=secure)
        self.random = Random(seed)
        self.errors = Errors()
        self.sent: Counter[str] = Counter()
        self.slowest = 0.0
        self.reconnected = 0
        self.questions = self.answers = 0
        self._lanes = lanes
        self.strict = "enrp" not in lanes
        globalLogPublisher.addObserver(self.errors)
        self.home, self.other = self.registrar(identifier=SERVER), self.registrar(identifier=OTHER)
        self.bystanders = [
            self.element(pool, identifier=identifier, service={"registrars": [registrar.address]})
            for pool, identifier, registrar in ((POOL, ELEMENT, self.home), (SECOND_POOL, SECOND, self.other))
        ]
        self.bystander = self.user(registrars=[self.home.address])
        self.settle()
        self.bystander.service.subscribe(POOL, self._changed)
        self._open_strangers()
        target = Target(
            (POOL, SECOND_POOL, b"foreign", b"common"),
            (b"foreign", b"common"),
            (ELEMENT, SECOND, SERVER, OTHER),
            (*(each.host for each in self.bystanders), *STRANGERS[:3]),
        )
        self.mutator = Mutator(self.random, target)
        self.last = b""

    def close(self) -> None:
        """End all of it."""
        self._leave()
        self.stop()
        globalLogPublisher.removeObserver(self.errors)

    def _leave(self) -> None:
        for handler in (*self.asap_strangers, *self.enrp_strangers, self.rogue):
            for association in list(handler.associations):
                association.abort()

    # The attack

    def attack(self, messages: int, check_every: int = 500) -> None:
        """Send so many mutated messages, and look after the bystanders now and then.

        @raise Disturbed: if anything went wrong.
        """
        for number in range(messages):
            lane = self.random.choice(self._lanes)
            began = time.process_time()
            getattr(self, f"_{lane}")()
            self.advance(STEP)
            took = time.process_time() - began
            self.slowest = max(self.slowest, took)
            self.sent[lane] += 1
            self._removed()
            if self.errors.seen:
                raise Disturbed(f"an exception came out of a handler, after {self.last.hex()}:\n{self.errors.seen[0]}")
            if number % check_every == check_every - 1:
                self.check()

    def _asap(self) -> None:
        self._from(self.random.choice(self.asap_strangers), 3863, asap, PPID_ASAP)

    def _enrp(self) -> None:
        self._from(self.random.choice(self.enrp_strangers), 9901, enrp, PPID_ENRP)

    def _from(self, stranger: Stranger, port: int, codec: Any, ppid: int) -> None:
        self.last = stranger.signed(self.mutator.message(codec), self.random)
        decodes_or_raises(codec, self.last)
        if not stranger.associations:
            if not stranger.dialling:
                stranger.dialling = True
                self.reconnected += 1
                self.endpoints[stranger].connect(TransportAddress((self.home.host,), port, 9899))
            return
        stranger.associations[0].send(self.last, ppid)

    def _rogue(self) -> None:
        self.last = self.mutator.message(asap)
        if self.rogue.associations:
            self.random.choice(self.rogue.associations).send(self.last, PPID_ASAP)
        if self.random.random() < 0.05:
            waiting: Deferred[Any] = self.victim.service.resolve(b"foreign", timeout=1.0)
            self.questions += 1
            waiting.addErrback(lambda failure: failure.trap(RSerPoolError))
            waiting.addBoth(self._answered)

    def _answered(self, result: Any) -> None:
        self.answers += 1

    def _multicast(self) -> None:
        pick = self.random.randrange(4)
        self.last = self.mutator.message(enrp if pick == 0 else asap)
        source = self.random.choice(("10.0.0.30", "10.0.0.99", "127.0.0.1"))
        if pick == 0:
            self.home.node.channels["enrp"].announced(self.last, source)
        else:
            listening = (self.foreign, self.home, self.victim)
            listening[pick - 1].node.asap.announced(self.last, source)

    # The bystanders

    def check(self) -> None:
        """Nobody is disturbed.

        Over ASAP nobody may touch an element of another association, not for a moment. Whoever speaks ENRP is a
        registrar, and what it says of elements and pools counts (RFC 5353 section 5 leaves it to TLS to keep others
        out); so nothing is said of the bystanders' pools. It may take a registrar's elements over, though: then these
        are back where they want to be within seconds.

        @raise Disturbed: if somebody is.
        """
        for registrar, handle, identifier in (
            (self.home, POOL, ELEMENT), (self.other, SECOND_POOL, SECOND),
        ):  # fmt: skip
            if not self._holds(registrar, handle, identifier):
                if self.strict:
                    raise Disturbed(f"{handle!r} 0x{identifier:x} is not where it was")
                self._in_time(partial(self._holds, registrar, handle, identifier), f"{handle!r} to be back")
        began = self.now
        for _ in range(20):
            resolved = self._answer(self.bystander.service.resolve(POOL, fresh=True, timeout=5.0))
            if any(each.identifier == ELEMENT for each in resolved.elements):
                break
            if self.strict:
                raise Disturbed("a user is not told of the bystander")
            self.advance(0.25)
        else:
            raise Disturbed("a user is not told of the bystander any more")
        if self.now - began > (0.5 if self.strict else 10.0):
            raise Disturbed(f"an answer took {self.now - began:.1f} s")
        if self.questions - self.answers > 2000:
            raise Disturbed(f"{self.questions - self.answers} questions wait for an answer")

    def quiet(self, seconds: float = 120.0) -> None:
        """The hostile ones go; after a while only the bystanders are left.

        @raise Disturbed: if anything else is.
        """
        # Who acknowledges keep-alives stays.
        acknowledging = [stranger for stranger in self.asap_strangers if stranger.acknowledges]
        for stranger in acknowledging:
            stranger.acknowledges = False
        self._leave()
        try:
            self._in_time(self._alone, "what the strangers had registered to be gone", seconds)
        except Disturbed as error:
            raise Disturbed(f"{error}; there is {self._everything()}") from None
        for stranger in acknowledging:
            stranger.acknowledges = True
        self.check()
        if self.errors.seen:
            raise Disturbed(f"an exception came out of a handler:\n{self.errors.seen[0]}")

    def _alone(self) -> bool:
        return all(
            len(registrar.role.handlespace) == 2
            and self._holds(self.home, POOL, ELEMENT)
            and self._holds(self.other, SECOND_POOL, SECOND)
            for registrar in self.registrars
        )

    def _everything(self) -> str:
        """The elements that each registrar has, and their homes."""
        return "; ".join(
            f"at {registrar.name}: "
            + ", ".join(
                f"{handle[:20]!r} 0x{element.identifier:x} (of 0x{element.home:x})"
                for handle, pool in registrar.role.handlespace.pools.items()
                for element in pool.elements.values()
            )
            for registrar in self.registrars
        )

    def _holds(self, registrar: RegistrarProcess, handle: bytes, identifier: int) -> bool:
        """Whether an element is registered, with this registrar, or with the other after a takeover."""
        for home in (registrar,) if self.strict else self.registrars:
            element = home.role.handlespace.find(handle, identifier)
            if element is not None and element.home == home.identifier and element.association is not None:
                return True
        return False

    def _changed(self, change: Any) -> None:
        there = change.elements is not None and any(each.identifier == ELEMENT for each in change.elements)
        if not there and self.strict and self.sent:
            self.errors.seen.append("a subscriber was told that the bystander is gone")

    def _removed(self) -> None:
        """What happened since the last call: was a bystander removed?"""
        if self.strict:
            for event in self.trace.events(ElementRemoved):
                if (event.handle, event.identifier) in ((POOL, ELEMENT), (SECOND_POOL, SECOND)):
                    self.errors.seen.append(str(event))
        self.trace.entries.clear()

    def _open_strangers(self) -> None:
        self.endpoints: dict[Stranger, Any] = {}
        first, *others, server, again, rogue = STRANGERS
        self.asap_strangers = [self._stranger(first, True), *(self._stranger(host) for host in others)]
        self.enrp_strangers = [self._stranger(server, server=0x9001), self._stranger(again, server=0x9002)]
        self.rogue = Stranger()
        self.network.stack(rogue, registrar=True).open(3863, self.rogue, listening=True)
        where = [TransportAddress((rogue,), 3863, 9899)]
        self.foreign = self.element("foreign", service={"registrars": where})
        self.victim = self.user(registrars=where)

    def _stranger(self, host: str, acknowledges: bool = False, server: int = 0) -> Stranger:
        stranger = Stranger(acknowledges, server)
        self.endpoints[stranger] = self.network.stack(host).open(0, stranger)
        return stranger

    def _in_time(self, condition: Callable[[], bool], what: str, seconds: float = 30.0) -> None:
        try:
            self.until(condition, seconds)
        except AssertionError:
            raise Disturbed(f"waited {seconds:g} s for {what}") from None

    def _answer(self, waiting: Deferred[Any]) -> Any:
        try:
            return self.result(waiting, 30.0)
        except AssertionError:
            raise Disturbed("a user's question was never answered") from None
        except RSerPoolError as error:
            raise Disturbed(f"a user's question failed: {error}") from None
