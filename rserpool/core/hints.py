"""Addresses of registrars that strangers announce: bounded, so that a flood neither costs much nor hides who is real
(RFC 5352 section 3.6)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from rserpool.core.addresses import TransportAddress, machine

MOST = 32
"""So many addresses are kept in mind."""
MOST_OF_ONE = 8
"""So many of them are of one machine: registrars may share it."""


class Hints:
    """Addresses, those that were heard longest ago first; who announces too many loses its own."""

    def __init__(self) -> None:
        self._from: dict[TransportAddress, str] = {}

    def __iter__(self) -> Iterator[TransportAddress]:
        return iter(self._from)

    def __contains__(self, address: TransportAddress) -> bool:
        return address in self._from

    def heard(self, address: TransportAddress, source: str) -> TransportAddress | None:
        """A datagram from the IP address C{source} names this address.

        @return: the address that had to go for it, if any.
        """
        where = self._from.pop(address, None) or machine(source)
        counts = Counter(self._from.values())
        gone: TransportAddress | None = None
        if counts[where] >= MOST_OF_ONE:
            gone = self._oldest(where)
        elif len(self._from) >= MOST:
            gone = self._oldest(max(counts, key=counts.__getitem__))
        if gone is not None:
            del self._from[gone]
        self._from[address] = where
        return gone

    def forget(self, address: TransportAddress) -> None:
        """It was not heard of for too long."""
        self._from.pop(address, None)

    def _oldest(self, where: str) -> TransportAddress:
        return next(address for address, origin in self._from.items() if origin == where)
