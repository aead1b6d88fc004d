"""A row is what decoding and encoding again would give."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import PolicyParameter, PoolElementParameter, SctpTransport, TcpTransport, UdpTransport
from rserpool.core.wire import enrp
from rserpool.core.wire.enrp import HandleTableResponse, HandleUpdate, PoolEntry
from rserpool.core.wire.parameters import encode_pool_element
from rserpool.core.wire.rows import Row, table_in_rows, update_in_a_row
from tests.core.wire.strategies import DETERMINISTIC, elements, life, owners, ports, u16, u32

one_address = st.ip_addresses(v=4).map(str)
transports = st.one_of(
    st.builds(TcpTransport, ports, one_address),
    st.builds(UdpTransport, ports, one_address),
    st.builds(SctpTransport, ports, u16, one_address.map(lambda address: (address,))),
)
asap = st.none() | st.builds(SctpTransport, ports, u16, one_address.map(lambda address: (address,)))
policies = st.builds(PolicyParameter, u32, st.binary(max_size=7).map(lambda data: 4 * data))
usual = st.builds(
    PoolElementParameter, u32, u32, life, transports, policies, asap, ports, st.sampled_from((0, 1)), owners
)


def table(*parameters: PoolElementParameter) -> bytes:
    return enrp.encode(HandleTableResponse(1, 2, (PoolEntry(b"pool", parameters),)))


class RowTests(SynchronousTestCase):
    def rows(self, data: bytes) -> list[Row | PoolElementParameter]:
        """Its rows, compared with what it decodes to."""
        found = table_in_rows(data)
        if found is None:
            return []
        decoded = enrp.decode(data)
        assert isinstance(decoded.message, HandleTableResponse)
        self.assertEqual(decoded.unrecognized, ())
        rows = [each for _, here in found.rows for each in here]
        parameters = [each for entry in decoded.message.entries for each in entry.elements]
        self.assertEqual([each.parameter() if isinstance(each, Row) else each for each in rows], parameters)
        for row, parameter in zip(rows, parameters, strict=True):
            if isinstance(row, Row):
                self.same(row, parameter)
        return rows

    def same(self, row: Row, parameter: PoolElementParameter) -> None:
        self.assertEqual(row.wire, encode_pool_element(parameter, False))
        self.assertEqual((row.identifier, row.home, row.life), (parameter.identifier, parameter.home, parameter.life))
        transport, policy = parameter.user_transport, parameter.policy
        self.assertEqual((row.transport_type, row.transport_use), (transport.TYPE, transport.use))
        self.assertEqual((".".join(map(str, row.address)),), transport.addresses)
        self.assertEqual((row.policy_type, row.policy_data), (policy.type, policy.data))

    @DETERMINISTIC
    @given(usual)
    def test_usual(self, parameter: PoolElementParameter) -> None:
        [row] = self.rows(table(parameter))
        self.assertIsInstance(row, Row)

    @DETERMINISTIC
    @given(elements)
    def test_any(self, parameter: PoolElementParameter) -> None:
        self.assertEqual(len(self.rows(table(parameter))), 1)

    @DETERMINISTIC
    @given(usual, st.integers(0, 2**32))
    def test_with_a_byte_changed(self, parameter: PoolElementParameter, seed: int) -> None:
        """Whatever comes of it, it is what decoding says."""
        data, random = bytearray(table(parameter)), Random(seed)
        for place in range(24, len(data)):
            before, data[place] = data[place], random.choice((0, 1, 2, 8, 16, data[place] ^ 1 << random.randrange(8)))
            self.rows(bytes(data))
            data[place] = before

    @DETERMINISTIC
    @given(usual, st.sampled_from((0, 1)), st.booleans(), st.integers(0, 2**32))
    def test_updates(self, parameter: PoolElementParameter, action: int, suggested: bool, seed: int) -> None:
        """As they are, and with a byte changed."""
        told = HandleUpdate(1, 2, action, b"pool", parameter, suggested)
        data, random = bytearray(enrp.encode(told)), Random(seed)
        self.assertEqual(self.updated(bytes(data)), (told, action))
        for place in range(len(data)):
            before, data[place] = (
                data[place],
                random.choice((0, 1, 2, 8, 9, 16, data[place] ^ 1 << random.randrange(8))),
            )
            self.updated(bytes(data))
            data[place] = before
        for more in (replace(told, evicted=5), replace(told, dead=True), replace(told, action=7)):
            self.assertIsNone(update_in_a_row(enrp.encode(more)))

    def updated(self, data: bytes) -> Any:
        """The message, compared with what it decodes to."""
        found = update_in_a_row(data)
        if found is None:
            return None
        decoded = enrp.decode(data)
        self.assertEqual(decoded.unrecognized, ())
        self.same(found.element, found.element.parameter())
        told = HandleUpdate(
            *(found.sender, found.receiver, found.action, found.handle, found.element.parameter()),
            found.takeover_suggested,
        )
        self.assertEqual(told, decoded.message)
        return told, found.action

    def test_too_long(self) -> None:
        """What has much data is decoded."""
        policy = PolicyParameter(0x7777, bytes(1000))
        long = PoolElementParameter(1, 2, 3, TcpTransport(80, "10.0.0.1"), policy)
        self.assertEqual(self.rows(table(long)), [long])
