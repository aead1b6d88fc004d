"""Limits of a registrar, so that no peer can exhaust it (RFC 5352 section 9.1, threats 1 and 8)."""

from __future__ import annotations

from rserpool.core.admission import TokenBucket as TokenBucket
from rserpool.core.frozen import frozen


@frozen
class Limits:
    """What a registrar accepts; past a limit it answers Lack of Resources (cause 0x6) and nothing else changes.

    What other registrars bring counts as well; it is left out past a limit, and past nine tenths of what is for all,
    so that our own elements have room.

    @ivar pools: pools in the handlespace.
    @ivar elements: elements in the handlespace.
    @ivar bytes: bytes of all its elements as they are encoded, with the handle of its pool for each.
    @ivar elements_per_pool: elements in one pool.
    @ivar elements_per_association: elements that one association may register.
    @ivar bytes_per_association: their bytes, counted as C{bytes} are.
    @ivar elements_per_identity: elements that one identity may register, here and at other registrars together.
    @ivar bytes_per_identity: their bytes, counted as C{bytes} are.
    @ivar elements_per_registrar: elements that are another registrar's.
    @ivar handle_length: bytes of a pool handle.
    @ivar requests_per_second: registrations, deregistrations and resolutions a second of one peer.
    @ivar reports_per_second: unreachable reports a second of one peer; more are dropped without an answer.
    @ivar subscriptions_per_association: pools that one association may subscribe to.
    @ivar connections_per_machine: TCP connections of one machine; who comes beyond that is closed at once.
    @ivar associations_per_machine: SCTP associations of one machine; the same for them.
    @ivar associations: SCTP associations of all machines together.
    @ivar supervision_percent: percent of one core that supervision may take; beyond that elements are asked less often.
    """

    pools: int = 100_000
    elements: int = 1_000_000
    bytes: int = 256 * 2**20
    elements_per_pool: int = 1_000_000
    elements_per_association: int = 10_000
    bytes_per_association: int = 4 * 2**20
    elements_per_identity: int = 100_000
    bytes_per_identity: int = 64 * 2**20
    elements_per_registrar: int = 500_000
    handle_length: int = 1024
    requests_per_second: float = 20_000.0
    reports_per_second: float = 20.0
    subscriptions_per_association: int = 1_000
    connections_per_machine: int = 1_000
    associations_per_machine: int = 2_000
    associations: int = 20_000
    supervision_percent: float = 25.0
