"""Errors for programs that know names alone: those of C{socket.getaddrinfo}, and of connections."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from rserpool.core.errors import NoElement, NoRegistrar, RSerPoolError, UnknownPool

NO_DATA: int = getattr(socket, "EAI_NODATA", socket.EAI_NONAME)


class PoolNameError(RSerPoolError, socket.gaierror):
    """A pool's name gives no address.

    @ivar errno: what C{socket.getaddrinfo} has in such a case.
    @ivar strerror: a sentence for the person who has to act.
    """

    def __str__(self) -> str:
        return str(self.strerror)


class NameUnknown(PoolNameError):
    """No pool has this name (C{EAI_NONAME})."""


class NamesUnavailable(PoolNameError):
    """No registrar answered, for now (C{EAI_AGAIN})."""


class NameRefused(PoolNameError):
    """A registrar refused to answer (C{EAI_FAIL})."""


class NoSuchAddress(PoolNameError):
    """The pool has elements, but none with an address of the family, type and protocol that was asked for
    (C{EAI_NODATA})."""


class NothingAccepts(NoElement, ConnectionError):
    """Every element of the pool was tried, and none accepted the connection; the text names them."""


@contextmanager
def name_errors() -> Iterator[None]:
    """What fails a resolution in here is raised as an error of C{socket.getaddrinfo}."""
    try:
        yield
    except PoolNameError:
        raise
    except UnknownPool as error:
        raise NameUnknown(socket.EAI_NONAME, str(error)) from None
    except NoRegistrar as error:
        raise NamesUnavailable(socket.EAI_AGAIN, str(error)) from None
    except RSerPoolError as error:
        raise NameRefused(socket.EAI_FAIL, str(error)) from None
