"""What tests of SCTP backends are made of: a handler that writes down what it is told, endpoints, associations.

Two stacks may be one and the same. Nothing here waits for time to pass: a backend on the real reactor inherits
L{SctpHarness.until}, which waits for events; one on a virtual clock overrides it and advances the clock.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.trial.unittest import SkipTest, TestCase
from zope.interface import implementer

from rserpool.core import TransportAddress
from rserpool.sctp import ISctpAssociation, ISctpEndpoint, ISctpHandler, ISctpStack

if TYPE_CHECKING:
    _Base = TestCase
else:
    # The contract alone is no test case: it would run, without a stack, in each module that imports it.
    _Base = object


@implementer(ISctpHandler)
class Recorder:
    """A handler that writes down what it is told, and does what a test adds to C{on_*}."""

    def __init__(self, noticed: Callable[[], None]) -> None:
        self._noticed = noticed
        self.up: list[ISctpAssociation] = []
        self.received: list[tuple[bytes, int, int, bool]] = []
        self.senders: list[ISctpAssociation] = []
        self.failed: list[tuple[bytes, int]] = []
        self.pressure: list[str] = []
        self.paths: list[tuple[str, bool]] = []
        self.addresses: list[tuple[str, ...]] = []
        self.lost: list[tuple[ISctpAssociation, Failure]] = []
        self.on_up: Callable[[ISctpAssociation], Any] | None = None
        self.on_message: Callable[[ISctpAssociation, bytes], Any] | None = None
        self.on_lost: Callable[[ISctpAssociation], Any] | None = None

    @property
    def data(self) -> list[bytes]:
        """The messages alone."""
        return [message[0] for message in self.received]

    @property
    def reasons(self) -> list[type[BaseException]]:
        """Why associations were lost."""
        return [reason.type for _, reason in self.lost if reason.type is not None]

    @property
    def silent(self) -> bool:
        """Whether nothing was reported yet."""
        return not (self.up or self.received or self.failed or self.pressure or self.lost)

    def associationUp(self, association: ISctpAssociation) -> None:
        self.up.append(association)
        self._noticed()
        if self.on_up is not None:
            self.on_up(association)

    def messageReceived(
        self, association: ISctpAssociation, data: bytes, ppid: int, stream: int, unordered: bool
    ) -> None:
        self.received.append((data, ppid, stream, unordered))
        self.senders.append(association)
        self._noticed()
        if self.on_message is not None:
            self.on_message(association, data)

    def sendFailed(self, association: ISctpAssociation, data: bytes, ppid: int) -> None:
        self.failed.append((data, ppid))
        self._noticed()

    def associationPaused(self, association: ISctpAssociation) -> None:
        self.pressure.append("paused")
        self._noticed()

    def associationResumed(self, association: ISctpAssociation) -> None:
        self.pressure.append("resumed")
        self._noticed()

    def addressChanged(self, association: ISctpAssociation, host: str, reachable: bool) -> None:
        self.paths.append((host, reachable))
        self._noticed()

    def peerAddressesChanged(self, association: ISctpAssociation) -> None:
        self.addresses.append(tuple(association.peer_addresses))
        self._noticed()

    def associationLost(self, association: ISctpAssociation, reason: Failure) -> None:
        self.lost.append((association, reason))
        self._noticed()
        if self.on_lost is not None:
            self.on_lost(association)


class SctpHarness(_Base):
    """Stacks, endpoints and associations to test with; L{makeStack} is what a backend has to supply.

    @ivar streams: whether streams keep their numbers, and messages may be unordered: what travels within TLS has one
        stream (RFC 3436 section 6.2).
    @ivar reports_undelivered: whether a message that the stack took and that did not arrive is told; within TLS it is a
        record like any other, and nobody knows what was in it.
    """

    streams = True
    reports_undelivered = True

    timeout = 20
    host = "127.0.0.1"
    host6 = "::1"

    def setUp(self) -> None:
        self._conditions: list[tuple[Callable[[], bool], Deferred[None]]] = []
        self._stacks: dict[ISctpEndpoint, ISctpStack] = {}

    # What a backend supplies.

    async def makeStack(self, *hosts: str) -> ISctpStack:
        """A stack with these addresses.

        @raise SkipTest: if it cannot be had on this machine.
        """
        raise SkipTest("a backend supplies the stack")

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until C{condition} holds; it is looked at after each event of a L{Recorder}."""
        if not condition():
            done: Deferred[None] = Deferred()
            self._conditions.append((condition, done))
            await done

    # Building blocks.

    def seen(self, data: bytes, ppid: int, stream: int, unordered: bool) -> tuple[bytes, int, int, bool]:
        """How a message arrives that was sent like this."""
        return (data, ppid, stream, unordered) if self.streams else (data, ppid, 0, False)

    def _noticed(self) -> None:
        for pair in [pair for pair in self._conditions if pair[0]()]:
            self._conditions.remove(pair)
            # Not inside the backend's own call.
            reactor.callLater(0, pair[1].callback, None)  # type: ignore[attr-defined]

    def recorder(self) -> Recorder:
        return Recorder(self._noticed)

    async def stack(self, *hosts: str) -> ISctpStack:
        stack = await self.makeStack(*(hosts or (self.host,)))
        self.addCleanup(lambda: Deferred.fromCoroutine(self.fired(stack.close())))
        return stack

    async def fired(self, deferred: Deferred[Any]) -> None:
        """Wait for a Deferred."""
        fired: list[Any] = []

        def note(result: Any) -> Any:
            fired.append(result)
            self._noticed()
            return result

        deferred.addBoth(note)
        await self.until(lambda: bool(fired))

    async def open(self, *, host: str = "", port: int = 0, listening: bool = True) -> tuple[Any, Recorder]:
        """An endpoint on a stack of its own, and its recorder."""
        stack = await self.stack(host or self.host)
        recorder = self.recorder()
        endpoint = stack.open(port, recorder, (host or self.host,), listening)
        self._stacks[endpoint] = stack
        return endpoint, recorder

    def stack_of(self, endpoint: ISctpEndpoint) -> ISctpStack:
        """The stack on which L{open} opened it."""
        return self._stacks[endpoint]

    def address(self, endpoint: Any, port: int | None = None) -> TransportAddress:
        """Where an endpoint is reached."""
        return TransportAddress(
            endpoint.hosts, endpoint.port if port is None else port, self.stack_of(endpoint).encapsulation_port
        )

    async def pair(self, host: str = "") -> tuple[Any, Recorder, Any, Recorder]:
        """An association: (connecting end, its recorder, accepting end, its recorder)."""
        server, accepting = await self.open(host=host)
        client, connecting = await self.open(host=host, listening=False)
        association = client.connect(self.address(server))
        await self.until(lambda: bool(connecting.up and accepting.up))
        return association, connecting, accepting.up[0], accepting

    async def settle(self) -> None:
        """Let so much happen that what was still to come has come: set up, use and shut down an association."""
        association, connecting, _, accepting = await self.pair()
        association.send(b"settle")
        await self.until(lambda: bool(accepting.received))
        association.close()
        await self.until(lambda: bool(connecting.lost and accepting.lost))
