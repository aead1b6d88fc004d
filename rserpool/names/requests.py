"""Pools for C{requests}: C{session.mount("http://documents", PoolAdapter())}, and C{http://documents/} is a pool."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.client import RemoteDisconnected
from typing import Any
from urllib.parse import urlsplit
from weakref import ref

try:
    from requests import PreparedRequest, Response
    from requests.adapters import HTTPAdapter
    from requests.cookies import RequestsCookieJar, extract_cookies_to_jar
    from requests.exceptions import (
        ChunkedEncodingError,
        ConnectionError,
        ConnectTimeout,
        InvalidURL,
        RequestException,
        SSLError,
    )
    from urllib3.exceptions import MaxRetryError
    from urllib3.util import Timeout
    from urllib3.util.ssl_match_hostname import CertificateError
except ImportError as error:
    raise ImportError(f"rserpool.names.requests needs requests: pip install requests ({error})") from None

from rserpool.core.errors import ConfigurationError, RSerPoolError
from rserpool.core.hosts import PoolHosts
from rserpool.core.user.trying import TIMEOUT, NotAccepted, PassedOver
from rserpool.core.wire.parameters import PoolElementParameter
from rserpool.names.blocking import BlockingHands, Resolver, resolver, try_blocking
from rserpool.names.checking import why_not
from rserpool.names.over_http import ATTEMPTS, IDEMPOTENT, Lost, Repeating, Terms, authority, pool_of

__all__ = ["PoolAdapter"]


class PoolAdapter(HTTPAdapter):
    """Sends requests to the elements of pools; the host of a URL is a pool's name.

    An element that does not accept is reported, and the next one is tried. So it is when one is lost before it has
    answered (without C{stream=True}: before the answer is complete), if the method is idempotent and the body can be
    sent again; else the request fails as any other does.

    What fails is a C{requests.ConnectionError}, with a sentence: no such pool, no registrar, or what was tried.

    @param registrars: where registrars serve ASAP over TCP, each C{HOST:PORT}; by default those that the environment
        names, or port 3863 of this host.
    @param profile: the timers: C{fast}, C{default} or C{rfc}.
    @param security: what secures it towards registrars: a directory; by default what the environment says.
    @param hosts: which host stands for which pool, and for https the names that certificates bear.
    @param timeout: seconds until nobody is tried any more.
    @param attempt: seconds that one element may take to accept; T1 of the profile by default. A timeout of the request
        counts, too, if it is shorter.
    @param attempts: to how many elements one request is given at most.
    @param options: those of C{HTTPAdapter}.
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
        **options: Any,
    ) -> None:
        self._resolver = resolver(registrars, profile, security)
        self.terms = Terms(hosts, timeout, attempt, attempts)
        super().__init__(**options)

    def send(self, request: PreparedRequest, *arguments: Any, **keywords: Any) -> Response:
        """Send a request to an element of the pool that its URL names.

        @raise requests.ConnectionError: if none serves it.
        @raise requests.exceptions.InvalidURL: if the URL names no pool, or a port.
        """
        names = ("stream", "timeout", "verify", "cert", "proxies")
        keywords = {**dict(zip(names, arguments, strict=False)), **keywords, "proxies": None}
        url = urlsplit(request.url or "")
        try:
            pool = pool_of(self.terms.hosts, url.scheme, url.hostname or "", url.port)
        except (ConfigurationError, ValueError) as error:
            raise InvalidURL(str(error), request=request) from None
        hands = _Hands(self, self._resolver, pool.handle, request, pool.certificate, keywords)
        try:
            return try_blocking(self.terms.search(pool, self._resolver.asker.profile, hands.now()), hands)
        except RSerPoolError as error:
            raise ConnectionError(str(error), request=request) from error

    def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> Any:
        """As C{HTTPAdapter}'s, with the name that the certificates of the pool's elements bear."""
        host, tls = super().build_connection_pool_key_attributes(request, verify, cert)
        name = getattr(request, "certificate", None)
        if name and host["scheme"] == "https":
            tls = {**tls, "server_hostname": name, "assert_hostname": name}
        return host, tls

    def give(self, request: PreparedRequest, **keywords: Any) -> Response:
        """Send a request to the host that its URL names, which is an element's."""
        return super().send(request, **keywords)


class _Hands(BlockingHands):
    """Those of one request."""

    def __init__(
        self,
        adapter: PoolAdapter,
        resolver: Resolver,
        pool: bytes,
        request: PreparedRequest,
        certificate: str | None,
        keywords: dict[str, Any],
    ) -> None:
        super().__init__(resolver, pool)
        self._adapter, self._request, self._certificate, self._keywords = adapter, request, certificate, keywords
        repeatable = request.method in IDEMPOTENT and isinstance(request.body, bytes | str | None)
        self._repeating = Repeating(repeatable, adapter.terms.attempts)
        self._whole = repeatable and not keywords.get("stream")

    async def attempt(self, element: PoolElementParameter, seconds: float) -> Response:
        request: Any = self._request.copy()
        url = urlsplit(request.url)
        request.headers.setdefault("Host", url.netloc.rpartition("@")[2])
        request.url = url._replace(netloc=authority(element)).geturl()
        request.certificate = self._certificate
        keywords = {**self._keywords, "timeout": _within(self._keywords.get("timeout"), seconds)}
        try:
            with _meant(seconds):
                response = self._adapter.give(request, **keywords)
                there = ref(response)
                self.accepted(element, lambda: _over(there()))
                if self._whole:
                    response.content  # noqa: B018  it is read now, while another element can be asked
        except Lost as lost:
            meaning = self._repeating.lost(lost)
            if meaning is not None:
                raise meaning from None
            if not lost.polite:
                self.report(element)
            raise lost.error from None
        response.url, response.request = self._request.url or "", self._request
        response.cookies = RequestsCookieJar()
        extract_cookies_to_jar(response.cookies, self._request, response.raw)
        return response


@contextmanager
def _meant(seconds: float) -> Iterator[None]:
    """What an error of C{requests} means for the choice of elements."""
    try:
        yield
    except SSLError as error:
        raise _tls(error, seconds) from None
    except ConnectTimeout:
        raise NotAccepted(f"no answer within {seconds:g} s") from None
    except ChunkedEncodingError as error:
        raise Lost(error) from None
    except ConnectionError as error:
        inner: Any = error.args[0] if error.args else error
        if isinstance(inner, MaxRetryError):
            raise NotAccepted(str(_cause(inner, OSError) or inner.reason)) from None
        raise Lost(error, _cause(inner, RemoteDisconnected) is not None) from None


def _tls(error: SSLError, seconds: float) -> PassedOver | NotAccepted:
    wrong = _cause(error, CertificateError)
    if wrong is not None:
        return PassedOver(f"its certificate is not good: {wrong}")
    cause = _cause(error, ssl.SSLError)
    return why_not(cause, seconds) if isinstance(cause, OSError) else PassedOver(f"TLS failed: {error}")


def _cause(error: Any, kind: type[Exception]) -> Exception | None:
    """The deepest error of this kind beneath another one, wherever that keeps it."""
    found, waiting = None, [error]
    for one in waiting:
        # The errors of requests are OSErrors, too.
        if isinstance(one, kind) and not isinstance(one, RequestException):
            found = one
        inner = [*one.args, getattr(one, "reason", None), one.__cause__, one.__context__]
        waiting += [each for each in inner if isinstance(each, BaseException) and each not in waiting]
    return found


def _over(response: Response | None) -> bool:
    return response is None or response.raw is None or bool(response.raw.closed)


def _within(timeout: Any, seconds: float) -> tuple[float, Any]:
    """The timeout of a request, whose time to connect is C{seconds} at most."""
    if isinstance(timeout, Timeout):
        timeout = (timeout.connect_timeout, timeout.read_timeout)
    connect, read = timeout if isinstance(timeout, tuple) else (timeout, timeout)
    return (seconds if connect is None else min(connect, seconds), read)
