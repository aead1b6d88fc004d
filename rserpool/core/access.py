"""Who may be what in a scope: registrar, element of these pools, operator, user (RFC 5355 sections 2.4 and 2.5).

Whoever proves an identity that may be a registrar is none yet for elements, and the other way round: without that, any
element could pose as a registrar. What follows from it is in L{rserpool.core.authority}.
"""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from enum import Enum
from typing import Final

from rserpool.core.errors import ConfigurationError
from rserpool.core.frozen import frozen
from rserpool.core.identity import Credentials, Identity

_NONE: Final[frozenset[Identity]] = frozenset()


class State(Enum):
    """How far a scope has come from nothing to TLS alone."""

    PLAIN = "plain"
    """Nothing is secured."""
    OFFERED = "offered"
    """TLS is spoken with whoever can, and the rest is believed in the clear: the scope is not secure."""
    REQUIRED = "required"
    """Nothing in the clear is believed, sent or dialled."""


@frozen
class Principal:
    """One whom the operator knows, by one identity, or by several while keys and certificates are changed.

    @ivar name: what the operator calls it.
    @ivar identities: by which it is known; what it registered by one of them it may change by another.
    @ivar registrar: whether it may speak ENRP.
    @ivar element: whether it may serve.
    @ivar pools: the handles of the pools in which it may serve, or submit code; None for any.
    @ivar operator: whether registrars answer its questions over ENRP.
    @ivar submitter: whether workers take code from it.
    """

    name: str
    identities: frozenset[Identity]
    registrar: bool = False
    element: bool = False
    pools: frozenset[bytes] | None = None
    operator: bool = False
    submitter: bool = False

    def serves(self, handle: bytes) -> bool:
        """Whether it may serve in a pool."""
        return self.element and (self.pools is None or handle in self.pools)

    def submits(self, handle: bytes) -> bool:
        """Whether the workers of a pool take code from it."""
        return self.submitter and (self.pools is None or handle in self.pools)


@frozen
class Standing:
    """What a peer may be in this scope, by all that it has proved.

    @ivar credentials: what it has proved.
    @ivar secured: whether identities count at all.
    @ivar judged: whether it is judged by its identity: not while it comes in the clear and TLS is only offered.
    @ivar clear: whether it comes in the clear where that is not believed.
    @ivar principals: whom of those that the operator knows it has proved to be.
    @ivar own: whether it has proved to have our own key.
    @ivar owned: the identities whose elements are its own.
    @ivar serving: the identities by which it may serve, and the pools in which it may.
    """

    credentials: Credentials
    secured: bool
    judged: bool
    clear: bool
    principals: tuple[Principal, ...] = ()
    own: bool = False
    owned: frozenset[Identity] = frozenset()
    serving: tuple[tuple[Identity, frozenset[bytes] | None], ...] = ()

    @property
    def registrar(self) -> bool:
        """Whether it may speak ENRP: who has our own key may, since we dialled it, unless it says it is another."""
        if not self.judged or any(each.registrar for each in self.principals):
            return True
        return self.own and len(self.credentials or ()) == 1

    @property
    def operator(self) -> bool:
        """Whether its questions over ENRP are answered."""
        return self.registrar or any(each.operator for each in self.principals)

    @property
    def element(self) -> bool:
        """Whether it may serve in any pool at all."""
        return bool(self.serving)

    def submits(self, handle: bytes) -> bool:
        """Whether the workers of a pool take code from it."""
        return self.judged and any(each.submits(handle) for each in self.principals)

    def owner(self, handle: bytes) -> Identity | None:
        """The identity by which it serves in a pool; None if it may not, or in the clear."""
        for identity, pools in self.serving:
            if pools is None or handle in pools:
                return identity
        return None

    def __str__(self) -> str:
        if self.credentials is None:
            return "in the clear"
        return ", ".join(map(str, self.credentials)) or "anonymous"


class Access:
    """Who may be what, and how far the scope is.

    @ivar state: plain, offered or required.
    @ivar identities: every one that is known.
    @ivar own: our own identity; who proves to have that key is a registrar that we dialled.
    @ivar plain_users: whether users in the clear are answered where TLS is required (RFC 5352 section 9.3).
    @ivar revoked: identities that were known, and are not any more.
    """

    def __init__(
        self,
        principals: Iterable[Principal] = (),
        state: State = State.REQUIRED,
        *,
        own: Identity | None = None,
        plain_users: bool = False,
    ) -> None:
        """
        @raise ConfigurationError: if two principals have one identity, or one of them has ours.
        """
        self.state = state
        self.own = own
        self.plain_users = plain_users
        self._principals: dict[Identity, Principal] = {}
        for principal in principals:
            for identity in sorted(principal.identities):
                other = self._principals.setdefault(identity, principal)
                if other is not principal:
                    raise ConfigurationError(f"{identity} is {other.name} and {principal.name}: it can be one of them")
        if own in self._principals and own is not None:
            raise ConfigurationError(f"{own} is our own identity, and that of {self._principals[own].name}")
        self.revoked: frozenset[Identity] = frozenset()
        self._unknown = self._in_the_clear()

    @property
    def secured(self) -> bool:
        """Whether identities count at all."""
        return self.state is not State.PLAIN

    @property
    def identities(self) -> frozenset[Identity]:
        """Every identity that may be anything."""
        return frozenset(self._principals)

    @property
    def submitters(self) -> frozenset[Identity]:
        """Every identity that may submit code somewhere."""
        return frozenset(each for each, principal in self._principals.items() if principal.submitter)

    def standing(self, credentials: Credentials) -> Standing:
        """What a peer may be that has proved this."""
        if credentials is None:
            return self._unknown
        if not self.secured:
            return Standing(credentials, False, False, False)
        known = [(each, principal) for each in credentials if (principal := self._principals.get(each)) is not None]
        if len(known) == 1:
            # As of most who have a key.
            ((each, principal),) = known
            own = self.own in credentials
            if not principal.element:
                return Standing(credentials, True, True, False, (principal,), own)
            serves = ((each, principal.pools),)
            return Standing(credentials, True, True, False, (principal,), own, principal.identities, serves)
        elements = {each: principal for each, principal in known if principal.element}
        owned = _NONE.union(*(principal.identities for principal in elements.values()))
        serving = tuple((each, principal.pools) for each, principal in elements.items())
        found = tuple(dict.fromkeys(principal for _, principal in known))
        return Standing(credentials, True, True, False, found, self.own in credentials, owned, serving)

    def serves(self, owner: Identity, handle: bytes) -> bool | None:
        """Whether an identity may serve in a pool; None if we have never heard of it: others may know it already."""
        if owner in self.revoked:
            return False
        principal = self._principals.get(owner)
        return None if principal is None else principal.serves(handle)

    def alike(self, one: Identity | None, other: Identity | None) -> bool:
        """Whether two owners are the same one; an element without an owner is anybody's."""
        if one is None or other is None or one == other:
            return True
        principal = self._principals.get(one)
        return principal is not None and other in principal.identities

    def after(self, before: Access, state: State | None = None) -> Access:
        """The same, where C{before} held until now: who is known no more is revoked until it is known again.

        @param state: how far the scope is; None: as it is.
        """
        access = copy(self)
        access.revoked = (before.revoked | before.identities) - self.identities
        if state is not None:
            access.state = state
            access._unknown = access._in_the_clear()
        return access

    def _in_the_clear(self) -> Standing:
        required = self.state is State.REQUIRED
        return Standing(None, self.secured, required, required)


def access_by_keys(
    registrars: Iterable[str] = (),
    elements: Iterable[str] = (),
    state: State = State.REQUIRED,
    *,
    own: str | None = None,
    plain_users: bool = False,
) -> Access:
    """The default, where only pre-shared keys say who is who: registrars, and elements that may join any pool.

    The first owner of a pool's PE identifier keeps it, and nobody is an operator.

    @param registrars: the identities of the keys of other registrars.
    @param elements: those of elements.
    @param own: that of our own key.
    @raise ConfigurationError: if a name is in both, or is our own.
    """
    principals = [Principal(f"registrar {name}", _keys(name), registrar=True) for name in registrars]
    principals += [Principal(f"element {name}", _keys(name), element=True) for name in elements]
    return Access(principals, state, own=None if own is None else Identity("psk", own), plain_users=plain_users)


def _keys(*names: str) -> frozenset[Identity]:
    return frozenset(Identity("psk", name) for name in names)


PLAIN: Final = Access(state=State.PLAIN)
"""A scope in which nobody has an identity."""
