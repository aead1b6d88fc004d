"""The kernel backend as its users see it."""

from __future__ import annotations

import socket
import sys
from errno import ENOSYS
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from zope.interface import implementer

from rserpool.core.errors import ConfigurationError, SctpUnavailable
from rserpool.core.profiles import DEFAULT, Profile
from rserpool.sctp.interfaces import ISctpHandler, ISctpStack
from rserpool.sctp.kernel import options
from rserpool.sctp.kernel.endpoint import Endpoint

if TYPE_CHECKING:
    from rserpool.sctp.kernel.association import Association


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
    port = options.sysctl("udp_port")
    if encapsulation and encapsulation != port:
        raise ConfigurationError(
            f"the kernel receives SCTP over UDP at port {port or 'none'}, not {encapsulation}:"
            f" set it with 'sysctl net.sctp.udp_port={encapsulation}', or choose the backend usrsctp"
        )
    return KernelStack(reactor, profile, hosts or ("127.0.0.1",), port)


def require_kernel() -> None:
    """Look whether this kernel has SCTP that works.

    @raise SctpUnavailable: if not; the text says what to do.
    """
    if not sys.platform.startswith("linux"):
        raise SctpUnavailable(f"the backend kernel is for Linux, not {sys.platform}; choose the backend usrsctp")
    try:
        sock = socket.socket(socket.AF_INET, socket.SOCK_SEQPACKET, options.IPPROTO_SCTP)
    except OSError as error:
        raise SctpUnavailable(
            f"this kernel has no SCTP ({error.strerror}): load it with 'modprobe sctp', or choose the backend usrsctp"
        ) from None
    with sock:
        try:
            sock.listen(1)
        except OSError as error:
            hint = "'sysctl net.sctp.cookie_hmac_alg=none' or the kernel's md5 helps" if error.errno == ENOSYS else ""
            raise SctpUnavailable(
                f"this kernel's SCTP cannot listen ({error.strerror}): {hint or 'choose the backend usrsctp'}"
            ) from None


@implementer(ISctpStack)
class KernelStack:
    """See L{ISctpStack<rserpool.sctp.interfaces.ISctpStack>}.

    @ivar tells_addresses: whether the kernel tells peers of addresses that come and go (RFC 5061).
    @ivar default_encapsulation: the UDP port of peers that name none (C{net.sctp.encap_port}); 0 for plain SCTP.
    """

    name = "kernel"

    def __init__(self, reactor: Any, profile: Profile, hosts: tuple[str, ...], encapsulation_port: int) -> None:
        self.reactor = reactor
        self.profile = profile
        self.hosts = hosts
        self.encapsulation_port = encapsulation_port
        self.default_encapsulation = options.sysctl("encap_port")
        self.tells_addresses = bool(
            options.sysctl("addip_enable") and (options.sysctl("auth_enable") or options.sysctl("addip_noauth_enable"))
        )
        self._endpoints: dict[Endpoint, None] = {}
        self._closed = False
        self._tick = 0.0

    def __repr__(self) -> str:
        return f"<kernel SCTP {','.join(self.hosts)}>"

    def open(self, port: int, handler: ISctpHandler, hosts: tuple[str, ...] = (), listening: bool = True) -> Endpoint:
        hosts = tuple(dict.fromkeys(hosts)) or self.hosts
        if self._closed:
            raise CannotListenError(hosts[0], port, OSError("the stack is closed"))
        endpoint = Endpoint(self, port, handler, hosts, self._forget)
        try:
            endpoint.open(listening)
        except OSError as error:
            raise CannotListenError(hosts[0], port, error) from None
        self._endpoints[endpoint] = None
        return endpoint

    def _forget(self, endpoint: Endpoint) -> None:
        self._endpoints.pop(endpoint, None)

    def close(self) -> Deferred[None]:
        self._closed = True
        for endpoint in list(self._endpoints):
            endpoint.abort()
        # After the calls that abort() scheduled for the same instant.
        done: Deferred[None] = Deferred()
        self.reactor.callLater(0, done.callback, None)
        return done

    def tick(self, association: Association) -> float:
        """How long the kernel's clock stands still, in seconds: it counts round trip times in its own ticks."""
        if not self._tick:
            self._tick = options.clock_tick(association.port.socket, association.identifier)
        return self._tick
