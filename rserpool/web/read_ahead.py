"""Responses whose body was read before they are handed out, so that an element may die in its midst unnoticed."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IProtocol
from twisted.python.components import proxyForInterface
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone, readBody
from twisted.web.iweb import IResponse


async def read_ahead(response: IResponse, limit: int) -> IResponse:
    """Read the body, if its length is known and within the limit.

    @param limit: bytes.
    @raise ResponseFailed: if not all of it came.
    """
    length: Any = response.length
    if not isinstance(length, int) or length > limit:
        return response
    return _Read(response, await readBody(response))


class _Read(proxyForInterface(IResponse, "_response")):  # type: ignore[misc]
    """A response that has its body."""

    def __init__(self, response: IResponse, body: bytes) -> None:
        super().__init__(response)
        self._body = body

    def deliverBody(self, protocol: IProtocol) -> None:
        ended: Any = _Ended()
        protocol.makeConnection(ended)
        if self._body:
            protocol.dataReceived(self._body)
        protocol.connectionLost(Failure(ResponseDone("Response body fully received")))


class _Ended:
    """The transport of a body that is here already."""

    disconnecting = True

    def loseConnection(self) -> None:
        """It is closed already."""

    abortConnection = pauseProducing = resumeProducing = stopProducing = loseConnection
