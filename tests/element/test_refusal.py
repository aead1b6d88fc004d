"""What a refusal says."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import CauseCode, PolicyParameter, TcpTransport
from rserpool.core.wire.parameters import encode_policy
from rserpool.core.wire.transports import encode_address, encode_transport
from rserpool.element.refusal import refusal


class RefusalTests(SynchronousTestCase):
    """A sentence for each cause."""

    def test_policy(self) -> None:
        """The pool's policy is named, if the registrar told it."""
        differs = "the policy differs from that of the pool"
        for information, sentence in (
            (encode_policy(PolicyParameter(0x40000001, bytes(4))), f"{differs}, which is least-used (cause 0x5)"),
            (encode_policy(PolicyParameter(0xB0003001)), f"{differs}, which is policy 0xb0003001 (cause 0x5)"),
            (b"", f"{differs} (cause 0x5)"),
            (b"\0\x08\0\x04", f"{differs} (cause 0x5)"),
            (b"\0\x09\0\x08\0\0\0\1", f"{differs} (cause 0x5)"),
        ):
            error = refusal(CauseCode.INCONSISTENT_POOLING_POLICY, information)
            self.assertEqual((sentence, information), (str(error), error.information))

    def test_transport(self) -> None:
        """What is wrong with a transport that comes back is its addresses (RFC 5352 section 2.2.1)."""
        transport = encode_transport(TcpTransport(80, "192.0.2.1"))
        sentence = "a value is invalid in the transport: its addresses must be those from which the element reaches"
        self.assertEqual(f"{sentence} the registrar (cause 0x3)", str(refusal(CauseCode.INVALID_VALUES, transport)))
        for seen in ("203.0.113.9", "2001:db8::9"):
            error = refusal(CauseCode.INVALID_VALUES, transport + encode_address(seen))
            self.assertEqual(f"{sentence} the registrar, which sees it at {seen} (cause 0x3)", str(error))
        for information in (b"", encode_policy(PolicyParameter(1))):
            self.assertEqual("a value is invalid (cause 0x3)", str(refusal(CauseCode.INVALID_VALUES, information)))

    def test_others(self) -> None:
        """Other causes are as they are."""
        self.assertEqual("another pool element has this identifier (cause 0x4)", str(refusal(4, b"?")))
