r"""Endpoint strings for SCTP, wherever Twisted takes one.

    - server: C{sctp:PORT[:interface=HOST[,HOST...]][:udp=PORT][:backend=NAME]}
    - client: C{sctp:HOST:PORT} or
      C{sctp:host=HOST[,HOST...]:port=PORT[:udp=PORT][:timeout=SECONDS][:backend=NAME]}

C{udp} is the port of SCTP over UDP (RFC 6951): at the server its own (any), at the client the peer's (9899). The colons
of an IPv6 address are escaped, as in other endpoint strings (C{host=\:\:1}).
"""

from __future__ import annotations

from typing import Any

from rserpool.core.addresses import TransportAddress
from rserpool.core.errors import ConfigurationError
from rserpool.core.reading import PORTS, digits, number, parse_transport_address
from rserpool.sctp.lookup import own
from rserpool.sctp.one_to_one.connector import TIMEOUT
from rserpool.sctp.one_to_one.endpoints import SctpClientEndpoint, SctpServerEndpoint
from rserpool.sctp.stack import check_backend


def server_from(
    reactor: Any, port: str = "", interface: str = "", udp: str = "", backend: str = "auto", **unknown: str
) -> SctpServerEndpoint:
    """The endpoint that the parts of a string describe.

    @raise ConfigurationError: with a sentence that names what is wrong.
    """
    _reject(unknown, "port, interface, udp and backend")
    hosts = ",".join(own(TransportAddress(_hosts(interface), 0)).hosts) if interface else ""
    encapsulation = _port("udp", udp) if udp else None
    return SctpServerEndpoint(reactor, _port("port", port), hosts, encapsulation, backend=check_backend(backend))


def client_from(
    reactor: Any,
    host: str = "",
    port: str = "",
    udp: str = "",
    timeout: str = "",
    backend: str = "auto",
    **unknown: str,
) -> SctpClientEndpoint:
    """The endpoint that the parts of a string describe.

    @raise ConfigurationError: with a sentence that names what is wrong.
    """
    _reject(unknown, "host, port, udp, timeout and backend")
    peer = TransportAddress(_hosts(host), _port("port", port), _port("udp", udp) if udp else 0)
    seconds = _timeout(timeout) if timeout else TIMEOUT
    return SctpClientEndpoint(reactor, peer, seconds, backend=check_backend(backend))


def _reject(unknown: dict[str, str], known: str) -> None:
    if unknown:
        raise ConfigurationError(f"sctp: what is {', '.join(unknown)}? There are {known}")


def _hosts(text: str) -> tuple[str, ...]:
    hosts: list[str] = []
    for host in text.split(","):
        hosts += parse_transport_address(f"[{host}]" if ":" in host and not host.startswith("[") else host).hosts
    return tuple(hosts)


def _port(name: str, text: str) -> int:
    wrong = f"sctp: {name}={text!r} is not a port number (0 to 65535)"
    return number(digits, PORTS.__contains__, lambda _: wrong)(text)


_timeout = number(
    float, lambda seconds: seconds > 0, lambda text: f"sctp: timeout={text!r} is not a positive number of seconds"
)
