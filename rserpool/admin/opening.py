"""The admin interface of a process, as options say it: where it is to be, and by which token operators act."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from rserpool.admin.places import Place, TcpPlace, parse_place, secured
from rserpool.sctp.lookup import own

if TYPE_CHECKING:
    from rserpool.admin.askers import Token

ADMIN_HELP: Final = "PATH of a socket, or [https://]HOST:PORT, of the admin interface; may be given several times"
TOKEN_HELP: Final = "FILE (mode 0600) with the token by which operators act at an admin HOST:PORT"  # noqa: S105


def admin_place(text: str) -> Place:
    """Where an admin interface is to be: a Unix socket, or our own addresses.

    @raise ConfigurationError: with a sentence that says what is wrong.
    """
    place = parse_place(text)
    return secured(TcpPlace(own(place.address), place.tls), text) if isinstance(place, TcpPlace) else place


def admin_token(text: str) -> Token:
    """The file with the token of operators.

    @raise ConfigurationError: if it cannot be used.
    """
    from rserpool.admin.askers import Token

    return Token(Path(text))
