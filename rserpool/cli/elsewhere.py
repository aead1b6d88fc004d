"""Where a registrar of this host listens, if not where users look by themselves."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

from twisted.internet.error import CannotListenError

from rserpool.core.addresses import ASAP_PORT
from rserpool.core.choices import REGISTRARS
from rserpool.core.errors import RSerPoolError
from rserpool.core.profiles import DEFAULT
from rserpool.node.candidates import THIS_HOST, local_hosts_towards
from rserpool.node.neighbours import ask, on_this_host
from rserpool.sctp.stack import open_stack

PATIENCE = 1.0
"""Seconds for the answers of registrars of this host."""


async def elsewhere(reactor: Any, backend: str, transport: str) -> str:
    """A registrar of this host that listens at another address than 127.0.0.1, as a sentence, or empty."""
    with suppress(RSerPoolError, CannotListenError):
        addresses = [address for address in on_this_host() if THIS_HOST not in address.hosts]
        if addresses:
            stack = open_stack(reactor, backend=backend, profile=DEFAULT, hosts=local_hosts_towards(addresses))
            try:
                answers = await ask(reactor, stack, addresses, PATIENCE)
            finally:
                await stack.close()
            for answer in answers:
                if answer.identifier is not None:
                    udp = 0 if transport == "tcp" else answer.address.encapsulation
                    where = replace(answer.address, port=ASAP_PORT, encapsulation=udp)
                    return (
                        f"registrar 0x{answer.identifier:08x} of this host listens at {answer.address.hosts[0]}: "
                        f"name it with --registrar {where} or in {REGISTRARS} (its port for ASAP may be another)"
                    )
    return ""
