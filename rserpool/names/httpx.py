"""Pools for C{httpx}: C{httpx.AsyncClient(mounts={"http://documents": AsyncPoolTransport()})}, or one that blocks."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from weakref import ref

try:
    import httpx
except ImportError as error:
    raise ImportError(f"rserpool.names.httpx needs httpx: pip install httpx ({error})") from None

from rserpool.core.errors import ConfigurationError, RSerPoolError
from rserpool.core.hosts import PoolHosts, WebPool
from rserpool.core.user.trying import TIMEOUT, NotAccepted, PassedOver, try_elements
from rserpool.core.wire.parameters import PoolElementParameter
from rserpool.names.aio import LoopHands, Pools
from rserpool.names.blocking import BlockingHands, resolver, try_blocking
from rserpool.names.checking import why_not
from rserpool.names.over_http import ATTEMPTS, IDEMPOTENT, READ_AHEAD, Lost, Repeating, Terms, authority, pool_of
from rserpool.user.service import PoolUserService

__all__ = ["AsyncPoolTransport", "PoolTransport"]


class PoolTransport(httpx.BaseTransport):
    """Sends requests to the elements of pools; the host of a URL is a pool's name. It blocks.

    An element that does not accept is reported, and the next one is tried. So it is when one is lost before it has
    answered (or in the first 64 KiB of its answer, where that has a length), if the method is idempotent and the body
    can be sent again; else the request fails as any other does.

    What fails is an C{httpx.ConnectError}, with a sentence: no such pool, no registrar, or what was tried.

    @param registrars: where registrars serve ASAP over TCP, each C{HOST:PORT}; by default those that the environment
        names, or port 3863 of this host.
    @param profile: the timers: C{fast}, C{default} or C{rfc}.
    @param security: what secures it towards registrars: a directory; by default what the environment says.
    @param hosts: which host stands for which pool, and for https the names that certificates bear.
    @param timeout: seconds until nobody is tried any more.
    @param attempt: seconds that one element may take to accept; T1 of the profile by default. A time-out of the request
        counts, too, if it is shorter.
    @param attempts: to how many elements one request is given at most.
    @param transport: who speaks with elements; by default an C{httpx.HTTPTransport} that believes whom C{httpx} does.
    @raise ConfigurationError: if one of these is wrong.
    """

    def __init__(
        self,
        *,
        registrars: Sequence[str] = (),
        profile: str = "default",
        security: str | None = None,
        hosts: PoolHosts | None = None,
        timeout: float = TIMEOUT,
        attempt: float | None = None,
        attempts: int = ATTEMPTS,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._resolver = resolver(registrars, profile, security)
        self._terms = Terms(hosts, timeout, attempt, attempts)
        self._inner = transport or httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request to an element of the pool that its URL names.

        @raise httpx.ConnectError: if none serves it.
        @raise httpx.UnsupportedProtocol: if the URL names no pool, or a port.
        """
        asked = _Asked(request, self._terms)
        hands = _Hands(self._resolver, asked, self._inner)
        with _sentences(request):
            return try_blocking(self._terms.search(asked.pool, self._resolver.asker.profile, hands.now()), hands)

    def close(self) -> None:
        """Close the connections that wait for another request."""
        self._inner.close()


class AsyncPoolTransport(httpx.AsyncBaseTransport):
    """The same for asyncio.

    @param user: a L{PoolUserService} on Twisted's asyncio reactor, which asks over SCTP, too; without one a thread asks
        over TCP, as C{registrars}, C{profile} and C{security} say.
    @param transport: who speaks with elements; by default an C{httpx.AsyncHTTPTransport}.
    """

    def __init__(
        self,
        user: PoolUserService | None = None,
        *,
        registrars: Sequence[str] = (),
        profile: str = "default",
        security: str | None = None,
        hosts: PoolHosts | None = None,
        timeout: float = TIMEOUT,
        attempt: float | None = None,
        attempts: int = ATTEMPTS,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._pools = Pools(user, registrars=registrars, profile=profile, security=security)
        self._terms = Terms(hosts, timeout, attempt, attempts)
        self._inner = transport or httpx.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """As L{PoolTransport.handle_request}."""
        asked = _Asked(request, self._terms)
        hands = _AsyncHands(self._pools, asked, self._inner)
        with _sentences(request):
            return await try_elements(self._terms.search(asked.pool, self._pools.source.profile, hands.now()), hands)

    async def aclose(self) -> None:
        """Close the connections that wait for another request."""
        await self._inner.aclose()


class _Asked:
    """One request, and what may be done with it."""

    def __init__(self, request: httpx.Request, terms: Terms) -> None:
        url = request.url
        try:
            self.pool: WebPool = pool_of(terms.hosts, url.scheme, url.host, url.port)
        except ConfigurationError as error:
            raise httpx.UnsupportedProtocol(str(error), request=request) from None
        self.repeatable = request.method in IDEMPOTENT and isinstance(request.stream, httpx.ByteStream)
        self.repeating = Repeating(self.repeatable, terms.attempts)
        self._request = request

    def to(self, element: PoolElementParameter, seconds: float) -> httpx.Request:
        """The request as it goes to an element."""
        request = self._request
        url = request.url.copy_with(netloc=authority(element).encode())
        extensions: dict[str, Any] = dict(request.extensions)
        timeout = dict(extensions.get("timeout", {}))
        connect = timeout.get("connect")
        extensions["timeout"] = {**timeout, "connect": seconds if connect is None else min(connect, seconds)}
        if url.scheme == "https":
            extensions["sni_hostname"] = self.pool.certificate
        return httpx.Request(request.method, url, headers=request.headers, stream=request.stream, extensions=extensions)

    def short(self, response: httpx.Response) -> bool:
        """Whether its answer is read before it is handed out."""
        length = response.headers.get("content-length", "")
        return self.repeatable and length.isdigit() and int(length) <= READ_AHEAD

    def lost(self, lost: Lost, element: PoolElementParameter, hands: _OneRequest) -> Exception:
        """What is raised where this element is lost."""
        meaning = self.repeating.lost(lost)
        if meaning is not None:
            return meaning
        if not lost.polite:
            hands.report(element)
        lost.error.request = self._request  # type: ignore[attr-defined]
        return lost.error


class _OneRequest:
    """What hands do for one request, whether they block or not."""

    _asked: _Asked
    accepted: Callable[[PoolElementParameter, Callable[[], bool]], None]

    async def attempt(self, element: PoolElementParameter, seconds: float) -> httpx.Response:
        """See L{Hands<rserpool.core.user.trying.Hands>}."""
        try:
            with _meant(seconds):
                response = await self._send(self._asked.to(element, seconds))
                there = ref(response)
                self.accepted(element, lambda: _over(there()))
                return await self._read(response) if self._asked.short(response) else response
        except Lost as lost:
            raise self._asked.lost(lost, element, self) from None

    def report(self, element: PoolElementParameter) -> None:
        raise NotImplementedError

    async def _send(self, request: httpx.Request) -> httpx.Response:
        """Have it answered."""
        raise NotImplementedError

    async def _read(self, response: httpx.Response) -> httpx.Response:
        """The same with its body, which is read."""
        raise NotImplementedError


class _Hands(BlockingHands, _OneRequest):
    """Those that block."""

    def __init__(self, resolver: Any, asked: _Asked, inner: httpx.BaseTransport) -> None:
        super().__init__(resolver, asked.pool.handle)
        self._asked, self._inner = asked, inner

    async def _send(self, request: httpx.Request) -> httpx.Response:
        return self._inner.handle_request(request)

    async def _read(self, response: httpx.Response) -> httpx.Response:
        assert isinstance(response.stream, httpx.SyncByteStream)
        try:
            return _read(response, b"".join(response.stream))
        finally:
            response.close()


class _AsyncHands(LoopHands, _OneRequest):
    """Those that do not."""

    def __init__(self, pools: Pools, asked: _Asked, inner: httpx.AsyncBaseTransport) -> None:
        super().__init__(pools, asked.pool.handle)
        self._asked, self._inner = asked, inner

    async def _send(self, request: httpx.Request) -> httpx.Response:
        return await self._inner.handle_async_request(request)

    async def _read(self, response: httpx.Response) -> httpx.Response:
        assert isinstance(response.stream, httpx.AsyncByteStream)
        try:
            return _read(response, b"".join([piece async for piece in response.stream]))
        finally:
            await response.aclose()


def _read(response: httpx.Response, body: bytes) -> httpx.Response:
    """A response whose body is here, as it was sent."""
    return httpx.Response(
        response.status_code, headers=response.headers, stream=httpx.ByteStream(body), extensions=response.extensions
    )


def _over(response: httpx.Response | None) -> bool:
    return response is None or response.is_closed


@contextmanager
def _sentences(request: httpx.Request) -> Iterator[None]:
    """Whoever knows C{httpx} alone gets errors of its kind."""
    try:
        yield
    except RSerPoolError as error:
        raise httpx.ConnectError(str(error), request=request) from error


@contextmanager
def _meant(seconds: float) -> Iterator[None]:
    """What an error of C{httpx} means for the choice of elements."""
    try:
        yield
    except httpx.ConnectTimeout:
        raise NotAccepted(f"no answer within {seconds:g} s") from None
    except httpx.ConnectError as error:
        raise _refused(error, seconds) from None
    except httpx.RemoteProtocolError as error:
        raise Lost(error, polite="without sending a response" in str(error)) from None
    except (httpx.ReadError, httpx.WriteError) as error:
        raise Lost(error) from None


def _refused(error: Exception, seconds: float) -> NotAccepted | PassedOver:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return why_not(cause, seconds)
        cause = cause.__cause__ or cause.__context__
    return NotAccepted(str(error))
