"""Pools as host names of a Twisted reactor: C{www.rserpool} is whichever element of the pool C{www} serves.

C{reactor.installNameResolver(PoolHostnames(user, reactor.nameResolver))}, and every C{HostnameEndpoint} can connect to
pools; elements have ports of their own, so that of the endpoint is not looked at.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Any, Literal

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.interfaces import IHostnameResolver, IHostResolution, IResolutionReceiver
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from rserpool.core.handles import handle_of, handle_text, printable
from rserpool.names.errors import NoSuchAddress, name_errors
from rserpool.names.tuples import AddressInfo, address_infos
from rserpool.node.counting import LimitedLog
from rserpool.user.service import PoolUserService

__all__ = ["PoolHostnames", "getaddrinfo"]

SUFFIX = ".rserpool"
"""What tells a pool's name from other host names."""


def getaddrinfo(
    user: PoolUserService,
    pool: bytes | str,
    port: object = None,
    family: int = 0,
    type: int = 0,
    proto: int = 0,
    flags: int = 0,
    *,
    timeout: float | None = None,
) -> Deferred[list[AddressInfo]]:
    """As C{socket.getaddrinfo}, with the addresses of a pool's elements in the order of its policy.

    @param user: a L{PoolUserService} that runs.
    @param timeout: seconds until it fails.
    @return: a C{Deferred}, that can be cancelled; otherwise as
        L{Resolver.getaddrinfo<rserpool.names.blocking.Resolver.getaddrinfo>}.
    """

    async def infos() -> list[AddressInfo]:
        patience = user.default_timeout if timeout is None else timeout
        handle = handle_of(pool)
        with name_errors():
            asked = user.resolve(handle, timeout=timeout, patience=patience)
            resolved = await user.in_vain.watch(asked, handle)
        name = handle_text(handle)
        return address_infos(name, resolved.elements, family=family, type=type, proto=proto, flags=flags)

    return ensureDeferred(infos())


@implementer(IHostResolution)
class _Resolution:
    def __init__(self, name: str) -> None:
        self.name = name
        self.asked: Deferred[Any] | None = None

    def cancel(self) -> None:
        """Nobody waits for it any more."""
        if self.asked is not None:
            self.asked.cancel()


@implementer(IHostnameResolver)
class PoolHostnames:
    """Resolves C{POOL.rserpool}, and leaves other names to another resolver.

    @param user: a L{PoolUserService} that runs.
    @param otherwise: who resolves the others, usually C{reactor.nameResolver}.
    @param suffix: the end of the names that are pools; what stands before it is the pool's name, as it is written.
    """

    _log = Logger()

    def __init__(self, user: PoolUserService, otherwise: IHostnameResolver, suffix: str = SUFFIX) -> None:
        self._user = user
        self._limited = LimitedLog(self._log, user.now)
        self._otherwise = otherwise
        self._suffix = suffix

    def resolveHostName(
        self,
        resolutionReceiver: IResolutionReceiver,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Sequence[Any] | None = None,
        transportSemantics: str = "TCP",
    ) -> IHostResolution:
        """Find the addresses of a name; each comes with the element's own port, whatever C{portNumber} is."""
        if not hostName.lower().endswith(self._suffix):
            return self._otherwise.resolveHostName(
                resolutionReceiver, hostName, portNumber, addressTypes, transportSemantics
            )
        resolution = _Resolution(hostName)
        resolutionReceiver.resolutionBegan(resolution)
        kind = socket.SOCK_DGRAM if transportSemantics == "UDP" else socket.SOCK_STREAM
        semantics: Literal["TCP", "UDP"] = "UDP" if transportSemantics == "UDP" else "TCP"
        asked = resolution.asked = getaddrinfo(self._user, hostName[: -len(self._suffix)], type=kind)

        def found(infos: list[AddressInfo]) -> None:
            for family, _, _, _, where in infos:
                address = IPv6Address if family == socket.AF_INET6 else IPv4Address
                if addressTypes is None or address in addressTypes:
                    resolutionReceiver.addressResolved(address(semantics, where[0], where[1]))

        def failed(failure: Failure) -> None:
            # The interface has no place for a reason: a name without addresses is an unknown one. Of pools that cannot
            # be used the pool user tells, once.
            if failure.check(NoSuchAddress):
                self._limited.warn("{name}: {error}", name=printable(hostName), error=str(failure.value))

        asked.addCallbacks(found, failed)
        asked.addBoth(lambda _: resolutionReceiver.resolutionComplete())
        return resolution
