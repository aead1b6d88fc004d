"""What the admin interface answers to what: its paths, at each of its places."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias
from urllib.parse import unquote_to_bytes

from rserpool.admin.answers import Answer, Listing, Refused, dumped
from rserpool.admin.gate import READS, admit
from rserpool.admin.places import Place, UnixPlace
from rserpool.admin.subjects import Subject

MOST: Final = 10_000
"""So many things are in a page, at most."""

Answering: TypeAlias = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Route:
    """One path: C{*} stands for any segment, which C{answer(request, *segments)} gets decoded."""

    segments: tuple[bytes, ...]
    answer: Answering
    methods: tuple[bytes, ...] = READS


class Interface:
    """The paths of a role."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.routes = [
            _route("/v1/about", self._about),
            _route("/v1/pools", self._pools),
            _route("/v1/pools/*/elements", self._elements),
            _route("/v1/registrars", self._registrars),
        ]

    def at(self, place: Place) -> Located:
        """What is answered at one place."""
        return Located(self, place)

    def _about(self, request: Any) -> Answer:
        reason = self.subject.ready()
        return Answer(dumped(self.subject.about() | {"ready": not reason, "reason": reason or None}))

    def _pools(self, request: Any) -> Listing:
        asked = _asked(request, "after", "limit")
        after = None
        if "after" in asked:
            try:
                after = bytes.fromhex(asked["after"])
            except ValueError:
                raise Refused(400, "after: the handle of a pool is written in hexadecimal digits") from None
        limit = _limit(asked)
        return Listing("pools", self.subject.pools(after, limit), "handle", limit)

    def _elements(self, request: Any, handle: bytes) -> Listing:
        asked = _asked(request, "after", "limit")
        after = None
        if "after" in asked:
            if not re.fullmatch(r"0x[0-9a-f]{1,8}", asked["after"], re.IGNORECASE | re.ASCII):
                raise Refused(400, "after: the identifier of an element is written as 0x1234abcd")
            after = int(asked["after"], 16)
        limit = _limit(asked)
        elements = self.subject.elements(handle, after, limit)
        if elements is None:
            raise Refused(404, "no pool is named so here")
        return Listing("elements", elements, "identifier", limit)

    def _registrars(self, request: Any) -> Listing:
        _asked(request)
        return Listing("registrars", self.subject.registrars())


class Located:
    """The interface at one place: who may ask there, and by which name."""

    def __init__(self, interface: Interface, place: Place) -> None:
        self._interface = interface
        self._place = place

    def respond(self, request: Any) -> Any:
        """
        @raise Refused: if it is not answered.
        """
        place = self._place
        if not isinstance(place, UnixPlace):
            admit(request, b"https" if place.tls else b"http", place.address.hosts)
        if not request.path.startswith(b"/"):
            raise Refused(400, "a request names a path")
        path = tuple(map(unquote_to_bytes, request.path[1:].split(b"/")))
        allowed: list[bytes] = []
        for route in self._interface.routes:
            words = _matches(route.segments, path)
            if words is None:
                continue
            if request.method in route.methods:
                return route.answer(request, *words)
            allowed += route.methods
        if allowed:
            methods = b", ".join(allowed)
            raise Refused(405, f"this path takes {methods.decode('ascii')}", {b"Allow": methods})
        raise Refused(404, "there is nothing at this path; the OpenAPI file lists what there is")


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


def _limit(asked: dict[str, str]) -> int | None:
    text = asked.get("limit")
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]{1,6}", text, re.ASCII) or not 1 <= int(text) <= MOST:
        raise Refused(400, f"limit: a number from 1 to {MOST}")
    return int(text)
