"""AgentX PDUs: what is read, and what is none."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rserpool.admin.agentx.wire import (
    HEAD,
    MOST_BYTES,
    Kind,
    Malformed,
    Pdu,
    Region,
    SearchRange,
    Syntax,
    Value,
    encode_octets,
    encode_oid,
    encode_value,
    take,
)

OIDS = st.lists(st.integers(0, 2**32 - 1), max_size=128).map(tuple)


class WireTests(SynchronousTestCase):
    """The bytes of RFC 2741 section 6."""

    def test_examples(self) -> None:
        """A name, a string and a value are as in sections 5.1 to 5.4."""
        self.assertEqual("0200010000000001ffffffff", encode_oid((1, 2**32 - 1), include=True).hex())
        self.assertEqual("00000003616263" + "00", encode_octets(b"abc").hex())
        self.assertEqual("00420000" + "01000000" + "00000007" + "80000000", _of(Value(Syntax.UNSIGNED, 2**31)))
        self.assertEqual("00020000" + "01000000" + "00000007" + "00000001", _of(Value(Syntax.INTEGER, 1)))
        self.assertEqual("00820000" + "01000000" + "00000007", _of(Value(Syntax.END_OF_MIB)))
        self.assertEqual("05000300" + "01000000" + "00000009" + "0000000c", _region(Region((9,), 3, 12)))
        self.assertEqual("05000000" + "01000000" + "00000009", _region(Region((9,))))

    def test_prefix(self) -> None:
        """A name may be written without C{1.3.6.1}, and in either order of bytes."""
        for order, flags in ((">", 0x10), ("<", 0)):
            data = struct.pack(f"{order}BBBBI", 1, 4, 1, 0, 7) + bytes(4)
            head = struct.pack(f"{order}BBBB4I", 1, Kind.GET, flags, 0, 3, 4, 5, len(data))
            pdu = take(head + data)
            assert pdu is not None
            self.assertEqual((3, 4, 5), (pdu.session, pdu.transaction, pdu.packet))
            self.assertEqual([SearchRange((1, 3, 6, 1, 4, 7), True, ())], pdu.reading().ranges())

    @given(st.lists(st.tuples(OIDS, st.booleans(), OIDS), max_size=4))
    def test_ranges(self, ranges: list[SearchRange]) -> None:
        """Whatever is asked for is read as it was written."""
        payload = b"".join(encode_oid(start, include) + encode_oid(end) for start, include, end in ranges)
        written = Pdu(Kind.GET_NEXT, 1, 2, 3, payload).encode()
        for cut in (0, HEAD - 1, HEAD, len(written) - 1):
            if cut < len(written):
                self.assertIsNone(take(written[:cut]))
        pdu = take(written + b"rest")
        assert pdu is not None
        self.assertEqual([*map(tuple, ranges)], [*map(tuple, pdu.reading().ranges())])

    @given(st.binary(max_size=200))
    def test_garbage(self, data: bytes) -> None:
        """Any bytes are a PDU with search ranges, or refused; and no reading is longer than they are."""
        try:
            pdu = take(data)
            if pdu is not None:
                pdu.reading().ranges()
        except Malformed:
            pass
        try:
            self.assertLessEqual(len(Pdu(5, 1, 1, 1, data).reading().octets()), len(data))
        except Malformed:
            pass

    def test_limits(self) -> None:
        """No memory is set aside for what is said to come."""
        for length in (MOST_BYTES + 4, 2**32 - 4, 6):
            self.assertRaises(Malformed, take, struct.pack("!BBBB4I", 1, 5, 0x10, 0, 1, 1, 1, length))
        self.assertRaises(Malformed, take, b"\x02" + bytes(19))
        self.assertRaises(Malformed, Pdu(5, 1, 1, 1, bytes([200, 0, 0, 0]) + bytes(800)).reading().oid)


def _of(value: Value) -> str:
    return encode_value((7,), value).hex()


def _region(region: Region) -> str:
    return region.encode(bytes([5, 0])).hex()
