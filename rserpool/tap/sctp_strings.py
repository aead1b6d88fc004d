r"""Endpoint strings for SCTP, wherever Twisted takes one.

    - server: C{sctp:PORT[:interface=HOST[,HOST...]][:udp=PORT][:backend=NAME]}
    - client: C{sctp:HOST:PORT} or
      C{sctp:host=HOST[,HOST...]:port=PORT[:udp=PORT][:timeout=SECONDS][:backend=NAME]}

C{udp} is the port of SCTP over UDP (RFC 6951): at the server its own, at the client the peer's (9899). The colons of an
IPv6 address are escaped, as in other endpoint strings (C{host=\:\:1}).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IStreamClientEndpointStringParserWithReactor, IStreamServerEndpointStringParser
from twisted.plugin import IPlugin
from zope.interface import implementer

if TYPE_CHECKING:
    from rserpool.sctp.one_to_one.endpoints import SctpClientEndpoint, SctpServerEndpoint


@implementer(IPlugin, IStreamServerEndpointStringParser, IStreamClientEndpointStringParserWithReactor)
class SctpEndpointParser:
    """Makes endpoints of strings that begin with C{sctp:}."""

    # Every run of twistd imports this module: the rest is imported when it is needed.

    prefix = "sctp"

    def parseStreamServer(  # type: ignore[override]
        self, reactor: Any, port: str = "", interface: str = "", udp: str = "", backend: str = "auto", **unknown: str
    ) -> SctpServerEndpoint:
        """The endpoint that a string describes.

        @raise ConfigurationError: with a sentence that names what is wrong.
        """
        from rserpool.sctp.one_to_one.endpoints import SctpServerEndpoint
        from rserpool.sctp.stack import check_backend

        _reject(unknown, "port, interface, udp and backend")
        hosts = ",".join(_hosts(interface)) if interface else ""
        return SctpServerEndpoint(
            reactor,
            _number("port", port),
            hosts,
            _number("udp", udp) if udp else None,
            backend=check_backend(backend),
        )

    def parseStreamClient(  # type: ignore[override]
        self,
        reactor: Any,
        host: str = "",
        port: str = "",
        udp: str = "",
        timeout: str = "",
        backend: str = "auto",
        **unknown: str,
    ) -> SctpClientEndpoint:
        """The endpoint that a string describes.

        @raise ConfigurationError: with a sentence that names what is wrong.
        """
        from rserpool.core.addresses import TransportAddress
        from rserpool.sctp.one_to_one.connector import TIMEOUT
        from rserpool.sctp.one_to_one.endpoints import SctpClientEndpoint
        from rserpool.sctp.stack import check_backend

        _reject(unknown, "host, port, udp, timeout and backend")
        peer = TransportAddress(_hosts(host), _number("port", port), _number("udp", udp) if udp else 0)
        seconds = _seconds(timeout) if timeout else TIMEOUT
        return SctpClientEndpoint(reactor, peer, seconds, backend=check_backend(backend))


def _reject(unknown: dict[str, str], known: str) -> None:
    from rserpool.core.errors import ConfigurationError

    if unknown:
        raise ConfigurationError(f"sctp: what is {', '.join(unknown)}? There are {known}")


def _hosts(text: str) -> tuple[str, ...]:
    from rserpool.core.addresses import parse_transport_address

    hosts: list[str] = []
    for host in text.split(","):
        hosts += parse_transport_address(f"[{host}]" if ":" in host and not host.startswith("[") else host).hosts
    return tuple(hosts)


def _number(name: str, text: str) -> int:
    from rserpool.core.errors import ConfigurationError

    if text.isascii() and text.isdigit() and int(text) <= 65535:
        return int(text)
    raise ConfigurationError(f"sctp: {name}={text!r} is not a port number (0 to 65535)")


def _seconds(text: str) -> float:
    from rserpool.core.errors import ConfigurationError

    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if seconds > 0:
        return seconds
    raise ConfigurationError(f"sctp: timeout={text!r} is not a positive number of seconds")
