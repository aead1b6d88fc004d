"""What operators do by a registrar, as Deferreds: drain, undrain, evict, retire."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any

from twisted.internet.defer import Deferred

from rserpool.core.errors import CannotAct, RSerPoolError, UnknownPool
from rserpool.core.handles import handle_of
from rserpool.core.registrar import Registrar
from rserpool.core.registrar.draining import Held
from rserpool.core.registrar.events import DrainAnswered, Retired
from rserpool.core.registrar.operating import OPERATOR
from rserpool.node.node import Node


class Acting:
    """The part of L{RegistrarService<rserpool.registrar.service.RegistrarService>} that acts for operators.

    Whoever calls has found out that it is one. Each act leaves a line in the audit trail, with C{by}, who it was.

    @ivar retired: called when the registrar has handed its elements over: the process may end.
    """

    registrar: Registrar
    node: Node
    retired: Callable[[], object] | None = None

    def __init__(self) -> None:
        self._drains: dict[tuple[bytes, int, bool], list[Deferred[int | None]]] = {}
        self._retires: list[Deferred[int]] = []

    @property
    def draining(self) -> list[Held]:
        """The elements that drain, and have this registrar for a home; they are in no pool."""
        return list(self.registrar.draining.held.values())

    def drain(self, pool: bytes | str, identifier: int, *, by: str = OPERATOR) -> Deferred[int | None]:
        """Have an element take no new users, serve those that it has, and stay so until L{undrain}.

        To ask again is harmless, and tells how many connections are left by now.

        Of an element of another registrar it is passed on to that one.

        @return: a C{Deferred} of the number of connections that the element has yet; None where it does not say. It
            fails with L{UnknownPool} if there is no such pool, and with L{CannotAct} if the element is not there, its
            home cannot be asked, it does not know how to drain (then the sentence names evict), or does not do it in
            time (some seconds).
        """
        return self._order(handle_of(pool), identifier, True, by)

    def undrain(self, pool: bytes | str, identifier: int, *, by: str = OPERATOR) -> Deferred[int | None]:
        """Have an element that drains serve again.

        @return: a C{Deferred} that fires when it is registered again; it fails as that of L{drain}.
        """
        return self._order(handle_of(pool), identifier, False, by)

    def evict(self, pool: bytes | str, identifier: int, seconds: float, *, by: str = OPERATOR) -> Deferred[None]:
        """Remove an element from its pool, and have all registrars that know evictions refuse it for a while.

        rsplib's registrars, and those of older releases, take it if it asks them. Again with 1 second ends it.

        @return: a C{Deferred} that fires when the registrars are told. It fails with L{UnknownPool} if there is no such
            pool, with L{CannotAct} if the element is not there, or its home does not know evictions, and with
            L{ConfigurationError} if C{seconds} is not from 1 to 604,800 (7 days).
        """
        done: Deferred[None] = Deferred()
        try:
            effects = self.registrar.operating.evict(handle_of(pool), identifier, ceil(seconds), self.node.now(), by)
        except Exception:
            done.errback()
            return done
        self.node.perform(effects)
        done.callback(None)
        return done

    def retire(self, *, by: str = OPERATOR) -> Deferred[int]:
        """Hand all elements over to other registrars, and then have the process end, where there is L{retired}.

        @return: a C{Deferred} of the number of elements, when they are handed over. It fails with L{CannotAct} if no
            other registrar is there, or elements are left with none taken for 30 seconds: then it serves on.
        """
        done: Deferred[int] = Deferred()
        self._retires.append(done)
        try:
            effects = self.registrar.operating.retire(self.node.now(), by)
        except CannotAct:
            self._retires.remove(done)
            done.errback()
            return done
        self.node.perform(effects)
        return done

    def _order(self, handle: bytes, identifier: int, drains: bool, by: str) -> Deferred[int | None]:
        done: Deferred[int | None] = Deferred()
        waiting = self._drains.setdefault((handle, identifier, drains), [])
        waiting.append(done)
        try:
            effects = self.registrar.operating.drain(handle, identifier, drains, self.node.now(), by)
        except RSerPoolError as error:
            waiting.remove(done)
            done.errback(self._dated(error))
            return done
        self.node.perform(effects)
        return done

    @staticmethod
    def _dated(error: RSerPoolError) -> RSerPoolError:
        """Until when an element is evicted, by the clock on the wall."""
        if not isinstance(error, CannotAct) or not error.evicted:
            return error
        until = datetime.now(UTC) + timedelta(seconds=error.evicted)
        return CannotAct(f"{error}; that is until {until:%Y-%m-%d %H:%M:%S} UTC", error.evicted)

    def _acted(self, event: Any) -> None:
        """Something happened that somebody may wait for."""
        match event:
            case DrainAnswered(handle, identifier, drains, refused, connections, pool):
                for done in self._drains.pop((handle, identifier, drains), ()):
                    if refused:
                        done.errback(CannotAct(refused) if pool else UnknownPool(handle))
                    else:
                        done.callback(connections)
            case Retired(elements, refused):
                retires, self._retires = self._retires, []
                for each in retires:
                    if refused:
                        each.errback(CannotAct(refused))
                    else:
                        each.callback(elements)
                if not refused and self.retired is not None:
                    self.retired()

    def _act_no_more(self) -> None:
        """The registrar ends: nobody waits in vain."""
        waiting: list[Deferred[Any]] = [done for each in self._drains.values() for done in each]
        waiting += self._retires
        self._drains, self._retires = {}, []
        for done in waiting:
            done.errback(CannotAct("the registrar was stopped"))
