"""Whether tshark understands every ASAP and ENRP message of a run of the lab, and as we do.

The runner plays this after the other tests, over their capture; the folder of the results is where it is.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import ClassVar

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core.wire import asap, enrp
from tests.lab import MEANT, RESULTS, STRANGERS
from tests.lab.dissection import Message, facts_of, messages
from tests.lab.test_messages import samples

SHOWN = 10


class CaptureTests(SynchronousTestCase):
    """All frames of the run, without those of addresses that L{tests.lab.strange} names."""

    found: ClassVar[list[Message] | None] = None

    def setUp(self) -> None:
        cls = type(self)
        if cls.found is None:
            strangers = Path(RESULTS) / STRANGERS
            strange = set(strangers.read_text().split()) if strangers.exists() else set()
            cls.found = list(messages(Path(RESULTS) / "traffic.pcap", strange))
            counted = Counter((one.protocol, one.name) for one in cls.found)
            for (protocol, name), number in sorted(counted.items()):
                print(f"\n  {number:6} {protocol} {name}", end="")

    def test_well_formed(self) -> None:
        """No ASAP or ENRP message is malformed, and tshark knows what each of its bytes is for."""
        malformed = [str(one) for one in self.found or () if one.malformed]
        self.assertEqual(malformed[:SHOWN], [], f"{len(malformed)} messages are malformed")

    def test_meant(self) -> None:
        """What C{tests.lab.test_messages} sent, if it ran, is at tshark what it meant: one after the other."""
        sender = Path(RESULTS) / MEANT
        if sender.exists():
            sent = [one for one in self.found or () if one.source == sender.read_text()]
            for one, (_, message) in zip(sent, samples(), strict=True):
                self.assertEqual(one.facts, facts_of(message), str(one))

    def alike(self, protocol: str) -> None:
        """All messages of a protocol mean to tshark what they mean to us."""
        different = [
            f"{one}: {what}"
            for one in self.found or ()
            if one.protocol == protocol and not one.malformed and (what := one.differences())
        ]
        self.assertEqual(different[:SHOWN], [], f"{len(different)} messages mean something else")

    def test_asap(self) -> None:
        """Each field of each ASAP message."""
        self.alike("asap")

    def test_enrp(self) -> None:
        """Each field of each ENRP message."""
        self.alike("enrp")

    if "LAB_COMPLETE" in os.environ:

        def test_complete(self) -> None:
            """When all tests ran, each type of message was seen."""
            seen = {(one.protocol, one.name) for one in self.found or ()}
            kinds = [("asap", kind) for kind in asap.MESSAGES] + [("enrp", kind) for kind in enrp.MESSAGES]
            asked = {(protocol, kind.__name__) for protocol, kind in kinds}
            self.assertEqual(asked - seen, set())
