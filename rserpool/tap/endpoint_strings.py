"""The plugins that parse endpoint strings: C{rserpool:...} and C{sctp:...}.

Every run of twistd imports this module: what parses is imported when it is needed.
"""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet.interfaces import IStreamClientEndpointStringParserWithReactor, IStreamServerEndpointStringParser
from twisted.plugin import IPlugin
from twisted.python.reflect import namedAny
from zope.interface import implementer


@implementer(IPlugin, IStreamClientEndpointStringParserWithReactor, IStreamServerEndpointStringParser)
class EndpointParser:
    """Makes endpoints of the strings that begin with C{prefix:}.

    @ivar prefix: the kind of endpoint.
    @param client: the full name of what makes a client endpoint of a reactor and the parts of a string.
    @param server: the same for a server endpoint.
    """

    def __init__(self, prefix: str, client: str, server: str) -> None:
        self.prefix = prefix
        self._client = client
        self._server = server

    def parseStreamClient(self, reactor: Any, *args: str, **kwargs: str) -> Any:  # type: ignore[override]
        """The endpoint that a string describes.

        @raise ConfigurationError: with a sentence that names what is wrong.
        """
        _as_a_daemon(reactor)
        return namedAny(self._client)(reactor, *args, **kwargs)

    def parseStreamServer(self, reactor: Any, *args: str, **kwargs: str) -> Any:  # type: ignore[override]
        """The endpoint that a string describes.

        @raise ConfigurationError: with a sentence that names what is wrong.
        """
        _as_a_daemon(reactor)
        return namedAny(self._server)(reactor, *args, **kwargs)


def _as_a_daemon(reactor: Any) -> None:
    """What twistd runs, as C{twistd web}, knows nothing of our mistakes: it ends by them, and not with a traceback."""
    if "twisted.scripts.twistd" in sys.modules:
        from rserpool.tap.interrupts import end_by_signals

        end_by_signals(reactor)


POOLS = EndpointParser(
    "rserpool", "rserpool.user.endpoint_string.endpoint_from", "rserpool.element.server_string.server_endpoint_from"
)
SCTP = EndpointParser(
    "sctp",
    "rserpool.sctp.one_to_one.endpoint_string.client_from",
    "rserpool.sctp.one_to_one.endpoint_string.server_from",
)
