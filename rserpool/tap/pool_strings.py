"""The plugin that parses C{rserpool:...} endpoint strings.

Their syntax: L{rserpool.user.endpoint_string} for clients, L{rserpool.element.server_string} for servers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IStreamClientEndpointStringParserWithReactor, IStreamServerEndpointStringParser
from twisted.plugin import IPlugin
from zope.interface import implementer

if TYPE_CHECKING:
    from rserpool.element.server_endpoint import PoolServerEndpoint
    from rserpool.user.endpoint import PoolClientEndpoint


@implementer(IPlugin, IStreamClientEndpointStringParserWithReactor, IStreamServerEndpointStringParser)
class PoolEndpointParser:
    """Makes endpoints of strings that begin with C{rserpool:}."""

    prefix = "rserpool"

    def parseStreamClient(  # type: ignore[override]
        self, reactor: Any, *args: str, **kwargs: str
    ) -> PoolClientEndpoint:
        """See L{rserpool.user.endpoint_string} for the syntax.

        @raise ConfigurationError: with a sentence that names what is wrong.
        """
        # Every run of twistd imports this module: the rest is imported when it is needed.
        from rserpool.user.endpoint_string import endpoint_from

        return endpoint_from(reactor, args, kwargs)

    def parseStreamServer(  # type: ignore[override]
        self, reactor: Any, *args: str, **kwargs: str
    ) -> PoolServerEndpoint:
        """See L{rserpool.element.server_string} for the syntax.

        @raise ConfigurationError: with a sentence that names what is wrong.
        """
        from rserpool.element.server_string import server_endpoint_from

        return server_endpoint_from(reactor, args, kwargs)
