"""Who opened which port of a reactor: a service is asked what it opens, not the clock.

What a service calls, now or later (timers, coroutines, C{callWhenRunning}), runs as its own, and a port that is opened
by it is noted as its port.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from functools import partial, wraps
from typing import Any, TypeVar
from weakref import WeakKeyDictionary, WeakSet

from twisted.internet.base import BasePort
from twisted.internet.interfaces import IListeningPort

from rserpool.sctp.one_to_one.ports import SctpPort, sctp_ports

LISTENING = (
    "listenTCP",
    "listenSSL",
    "listenUDP",
    "listenMulticast",
    "listenUNIX",
    "adoptStreamPort",
    "adoptDatagramPort",
)
"""Methods of reactors that open ports."""
LATER = {"callLater": 1, "callWhenRunning": 0, "addSystemEventTrigger": 2}
"""Methods of reactors that call something later, and where that stands among their arguments."""

T = TypeVar("T")
_opener: ContextVar[object | None] = ContextVar("opener", default=None)
_noted: WeakKeyDictionary[Any, _Notes] = WeakKeyDictionary()


class _Notes:
    """What is known of one reactor's ports.

    @ivar openers: who opened them.
    @ivar opened: how many were.
    @ivar watchers: who wants to know as soon as one is opened or closed.
    @ivar telling: ports of which that is told.
    """

    def __init__(self) -> None:
        self.openers: WeakKeyDictionary[Any, object] = WeakKeyDictionary()
        self.opened = 0
        self.watchers: dict[Callable[[], object], None] = {}
        self.telling: WeakSet[Any] = WeakSet()

    def tell(self) -> None:
        """A port was opened, or closed."""
        for watcher in tuple(self.watchers):
            watcher()


def note_openers(reactor: Any) -> None:
    """From now on note who opens the ports of this reactor."""
    if reactor in _noted:
        return
    notes = _noted[reactor] = _Notes()
    for name in LISTENING:
        if hasattr(reactor, name):
            setattr(reactor, name, _noting(getattr(reactor, name), notes))
    for name, position in LATER.items():
        if hasattr(reactor, name):
            setattr(reactor, name, _handing_on(getattr(reactor, name), position))


def opened_by(opener: object, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Call C{function}; the ports that it opens, now or later, are the opener's."""
    token = _opener.set(opener)
    try:
        return function(*args, **kwargs)
    finally:
        _opener.reset(token)


def opener_of(reactor: Any, port: Any) -> object | None:
    """Who opened a port; None if it is not known."""
    notes = _noted.get(reactor)
    opener = None if notes is None else notes.openers.get(port)
    if opener is None and isinstance(port, SctpPort):
        return port.context.get(_opener)
    return opener


def claim(reactor: Any, port: Any, opener: object) -> None:
    """From now on the port is this opener's."""
    note_openers(reactor)
    _noted[reactor].openers[port] = opener


def opened_so_far(reactor: Any) -> int:
    """A number that changes when a port is opened; L{note_openers} begins to count."""
    return _noted[reactor].opened + len(sctp_ports(reactor))


def watch_ports(reactor: Any, watcher: Callable[[], object]) -> Callable[[], None]:
    """From now on call C{watcher} as soon as a port is opened, or closed, until what is returned is called."""
    note_openers(reactor)
    watchers = _noted[reactor].watchers
    watchers[watcher] = None
    return lambda: watchers.pop(watcher, None)


def tells_of_its_end(reactor: Any, port: Any) -> bool:
    """Whether it is told at once when a port is closed: else somebody has to look."""
    return reactor in _noted and port in _noted[reactor].telling


def open_ports(reactor: Any) -> list[Any]:
    """The ports that are open in a reactor, of whatever kind, in the order of their numbers in the system."""
    readers: list[Any] = [reader for reader in reactor.getReaders() if IListeningPort.providedBy(reader)]
    # The reactor knows them in no order; the system gives out the lowest number that is free.
    return sorted(readers, key=lambda reader: reader.fileno()) + sctp_ports(reactor)


def kind_of(port: Any) -> str:
    """C{tcp}, C{udp}, C{sctp}, C{unix}, or whatever else it is."""
    kind = str(getattr(port.getHost(), "type", None) or type(port).__name__).lower()
    return "unix" if not hasattr(port.getHost(), "port") else kind


def is_client(port: Any) -> bool:
    """Whether a UDP port is where a client waits for its answers, as far as can be seen, or a multicast group's.

    A client lets the system choose its port, and so does hardly a server.
    """
    if kind_of(port) != "udp":
        return False
    group = getattr(port, "listenMultiple", False) or getattr(port, "_connectedAddr", None) is not None
    return bool(group) or getattr(port, "port", None) == 0


def _noting(method: Callable[..., Any], notes: _Notes) -> Callable[..., Any]:
    @wraps(method)
    def listen(*args: Any, **kwargs: Any) -> Any:
        port = method(*args, **kwargs)
        notes.opened += 1
        if (opener := _opener.get()) is not None:
            notes.openers[port] = opener
        _have_tell(port, notes)
        notes.tell()
        return port

    return listen


def _have_tell(port: Any, notes: _Notes) -> None:
    """Have a port of Twisted's own tell when it is closed; who makes other ones may close them in ways of their own."""
    if isinstance(port, BasePort):
        port.connectionLost = _telling(port.connectionLost, notes)  # type: ignore[method-assign]
        notes.telling.add(port)


def _telling(method: Callable[..., Any], notes: _Notes) -> Callable[..., Any]:
    @wraps(method)
    def told(*args: Any, **kwargs: Any) -> Any:
        try:
            return method(*args, **kwargs)
        finally:
            notes.tell()

    return told


def _handing_on(method: Callable[..., Any], position: int) -> Callable[..., Any]:
    @wraps(method)
    def later(*args: Any, **kwargs: Any) -> Any:
        if (opener := _opener.get()) is not None and len(args) > position:
            mine = partial(opened_by, opener, args[position])
            args = (*args[:position], mine, *args[position + 1 :])
        return method(*args, **kwargs)

    return later
