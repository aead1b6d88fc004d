"""What C{twistd rserpool-echo} and the others are to twistd: plugins that import the rest when they are run."""

from __future__ import annotations

from typing import Any

from twisted.application.service import IService, IServiceMaker
from twisted.plugin import IPlugin
from zope.interface import implementer


@implementer(IPlugin, IServiceMaker)
class ClassicMaker:
    """The plugin of one classic service."""

    def __init__(self, name: str, description: str) -> None:
        self.name = name
        self.tapname = f"rserpool-{name}"
        self.description = description

    @property
    def default_pool(self) -> str:
        """The pool in which C{twistd rserpool-pe} lets it serve where no other is named."""
        from rserpool.services.names import POOLS

        return POOLS[self.name]

    def options(self) -> Any:
        """What C{twistd} reads the command line with."""
        from rserpool.tap.classic import options_of

        return options_of(self.name)

    def makeService(self, options: Any) -> IService:
        """The service that C{twistd} starts."""
        from rserpool.tap.classic import makeService

        return makeService(options)


MAKERS = (
    ClassicMaker("echo", "Echo for rserpool-pe: sends back what it gets."),
    ClassicMaker("discard", "Discard for rserpool-pe: takes what it gets."),
    ClassicMaker("daytime", "Daytime for rserpool-pe: tells the time."),
    ClassicMaker("chargen", "Chargen for rserpool-pe: sends characters without end."),
    ClassicMaker("pingpong", "Pingpong for rserpool-pe: answers with a counter that survives its element."),
    ClassicMaker("calcapp", "CalcApp for rserpool-pe: jobs that cost time, and survive their element."),
    ClassicMaker("fractal", "Fractal generator for rserpool-pe: tiles of pictures that survive their element."),
)
