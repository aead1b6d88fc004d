"""What a refusal says."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rserpool.errors import CauseCode
from rserpool.service.refusal import refusal
from rserpool.wire.parameters import Policy, encode_policy


class RefusalTests(SynchronousTestCase):
    """A sentence for each cause."""

    def test_policy(self) -> None:
        """The pool's policy is named, if the registrar told it."""
        differs = "the policy differs from that of the pool"
        for information, sentence in (
            (encode_policy(Policy(0x40000001, bytes(4))), f"{differs}, which is least-used (cause 0x5)"),
            (encode_policy(Policy(0xB0003001)), f"{differs}, which is policy 0xb0003001 (cause 0x5)"),
            (b"", f"{differs} (cause 0x5)"),
            (b"\0\x08\0\x04", f"{differs} (cause 0x5)"),
            (b"\0\x09\0\x08\0\0\0\1", f"{differs} (cause 0x5)"),
        ):
            error = refusal(CauseCode.INCONSISTENT_POOLING_POLICY, information)
            self.assertEqual((sentence, information), (str(error), error.information))

    def test_others(self) -> None:
        """Other causes are as they are."""
        self.assertEqual("another pool element has this identifier (cause 0x4)", str(refusal(4, b"?")))
