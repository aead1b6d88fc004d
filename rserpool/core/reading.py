"""What people write in options, endpoint strings and files: numbers, choices, addresses.

A parser takes a text, and raises L{ConfigurationError} with a sentence that says what is wrong with it.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias, TypeVar

from rserpool.core.addresses import ASAP_PORT, TransportAddress, is_name
from rserpool.core.errors import ConfigurationError
from rserpool.core.handles import handle_of

T = TypeVar("T")
N = TypeVar("N", int, float)

Sentence: TypeAlias = Callable[[str], str]
"""What is wrong with a text."""

PORTS = range(65536)
LONGEST_NAME = 253
"""Characters of a host's name (RFC 1035 section 2.3.4)."""
_LABEL = "[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"({_LABEL}\.)*(?![0-9]+\.?$){_LABEL}\.?", re.IGNORECASE)
"""A host's name (RFC 1123 section 2.1): its last label is not a number alone."""


def any_base(text: str) -> int:
    """A whole number, decimal or 0x hexadecimal.

    @raise ValueError: if it is none.
    """
    return int(text, 0)


def digits(text: str) -> int:
    """A whole number in decimal digits alone: no sign, no blanks, no underscores.

    @raise ValueError: if it is none.
    """
    if not (text.isascii() and text.isdigit()):
        raise ValueError(text)
    return int(text)


def number(read: Callable[[str], N], fits: Callable[[N], bool], wrong: Sentence) -> Callable[[str], N]:
    """A parser of numbers.

    @param read: makes a number of a text, or raises C{ValueError}: C{float}, C{int}, L{any_base}, L{digits}.
    @param fits: whether a number is within its bounds.
    """

    def parse(text: str) -> N:
        try:
            value = read(text)
        except ValueError:
            raise ConfigurationError(wrong(text)) from None
        if not fits(value):
            raise ConfigurationError(wrong(text))
        return value

    return parse


def above_0(read: Callable[[str], N], wrong: Sentence | None = None) -> Callable[[str], N]:
    """A parser of numbers above 0, and below 2**31."""
    what = "whole number" if read is int else "number"
    return number(read, lambda value: 0 < value < 2**31, wrong or (lambda text: f"{text!r} is not a {what} above 0"))


def between(low: int, high: int) -> Callable[[str], int]:
    """A parser of whole numbers from C{low} to C{high}, decimal or 0x hexadecimal."""
    whole = number(any_base, lambda value: True, lambda text: f"{text!r} is not a number")

    def parse(text: str) -> int:
        value = whole(text)
        if not low <= value <= high:
            raise ConfigurationError(f"{text} is not between {low} and {high}")
        return value

    return parse


def choice(choices: Mapping[str, T], wrong: Sentence) -> Callable[[str], T]:
    """A parser of words, each of which stands for something."""

    def parse(text: str) -> T:
        if text not in choices:
            raise ConfigurationError(wrong(text))
        return choices[text]

    return parse


def one_of(what: str, words: Iterable[str]) -> Callable[[str], str]:
    """A parser of words that stand for themselves.

    @param what: what they are, for the sentence: there is no such ...
    """
    choices = {word: word for word in words}
    return choice(choices, lambda text: f"there is no {what} {text!r}; choose one of {', '.join(choices)}")


YES_OR_NO = {"yes": True, "no": False}


def handle(text: str) -> bytes:
    """The pool handle that a command line names.

    @raise ConfigurationError: if it is empty.
    """
    if not text:
        raise ConfigurationError("a pool's name is not empty")
    return handle_of(text)


seconds = number(float, lambda value: 0.0 <= value < 1e9, lambda text: f"{text!r} is not a number of seconds")
"""A parser of a time in seconds, 0 or more."""


def parse_transport_address(text: str, *, default_port: int = ASAP_PORT, protocol: str = "sctp") -> TransportAddress:
    """Read C{HOST[,HOST...][:PORT][/UDPPORT]}; an IPv6 address stands in brackets. A HOST may be a name, which whoever
    dials looks up.

    @raise ConfigurationError: with a sentence that names the wrong part.
    """
    rest, slash, udp = text.strip().partition("/")
    encapsulation = _port(udp, text) if slash else 0
    hosts: list[str] = []
    port = default_port
    while True:
        if rest.startswith("["):
            host, bracket, rest = rest[1:].partition("]")
            if not bracket:
                raise ConfigurationError(f"{text!r}: the bracket of the IPv6 address is not closed")
        else:
            bare = rest.partition(",")[0]
            if ":" in bare and not is_name(bare):
                raise ConfigurationError(f"{text!r}: an IPv6 address stands in brackets: [{bare}]")
            end = min((i for i in (rest.find(","), rest.find(":")) if i >= 0), default=len(rest))
            host, rest = rest[:end], rest[end:]
        hosts.append(_host(host, text))
        if rest.startswith(","):
            rest = rest[1:]
            continue
        if rest.startswith(":"):
            port = _port(rest[1:], text)
        elif rest:
            raise ConfigurationError(f"{text!r}: expected HOST[,HOST...]:PORT[/UDPPORT], found {rest!r}")
        return TransportAddress(tuple(hosts), port, encapsulation, protocol)


def with_port(address: TransportAddress, text: str, who: str) -> TransportAddress:
    """An address at which somebody is reached.

    @param who: for the sentence: C{"a registrar"}.
    @raise ConfigurationError: if its port is 0.
    """
    if not address.port:
        raise ConfigurationError(f"{text}: {who} is never at port 0")
    return address


def one_place(text: str, default_port: int) -> TransportAddress:
    """Read C{HOST[:PORT]}.

    @raise ConfigurationError: with a sentence that says what is wrong.
    """
    address = parse_transport_address(text, default_port=default_port)
    if len(address.hosts) > 1 or address.encapsulation:
        raise ConfigurationError(f"{text!r}: expected HOST[:PORT]")
    return address


def multicast_group(text: str, default_port: int = ASAP_PORT) -> TransportAddress:
    """Read C{GROUP[:PORT]} of a multicast group, an IP address.

    @raise ConfigurationError: with a sentence that says what is wrong.
    """
    group = parse_transport_address(text, default_port=default_port)
    host = group.hosts[0]
    if len(group.hosts) > 1 or is_name(host) or not ipaddress.ip_address(host.partition("%")[0]).is_multicast:
        raise ConfigurationError(f"{text} is not a multicast group")
    return with_port(group, text, "a group")


def udp_encapsulation(text: str) -> tuple[tuple[str, ...], int]:
    """Read C{[HOST:]PORT}: local addresses (none: those that are used anyway) and a UDP port.

    @raise ConfigurationError: with a sentence that says what is wrong.
    """
    host, colon, port = text.rpartition(":")
    return parse_transport_address(host).hosts if colon else (), between(1, 65535)(port)


def _host(host: str, text: str) -> str:
    if host == "localhost":
        return "127.0.0.1"
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        pass
    else:
        if address.version == 6 and address.is_link_local and not address.scope_id:
            raise ConfigurationError(f"{text!r}: {host} means another host on each link: write {host}%INTERFACE")
        return str(address)
    if not _NAME.fullmatch(host) or len(host) > LONGEST_NAME:
        raise ConfigurationError(
            f"{text!r}: {host!r} is neither an IP address (write 127.0.0.1, or [::1] for IPv6) nor a host's name"
        )
    return host.lower().removesuffix(".")


def _port(port: str, text: str) -> int:
    wrong = f"{text!r}: {port!r} is not a port number (0 to 65535)"
    return number(digits, PORTS.__contains__, lambda _: wrong)(port)
