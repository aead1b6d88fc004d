"""What a registrar among registrars tells its operator."""

from __future__ import annotations

from rserpool.core.addresses import TransportAddress
from rserpool.core.frozen import frozen
from rserpool.core.wire.parameters import ErrorCause


@frozen
class Initialized:
    """The registrar offers its services; C{mentor} gave it the handlespace, 0 if nobody did."""

    mentor: int
    elements: int


@frozen
class PeerFound:
    """A peer is up."""

    identifier: int
    address: TransportAddress | None


@frozen
class PeerUnreachable:
    """A configured peer could not be reached, C{attempts} times since it last was."""

    address: TransportAddress
    attempts: int


@frozen
class PeerSilent:
    """A registrar that we dialled does not say who it is."""

    address: TransportAddress


@frozen
class PeerLost:
    """A peer is considered dead (RFC 5353 section 3.4.3)."""

    identifier: int


@frozen
class PeerRetired:
    """A peer has handed its elements over, as an operator wanted, and has ended."""

    identifier: int


@frozen
class Namesake:
    """Another registrar has our identifier: neither can be a peer of the other."""

    address: TransportAddress


@frozen
class TakenOver:
    """The elements of C{target} have a new home."""

    target: int
    by: int
    elements: int


@frozen
class Audited:
    """The handlespace of C{peer} differed from our copy, which is the same again; C{removed} elements had gone."""

    peer: int
    removed: int


@frozen
class PeerError:
    """A peer reported an error."""

    peer: int
    causes: tuple[ErrorCause, ...]


@frozen
class OutOfPlace:
    """A peer sent a message of a procedure that is not under way; it is ignored."""

    peer: int
    message: str
