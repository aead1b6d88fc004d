"""What every way to OpenSSL does with records: tests to mix into a C{TestCase} that supplies contexts (RFC 8446)."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import TYPE_CHECKING

from twisted.trial.unittest import SynchronousTestCase

from rserpool.security.engine import TlsSide
from rserpool.security.failure import TlsFailure
from rserpool.security.records import each_record
from rserpool.security.way import RECORD, Terms
from tests.conformance import rfc
from tests.security.pair import KEY, Pair, authority, certificate, dns

if TYPE_CHECKING:
    _Base = SynchronousTestCase
else:
    _Base = object


class RecordContract(_Base):
    """What is said once a connection is up."""

    def pairs(self) -> Iterator[Pair]:
        """One by each kind of cipher suite."""
        for highest in ("1.2", "1.3"):
            server = Terms(True, find={KEY.name: KEY.secret}.get, certificate=certificate("reg1.example"))
            for client, expected in (
                (Terms(False, own=KEY, highest=highest), []),
                (Terms(False, anchors=authority().pem, highest=highest), dns("reg1.example")),
            ):
                pair = Pair(TlsSide(client).connection(expected), TlsSide(server).connection()).run()
                self.assertEqual({}, pair.failed)
                yield pair

    def test_sizes(self) -> None:
        """One record for each write, up to 16,384 bytes; none is longer than RFC 3436 says."""
        for pair in self.pairs():
            for size in (1, 2, 200, 1000, RECORD - 1, RECORD):
                data = bytes([size % 251]) * size
                sealed = pair.client.seal(data)
                self.assertEqual([sealed], list(each_record(sealed)))
                self.assertLessEqual(len(sealed), 18437)
                self.assertEqual(data, pair.server.open(sealed))

    def test_several_at_once(self) -> None:
        """Records that come together, and in pieces."""
        for pair in self.pairs():
            sealed = b"".join(pair.client.seal(b"%d" % number) for number in range(20))
            self.assertEqual(b"".join(b"%d" % number for number in range(20)), pair.server.open(sealed))
            sealed = b"".join(pair.client.seal(b"%d" % number * 30) for number in range(20))
            opened = b"".join(pair.server.open(sealed[at : at + 37]) for at in range(0, len(sealed), 37))
            self.assertEqual(b"".join(b"%d" % number * 30 for number in range(20)), opened)

    @rfc("5355", "2.8.3", "MUST prevent replay attacks")
    @rfc("5355", "2.10.3", "An integrity mechanism MUST be present")
    def test_tampered(self) -> None:
        """A record that was changed, repeated, reordered or made up is refused."""

        def changed(pair: Pair) -> bytes:
            sealed = bytearray(pair.client.seal(b"pay 10"))
            sealed[-3] ^= 1
            return bytes(sealed)

        def repeated(pair: Pair) -> bytes:
            sealed = pair.client.seal(b"pay 10")
            self.assertEqual(b"pay 10", pair.server.open(sealed))
            return sealed

        def left_out(pair: Pair) -> bytes:
            pair.client.seal(b"do not")
            return pair.client.seal(b"pay 10")

        def reflected(pair: Pair) -> bytes:
            return pair.server.seal(b"pay 10")

        def made_up(pair: Pair) -> bytes:
            return b"\x17\x03\x03\x00\x20" + bytes(32)

        def in_the_clear(pair: Pair) -> bytes:
            return b"\x05\x00\x00\x08\x00\x0b\x00\x04"

        for make in (changed, repeated, left_out, reflected, made_up, in_the_clear):
            for pair in self.pairs():
                record = make(pair)
                self.assertRaises(TlsFailure, pair.server.open, record)

    def test_end(self) -> None:
        """Who sends no more says so; what was sent before is there."""
        for pair in self.pairs():
            sealed = pair.client.seal(b"last") + pair.client.end()
            self.assertEqual((b"last", True), (pair.server.open(sealed), pair.server.closed))
            self.assertFalse(pair.client.closed)

    def test_no_circle(self) -> None:
        """What a connection needs goes with it, and does not wait for the collector."""
        find = {KEY.name: KEY.secret}
        server = TlsSide(Terms(True, find=lambda name: find.get(name)))
        client = TlsSide(Terms(False, own=KEY))
        Pair(client.connection(), server.connection()).run()
        gc.collect()
        gc.disable()
        try:
            for _ in range(3):
                Pair(client.connection(), server.connection()).run()
            self.assertEqual(0, gc.collect())
        finally:
            gc.enable()
