"""What the admin interface answers: JSON, sentences for what was wrong, and lists that are written in turns."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, TypeAlias

from rserpool.core.frozen import frozen

JSON: Final = b"application/json"
AT_ONCE: Final = 50
"""So many things of a list are described in one turn: some 2 ms."""

Described: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer.

    @ivar headers: beside those that every answer has.
    """

    body: bytes
    content: bytes = JSON
    status: int = 200
    headers: dict[bytes, bytes] = field(default_factory=dict)


@frozen
class Listing:
    """A list, written as its reader reads: C{{"NAME": [...], "next": ...}}.

    @ivar key: of what a later page begins behind; None where there are no pages.
    @ivar limit: so many are in a page; None for all.
    """

    name: str
    items: Iterator[Described]
    key: str | None = None
    limit: int | None = None


class Refused(Exception):
    """A request is not granted.

    @ivar status: of HTTP.
    """

    def __init__(self, status: int, sentence: str, headers: dict[bytes, bytes] | None = None) -> None:
        super().__init__(sentence)
        self.status = status
        self.headers = headers or {}

    def answer(self) -> Answer:
        """The sentence, as JSON."""
        return Answer(dumped({"error": str(self)}), status=self.status, headers=self.headers)


def dumped(described: Any) -> bytes:
    """JSON of ASCII alone, which no browser takes for a page."""
    return json.dumps(described, separators=(",", ":")).encode("ascii")


def pieces(listing: Listing) -> Iterator[bytes]:
    """The bytes of a list, a piece for each turn."""
    yield b'{"%s":[' % listing.name.encode("ascii")
    number, last = 0, None
    while some := list(islice(listing.items, AT_ONCE)):
        yield (b"," if number else b"") + b",".join(map(dumped, some))
        number += len(some)
        last = some[-1].get(listing.key) if listing.key is not None else None
    more = last if listing.limit is not None and number >= listing.limit else None
    yield b'],"next":%s}\n' % dumped(more)


def described_endpoint(endpoint: Any) -> Described | None:
    """Addresses and a port, if there are any."""
    return None if endpoint is None else {"addresses": list(endpoint.hosts), "port": endpoint.port}


def spoken(node: Any) -> Described:
    """Where a registrar speaks ENRP, and the multicast groups where it announces itself."""
    enrp = node.channels.get("enrp")
    return {
        "enrp": described_endpoint(enrp and enrp.sctp),
        "announces": described_endpoint(node.asap.group),
        "discovers": described_endpoint(enrp and enrp.group),
    }
