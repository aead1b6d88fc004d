"""Mutates real messages: their bytes, and their structure as RFC 5354 sections 2 and 3 lay it out."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from rserpool.core import PolicyParameter, PoolElementParameter, SctpTransport, TcpTransport
from rserpool.core.wire import asap, enrp
from tests.core.wire.test_captures import MULTICAST, REGISTRARS, messages

BYTES = (0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 12, 14, 16, 0x20, 0x21, 0x3F, 0x40, 0x7F, 0x80, 0x81, 0xC0, 0xFE, 0xFF)
LENGTHS = (0, 1, 3, 4, 5, 7, 8, 12, 16, 20, 24, 31, 32, 33, 255, 256, 1024, 0x7FFF, 0x8000, 0xFFFC, 0xFFFF)
NUMBERS = (0, 1, 2, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)
KINDS = (*range(0x12), 0x3F, 0x803F, 0x8F01, 0x8F02, 0x8F03, 0x8F04, 0x8F05, 0x0FFF, 0x4FFF, 0x8FFF, 0xCFFF, 0xFFFF)
"""Types of parameters: known ones, private ones, and unknown ones of each kind of high bits."""
SIZES = (0, 1, 31, 32, 33, 127, 128, 255, 1024, 1025, 5000, 60000)
"""Bytes of a pool handle."""
FIXED = {asap: {0x07: 4, 0x0A: 4}, enrp: dict.fromkeys(range(1, 11), 8) | {4: 12, 7: 12, 8: 12, 9: 12}}
"""What stands before the parameters of a message, by protocol and message type."""
CONTAINERS = {0x03: 8, 0x04: 4, 0x05: 4, 0x06: 4, 0x07: 4, 0x0A: 12, 0x0B: 4, 0x0C: 0}
"""What stands before the parameters in a parameter, by its type."""
IPV4, IPV6, HANDLE, LONGEST = 0x01, 0x02, 0x09, 65535


@dataclass
class Parameter:
    """A parameter that can be changed; its length is right again when it is written.

    @ivar lie: is added to the length.
    """

    kind: int
    fixed: bytes
    nested: list[Parameter] = field(default_factory=list)
    lie: int = 0

    def octets(self) -> bytes:
        """As it is sent."""
        value = self.fixed + b"".join(parameter.octets() for parameter in self.nested)
        length = min(LONGEST, max(0, len(value) + 4 + self.lie))
        return self.kind.to_bytes(2, "big") + length.to_bytes(2, "big") + value + bytes(-len(value) % 4)


def parse(data: bytes, depth: int = 0) -> list[Parameter] | None:
    """The parameters in these bytes; None if they are none."""
    found: list[Parameter] = []
    offset = 0
    while offset < len(data):
        kind, length = (int.from_bytes(data[at : at + 2], "big") for at in (offset, offset + 2))
        if length < 4 or offset + length > len(data):
            return None
        value = data[offset + 4 : offset + length]
        before = CONTAINERS.get(kind, -1)
        nested = parse(value[before:], depth + 1) if 0 <= before <= len(value) and depth < 8 else None
        if nested is None:
            found.append(Parameter(kind, value))
        else:
            found.append(Parameter(kind, value[:before], nested))
        offset += length + -length % 4
    return found


@dataclass(frozen=True)
class Target:
    """What the messages are aimed at: what a stranger could have learned of those who must not be disturbed.

    @ivar handles: pool handles.
    @ivar common: those of them that messages of registrars speak of.
    @ivar numbers: identifiers of elements and servers.
    @ivar hosts: IP addresses.
    """

    handles: tuple[bytes, ...] = (b"bystander", b"common")
    common: tuple[bytes, ...] = (b"common",)
    numbers: tuple[int, ...] = (7,)
    hosts: tuple[str, ...] = ("10.0.0.1",)


class Mutator:
    """An endless supply of mutated messages, the same for the same seed.

    @param target: whom they are aimed at.
    """

    def __init__(self, random: Random, target: Target) -> None:
        self._random = random
        self._target = target
        self._handles = target.handles
        captured = [(protocol, each.data) for path in (REGISTRARS, MULTICAST) for protocol, each in messages(path)]
        # Half of the messages begin as captured ones, half as ones that name the target as it is.
        self._corpus: dict[object, tuple[list[bytes], list[bytes]]] = {
            protocol: ([data for spoken, data in captured if spoken is protocol], []) for protocol in (asap, enrp)
        }
        for handle in target.handles:
            for number in target.numbers:
                for host in target.hosts:
                    self._corpus[asap][1].extend(_about(handle, number, host))
                    if handle in target.common:
                        self._corpus[enrp][1].extend(_enrp_about(handle, number, host, target.numbers))
        self._structural: tuple[Callable[[list[Parameter]], None], ...] = (
            self._insert, self._insert, self._remove, self._repeat, self._retype, self._lie, self._rehandle,
            self._rehandle, self._renumber, self._renumber, self._rehost, self._rehost, self._shorten, self._nest,
        )  # fmt: skip

    def message(self, protocol: object) -> bytes:
        """One more message of C{asap} or C{enrp}."""
        random = self._random
        self._handles = self._target.common if protocol is enrp else self._target.handles
        corpus = random.choice(self._corpus[protocol])
        data = random.choice(corpus)
        if random.random() < 0.5:
            data = self._restructured(protocol, data)
        for _ in range(random.choice((0, 0, 1, 1, 1, 2, 3, 8))):
            data = self._bytes(data, random.choice(corpus))
        return data[:LONGEST] or b"\0"

    def _restructured(self, protocol: object, data: bytes) -> bytes:
        random = self._random
        before = 4 + FIXED[protocol].get(data[0], 0)  # type: ignore[index]
        parameters = parse(data[before:])
        if parameters is None:
            return data
        for _ in range(random.choice((1, 1, 1, 2, 4))):
            level = parameters
            while random.random() < 0.6 and (deeper := [each.nested for each in level if each.nested]):
                level = random.choice(deeper)
            random.choice(self._structural)(level)
        fixed = bytearray(data[:before])
        if before > 4 and random.random() < 0.3:
            place = 4 * random.randrange(1, before // 4)
            fixed[place : place + 4] = self._number()
        if random.random() < 0.1:
            fixed[1] = random.choice((0, 1, 2, 3, 255))
        data = bytes(fixed) + b"".join(parameter.octets() for parameter in parameters)
        return data[:2] + min(LONGEST, len(data)).to_bytes(2, "big") + data[4:]

    # Structure

    def _insert(self, level: list[Parameter]) -> None:
        value = self._random.randbytes(self._random.choice((0, 1, 4, 4, 7, 8, 16, 300)))
        level.insert(self._random.randint(0, len(level)), Parameter(self._random.choice(KINDS), value))

    def _remove(self, level: list[Parameter]) -> None:
        if level:
            level.pop(self._random.randrange(len(level)))

    def _repeat(self, level: list[Parameter]) -> None:
        if level:
            which = self._random.randrange(len(level))
            level[which:which] = [level[which]] * self._random.choice((1, 1, 2, 40))

    def _retype(self, level: list[Parameter]) -> None:
        if level:
            self._random.choice(level).kind = self._random.choice(KINDS)

    def _lie(self, level: list[Parameter]) -> None:
        if level:
            self._random.choice(level).lie = self._random.choice((-70000, -8, -4, -1, 1, 3, 4, 8, 70000))

    def _rehandle(self, level: list[Parameter]) -> None:
        for each in level:
            if each.kind == HANDLE:
                each.fixed = self._handle()

    def _renumber(self, level: list[Parameter]) -> None:
        for each in level:
            if len(each.fixed) >= 4 and each.kind != HANDLE and self._random.random() < 0.7:
                place = 4 * self._random.randrange(len(each.fixed) // 4)
                each.fixed = each.fixed[:place] + self._number() + each.fixed[place + 4 :]

    def _rehost(self, level: list[Parameter]) -> None:
        host = ipaddress.ip_address(self._random.choice(self._target.hosts)).packed
        for each in level:
            for address in (each, *each.nested):
                if address.kind in (IPV4, IPV6):
                    address.kind, address.fixed = (IPV4 if len(host) == 4 else IPV6), host

    def _shorten(self, level: list[Parameter]) -> None:
        if level:
            each = self._random.choice(level)
            each.fixed = each.fixed[: self._random.randint(0, len(each.fixed))]

    def _nest(self, level: list[Parameter]) -> None:
        if level:
            which = self._random.randrange(len(level))
            level[which] = Parameter(self._random.choice(tuple(CONTAINERS)), bytes(4), [level[which]])

    def _handle(self) -> bytes:
        if self._random.random() < 0.5:
            return self._random.choice(self._handles)
        return self._random.randbytes(1) * self._random.choice(SIZES)

    def _number(self) -> bytes:
        pick = self._random.random()
        if pick < 0.4:
            return self._random.choice(NUMBERS).to_bytes(4, "big")
        if pick < 0.8:
            return self._random.choice(self._target.numbers).to_bytes(4, "big")
        return self._random.randbytes(4)

    # Bytes

    def _bytes(self, data: bytes, other: bytes) -> bytes:
        random = self._random
        change = random.randrange(9)
        place = random.randint(0, len(data))
        if change == 0 and data:
            place = random.randrange(len(data))
            return data[:place] + bytes([data[place] ^ 1 << random.randrange(8)]) + data[place + 1 :]
        if change <= 2:
            return data[:place] + bytes([random.choice(BYTES)]) + data[place + 1 :]
        if change == 3:
            place &= ~1
            return data[:place] + random.choice(LENGTHS).to_bytes(2, "big") + data[place + 2 :]
        if change == 4:
            place &= ~3
            return data[:place] + self._number() + data[place + 4 :]
        if change == 5:
            data = data[:place] + data[place + random.randint(1, 12) :]
        elif change == 6:
            data = data[:place] + random.randbytes(random.randint(1, 12)) + data[place:]
        elif change == 7:
            data = data[: place & ~3] + other[random.randint(0, len(other)) & ~3 :]
        else:
            return data[:place]
        # Half of them with a right length.
        if random.random() < 0.5 and len(data) >= 4:
            data = data[:2] + min(LONGEST, len(data)).to_bytes(2, "big") + data[4:]
        return data


def _element(number: int, host: str, home: int = 0) -> PoolElementParameter:
    return PoolElementParameter(
        number, home, 60, TcpTransport(80, host), PolicyParameter(1), SctpTransport(5000, 1, (host,)) if home else None
    )


def _about(handle: bytes, number: int, host: str) -> list[bytes]:
    """What is said of an element over ASAP."""
    return [
        asap.encode(message)
        for message in (
            asap.Registration(handle, _element(number, host)),
            asap.Deregistration(handle, number),
            asap.RegistrationResponse(handle, number),
            asap.DeregistrationResponse(handle, number),
            asap.HandleResolution(handle, True),
            asap.HandleResolutionResponse(handle, PolicyParameter(1), (_element(number, host, 1),), True),
            asap.EndpointKeepAlive(1, handle, True, number),
            asap.EndpointKeepAliveAck(handle, number),
            asap.EndpointUnreachable(handle, number),
            asap.Cookie(b"cookie"),
            asap.BusinessCard(handle, (_element(number, host, 1),)),
        )
    ]


def _enrp_about(handle: bytes, number: int, host: str, servers: tuple[int, ...]) -> list[bytes]:
    """What is said of an element, and of its registrar, over ENRP."""
    found = []
    for server in servers:
        element = _element(number, host, server)
        for message in (
            enrp.HandleTableResponse(server + 1, server, (enrp.PoolEntry(handle, (element,)),)),
            enrp.HandleUpdate(server + 1, server, enrp.UpdateAction.ADD_PE, handle, element),
            enrp.HandleUpdate(server + 1, server, enrp.UpdateAction.DEL_PE, handle, element),
            enrp.InitTakeover(server + 1, server, server),
            enrp.TakeoverServer(server + 1, server, server),
        ):
            found.append(enrp.encode(message))
    return found
