"""Messages that killed registrars, rsplib's among them, or could: each is one test against ours.

rsplib 3.4.4 dies of a pool handle of 33 bytes, of an unknown address parameter that is to be skipped, and of an unknown
parameter inside a transport parameter.
"""

from __future__ import annotations

from dataclasses import dataclass

from rserpool.core import PolicyParameter, PoolElementParameter, TcpTransport
from rserpool.core.wire import asap, enrp
from rserpool.sctp.base import PPID_ASAP, PPID_ENRP

UNKNOWN = {"stop": 0x0FFF, "stop and report": 0x4FFF, "skip": 0x8FFF, "skip and report": 0xCFFF}
"""Unknown parameter types by what RFC 5354 section 2 wants done with them."""
LONGEST = 65535


@dataclass(frozen=True)
class Input:
    """Something hostile.

    @ivar name: what it is, as the name of a test.
    @ivar messages: sent one after the other over one association.
    """

    name: str
    ppid: int
    messages: tuple[bytes, ...]


def tlv(kind: int, value: bytes, *, length: int | None = None) -> bytes:
    """A parameter, with a length that may be a lie."""
    length = min(LONGEST, len(value) + 4) if length is None else length
    return kind.to_bytes(2, "big") + length.to_bytes(2, "big") + value + bytes(-len(value) % 4)


def message(kind: int, *parameters: bytes, flags: int = 0, fixed: bytes = b"", length: int | None = None) -> bytes:
    """A message, with a length that may be a lie."""
    value = fixed + b"".join(parameters)
    length = min(LONGEST, len(value) + 4) if length is None else length
    return bytes((kind, flags)) + length.to_bytes(2, "big") + value


def inputs(host: str, pool: bytes, identifier: int, server: int) -> list[Input]:
    """All of them.

    @param host: the IP address of the stranger.
    @param pool: the handle of a pool that is somebody else's, with the element C{identifier}.
    @param server: the server identifier of the registrar.
    """
    found = _asap(host, pool, identifier) + _enrp(host, pool, identifier, server)
    names = [each.name for each in found]
    assert len(set(names)) == len(names)
    return found


def _asap(host: str, pool: bytes, identifier: int) -> list[Input]:
    cases: dict[str, tuple[bytes, ...]] = {}
    for size in (0, 32, 33, 128, 1025, 60_000):
        handle = tlv(0x09, b"h" * size)
        number = tlv(0x0E, b"\0\0\0\7")
        cases[f"handle of {size} bytes"] = (
            message(0x05, handle),
            message(0x01, handle, _element(host)),
            message(0x02, handle, number),
            message(0x08, handle, number),
            message(0x09, handle, number),
            message(0x07, handle, fixed=b"\0\0\0\1"),
            message(0x0D, handle, _element(host)),
        )
    ours = tlv(0x09, b"hostile")
    address = tlv(0x01, bytes(int(part) for part in host.split(".")))
    for name, kind in UNKNOWN.items():
        unknown = tlv(kind, b"what?")
        sctp = tlv(0x04, b"\0\x50\0\0" + address + unknown)
        cases[f"unknown parameter in a message, {name}"] = (message(0x05, ours, unknown), message(0x05, unknown, ours))
        cases[f"unknown address parameter, {name}"] = (
            message(0x01, ours, _element(host, tlv(0x05, b"\0\x50\0\0" + unknown))),
            message(0x0A, tlv(0x04, b"\x0f\x17\0\0" + unknown), fixed=b"\0\0\0\1"),
        )
        cases[f"unknown parameter in a transport, {name}"] = (
            message(0x01, ours, _element(host, tlv(0x05, b"\0\x50\0\0" + address + unknown))),
            message(0x01, ours, _element(host, tlv(0x05, b"\0\x50\0\0" + unknown + address))),
            message(0x01, ours, _element(host, sctp)),
            message(0x0A, sctp, fixed=b"\0\0\0\1"),
        )
        cases[f"unknown parameter in an element, {name}"] = (message(0x01, ours, _element(host, more=unknown)),)
        cases[f"unknown parameter in an error, {name}"] = (message(0x0E, tlv(0x0C, unknown)),)
    for name, length in (("0", 0), ("3", 3), ("too long", 60_000), ("65535", LONGEST)):
        cases[f"parameter length {name}"] = (
            message(0x05, tlv(0x09, b"pool", length=length)),
            message(0x01, ours, tlv(0x0A, bytes(40), length=length)),
            message(0x01, ours, _element(host, tlv(0x05, b"\0\x50\0\0" + tlv(0x01, b"\1\2\3\4", length=length)))),
            message(0x0E, tlv(0x0C, tlv(0x01, b"", length=length))),
        )
        cases[f"message length {name}"] = (message(0x05, ours, length=length), message(0x01, b"", length=length))
    cases["one byte"] = (b"\5", b"\0", b"\1\0", b"\1\0\0")
    cases["nothing inside"] = tuple(message(kind) for kind in range(256))
    cases["addresses of the wrong length"] = tuple(
        message(0x01, ours, _element(host, tlv(0x05, b"\0\x50\0\0" + tlv(kind, bytes(size)))))
        for kind in (1, 2) for size in (0, 1, 3, 5, 15, 17, 1000)
    )  # fmt: skip
    cases["many addresses"] = (
        message(0x01, ours, _element(host, tlv(0x04, b"\0\x50\0\0" + address * 2000))),
        message(0x01, ours, _element(host, tlv(0x04, b"\0\x50\0\0"))),
        message(0x0A, *(tlv(0x04, b"\x0f\x17\0\0" + tlv(0x01, b"\x0a\0\1\1")) for _ in range(1000)), fixed=b"\0\0\0\1"),
    )
    cases["nested as deep as it goes"] = (message(0x01, ours, _nested()), message(0x05, _nested()))
    cases["many small parameters"] = (message(0x05, ours, *(tlv(0xC001, b"") for _ in range(16_000))),)
    for size in (0, 1, 3, 1000, 32_000, 40_000, 64_000, 65_440):
        policy = tlv(0x08, b"\0\0\0\1" + bytes(size))
        cases[f"policy with {size} bytes"] = (
            message(0x01, ours, _element(host, policy=policy)),
            message(0x01, ours, _element(host, policy=tlv(0x08, b"\x77\0\0\1" + bytes(size)))),
            message(0x02, ours, tlv(0x0E, b"\0\0\0\7")),
        )
        cases[f"opaque transport with {size} bytes"] = (message(0x01, ours, _element(host, tlv(0x10, bytes(size)))),)
    cases["weights and loads at their limits"] = tuple(
        message(0x01, tlv(0x09, b"h%d" % number), _element(host, policy=tlv(0x08, kind.to_bytes(4, "big") + value * 3)))
        for number, (kind, value) in enumerate(
            (kind, value)
            for kind in (1, 2, 3, 4, 5, 0x40000001, 0x40000002, 0x40000003, 0x40000004, 0xB0001001, 0xB0002001)
            for value in (bytes(4), b"\xff" * 4)
        )
    )
    cases["strange numbers"] = tuple(
        message(0x01, ours, _element(host, numbers=numbers))
        for numbers in (bytes(12), b"\xff" * 12, b"\0\0\0\7\0\0\0\0\x80\0\0\0", b"\0\0\0\7\0\0\0\0\x7f\xff\xff\xff")
    )
    cases["as many items as there can be"] = tuple(
        message(0x05, tlv(0x09, pool), tlv(0x803F, items)) for items in (bytes(4), b"\xff" * 4, b"", b"\0" * 9)
    )
    cases["answers that nobody asked for"] = tuple(
        message(kind, tlv(0x09, pool), tlv(0x0E, identifier.to_bytes(4, "big")), flags=1) for kind in (3, 4, 6, 11, 12)
    )
    cases["deregistration of somebody else's element"] = (asap.encode(asap.Deregistration(pool, identifier)),) * 5
    theirs = PoolElementParameter(identifier, 0, 60, TcpTransport(80, host), PolicyParameter(1))
    cases["registration of somebody else's identifier"] = (asap.encode(asap.Registration(pool, theirs)),) * 5
    cases["reports about somebody else's element"] = (asap.encode(asap.EndpointUnreachable(pool, identifier)),) * 50
    cases["acknowledgements of somebody else"] = (asap.encode(asap.EndpointKeepAliveAck(pool, identifier)),) * 5
    cases["an error with a great cause"] = (message(0x0E, tlv(0x0C, tlv(0x1, bytes(65_000)))),) * 3
    return [Input(f"ASAP: {name}", PPID_ASAP, messages) for name, messages in cases.items()]


def _enrp(host: str, pool: bytes, identifier: int, server: int) -> list[Input]:
    cases: dict[str, tuple[bytes, ...]] = {}
    ids = (0x99).to_bytes(4, "big") + server.to_bytes(4, "big")
    address = tlv(0x01, bytes(int(part) for part in host.split(".")))
    ours = tlv(0x09, b"hostile")
    for size in (0, 33, 1025, 60_000):
        handle = tlv(0x09, b"h" * size)
        cases[f"handle of {size} bytes"] = (
            message(0x04, handle, _element(host), fixed=ids + bytes(4)),
            message(0x03, handle, _element(host), fixed=ids),
            message(0x02, fixed=ids),
        )
    for name, kind in UNKNOWN.items():
        unknown = tlv(kind, b"what?")
        for what, transport in (
            ("unknown address parameter", tlv(0x04, b"\x26\xad\0\0" + unknown)),
            ("unknown parameter in a transport", tlv(0x04, b"\x26\xad\0\0" + address + unknown)),
        ):
            information = tlv(0x0B, ids[:4] + transport)
            cases[f"{what}, {name}"] = (
                message(0x01, tlv(0x0F, bytes(2)), information, fixed=ids),
                message(0x06, information, fixed=ids),
                message(0x04, ours, _element(host, transport), fixed=ids + bytes(4)),
            )
        cases[f"unknown parameter in a message, {name}"] = (message(0x02, unknown, fixed=ids),)
    cases["nothing inside"] = tuple(message(kind) for kind in range(256))
    cases["fixed fields alone"] = tuple(message(kind, fixed=ids[:size]) for kind in range(11) for size in (4, 8))
    cases["parameter lengths"] = tuple(
        message(kind, tlv(0x09, b"pool", length=length), fixed=ids)
        for kind in range(1, 11) for length in (0, 3, 60_000, LONGEST)
    )  # fmt: skip
    cases["elements that fill a message"] = (
        message(0x04, ours, _element(host, tlv(0x10, bytes(65_000))), fixed=ids + bytes(4)),
        message(0x03, ours, _element(host, policy=tlv(0x08, b"\0\0\0\1" + bytes(65_300))), fixed=ids),
        message(0x02, fixed=ids),
    )
    cases["a server with its own identifier"] = (enrp.encode(enrp.Presence(server, server, 0)),)
    cases["a server without an identifier"] = tuple(message(kind, fixed=bytes(8)) for kind in range(1, 11))
    cases["many senders"] = tuple(enrp.encode(enrp.Presence(1000 + n, server, 0)) for n in range(200))
    cases["answers that nobody asked for"] = (
        message(0x03, ours, _element(host), fixed=ids, flags=3),
        message(0x06, fixed=ids, flags=1),
        enrp.encode(enrp.InitTakeoverAck(0x99, server, 0x77)),
    ) * 20
    cases["takeovers of nobody"] = tuple(
        enrp.encode(kind(0x99, server, target))
        for kind in (enrp.InitTakeover, enrp.InitTakeoverAck, enrp.TakeoverServer) for target in (0, 0x77, 0x99)
    )  # fmt: skip
    cases["removal of somebody else's element"] = (
        enrp.encode(
            enrp.HandleUpdate(
                0x99,
                server,
                1,
                pool,
                PoolElementParameter(identifier, 0x99, 60, TcpTransport(80, host), PolicyParameter(1)),
            )
        ),
    ) * 5
    cases["many updates at once"] = tuple(
        message(0x04, tlv(0x09, b"h%d" % n), _element(host), fixed=ids + bytes(4)) for n in range(500)
    )
    return [Input(f"ENRP: {name}", PPID_ENRP, messages) for name, messages in cases.items()]


def _element(
    host: str,
    transport: bytes = b"",
    *,
    policy: bytes = b"\0\x08\0\x08\0\0\0\1",
    numbers: bytes = b"\0\0\0\7\0\0\0\0\0\0\0\x3c",
    more: bytes = b"",
) -> bytes:
    address = tlv(0x01, bytes(int(part) for part in host.split(".")))
    return tlv(0x0A, numbers + (transport or tlv(0x05, b"\0\x50\0\0" + address)) + policy + more)


def _nested() -> bytes:
    value = b""
    while len(value) < 60_000:
        value = tlv(0x0A, bytes(12) + value)
    return value
