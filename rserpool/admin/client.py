"""Asks an admin interface, for commands: over its Unix socket, or over HTTP. It blocks: beside a reactor, in a thread.

C{AdminClient("/run/rserpool/registrar.sock").get("/v1/pools")}
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from rserpool.admin.places import Place, TcpPlace, UnixPlace, parse_place
from rserpool.core.errors import ConfigurationError, RSerPoolError
from rserpool.core.handles import handle_of

TIMEOUT = 10.0
"""Seconds without a byte after which somebody counts as not there."""
NO_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNEXPECTED_EOF_WHILE_READING")
"""How OpenSSL calls an answer that is no TLS."""
PAGE = 1000
"""So many things are asked for at once."""


class AdminError(RSerPoolError):
    """The interface cannot be asked, or refuses.

    @ivar status: of HTTP; 0 where nobody has answered.
    """

    def __init__(self, sentence: str, status: int = 0) -> None:
        super().__init__(sentence)
        self.status = status


class AdminClient:
    """One interface.

    @param place: the path of a socket, C{HOST:PORT}, or C{https://HOST:PORT}.
    @param token: what proves that an operator asks, where a certificate or the socket's mode does not.
    @param tls: an C{ssl.SSLContext} for https; one of the system's trust anchors by default.
    @raise ConfigurationError: if C{place} is none.
    """

    def __init__(self, place: str | Place, *, token: str = "", tls: Any = None, timeout: float = TIMEOUT) -> None:
        self.place = parse_place(place) if isinstance(place, str) else place
        self._token = token
        self._tls = tls
        self._timeout = timeout

    def get(self, path: str, **query: str | int) -> dict[str, Any]:
        """What is at a path.

        @raise AdminError: if that is not answered; the text says why.
        """
        words = "&".join(f"{name}={quote(str(value), safe='')}" for name, value in query.items())
        return self._ask("GET", f"{path}?{words}" if words else path)

    def post(self, path: str, body: Mapping[str, Any] | None = None, timeout: float | None = None) -> dict[str, Any]:
        """Have something done.

        @param timeout: seconds until somebody counts as not there: what is done may take its time.
        @raise AdminError: if it is not done; the text says why.
        """
        return self._ask("POST", path, json.dumps(dict(body or {})).encode("ascii"), timeout)

    def about(self) -> dict[str, Any]:
        """The role itself."""
        return self.get("/v1/about")

    def date(self) -> str:
        """The time there, as HTTP tells it; empty if it does not.

        @raise AdminError: if nobody answers; the text says why.
        """
        return self._answer("GET", "/live")[2]

    def pools(self) -> Iterator[dict[str, Any]]:
        """All pools, page by page."""
        return self._pages("/v1/pools", "pools")

    def elements(self, pool: bytes | str) -> Iterator[dict[str, Any]]:
        """All elements of a pool, page by page.

        @raise AdminError: with status 404 if there is no such pool.
        """
        return self._pages(f"{pool_path(pool)}/elements", "elements")

    def registrars(self) -> list[dict[str, Any]]:
        """The registrars that it knows."""
        return list(self.get("/v1/registrars")["registrars"])

    def messages(self) -> Iterator[dict[str, Any]]:
        """Each message that the role sends and gets, without end; it takes an operator.

        @raise AdminError: if that is refused, or when nobody is there any more.
        """
        connection, headers = self._connection(60.0), {"Accept": "application/jsonl"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        try:
            connection.request("GET", "/v1/messages", headers=headers)
            response = connection.getresponse()
            if response.status != 200:
                raise AdminError(f"{self.place}: {_why(response.read())}", response.status)
            for line in response:
                if line.strip():
                    yield json.loads(line)
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise AdminError(self._nobody(error)) from None
        finally:
            connection.close()
        raise AdminError(f"{self.place}: it has ended")

    def _pages(self, path: str, name: str) -> Iterator[dict[str, Any]]:
        after: dict[str, str] = {}
        while True:
            page = self.get(path, limit=PAGE, **after)
            yield from page[name]
            if page["next"] is None:
                return
            after = {"after": page["next"]}

    def _answer(
        self, method: str, path: str, body: bytes | None = None, timeout: float | None = None
    ) -> tuple[bytes, int, str]:
        """What is said, the status of HTTP, and the time there."""
        connection = self._connection(self._timeout if timeout is None else timeout)
        headers = {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return response.read(), response.status, response.getheader("Date") or ""
        except (OSError, http.client.HTTPException) as error:
            raise AdminError(self._nobody(error)) from None
        finally:
            connection.close()

    def _ask(self, method: str, path: str, body: bytes | None = None, timeout: float | None = None) -> dict[str, Any]:
        said, status, _ = self._answer(method, path, body, timeout)
        try:
            answer = json.loads(said)
        except ValueError:
            raise AdminError(f"{self.place} answers, and is no admin interface (status {status})", status) from None
        if not isinstance(answer, dict) or status >= 400:
            why = answer.get("error", "it refuses") if isinstance(answer, dict) else "it is no admin interface"
            raise AdminError(f"{self.place}: {why}", status)
        return answer

    def _nobody(self, error: Exception) -> str:
        if isinstance(error, PermissionError):
            return f"{self.place}: only its owner and root may open it"
        if isinstance(error, FileNotFoundError | ConnectionRefusedError):
            return f"nobody answers at {self.place}: is the service there, and was it started with --admin?"
        if isinstance(error, ssl.SSLCertVerificationError):
            return (
                f"{self.place} is not believed: its certificate fails: {error.verify_message}"
                " (--security DIR says whose certificates count, and is your own)"
            )
        if isinstance(self.place, TcpPlace):
            ended = isinstance(error, http.client.BadStatusLine)  # RemoteDisconnected, too
            if not self.place.tls and ended:
                says = "ends the connection without an answer: it may speak TLS, write https"
                return f"{self.place} {says}://{self.place.address}"
            reset = isinstance(error, ConnectionResetError)
            if self.place.tls and (ended or reset or getattr(error, "reason", None) in NO_TLS):
                says = "does not answer with TLS: it may speak in the clear, plain HTTP, write http"
                return f"{self.place} {says}://{self.place.address}"
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return f"cannot ask {self.place}: {why}"

    def _connection(self, timeout: float) -> http.client.HTTPConnection:
        place = self.place
        if isinstance(place, UnixPlace):
            return _UnixConnection(place.path, timeout)
        host, port = place.address.hosts[0], place.address.port
        if place.tls:
            return http.client.HTTPSConnection(host, port, timeout=timeout, context=self._tls)
        return http.client.HTTPConnection(host, port, timeout=timeout)


def _why(said: bytes) -> str:
    try:
        return str(json.loads(said)["error"])
    except (ValueError, KeyError, TypeError):
        return "it is no admin interface, or has no messages"


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Open it."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def pool_path(pool: bytes | str) -> str:
    """The path of a pool: C{/v1/pools/www}.

    @raise ConfigurationError: if the name fits no message, or is empty.
    """
    handle = handle_of(pool)
    if not handle:
        raise ConfigurationError("a pool has a name")
    return f"/v1/pools/{quote(handle, safe='')}"
