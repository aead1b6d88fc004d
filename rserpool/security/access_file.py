"""The access file: who may be what in a scope, in TOML (RFC 5355 sections 2.4 and 2.5).

A table for each one whom the operator knows::

    default = "keys"            # who is not named here is what the file of its key says; or "user": no more than a user

    [web1]
    identities = ["psk:web1", "dns:web1.example.org"]
    roles = ["element"]         # registrar, element, operator, submit-code
    pools = ["www", "api"]      # where it may serve, or submit code; anywhere if this is left out
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from rserpool.core.access import Access, Principal, State
from rserpool.core.errors import ConfigurationError
from rserpool.core.frozen import frozen
from rserpool.core.handles import handle_of
from rserpool.core.identity import Identity, parse_identity
from rserpool.security.keys import bearer_of

ROLES: Final = ("registrar", "element", "operator", "submit-code")
DEFAULTS: Final = ("keys", "user")
_ENTRY: Final = {"identities", "roles", "pools"}


@frozen
class KeyNames:
    """The identities of the keys that are known, by what the file says that they are in.

    @ivar own: that of the own key.
    """

    registrars: Iterable[str] = ()
    elements: Iterable[str] = ()
    operators: Iterable[str] = ()
    own: str | None = None


def access_of(
    table: Mapping[str, Any] | None,
    keys: KeyNames,
    state: State = State.REQUIRED,
    *,
    plain_users: bool = False,
    where: str = "access.toml",
) -> Access:
    """Who may be what.

    @param table: what is in the access file; None without one.
    @param where: the file's name, for sentences.
    @raise ConfigurationError: if something in it is wrong.
    """
    own = None if keys.own is None else Identity("psk", bearer_of(keys.own))
    table = dict(table or {})
    default = table.pop("default", "keys")
    if default not in DEFAULTS:
        raise ConfigurationError(f'{where}: default is "keys" or "user", not {default!r}')
    # The file may be the same at every registrar, and name each of them.
    named = [_without(own, _principal(name, entry, where)) for name, entry in table.items()]
    principals = [each for each in named if each.identities]
    known = {identity for each in named for identity in each.identities}
    if default == "keys":
        principals += [each for each in _by_keys(keys) if not each.identities & known]
    try:
        return Access(principals, state, own=own, plain_users=plain_users)
    except ConfigurationError as error:
        raise ConfigurationError(f"{where}: {error}") from None


def _by_keys(keys: KeyNames) -> list[Principal]:
    return [
        Principal(
            f"{role} {bearer}",
            frozenset({Identity("psk", bearer)}),
            registrar=role == "registrar",
            element=role == "element",
            operator=role == "operator",
        )
        for role, names in (("registrar", keys.registrars), ("element", keys.elements), ("operator", keys.operators))
        for bearer in dict.fromkeys(map(bearer_of, names))
    ]


def _without(own: Identity | None, principal: Principal) -> Principal:
    if own not in principal.identities:
        return principal
    return replace(principal, identities=principal.identities - {own})


def _principal(name: str, entry: Any, where: str) -> Principal:
    at = f"{where}: [{name}]"
    if not isinstance(entry, dict):
        raise ConfigurationError(f"{where}: {name} is no table: write [{name}], and below it identities and roles")
    surplus = sorted(set(entry) - _ENTRY)
    if surplus:
        raise ConfigurationError(f"{at}: there is no {surplus[0]!r}; there are identities, roles and pools")
    identities, roles = _texts(entry, "identities", at), _texts(entry, "roles", at)
    pools = _texts(entry, "pools", at) if "pools" in entry else None
    for role in roles:
        if role not in ROLES:
            raise ConfigurationError(f"{at}: there is no role {role!r}; there are {', '.join(ROLES)}")
    if pools is not None and "element" not in roles and "submit-code" not in roles:
        raise ConfigurationError(f"{at}: pools are for who has the role element, or submit-code")
    try:
        proved = frozenset(map(parse_identity, identities))
    except ConfigurationError as error:
        raise ConfigurationError(f"{at}: {error}") from None
    for each in proved:
        if each.kind == "psk" and each.name != bearer_of(each.name):
            raise ConfigurationError(f"{at}: {each} is a key of psk:{bearer_of(each.name)}: write that")
    return Principal(
        name,
        proved,
        registrar="registrar" in roles,
        element="element" in roles,
        pools=None if pools is None else frozenset(map(handle_of, pools)),
        operator="operator" in roles,
        submitter="submit-code" in roles,
    )


def _texts(entry: Mapping[str, Any], name: str, at: str) -> list[str]:
    value = entry.get(name)
    if not isinstance(value, list) or not value or not all(isinstance(each, str) and each for each in value):
        raise ConfigurationError(f'{at}: {name} is a list of texts, as in {name} = ["..."]')
    return value
