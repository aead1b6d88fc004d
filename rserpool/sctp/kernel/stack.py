"""The kernel backend as its users see it."""

from __future__ import annotations

from typing import Any

from zope.interface import implementer

from rserpool.core.errors import ConfigurationError
from rserpool.core.profiles import DEFAULT, Profile
from rserpool.sctp.interfaces import ISctpHandler, ISctpStack
from rserpool.sctp.kernel.adopted import KINDS, AdoptedEndpoint, HasDescriptor, Style, duplicate
from rserpool.sctp.kernel.endpoint import KernelEndpoint
from rserpool.sctp.kernel.here import require_kernel
from rserpool.sctp.kernel.settings import KernelSettings
from rserpool.sctp.sockets import SocketStack


def open_kernel(
    reactor: Any,
    *,
    profile: Profile = DEFAULT,
    hosts: tuple[str, ...] = ("127.0.0.1",),
    encapsulation: int | None = None,
) -> KernelStack:
    """Use the kernel's SCTP.

    @param hosts: local IP addresses of endpoints that name none.
    @param encapsulation: the UDP port of SCTP over UDP, which is a setting of the system: C{None} or 0 for what it is.
    @raise SctpUnavailable: if this kernel has none; the text says what to do.
    @raise ConfigurationError: if the kernel's UDP port is another one.
    """
    require_kernel()
    settings = KernelSettings()
    port = settings.udp_port
    if encapsulation and encapsulation != port:
        raise ConfigurationError(
            f"the kernel receives SCTP over UDP at port {port or 'none'}, not {encapsulation}:"
            f" set it with 'sysctl net.sctp.udp_port={encapsulation}', or choose the backend usrsctp"
        )
    return KernelStack(reactor, profile, hosts or ("127.0.0.1",), settings)


@implementer(ISctpStack)
class KernelStack(SocketStack[KernelEndpoint]):
    """See L{ISctpStack<rserpool.sctp.interfaces.ISctpStack>}."""

    name = "kernel"

    def __init__(self, reactor: Any, profile: Profile, hosts: tuple[str, ...], settings: KernelSettings) -> None:
        super().__init__(reactor, profile, hosts)
        self.encapsulation_port = settings.udp_port
        self._settings = settings

    def __repr__(self) -> str:
        return f"<kernel SCTP {','.join(self.hosts)}>"

    def open(
        self, port: int, handler: ISctpHandler, hosts: tuple[str, ...] = (), listening: bool = True
    ) -> KernelEndpoint:
        return self._opened(KernelEndpoint(self, self._settings, port, handler, self._own(hosts, port)), listening)

    def adopt(
        self, given: int | HasDescriptor, handler: ISctpHandler, style: Style = Style.ONE_TO_MANY
    ) -> AdoptedEndpoint:
        """An endpoint on a socket that a program has made; the descriptor is duplicated.

        What the handler is told of associations that there are already comes after this call.

        @param given: a descriptor, or what has one.
        @raise ConfigurationError: if it is not what C{style} says; the text says what it is.
        @raise CannotListenError: if the kernel refuses to let it be read.
        """
        self._own((), 0)
        endpoint = KINDS[style](self, self._settings, handler, duplicate(given, style))
        self._opened(endpoint, listening=False)
        endpoint.later(endpoint.begin)
        return endpoint
