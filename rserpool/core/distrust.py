"""Registrars with which TLS failed (RFC 5352 section 9.2): whoever looks for one in vain hears why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rserpool.core.addresses import TransportAddress, in_short
from rserpool.core.errors import NoRegistrar, Unproved

FILES = 5.0
"""Seconds in which files that change may be half of the old kind and half of the new one."""
MOST = 64
"""So many registrars are remembered."""
_TOLD = 3


class Distrust:
    """What TLS said of those that were dialled last."""

    def __init__(self) -> None:
        self._failed: dict[TransportAddress, Unproved] = {}
        self._since: float | None = None
        self._trusted = False

    def heard(self, peer: TransportAddress, failure: Unproved | None) -> None:
        """A registrar could not be reached, or is lost.

        @param failure: what TLS said; None if it said nothing.
        """
        if failure is not None:
            self._failed[peer] = failure
            if len(self._failed) > MOST:
                del self._failed[next(iter(self._failed))]
        elif self._failed:
            self._failed.pop(peer, None)
            self._since = None

    def answered(self) -> None:
        """A registrar gave an answer."""
        self._trusted = True
        self._since = None
        self._failed.clear()

    def total(self, known: Sequence[TransportAddress], now: float) -> bool:
        """Whether no registrar will answer, as things are, once each that is known was tried.

        Others at the UDP ports of an SCTP port are guesses. Who was answered before may have new files in a moment.
        """
        failed = {_anywhere(peer) for peer, failure in self._failed.items() if not failure.passing}
        if not known or not failed.issuperset(map(_anywhere, known)):
            self._since = None
            return False
        self._since = now if self._since is None else self._since
        return not self._trusted or now - self._since >= FILES

    def why(self) -> str:
        """What TLS said, as the end of a sentence; empty if that is nothing."""
        texts = dict.fromkeys(f"TLS with {peer} failed: {failure}" for peer, failure in self._failed.items())
        return "; ".join(list(texts)[:_TOLD])

    def error(self, what: str, known: Sequence[TransportAddress]) -> NoRegistrar:
        """The error that names those that were tried, and says why they are of no use.

        @param what: what is wrong.
        """
        tried, why = in_short(known), self.why()
        if not tried:
            return NoRegistrar("no registrar is known")
        return NoRegistrar(f"{what} (tried: {tried}){why and '; '}{why}", bool(why))


def _anywhere(peer: TransportAddress) -> TransportAddress:
    return replace(peer, encapsulation=0)
