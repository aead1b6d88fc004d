"""Each kind of message and parameter, sent once: the check of the capture reads what went from host to host."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from rserpool.core import PolicyParameter, PoolElementParameter, TransportAddress
from rserpool.core.policies import POLICIES
from rserpool.core.wire import asap, enrp
from rserpool.core.wire.parameters import ErrorCause
from rserpool.sctp import open_stack
from rserpool.sctp.base import PPID_ASAP, PPID_ENRP
from tests.core.wire.test_layout import ASAP, ELEMENT, ENRP, HANDLE, TRANSPORTS
from tests.lab import MEANT, RESULTS, LabTests
from tests.lab.networks import Host, Networks
from tests.sctp.harness import Recorder, SctpHarness

NO_TLV = asap.Error((ErrorCause(3, b"xyz"),))
"""RFC 5354 section 3.12.3 wants a parameter there."""


def samples() -> list[tuple[int, Any]]:
    """PPIDs and messages."""
    elements = [
        PoolElementParameter(number, 7, 60, kind, ELEMENT.policy) for number, (kind, _) in enumerate(TRANSPORTS, 1)
    ]
    for number, policy in POLICIES.items():
        data = policy.encode(range(1, len(policy.fields) + 1))
        elements.append(PoolElementParameter(9, 7, 60, ELEMENT.user_transport, PolicyParameter(number, data)))
    messages: list[tuple[int, Any]] = [(PPID_ASAP, message) for message, _ in ASAP if message != NO_TLV]
    messages += [(PPID_ENRP, message) for message, _ in ENRP]
    messages += [(PPID_ASAP, asap.Registration(HANDLE, element)) for element in elements]
    messages += [(PPID_ENRP, enrp.HandleUpdate(1, 2, 0, HANDLE, element)) for element in elements]
    return messages


class MessagesTests(LabTests, SctpHarness, TestCase):
    """From one host to another."""

    async def at(self, host: Host) -> tuple[Any, Recorder]:
        """An endpoint."""
        with host:
            stack = open_stack(reactor, backend="kernel", hosts=host.addresses)
            self.addCleanup(lambda: Deferred.fromCoroutine(self.fired(stack.close())))
            recorder = self.recorder()
            return stack.open(0, recorder, host.addresses), recorder

    async def test_messages(self) -> None:
        """Every message arrives."""
        here, there = Networks(self).hosts(2)
        sending, connecting = await self.at(here)
        receiving, accepting = await self.at(there)
        (Path(RESULTS) / MEANT).write_text(here.addresses[0])
        association = sending.connect(TransportAddress(there.addresses, receiving.port))
        await self.until(lambda: bool(connecting.up and accepting.up))
        for ppid, message in samples():
            data = asap.encode(message) if ppid == PPID_ASAP else enrp.encode(message)
            association.send(data, ppid)
        await self.until(lambda: len(accepting.received) == len(samples()))
