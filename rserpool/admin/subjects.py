"""The roles as the admin interface shows them: registrar, element, and the user behind a proxy."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any, Protocol

from rserpool.admin import numbers
from rserpool.admin.answers import Described, Refused, described_endpoint, spoken
from rserpool.admin.metrics import Metric
from rserpool.admin.overheard import overhear
from rserpool.core.described import element_json, identifier_text
from rserpool.core.handles import handle_text
from rserpool.node.tap import tap

if TYPE_CHECKING:
    from rserpool.element.service import PoolElementService
    from rserpool.registrar.service import RegistrarService
    from rserpool.user.service import PoolUserService


class Subject(Protocol):
    """What there is to see of a role. Nothing changes by looking."""

    def about(self) -> Described:
        """The role itself."""

    def ready(self) -> str:
        """Why it cannot do its work; empty if it can."""

    def pools(self, after: bytes | None, limit: int | None) -> Iterator[Described]:
        """The pools that it knows, see L{rserpool.core.registrar.snapshot.pools}."""

    def elements(self, handle: bytes, after: int | None, limit: int | None) -> Iterator[Described] | None:
        """The elements of a pool; None if it knows no such pool."""

    def registrars(self) -> Iterator[Described]:
        """The registrars that it knows."""

    def tap(self, tell: Callable[..., object]) -> Callable[[], object]:
        """Have this called with each message, see L{rserpool.node.tap.tap}; what it returns ends it.

        @raise Refused: if there is nothing to hear.
        """

    def draining(self) -> Iterator[Described]:
        """The elements that drain; they are in no pool."""

    def evicted(self) -> Iterator[Described]:
        """The elements that are refused for a while."""

    def metrics(self) -> Iterable[Metric]:
        """What it counts."""

    def observe(self, tell: Callable[[Described], object]) -> Callable[[], object]:
        """Have this called with what happens from now on; its kind is in C{kind}.

        @return: a function that ends it.
        """

    def act(self, verb: str, *arguments: Any, by: str) -> Any:
        """Have something done: C{drain}, C{undrain} and C{evict} an element, C{retire}.

        @param by: who wants it, for the audit trail.
        @return: what came of it, or a C{Deferred} of that.
        @raise Refused: if it is nothing that this role does.
        """


class RegistrarSubject(Subject):
    """A registrar.

    @param service: its service.
    """

    def __init__(self, service: RegistrarService) -> None:
        self._service = service

    def about(self) -> Described:
        service = self._service
        described: Described = _core().described_registrar(service.registrar, service.node.now())
        return described | spoken(service.node) | {"asap": service.asap_places, "paths_down": service.node.paths.down}

    def ready(self) -> str:
        if not self._service.running:
            return "it does not run"
        if not self._service.registrar.peering.ready:
            return "it waits for the handlespace of another registrar"
        return ""

    def pools(self, after: bytes | None, limit: int | None) -> Iterator[Described]:
        return _core().pools(self._service.registrar, after, limit)  # type: ignore[no-any-return]

    def elements(self, handle: bytes, after: int | None, limit: int | None) -> Iterator[Described] | None:
        service = self._service
        found: Iterator[Described] | None = _core().elements(
            service.registrar, handle, service.node.now(), after, limit
        )
        return found

    def registrars(self) -> Iterator[Described]:
        service = self._service
        return _core().registrars(service.registrar, service.node.now())  # type: ignore[no-any-return]

    def metrics(self) -> Iterable[Metric]:
        service = self._service
        return chain(numbers.of_registrar(service.registrar, bool(service.running)), numbers.of_node(service.node))

    def observe(self, tell: Callable[[Described], object]) -> Callable[[], object]:
        observer = self._service.registrar.observer
        observer.on = True
        heard = overhear(self._service.node, tell)

        def end() -> None:
            observer.on = False
            heard()

        return end

    def tap(self, tell: Callable[..., object]) -> Callable[[], object]:
        return tap(self._service.node, tell)

    def draining(self) -> Iterator[Described]:
        service = self._service
        return _core().draining(service.registrar, service.node.now())  # type: ignore[no-any-return]

    def evicted(self) -> Iterator[Described]:
        service = self._service
        return _core().evicted(service.registrar, service.node.now())  # type: ignore[no-any-return]

    def act(self, verb: str, *arguments: Any, by: str) -> Any:
        return getattr(self._service, verb)(*arguments, by=by)


def _core() -> Any:
    """It loads what a registrar is made of, which other roles do without."""
    from rserpool.core.registrar import snapshot

    return snapshot


class ElementSubject(Subject):
    """A pool element: the pools that it serves in.

    @param service: tells its service; None while there is none yet: C{lambda: pooled.element} of a
        L{PooledService<rserpool.element.pooled.PooledService>}.
    """

    def __init__(self, service: Callable[[], PoolElementService | None]) -> None:
        self._service = service

    def about(self) -> Described:
        service = self._service()
        if service is None:
            return {"role": "element", "home": None, "pools": 0}
        role = service.element
        return {
            "role": "element",
            "home": None if role.home is None else str(role.home),
            "pools": len(role.pools),
            "registered": sum(map(role.is_registered, role.pools)),
        }

    def ready(self) -> str:
        service = self._service()
        if service is None or not service.running:
            return "what it serves has not started yet"
        missing = [handle for handle in service.element.pools if not service.element.is_registered(handle)]
        if not service.element.pools:
            return "it serves in no pool"
        if not missing:
            return ""
        why = "the registrar has not accepted it yet"
        if service.element.home is None:
            said = service.element.distrust.why()
            why = f"no registrar is found{said and '; '}{said}"
        return f"not registered in {', '.join(map(handle_text, missing[:5]))}: {why}"

    def pools(self, after: bytes | None, limit: int | None) -> Iterator[Described]:
        service = self._service()
        role = None if service is None else service.element
        for handle in _page(role.pools if role is not None else (), after, limit):
            assert role is not None
            element = element_json(role.element(handle))
            yield {
                "pool": handle_text(handle),
                "handle": handle.hex(),
                "policy": element["policy"]["name"],
                "elements": 1,
                "homes": {identifier_text(role.home_identifier): 1} if role.is_registered(handle) else {},
            }

    def elements(self, handle: bytes, after: int | None, limit: int | None) -> Iterator[Described] | None:
        service = self._service()
        role = None if service is None else service.element
        if service is None or role is None or handle not in role.pools:
            return None
        described = element_json(role.element(handle)) | {
            "pool": handle_text(handle),
            "home": identifier_text(role.home_identifier),
            "asap": described_endpoint(service.node.asap.sctp),
            "registered": role.is_registered(handle),
        }
        return iter([described] if after is None or role.identifier(handle) > after else [])

    def registrars(self) -> Iterator[Described]:
        service = self._service()
        if service is None:
            return iter(())
        home = service.element.home
        since = None if service.home_since is None else round(service.node.now() - service.home_since, 3)
        return (
            {
                "identifier": identifier_text(service.element.home_identifier) if each == home else None,
                "address": str(each),
                "state": "home" if each == home else "known",
                "since": since if each == home else None,
            }
            for each in service.element.known_registrars
        )

    def metrics(self) -> Iterable[Metric]:
        service = self._service()
        return () if service is None else chain(numbers.of_element(service.element), numbers.of_node(service.node))

    def observe(self, tell: Callable[[Described], object]) -> Callable[[], object]:
        service = self._service()
        return (lambda: None) if service is None else overhear(service.node, tell)

    def tap(self, tell: Callable[..., object]) -> Callable[[], object]:
        service = self._service()
        return (lambda: None) if service is None else tap(service.node, tell)

    def draining(self) -> Iterator[Described]:
        return iter(())

    evicted = draining

    def act(self, verb: str, *arguments: Any, by: str) -> Any:
        return _nothing(verb)


class UserSubject(Subject):
    """A pool user, as in a proxy: the pools that it watches.

    @param pool: the handle of the pool that it is for.
    @param counters: what the proxy counts that it is for.
    """

    def __init__(self, service: PoolUserService, pool: bytes, role: str = "proxy", counters: Any = None) -> None:
        self._service = service
        self._pool = pool
        self._role = role
        self._counters = counters

    def about(self) -> Described:
        home = self._service.home
        return {
            "role": self._role,
            "pool": handle_text(self._pool),
            "handle": self._pool.hex(),
            "home": None if home is None else str(home),
            "waiting": self._service.waiting,
        }

    def ready(self) -> str:
        known = self._known().get(self._pool)
        if not self._service.running:
            return "it does not run"
        if known is None and self._service.home is None:
            return "no registrar is found"
        return "" if known else f"pool {handle_text(self._pool)} has no element"

    def pools(self, after: bytes | None, limit: int | None) -> Iterator[Described]:
        known = self._known()
        for handle in _page(known, after, limit):
            elements = [element_json(element) for element in known[handle]]
            homes: dict[str, int] = {}
            for element in elements:
                homes[element["home"]] = homes.get(element["home"], 0) + 1
            yield {
                "pool": handle_text(handle),
                "handle": handle.hex(),
                "policy": elements[0]["policy"]["name"] if elements else None,
                "elements": len(elements),
                "homes": homes,
            }

    def elements(self, handle: bytes, after: int | None, limit: int | None) -> Iterator[Described] | None:
        known = self._known().get(handle)
        if known is None:
            return None
        there = sorted(known, key=lambda element: element.identifier)
        rest = (element for element in there if after is None or element.identifier > after)
        chosen = rest if limit is None else (element for element, _ in zip(rest, range(limit), strict=False))
        return (element_json(element) | {"pool": handle_text(handle)} for element in chosen)

    def registrars(self) -> Iterator[Described]:
        home = self._service.home
        since = None if self._service.home_since is None else self._service.now() - self._service.home_since
        return (
            {
                "identifier": None,
                "address": str(each),
                "state": "home" if each == home else "known",
                "since": round(since, 3) if each == home and since is not None else None,
            }
            for each in self._service.registrars
        )

    def metrics(self) -> Iterable[Metric]:
        return numbers.of_user(self._service, self._counters)

    def observe(self, tell: Callable[[Described], object]) -> Callable[[], object]:
        def changed(change: Any) -> None:
            number = None if change.elements is None else len(change.elements)
            pool = {"pool": handle_text(change.handle), "handle": change.handle.hex()}
            tell({"kind": "pool", **pool, "elements": number})

        return self._service.subscribe(self._pool, changed).stop

    def tap(self, tell: Callable[..., object]) -> Callable[[], object]:
        return _nothing("show its messages")  # type: ignore[no-any-return]

    def draining(self) -> Iterator[Described]:
        return iter(())

    evicted = draining

    def act(self, verb: str, *arguments: Any, by: str) -> Any:
        return _nothing(verb)

    def _known(self) -> dict[bytes, Any]:
        return {
            handle: change.elements or ()
            for handle, change in self._service.watched.items()
            if change is not None and change.elements is not None
        }


def _nothing(verb: str) -> Any:
    raise Refused(409, f"this cannot {verb}: ask a registrar")


def _page(handles: Iterable[bytes], after: bytes | None, limit: int | None) -> list[bytes]:
    rest = [handle for handle in handles if after is None or handle > after]
    return rest if limit is None else sorted(rest)[:limit]
