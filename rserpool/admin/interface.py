"""What the admin interface answers to what: its paths, at each of its places."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Collection
from functools import partial
from typing import Any, Final, TypeAlias
from urllib.parse import unquote_to_bytes

from twisted.internet.defer import maybeDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from rserpool.admin.answers import Answer, Listing, Refused, dumped
from rserpool.admin.askers import CHALLENGE, Asker
from rserpool.admin.files import FILES, file_at
from rserpool.admin.gate import READS, admit, check_action
from rserpool.admin.history import History
from rserpool.admin.messages import MessageStream, Taps
from rserpool.admin.metrics import Metric, Metrics, gauge
from rserpool.admin.places import Place, UnixPlace
from rserpool.admin.stream import Stream, Streams
from rserpool.admin.subjects import Subject
from rserpool.core.errors import RSerPoolError, UnknownPool
from rserpool.core.frozen import frozen
from rserpool.core.handles import handle_text, printable
from rserpool.node.counting import LimitedLog

MOST: Final = 10_000
"""So many things are in a page, at most."""
EVICTED: Final = 600
"""Seconds that somebody is evicted for where nothing is said."""
LONGEST_EVICTION: Final = 7 * 86400
_OPERATOR: Final = (
    "this takes an operator: a token (--admin-token FILE; over HTTP: Authorization: Bearer), a certificate with that "
    "role, or the Unix socket; a key does not count here"
)

ACTS: Final = (b"POST",)

Answering: TypeAlias = Callable[..., Any]


@frozen
class Route:
    """One path: C{*} stands for any segment, which C{answer(request, *segments)} gets decoded."""

    segments: tuple[bytes, ...]
    answer: Answering
    methods: tuple[bytes, ...] = READS
    operator: bool = False

    @property
    def acts(self) -> bool:
        """Whether something is done; that takes an operator, as what says C{operator} does."""
        return self.methods == ACTS


class Interface:
    """The paths of a role.

    @param wall: seconds since 1970.
    @param now: a monotonic clock, in seconds.
    @ivar trail: who was refused what, for the audit; what was done the role tells.
    @ivar history: what has happened.
    @ivar more: metrics beside those of the role.
    """

    def __init__(
        self, subject: Subject, wall: Callable[[], float] = time.time, now: Callable[[], float] = time.monotonic
    ) -> None:
        self.subject = subject
        self.taps = Taps(subject.tap)
        self.trail = LimitedLog(Logger(namespace="rserpool.admin.trail"), now)
        self.history = History(wall)
        self.streams = Streams(self.history)
        self.more: list[Callable[[], Metric]] = [self._open_streams]
        self._metrics = Metrics(lambda: (*subject.metrics(), *(each() for each in self.more)))
        self.routes = [
            *(_route(path, partial(self._file, path)) for path in FILES),
            _route("/v1/about", self._about),
            _route("/v1/pools", self._pools),
            _route("/v1/pools/*/elements", self._elements),
            _route("/v1/registrars", self._registrars),
            _route("/v1/pools/*/history", self._history),
            _route("/v1/pools/*/elements/*/history", self._history),
            _route("/v1/draining", self._draining),
            _route("/v1/evicted", self._evicted),
            _route("/v1/events", self._events),
            Route((b"v1", b"messages"), self._messages, operator=True),
            _route("/metrics", self._numbers),
            _route("/live", self._live),
            _route("/ready", self._ready),
            *(
                _route(f"/v1/pools/*/elements/*/{verb}", partial(self._act_on, verb), *ACTS)
                for verb in ("drain", "undrain", "evict")
            ),
            _route("/v1/retire", self._retire, *ACTS),
        ]

    def _file(self, path: str, request: Any) -> Answer:
        return file_at(path)

    def _about(self, request: Any) -> Answer:
        reason = self.subject.ready()
        return Answer(dumped(self.subject.about() | {"ready": not reason, "reason": reason or None}))

    def _pools(self, request: Any) -> Listing:
        asked = _asked(request, "after", "limit")
        after = None
        if "after" in asked:
            if not re.fullmatch(r"([0-9a-f]{2})+", asked["after"], re.IGNORECASE | re.ASCII):
                raise Refused(400, "after: the handle of a pool is written in hexadecimal digits")
            after = bytes.fromhex(asked["after"])
        limit = _limit(asked)
        return Listing("pools", self.subject.pools(after, limit), "handle", limit)

    def _elements(self, request: Any, handle: bytes) -> Listing:
        asked = _asked(request, "after", "limit")
        after = None
        if "after" in asked:
            after = _identifier(asked["after"], "after: the identifier of an element")
        limit = _limit(asked)
        elements = self.subject.elements(handle, after, limit)
        if elements is None:
            raise Refused(404, "no pool is named so here")
        return Listing("elements", elements, "identifier", limit)

    def _live(self, request: Any) -> Answer:
        return Answer(dumped({"live": True}))

    def _ready(self, request: Any) -> Answer:
        reason = self.subject.ready()
        return Answer(dumped({"ready": not reason, "reason": reason or None}), status=503 if reason else 200)

    def _history(self, request: Any, handle: bytes, element: bytes | None = None) -> Listing:
        asked = _asked(request, "kind", "limit")
        identifier = None if element is None else _identifier(element.decode("latin-1"), "the identifier of an element")
        return Listing("events", iter(self.history.about(handle, identifier, asked.get("kind"), _limit(asked))))

    def _draining(self, request: Any) -> Listing:
        _asked(request)
        return Listing("elements", self.subject.draining())

    def _evicted(self, request: Any) -> Listing:
        _asked(request)
        return Listing("elements", self.subject.evicted())

    def _events(self, request: Any) -> Stream:
        asked = _asked(request, "after")
        seen = request.requestHeaders.getRawHeaders(b"Last-Event-ID", [b""])[-1].decode("latin-1")
        after = seen or asked.get("after", "")
        if not re.fullmatch(r"[0-9]{0,15}", after, re.ASCII):
            raise Refused(400, "after: the number of an event")
        return self.streams.stream(int(after) if after else self.history.last)

    def _messages(self, request: Any) -> MessageStream:
        _asked(request)
        return self.taps.stream()

    def _numbers(self, request: Any) -> Answer:
        accept = request.requestHeaders.getRawHeaders(b"Accept", [b""])[-1]
        return self._metrics.answer(accept.decode("latin-1"))

    def _open_streams(self) -> Metric:
        return gauge("rserpool_admin_streams", "Streams of events that are open.", self.streams.open)

    def _act_on(self, verb: str, request: Any, handle: bytes, element: bytes) -> Any:
        identifier = _identifier(element.decode("latin-1"), "the identifier of an element")
        body = _body(request, "seconds") if verb == "evict" else _body(request)
        seconds = body.get("seconds", EVICTED)
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 1 <= seconds <= LONGEST_EVICTION:
            raise Refused(400, f"seconds: a number from 1 to {LONGEST_EVICTION}")
        about = f"{handle_text(handle)} 0x{identifier:08x}"
        arguments = (handle, identifier, float(seconds)) if verb == "evict" else (handle, identifier)
        return self._act(request, verb, about, *arguments)

    def _retire(self, request: Any) -> Any:
        _body(request)
        return self._act(request, "retire", "this registrar")

    def _act(self, request: Any, verb: str, about: str, *arguments: Any) -> Any:
        """Have it done; who does it notes who asked for it."""
        name = request.asker.name

        def done(result: Any) -> Answer:
            return Answer(dumped({"done": verb, "about": about, "result": result}))

        def failed(failure: Failure) -> Any:
            error = failure.value
            if isinstance(error, Refused):
                return failure
            failure.trap(RSerPoolError)
            self.trail.info(
                "audit: {identity} cannot {act} {about}: {why}",
                event="audit",
                identity=printable(name, 300),
                act=verb,
                about=printable(about, 300),
                why=printable(str(error), 300),
            )
            raise Refused(404 if isinstance(error, UnknownPool) else 409, str(error))

        return maybeDeferred(self.subject.act, verb, *arguments, by=name).addCallbacks(done, failed)

    def _registrars(self, request: Any) -> Listing:
        _asked(request)
        return Listing("registrars", self.subject.registrars())


class Located:
    """The interface at one place: who may ask there, and by which name.

    @param asker: tells who asks.
    @param names: tells by which names this place may be named.
    """

    def __init__(
        self,
        interface: Interface,
        place: Place,
        asker: Callable[[Any], Asker],
        names: Callable[[], Collection[str]] = tuple,
    ) -> None:
        self._interface = interface
        self._place = place
        self._asker = asker
        self._names = names

    def respond(self, request: Any) -> Any:
        """
        @raise Refused: if it is not answered.
        """
        place = self._place
        if not isinstance(place, UnixPlace):
            admit(request, b"https" if place.tls else b"http", self._names())
        if not request.path.startswith(b"/"):
            raise Refused(400, "a request names a path")
        path = tuple(map(unquote_to_bytes, request.path[1:].split(b"/")))
        allowed: list[bytes] = []
        for route in self._interface.routes:
            words = _matches(route.segments, path)
            if words is not None and request.method in route.methods:
                request.asker = self._who(request)
                if route.acts:
                    check_action(request)
                if route.acts or route.operator:
                    self._demand_operator(request)
                return route.answer(request, *words)
            allowed += route.methods if words is not None else ()
        if allowed:
            methods = b", ".join(allowed)
            raise Refused(405, f"this path takes {methods.decode('ascii')}", {b"Allow": methods})
        raise Refused(404, "there is nothing at this path; /v1/openapi.json lists what there is")

    def _who(self, request: Any) -> Asker:
        """Who asks.

        @raise Refused: if it may not even do that, as with a token that is none of ours.
        """
        try:
            return self._asker(request)
        except Refused as refused:
            peer = request.channel.transport.getPeer()
            at = f"{peer.host}:{peer.port}" if hasattr(peer, "host") else "the socket"
            self._tell_refused(request, f"somebody at {at}", str(refused))
            raise

    def _demand_operator(self, request: Any) -> None:
        if not request.asker.operator:
            self._tell_refused(request, request.asker.name, "no operator")
            raise Refused(401, _OPERATOR, CHALLENGE)

    def _tell_refused(self, request: Any, who: str, why: str) -> None:
        self._interface.trail.info(
            "audit: {identity} refused {about}: {why}",
            event="audit",
            identity=printable(who, 300),
            act="refused",
            about=printable(request.path.decode("latin-1"), 300),
            why=why,
        )


def _route(path: str, answer: Answering, *methods: bytes) -> Route:
    return Route(tuple(path.encode("ascii")[1:].split(b"/")), answer, methods or READS)


def _matches(segments: tuple[bytes, ...], path: tuple[bytes, ...]) -> list[bytes] | None:
    """What stands for each C{*}; None if the path is another."""
    if len(segments) != len(path):
        return None
    words = []
    for segment, given in zip(segments, path, strict=True):
        if segment == b"*":
            words.append(given)
        elif segment != given:
            return None
    return words


def _asked(request: Any, *names: str) -> dict[str, str]:
    """The values of a query.

    @raise Refused: if there is another one, or one twice.
    """
    asked = {}
    for name, values in request.args.items():
        text = name.decode("latin-1")
        if text not in names or len(values) != 1:
            some = f"; this path takes {', '.join(names)}" if names else ""
            raise Refused(400, f"the query has something that is not known here, or twice{some}")
        asked[text] = values[0].decode("latin-1")
    return asked


def _identifier(text: str, what: str) -> int:
    if not re.fullmatch(r"0x[0-9a-f]{1,8}", text, re.IGNORECASE | re.ASCII):
        raise Refused(400, f"{what} is written as 0x1234abcd")
    return int(text, 16)


def _body(request: Any, *names: str) -> dict[str, Any]:
    """What an action is told.

    @raise Refused: if that is no JSON object, or has something else in it.
    """
    _asked(request)
    text = request.content.read()
    try:
        body = json.loads(text)
    except ValueError:
        raise Refused(400, "this is not JSON") from None
    if not isinstance(body, dict) or not set(names).issuperset(body):
        raise Refused(400, f"a JSON object is expected here, with {', '.join(names) or 'nothing'} in it")
    return body


def _limit(asked: dict[str, str]) -> int | None:
    text = asked.get("limit")
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]{1,6}", text, re.ASCII) or not 1 <= int(text) <= MOST:
        raise Refused(400, f"limit: a number from 1 to {MOST}")
    return int(text)
