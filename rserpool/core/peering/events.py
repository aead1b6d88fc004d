"""What a registrar among registrars tells its operator."""

from __future__ import annotations

from dataclasses import dataclass

from rserpool.core.addresses import TransportAddress
from rserpool.core.wire.parameters import ErrorCause


@dataclass(frozen=True, slots=True)
class Initialized:
    """The registrar offers its services; C{mentor} gave it the handlespace, 0 if nobody did."""

    mentor: int
    elements: int


@dataclass(frozen=True, slots=True)
class PeerFound:
    """A peer is up."""

    identifier: int
    address: TransportAddress | None


@dataclass(frozen=True, slots=True)
class PeerUnreachable:
    """A configured peer could not be reached, C{attempts} times since it last was."""

    address: TransportAddress
    attempts: int


@dataclass(frozen=True, slots=True)
class PeerSilent:
    """A registrar that we dialled does not say who it is."""

    address: TransportAddress


@dataclass(frozen=True, slots=True)
class PeerLost:
    """A peer is considered dead (RFC 5353 section 3.4.3)."""

    identifier: int


@dataclass(frozen=True, slots=True)
class PeerRetired:
    """A peer has handed its elements over, as an operator wanted, and has ended."""

    identifier: int


@dataclass(frozen=True, slots=True)
class Namesake:
    """Another registrar has our identifier: neither can be a peer of the other."""

    address: TransportAddress


@dataclass(frozen=True, slots=True)
class TakenOver:
    """The elements of C{target} have a new home."""

    target: int
    by: int
    elements: int


@dataclass(frozen=True, slots=True)
class Audited:
    """The handlespace of C{peer} differed from our copy, which is the same again; C{removed} elements had gone."""

    peer: int
    removed: int


@dataclass(frozen=True, slots=True)
class PeerError:
    """A peer reported an error."""

    peer: int
    causes: tuple[ErrorCause, ...]


@dataclass(frozen=True, slots=True)
class OutOfPlace:
    """A peer sent a message of a procedure that is not under way; it is ignored."""

    peer: int
    message: str
