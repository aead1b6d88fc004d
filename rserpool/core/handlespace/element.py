"""One pool element as a registrar keeps it: small, and ready to be sent (RFC 5353 section 3.6.1 calls it an entry)."""

from __future__ import annotations

import math
from dataclasses import replace

from rserpool.core.addresses import TransportAddress
from rserpool.core.effects import Association
from rserpool.core.identity import Identity
from rserpool.core.policies import Member
from rserpool.core.wire.parameters import PoolElementParameter, decode_pool_element, with_owner, without_private


class Watch:
    """What the home registrar's supervision knows of one element: C{Element.watch}.

    @ivar alive_until: when its registration ends (monotonic seconds; infinity for a life of -1).
    @ivar answer_by: when a keep-alive that is under way counts as failed, or None.
    @ivar claim: whether the element must still be told that we are its home (H flag), after a takeover.
    @ivar reporters: machines, or identities, whose users reported it unreachable since it last registered.
    @ivar doubted: whether it must be asked as soon as it may be asked again.
    @ivar dialled: when it was last dialled, to be asked.
    @ivar over: the association over which it last registered; None after a takeover.
    @ivar group: with which others it shares what supervision may cost: its machine and that association.
    @ivar answered: when it last answered that it lives (monotonic seconds); None if it never did.
    @ivar delay: how long that answer took, in seconds.
    """

    __slots__ = (
        "alive_until", "answer_by", "answered", "claim", "delay", "dialled", "doubted", "group", "over", "reporters"
    )  # fmt: skip

    def __init__(self, alive_until: float, group: tuple[str, Association | None] = ("", None)) -> None:
        self.alive_until = alive_until
        self.group = group
        self.answer_by: float | None = None
        self.claim = False
        self.doubted = False
        self.dialled = -math.inf
        self.reporters: set[str] | None = None
        self.over: Association | None = None
        self.answered: float | None = None
        self.delay = 0.0


class Element(Member):
    """A registered pool element; the same object for as long as it stays registered.

    It refers to no pool and no handlespace, so that it goes, without the garbage collector, when it is deregistered.

    @ivar handle: the handle of its pool.
    @ivar identifier: the PE identifier.
    @ivar home: the identifier of its home registrar.
    @ivar life: the registration life in seconds; negative is for ever.
    @ivar counted: so many bytes of it count at the association that it speaks over; kept by its one writer, too.
    @ivar wire: the encoded Pool Element parameter, padded, as it is sent to users; registrars hear of the owner, too.
    @ivar owner: the identity that registered it; None if nobody proved one.
    @ivar since: since when it is known here (monotonic seconds).
    @ivar scopes: how far the addresses of its user transport reach.
    @ivar association: over which association it speaks with us; C{None} if over none. Its one writer is
        C{rserpool.core.registrar.clients.Clients}.
    @ivar asked: when it was last asked whether it lives (monotonic seconds).
    @ivar watch: the state of its supervision; C{None} if it is not ours.
    @ivar wake: when it is due in L{ElementDeadlines<rserpool.core.handlespace.deadlines.ElementDeadlines>}, its owner.
    @ivar queued: for the same: where it stands there.
    """

    __slots__ = (
        "asked",
        "association",
        "counted",
        "handle",
        "home",
        "identifier",
        "life",
        "owner",
        "queued",
        "scopes",
        "since",
        "wake",
        "watch",
        "wire",
    )

    def __init__(
        self,
        handle: bytes,
        identifier: int,
        life: int = 0,
        wire: bytes = b"",
        values: tuple[int, ...] = (),
        owner: Identity | None = None,
    ) -> None:
        self.handle = handle
        self.identifier = identifier
        self.home = 0
        self.life = life
        self.owner = owner
        self.counted = 0
        self.wire = wire
        self.values = values
        self.scopes: frozenset[str] = frozenset()
        self.association: Association | None = None
        self.asked = -math.inf
        self.since = 0.0
        self.watch: Watch | None = None
        self.wake = math.inf
        self.queued: tuple[float, int] | None = None

    def __repr__(self) -> str:
        return f"<Element 0x{self.identifier:08x} of {self.handle!r}, home 0x{self.home:08x}>"

    @property
    def confirmed(self) -> bool:
        """Whether it is ours, and registered over an association that is still up."""
        watch = self.watch
        return watch is not None and watch.over is not None and watch.over == self.association

    def parameter(self) -> PoolElementParameter:
        """The Pool Element parameter, decoded, with the owner."""
        parameter = decode_pool_element(self.wire)
        return parameter if self.owner is None else replace(parameter, owner=self.owner)

    def told(self, private: bool) -> bytes:
        """The Pool Element parameter as a registrar gets it.

        @param private: whether private parameters are in it.
        """
        if not private:
            return without_private(self.wire)
        return self.wire if self.owner is None else with_owner(self.wire, self.owner)

    def asap_address(self) -> TransportAddress | None:
        """Where the element speaks ASAP; C{None} if its home did not say."""
        parameter = self.parameter()
        transport = parameter.asap_transport
        if transport is None:
            return None
        return TransportAddress(transport.addresses, transport.port, parameter.encapsulation)
