"""What a job tells while it runs: how far it is, and the state from which another worker may go on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rserpool.core.compute import frames
from rserpool.core.compute.frames import Tag


class Telling:
    """The job that this process does now.

    @ivar send: takes what is to be told to the worker; None outside a worker.
    @ivar state: what the job's last checkpoint had, at a worker that is gone; None if there was none.
    """

    send: Callable[[Tag, bytes], object] | None = None
    state: Any = None


_now = Telling()


def checkpoint(state: Any) -> None:
    """Leave a state from which the job can go on: if this worker dies, the next one finds it by L{restored}.

    It is signed by the key that the workers of the pool share, and travels to the user (RFC 5352 section 3.8): call it
    as often as you would like to lose no more work than since then.

    @param state: JSON, or bytes; at most 40,000 bytes.
    @raise TypeError: if it is neither.
    @raise ValueError: if it is too long.
    """
    kind, body = frames.pack(state)
    if len(body) > frames.LONGEST_CHECKPOINT:
        raise ValueError(f"a checkpoint may have {frames.LONGEST_CHECKPOINT} bytes, and this one has {len(body)}")
    if _now.send is not None:
        _now.send(Tag.CHECKPOINT, frames.encode({"as": kind}, body))


def restored() -> Any:
    """The state of the job's last L{checkpoint} at a worker that is gone; None if it begins anew."""
    return _now.state


def progress(part: float) -> None:
    """Tell the user how far the job is, from 0.0 to 1.0."""
    if _now.send is not None:
        _now.send(Tag.PROGRESS, frames.encode({"progress": float(part)}))


def here() -> Telling:
    """Of this process."""
    return _now
