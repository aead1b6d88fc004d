"""Real traffic of the reference implementation decodes, and encodes to the same bytes (rsplib 3.4.4)."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import CauseCode, WireError
from rserpool.core.wire import asap, enrp
from tests.core.wire.pcap import UserMessage, user_messages

CAPTURES = Path(__file__).parent.parent.parent / "data" / "captures"
REGISTRARS = CAPTURES / "rsplib-3.4.4-three-registrars.pcap"
MULTICAST = CAPTURES / "rsplib-3.4.4-two-registrars-multicast.pcap"
ASAP_PPID, ENRP_PPID = 11, 12
GROUPS = {"239.0.0.50": asap, "239.0.0.51": enrp}

# One association of the first capture is not rsplib's: somebody probed the registrar with messages made by hand.
UNKNOWN_MESSAGE = 315
"""The frame of a message of type 0x77."""
PADDING_COUNTED = {302, 669}
"""Frames whose message length counts the final padding, against RFC 5354 section 4."""


def messages(path: Path) -> list[tuple[ModuleType, UserMessage]]:
    """All ASAP and ENRP messages of a capture."""
    found: list[tuple[ModuleType, UserMessage]] = []
    for message in user_messages(path):
        if message.ppid == ASAP_PPID:
            found.append((asap, message))
        elif message.ppid == ENRP_PPID:
            found.append((enrp, message))
        elif message.ppid is None and message.destination in GROUPS:
            found.append((GROUPS[message.destination], message))
    return found


class Captures(SynchronousTestCase):
    """Every ASAP and ENRP message of the captures."""

    def test_as_many_as_wireshark_finds(self) -> None:
        """C{tshark -Y 'asap || enrp' -T fields -e asap.message_type -e enrp.message_type} counts the same."""
        for path, both in ((REGISTRARS, (116, 136)), (MULTICAST, (51, 40))):
            found = [protocol for protocol, _ in messages(path)]
            self.assertEqual((found.count(asap), found.count(enrp)), both)

    def test_messages_come_back_to_the_same_bytes(self) -> None:
        for path in (REGISTRARS, MULTICAST):
            for protocol, message in messages(path):
                if path == REGISTRARS and message.frame in PADDING_COUNTED | {UNKNOWN_MESSAGE}:
                    continue
                decoded = protocol.decode(message.data)
                self.assertEqual(decoded.unrecognized, ())
                self.assertEqual(protocol.encode(decoded.message), message.data, f"frame {message.frame}")

    def test_length_that_counts_the_final_padding(self) -> None:
        """They decode; only their length comes back as the RFC wants it."""
        odd = [message for _, message in messages(REGISTRARS) if message.frame in PADDING_COUNTED]
        self.assertEqual(len(odd), 2)
        for message in odd:
            resolution = asap.decode(message.data).message
            assert isinstance(resolution, asap.HandleResolution)
            encoded = asap.encode(resolution)
            self.assertEqual(int.from_bytes(encoded[2:4], "big"), 8 + len(resolution.handle))
            self.assertEqual(encoded[:2] + message.data[2:4] + encoded[4:], message.data)

    def test_unknown_message(self) -> None:
        (unknown,) = (message for _, message in messages(REGISTRARS) if message.frame == UNKNOWN_MESSAGE)
        error = self.assertRaises(WireError, asap.decode, unknown.data)
        self.assertEqual((error.cause, error.report), (CauseCode.UNRECOGNIZED_MESSAGE, True))
        self.assertEqual(error.information, unknown.data)

    def test_what_is_in_them(self) -> None:
        both = messages(REGISTRARS) + messages(MULTICAST)
        kinds = {(protocol, message.data[0]) for protocol, message in both}
        self.assertEqual(
            {kind for protocol, kind in kinds if protocol is asap}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 14, 0x77}
        )
        self.assertEqual({kind for protocol, kind in kinds if protocol is enrp}, {1, 2, 3, 4, 5, 6, 7, 8})
