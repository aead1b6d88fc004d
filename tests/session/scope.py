"""A scope in which elements serve sessions over one transport, and users note what they are told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rserpool.core import PolicyParameter, PoolElementParameter, TcpTransport
from rserpool.session import Session, SessionFactory, SessionProtocol
from rserpool.testing import ElementProcess, Scope
from rserpool.user import PoolUserService


class Echo(SessionProtocol):
    """Answers with its name and what it was told; C{started} are the states with which its sessions began."""

    def __init__(self, name: bytes, started: list[bytes | None]) -> None:
        self.name = name
        self.started = started
        self.received: list[bytes] = []

    def sessionStarted(self, state: bytes | None) -> None:
        self.started.append(state)

    def messageReceived(self, data: bytes) -> Any:
        self.received.append(data)
        self.session.reply(self.name + b" " + data)


class SessionScope(Scope):
    """One registrar; elements have names, and these are their identifiers too.

    @param kind: C{tcp} or C{sctp}: how elements serve.
    @ivar started: the states with which the sessions of each L{Echo} began.
    @ivar factories: what each element serves.
    """

    def __init__(self, case: Any, kind: str = "tcp", seed: int = 1) -> None:
        super().__init__(seed=seed)
        case.addCleanup(self.stop)
        self.kind = kind
        self.started: dict[str, list[bytes | None]] = {}
        self.factories: dict[str, SessionFactory] = {}

    def serve(
        self,
        name: str,
        build: Callable[[], SessionProtocol] | None = None,
        *,
        factory: Any = None,
        pool: str = "pool",
        framing: int = 1,
        **options: Any,
    ) -> ElementProcess:
        """An element, registered when this returns."""
        started = self.started.setdefault(name, [])

        def begin(element: ElementProcess) -> None:
            self.factories[name] = factory or SessionFactory(
                build or (lambda: Echo(name.encode(), started)), pool=pool, **{"wall": element.wall, **options}
            )
            element.serve(
                pool, self.factories[name], protocol=self.kind, port=80, identifier=self.number(name), framing=framing
            )

        element = self.element(name=name, setup=begin)
        self.until(lambda: element.pools[pool.encode()])
        return element

    def serve_each(self, names: str, build: Callable[[], SessionProtocol] | None = None) -> None:
        """An element for each letter."""
        for name in names:
            self.serve(name, build)

    def kill_serving(self, session: Session) -> str:
        """Kill the element that serves now, and tell its name."""
        name = self.name(session.element)
        self.kill(self.processes[name])
        return name

    def dies(self, name: str) -> None:
        """Kill an element."""
        self.kill(self.processes[name])

    def number(self, name: str) -> int:
        """The identifier of an element."""
        return int.from_bytes(name.encode(), "big")

    def name(self, element: Any) -> str:
        """The name of an element."""
        return element.identifier.to_bytes(4, "big").lstrip(b"\0").decode()

    def foreign(self, name: str) -> PoolElementParameter:
        """An element that no registrar knows."""
        transport = TcpTransport(80, "10.66.6.6")
        return PoolElementParameter(self.number(name), 0, 60, transport, PolicyParameter(1), framing=1)

    def session(self, pool: str = "pool", user: PoolUserService | None = None, **options: Any) -> Told:
        """A session that notes what it is told."""
        user = user or self.user().service
        return Told(self, user, Session(user, pool, **options))


class Told:
    """A session, and what it told.

    @ivar pool: its pool now, as the user sees it.
    """

    def __init__(self, scope: SessionScope, user: PoolUserService, session: Session) -> None:
        self.session = session
        self.pool: Any = ()
        user.subscribe(session.handle, lambda change: setattr(self, "pool", change.elements or ()))
        self.received: list[bytes] = []
        self.failovers: list[tuple[str, str]] = []
        self.ended: list[Any] = []
        session.received = self.received.append
        session.failed_over = lambda old, new: self.failovers.append((scope.name(old), scope.name(new)))
        session.ended = self.ended.append


class SessionCase:
    """A test in such a scope, once over TCP and once over SCTP."""

    kind: str

    def setUp(self: Any) -> None:
        self.scope = SessionScope(self, self.kind)

    def failure(self: Any, waiting: Any, kind: type[Exception]) -> Any:
        """What it fails with."""
        with self.assertRaises(kind) as caught:
            self.scope.result(waiting)
        return caught.exception
