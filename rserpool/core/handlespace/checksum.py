"""The checksum over the elements of one home registrar (RFC 5353 section 3.6.2, RFC 1071).

Each element counts with its pool handle, padded to 32 bits, and its identifier. Kept is the plain sum of their 16-bit
words, of any size: elements are added and taken away exactly, and carries are folded in only when it is asked for.
"""

from __future__ import annotations

import struct


def handle_sum(handle: bytes) -> int:
    """The sum of the 16-bit words of a pool handle, padded with zeros to 32 bits."""
    words = (len(handle) + 3) // 4 * 2
    return sum(struct.unpack(f"!{words}H", handle.ljust(2 * words, b"\0")))


def identifier_sum(identifier: int) -> int:
    """The sum of the two 16-bit words of an identifier."""
    return (identifier >> 16) + (identifier & 0xFFFF)


def fold(total: int) -> int:
    """The checksum of a sum: 0xffff if nothing was summed up, and 0 for any other multiple of 0xffff."""
    if total == 0:
        return 0xFFFF
    return 0xFFFF - (total % 0xFFFF or 0xFFFF)


def swapped(checksum: int) -> int:
    """The same checksum for registrars that compute it in the byte order of their machine."""
    return (checksum & 0xFF) << 8 | checksum >> 8
