"""Request bodies that can be sent more than once."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IConsumer
from twisted.web.iweb import UNKNOWN_LENGTH, IBodyProducer
from zope.interface import implementer


async def kept(producer: IBodyProducer, limit: int) -> KeptBody | None:
    """Let a producer produce its body, to keep it.

    @param limit: bytes.
    @return: None, and nothing was produced, if it is longer, or of unknown length.
    """
    if producer.length is UNKNOWN_LENGTH or producer.length > limit:
        return None
    pieces = _Pieces()
    await producer.startProducing(pieces)
    return KeptBody(b"".join(pieces.written), producer.length)


@implementer(IBodyProducer)
class KeptBody:
    """A body in memory, which can be sent any number of times."""

    def __init__(self, data: bytes, length: int) -> None:
        self.length = length
        self._data = data

    def startProducing(self, consumer: Any) -> Deferred[None]:
        consumer.write(self._data)
        return succeed(None)

    def pauseProducing(self) -> None:
        """All is written already."""

    resumeProducing = stopProducing = pauseProducing


@implementer(IConsumer)
class _Pieces:
    """Collects what is written."""

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """All is welcome."""

    def unregisterProducer(self) -> None:
        """It has ended."""

    def write(self, data: bytes) -> None:
        self.written.append(data)
