"""How a service is told what secures it: in the program, by what its reactor lends, or by the environment."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from twisted.logger import Logger

from rserpool.config.user import security_said
from rserpool.core.addresses import TransportAddress, over_tls
from rserpool.core.errors import ConfigurationError
from rserpool.node.candidates import lent_by, registrars_from
from rserpool.sctp.base import PPID_ASAP
from rserpool.security.text import SECURITY, named_security, secured_as, secured_by

if TYPE_CHECKING:
    from rserpool.node.threads import Secure
    from rserpool.node.tls import Tls
    from rserpool.security.following import Secured
    from rserpool.security.settings import Security

_log = Logger()
SecurityOption: TypeAlias = "Secured | Security | str | Path | bool | None"
"""What secures a service: a directory or another text as L{rserpool.security.text} has it; False for nothing; None for
what the environment says, or a file of the user or the machine."""


def secured_from(option: SecurityOption, reactor: Any = None, shared: bool = True, user: bool = True) -> Secured | None:
    """What secures a service; None where nothing does.

    @param user: whether it is one that goes by the files of L{rserpool.config.user}; registrars do not.
    @param shared: see L{secured_by<rserpool.security.text.secured_by>}.
    @raise ConfigurationError: if something is wrong with it.
    """
    if option is None or option is True:
        lent = lent_by(reactor)
        return (lent["security"] or None) if "security" in lent else usual_security(shared, user)
    if option is False:
        return None
    if isinstance(option, str | Path):
        return secured_by(str(option), shared)
    from rserpool.core.access import State
    from rserpool.security.following import Secured
    from rserpool.security.settings import Security

    secured = Secured(option) if isinstance(option, Security) else option
    return None if secured.current.state is State.PLAIN else secured


def usual_security(shared: bool = True, user: bool = True) -> Secured | None:
    """What the environment says, or else a file (L{rserpool.config.user}).

    @param shared: as L{secured_from} has it.
    @param user: as L{secured_from} has it.
    @raise ConfigurationError: if something is wrong with it.
    """
    if not user or os.environ.get(SECURITY):
        return named_security(shared)
    found = security_said()
    if found is None:
        return None
    written, place = found
    try:
        return secured_as(written, shared)
    except ConfigurationError as error:
        raise ConfigurationError(f"{place}: [security]: {error}") from None


def registrars_by(
    registrars: Sequence[TransportAddress] | None, secured: Secured | None
) -> tuple[TransportAddress, ...]:
    """Where registrars are reached; by default as L{registrars_from} says without a text."""
    found = tuple(registrars or registrars_from(()))
    return found if secured is None else tuple(map(over_tls, found))


def tls_of(secured: Secured, role: str, ppid: int, renewed: Callable[[], object] = lambda: None) -> Tls:
    """How one protocol of a role speaks TLS; see L{rserpool.node.tls.ROLES}.

    @param renewed: see L{Tls<rserpool.node.tls.Tls>}.

    @raise ConfigurationError: if what secures it is not enough for this role.
    """
    # It loads OpenSSL.
    from rserpool.node.tls import ROLES, Tls
    from rserpool.security.sides import more_than_a_user_needs

    more = more_than_a_user_needs(secured.current) if role == "client" and ppid == PPID_ASAP else None
    if more is not None:
        _log.warn("{more}", more=more)
    return Tls(secured, *ROLES[role], ppid, renewed)


def over_tls_of(secured: Secured) -> Secure:
    """What makes the connections of a thread; see L{rserpool.node.tls_threads.over_tls}.

    @raise ConfigurationError: if what secures it is not enough.
    """
    from rserpool.node.tls_threads import over_tls

    return over_tls(secured)
