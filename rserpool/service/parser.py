"""The plugin that parses C{rserpool:...} endpoint strings; see L{rserpool.service.endpoint_string} for their syntax."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IStreamClientEndpointStringParserWithReactor
from twisted.plugin import IPlugin
from zope.interface import implementer

if TYPE_CHECKING:
    from rserpool.service.endpoint import PoolClientEndpoint


@implementer(IPlugin, IStreamClientEndpointStringParserWithReactor)
class PoolClientEndpointParser:
    """Makes a L{PoolClientEndpoint<rserpool.service.endpoint.PoolClientEndpoint>} of an endpoint string."""

    prefix = "rserpool"

    def parseStreamClient(  # type: ignore[override]
        self, reactor: Any, *args: str, **kwargs: str
    ) -> PoolClientEndpoint:
        """See L{rserpool.service.endpoint_string} for the syntax.

        @raise ConfigurationError: with a sentence that names what is wrong.
        """
        # Every run of twistd imports this module: the rest is imported when it is needed.
        from rserpool.service.endpoint_string import endpoint_from

        return endpoint_from(reactor, args, kwargs)
