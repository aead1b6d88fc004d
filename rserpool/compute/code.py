"""Functions that travel, at the user's side: cloudpickle makes bytes of them, which workers that accept code unpickle.

Nothing here unpickles anything: what comes back is JSON, or bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rserpool.core.access import State
from rserpool.core.compute import frames
from rserpool.core.errors import ConfigurationError
from rserpool.user.service import PoolUserService

NEEDED = "pip install 'rserpool[code]'"


def job_of(function: Any, arguments: tuple[Any, ...], named: dict[str, Any], code: bool) -> tuple[str, bytes]:
    """The name of a job, and what is to be done.

    @param function: the name of a function, or where C{code} says so any callable.
    @raise TypeError: if it is neither, or an argument neither JSON nor bytes.
    @raise ValueError: if the function or its arguments are too long.
    """
    if isinstance(function, str):
        return function, frames.work(function, arguments, named)
    if not code:
        raise TypeError(
            f"a job is the name of a function that the workers offer, not {function!r}: code does not travel, unless "
            "the workers accept it (twistd rserpool-worker --accept-code) and you say code=True"
        )
    if not callable(function):
        raise TypeError(f"a job is a function, or the name of one, not {function!r}")
    name = str(getattr(function, "__qualname__", None) or type(function).__qualname__)[: frames.LONGEST_NAME]
    return name, frames.work(name, arguments, named, _packed(function))


def check_submitter(user: PoolUserService, tls: str | None) -> None:
    """Whether workers can know who this user is.

    @raise ConfigurationError: if they cannot: it says what to do.
    """
    _pickler()
    security = None if user.secured is None else user.secured.current
    if security is None or security.state is not State.REQUIRED:
        raise ConfigurationError(
            "code is taken in a secured scope alone: name with security= (RSERPOOL_SECURITY) a folder of "
            "rserpool keys make --submitter NAME"
        )
    if security.certificate is None:
        raise ConfigurationError(
            "code is taken from those alone who prove who they are: what security= names has no certificate "
            "(certificate.pem, private-key.pem); rserpool keys add --submitter NAME makes one"
        )
    if tls is None:
        raise ConfigurationError("code goes to workers alone that prove who they are: say tls=, the name they have")


def _packed(function: Callable[..., Any]) -> bytes:
    try:
        code: bytes = _pickler().dumps(function)
    except Exception as error:
        raise TypeError(f"{function!r} cannot travel: {type(error).__name__}: {error}") from error
    if len(code) > frames.LONGEST_CODE:
        raise ValueError(f"code may have {frames.LONGEST_CODE} bytes, and this has {len(code)}: give data as arguments")
    return code


def _pickler() -> Any:
    try:
        import cloudpickle
    except ImportError:
        raise ConfigurationError(f"for code to travel cloudpickle is needed: {NEEDED}") from None
    return cloudpickle
