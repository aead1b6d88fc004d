"""C{rserpool watch}: print every change of a pool as it happens (RFC 5352 section 2.2.5, the S bit)."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from errno import EPIPE
from typing import Any, TextIO

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from rserpool.cli.audience import Audience
from rserpool.cli.codes import OK
from rserpool.cli.options import add_reporting_options, add_user_options, reporting, user_from
from rserpool.cli.show import Lines, element_json, policy_name, row
from rserpool.core.errors import UnknownPool
from rserpool.core.handles import handle_text
from rserpool.core.user.events import PoolChanged
from rserpool.core.wire.asap_users import fills_answer
from rserpool.core.wire.parameters import PoolElementParameter
from rserpool.user.service import PoolUserService


def configure(parser: argparse.ArgumentParser) -> None:
    add_user_options(parser)
    add_reporting_options(parser)


class Watcher:
    """Finds out what changed, and prints a line for it: C{=} was there at the start, C{+} came, C{-} went, C{~} is
    other than it was."""

    def __init__(self, out: TextIO, as_json: bool, clock: Callable[[], float]) -> None:
        self._lines = Lines(out, as_json, clock)
        self._elements: dict[int, PoolElementParameter] = {}
        self._exists: bool | None = None
        self._cut = False

    def changed(self, change: PoolChanged) -> None:
        """The pool is like this now."""
        exists = change.elements is not None
        elements = {element.identifier: element for element in change.elements or ()}
        if exists and not self._exists:
            self._print("pool", change, f"pool {handle_text(change.handle)}: {policy_name(change.policy)}")
        for identifier, element in self._elements.items():
            if identifier not in elements:
                self._print("-", change, "  ".join(row(element)), element)
        first = self._exists is None
        for identifier, element in elements.items():
            if identifier not in self._elements:
                self._print("=" if first else "+", change, "  ".join(row(element)), element)
            elif element != self._elements[identifier]:
                self._print("~", change, "  ".join(row(element)), element)
        cut = fills_answer(change.handle, change.elements or ())
        if cut and not self._cut:
            self._print("cut", change, "this is as many as an answer holds: there may be more")
        self._cut = cut
        if not exists and self._exists is not False:
            self._print("no pool", change, f"no pool is named {handle_text(change.handle)}; waiting for it")
        self._elements, self._exists = elements, exists

    def _print(self, what: str, change: PoolChanged, text: str, element: PoolElementParameter | None = None) -> None:
        fields: dict[str, Any] = {"change": what, "pool": handle_text(change.handle)}
        if element is not None:
            fields["element"] = element_json(element)
        elif change.elements is not None:
            fields["policy"] = {"type": change.policy, "name": policy_name(change.policy)}
        self._lines.show(f"{'=' if element is None else what} {text}", **fields)


async def run(
    reactor: Any,
    options: argparse.Namespace,
    out: TextIO,
    user: PoolUserService | None = None,
    clock: Callable[[], float] = time.time,
) -> int:
    """Watch until this is cancelled.

    @raise NoRegistrar: if none is found at the start; later it goes on looking.
    """
    user = user or user_from(reactor, options)
    watcher = Watcher(out, options.json, clock)
    ended: Deferred[None] = Deferred()

    def changed(change: PoolChanged) -> None:
        try:
            watcher.changed(change)
        except OSError as error:
            # For example nobody reads our output any more.
            if not ended.called:
                ended.errback(Failure(error))

    def gone() -> None:
        if not ended.called:
            ended.errback(Failure(BrokenPipeError(EPIPE, "nobody reads what is told")))

    audience = Audience(reactor, out, gone)
    service = reporting(reactor, options, user)
    service.startService()
    audience.start()
    subscription = user.subscribe(options.pool, changed)
    try:
        try:
            await user.resolve(options.pool, timeout=options.timeout)
        except UnknownPool:
            pass
        await ended
    except CancelledError:
        pass
    finally:
        audience.stop()
        # What has ended it first is told; nobody may have waited for this yet.
        ended.addErrback(lambda _: None)
        subscription.stop()
        await service.stopService()
    return OK
