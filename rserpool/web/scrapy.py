"""Pools for Scrapy: a download handler, for C{DOWNLOAD_HANDLERS}, by which C{http://documents/} is a pool.

In the settings of a project::

    DOWNLOAD_HANDLERS = {"http": "rserpool.web.scrapy.PoolDownloadHandler"}
    RSERPOOL_POOLS = ["documents"]

It needs Scrapy 2.14 or later, which it does not import before it is made, and Scrapy's Twisted reactor.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from twisted.internet.defer import Deferred, TimeoutError, ensureDeferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import IResponse

from rserpool.core.errors import RSerPoolError
from rserpool.core.hosts import PoolHosts
from rserpool.core.profiles import profile
from rserpool.core.user.trying import TIMEOUT
from rserpool.node.candidates import registrars_from
from rserpool.user.service import PoolUserService
from rserpool.web.agent import PoolAgent
from rserpool.web.body import KeptBody
from rserpool.web.connections import PoolConnections

__all__ = ["PoolDownloadHandler"]


class PoolDownloadHandler:
    """Downloads from pools by a L{PoolAgent}, and from all other hosts as Scrapy does.

    The policy of a pool chooses for each request; what may be repeated goes to another element if one is lost. What
    fails then is an C{OSError} with a sentence, which Scrapy's C{RetryMiddleware} tries again.

    The settings:

      - C{RSERPOOL_POOLS}: the hosts that are pools: a list of pool names, or a dict of hosts and pool names.
      - C{RSERPOOL_CERTIFICATES}: for https a dict of pool names, and the names that the certificates of their elements
        bear.
      - C{RSERPOOL_REGISTRARS}: a list of registrars, each C{HOST:PORT/UDPPORT}; by default those that the environment
        names, or those of this host.
      - C{RSERPOOL_PROFILE}: the timers: C{fast}, C{default} or C{rfc}.
      - C{RSERPOOL_SECURITY}: what secures it: a directory; by default what the environment says.

    Of Scrapy's own, C{DOWNLOAD_TIMEOUT} and C{DOWNLOAD_MAXSIZE} count; the signals C{bytes_received} and
    C{headers_received} are not sent for pools.

    @param crawler: a C{scrapy.crawler.Crawler}, which has the settings.
    @raise ConfigurationError: if there is something wrong with the settings.
    """

    lazy = False

    def __init__(self, crawler: Any) -> None:
        from scrapy.core.downloader.handlers.http11 import HTTP11DownloadHandler
        from twisted.internet import reactor

        settings = crawler.settings
        pools = settings.get("RSERPOOL_POOLS") or []
        self._hosts = (
            dict(pools) if isinstance(pools, dict) else {name: name for name in settings.getlist("RSERPOOL_POOLS")}
        )
        self._others = HTTP11DownloadHandler.from_crawler(crawler)
        self._timeout = settings.getfloat("DOWNLOAD_TIMEOUT")
        self._longest = settings.getint("DOWNLOAD_MAXSIZE")
        self._reactor: Any = reactor
        self._user = PoolUserService(
            reactor,
            registrars_from(settings.getlist("RSERPOOL_REGISTRARS")),
            profile=profile(settings.get("RSERPOOL_PROFILE", "default")),
            security=settings.get("RSERPOOL_SECURITY"),
        )
        hosts = PoolHosts(self._hosts, settings.getdict("RSERPOOL_CERTIFICATES"))
        # Whoever waits is told what was tried, and not only that it took too long.
        connecting = min(TIMEOUT, self._timeout / 2)
        self._agent = PoolAgent(
            self._user, hosts, connections=PoolConnections(reactor), timeout=connecting, deadline=None
        )
        self._user.startService()

    @classmethod
    def from_crawler(cls, crawler: Any) -> PoolDownloadHandler:
        """What Scrapy calls to make one."""
        return cls(crawler)

    async def download_request(self, request: Any) -> Any:
        """Download what a C{scrapy.Request} asks for.

        @return: a C{scrapy.http.Response}.
        @raise OSError: if no element of the pool serves it, with a sentence.
        """
        from scrapy.utils.defer import maybe_deferred_to_future

        if (urlsplit(request.url).hostname or "") not in self._hosts:
            return await self._others.download_request(request)
        seconds = float(request.meta.get("download_timeout") or self._timeout)
        downloading = ensureDeferred(self._download(request)).addTimeout(seconds, self._reactor)
        try:
            return await maybe_deferred_to_future(downloading)
        except RSerPoolError as error:
            raise ConnectionError(str(error)) from error
        except TimeoutError:
            raise OSError(f"{request.url}: no answer within {seconds:g} s") from None

    async def close(self) -> None:
        """Close the connections, and stop the pool user."""
        from scrapy.utils.defer import maybe_deferred_to_future

        await maybe_deferred_to_future(self._agent.close())
        await maybe_deferred_to_future(self._user.stopService())
        await self._others.close()

    async def _download(self, request: Any) -> Any:
        from scrapy.http import Headers as ScrapyHeaders
        from scrapy.responsetypes import responsetypes

        body = KeptBody(request.body, len(request.body)) if request.body else None
        headers = Headers(dict(request.headers))
        response = await self._agent.request(request.method.encode(), request.url.encode(), headers, body)
        received, whole = await _body(response, int(request.meta.get("download_maxsize", self._longest)))
        found = ScrapyHeaders(dict(response.headers.getAllRawHeaders()))
        kind = responsetypes.from_args(headers=found, url=request.url, body=received)
        flags = None if whole else ["partial"]
        return kind(url=request.url, status=response.code, headers=found, body=received, flags=flags)


def _body(response: IResponse, longest: int) -> Deferred[tuple[bytes, bool]]:
    """The body, and whether it is known to be whole.

    @param longest: bytes; 0 for any number.
    """
    body = _Body(longest)
    response.deliverBody(body)
    return body.done


class _Body(Protocol):
    """Collects a body."""

    def __init__(self, longest: int) -> None:
        self.done: Deferred[tuple[bytes, bool]] = Deferred(lambda _: self._end())
        self._longest = longest
        self._pieces: list[bytes] = []
        self._size = 0

    def dataReceived(self, data: bytes) -> None:
        self._pieces.append(data)
        self._size += len(data)
        if self._longest and self._size > self._longest and not self.done.called:
            self.done.errback(ValueError(f"more than {self._longest} bytes (DOWNLOAD_MAXSIZE)"))
            self._end()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self.done.called:
            return
        if reason.check(ResponseDone, PotentialDataLoss):
            self.done.callback((b"".join(self._pieces), reason.check(ResponseDone) is not None))
        else:
            self.done.errback(ConnectionError(f"the answer was cut off: {reason.getErrorMessage()}"))

    def _end(self) -> None:
        transport: Any = self.transport
        transport.abortConnection()
