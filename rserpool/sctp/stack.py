"""How a program comes to its SCTP stack: the backend is chosen here, and nowhere else."""

from __future__ import annotations

import codecs
from contextlib import suppress
from typing import Any, cast

from twisted.internet.defer import Deferred, succeed

from rserpool.core.choices import BACKENDS
from rserpool.core.errors import ConfigurationError, SctpUnavailable
from rserpool.core.profiles import DEFAULT, Profile
from rserpool.core.reading import one_of
from rserpool.sctp.interfaces import ISctpStack

check_backend = one_of("SCTP backend", BACKENDS)
"""A parser of the names of backends."""


def load_stack(backend: str) -> None:
    """Load what L{open_stack} will want, while the process may: before it changes its root directory or its user."""
    import rserpool.sctp.kernel.stack  # noqa: F401
    from rserpool.sctp.compiled import MESSAGES, SHUTTLE

    MESSAGES.load()
    # Sockets want it for every address that is a string.
    codecs.lookup("idna")

    if backend != "kernel":
        import rserpool.sctp.usrsctp.stack  # noqa: F401
        from rserpool.sctp.usrsctp.library import load

        SHUTTLE.load()
        with suppress(SctpUnavailable):
            load()


class Lent:
    """The stack of a reactor in memory (L{rserpool.testing}), for who opens one there: its process closes it."""

    def __init__(self, stack: ISctpStack) -> None:
        self._stack = stack

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stack, name)

    def close(self) -> Deferred[None]:
        return succeed(None)


def open_stack(
    reactor: Any,
    *,
    backend: str = "auto",
    profile: Profile = DEFAULT,
    hosts: tuple[str, ...] = ("127.0.0.1",),
    encapsulation: int | None = None,
    registrar: bool = False,
    towards_udp: bool = False,
) -> ISctpStack:
    """Open the SCTP stack of this process; call it only after the process has forked for the last time.

    Opening it again gives a further share of the same library; each share is closed on its own.

    @param backend: C{"kernel"}, C{"usrsctp"}, or C{"auto"}: the kernel's where it has SCTP and receives SCTP over UDP
        at that port, if one is asked for; else usrsctp.
    @param hosts: local IP addresses to receive on; C{0.0.0.0} and C{::} mean all.
    @param encapsulation: the UDP port of SCTP over UDP (RFC 6951), 0 for any; C{None} takes the port that this process
        has already, else for a registrar the first free one of 9899, 9898, ... 9892, else an ephemeral one that is none
        of these. The kernel has one for all processes (C{net.sctp.udp_port}).
    @param towards_udp: whether a peer is to be reached over UDP: then C{"auto"} takes the kernel only if it speaks SCTP
        over UDP at all.
    @raise SctpUnavailable: if there is no SCTP on this machine; the text says what to install.
    @raise CannotListenError: if the UDP port is taken or an address is not local.
    @raise ConfigurationError: if there is no such backend, or the kernel receives SCTP over UDP at another port.
    """
    check_backend(backend)
    lent = getattr(reactor, "lends", {}).get("stack")
    if lent is not None:
        return cast(ISctpStack, Lent(lent))
    if backend != "usrsctp":
        from rserpool.sctp.kernel.here import require_kernel

        try:
            require_kernel()
            from rserpool.sctp.kernel.stack import open_kernel

            kernel = open_kernel(reactor, profile=profile, hosts=hosts, encapsulation=encapsulation)
            if backend == "kernel" or not towards_udp or kernel.encapsulation_port:
                return kernel
        except (SctpUnavailable, ConfigurationError):
            if backend == "kernel":
                raise
    from rserpool.sctp.usrsctp.stack import open_usrsctp

    return open_usrsctp(reactor, profile=profile, hosts=hosts, encapsulation=encapsulation, registrar=registrar)
