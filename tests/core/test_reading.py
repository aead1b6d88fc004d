"""What people write: numbers, choices, addresses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import ConfigurationError, TransportAddress
from rserpool.core.reading import (
    above_0,
    between,
    digits,
    handle,
    multicast_group,
    number,
    one_of,
    parse_transport_address,
    seconds,
    udp_encapsulation,
)

_LONG = ".".join(["a" * 60] * 5)
_FE80 = "'[fe80::1]': fe80::1 means another host on each link: write fe80::1%INTERFACE"


def _no_host(text: str) -> str:
    return f"{text!r}: {text!r} is neither an IP address (write 127.0.0.1, or [::1] for IPv6) nor a host's name"


small = number(digits, lambda value: value < 10, lambda text: f"{text!r} is not small")


class ReadingTests(SynchronousTestCase):
    def test_read(self) -> None:
        """What is right."""
        rows: list[tuple[Callable[[str], Any], str, Any]] = [
            (small, "9", 9),
            (between(1, 255), "0xff", 255),
            (above_0(int), "1", 1),
            (above_0(float), "0.5", 0.5),
            (seconds, "0", 0.0),
            (one_of("colour", ("red", "green")), "green", "green"),
            (handle, "gr\u00fcn", b"gr\xc3\xbcn"),
            (parse_transport_address, "10.0.0.1,[::1]:80/9899", TransportAddress(("10.0.0.1", "::1"), 80, 9899)),
            (parse_transport_address, "localhost", TransportAddress(("127.0.0.1",), 3863)),
            (parse_transport_address, "ns1.Example.org.:1", TransportAddress(("ns1.example.org",), 1)),
            (parse_transport_address, "[fe80::1%eth0]", TransportAddress(("fe80::1%eth0",), 3863)),
            (multicast_group, "239.0.0.50", TransportAddress(("239.0.0.50",), 3863)),
            (lambda text: multicast_group(text, 9901), "239.0.0.51", TransportAddress(("239.0.0.51",), 9901)),
            (udp_encapsulation, "9899", ((), 9899)),
            (udp_encapsulation, "[::1]:9899", (("::1",), 9899)),
        ]
        for parse, text, value in rows:
            self.assertEqual(value, parse(text), text)

    def test_sentences(self) -> None:
        """What is wrong, and what is told of it."""
        rows: list[tuple[Callable[[str], Any], str, str]] = [
            (parse_transport_address, "10.0.0", _no_host("10.0.0")),
            (parse_transport_address, "a" * 64, _no_host("a" * 64)),
            (parse_transport_address, _LONG, _no_host(_LONG)),
            (parse_transport_address, "[fe80::1]", _FE80),
            (parse_transport_address, "::1", "'::1': an IPv6 address stands in brackets: [::1]"),
            (parse_transport_address, "10::a,::1", "'10::a,::1': an IPv6 address stands in brackets: [10::a]"),
            (small, "10", "'10' is not small"),
            (small, "-1", "'-1' is not small"),
            (small, " 1", "' 1' is not small"),
            (small, "\u0661", "'\u0661' is not small"),
            (between(1, 255), "x", "'x' is not a number"),
            (between(1, 255), "256", "256 is not between 1 and 255"),
            (above_0(int), "0.5", "'0.5' is not a whole number above 0"),
            (above_0(float), "nan", "'nan' is not a number above 0"),
            (above_0(float), "inf", "'inf' is not a number above 0"),
            (seconds, "-1", "'-1' is not a number of seconds"),
            (one_of("colour", ("red", "green")), "blue", "there is no colour 'blue'; choose one of red, green"),
            (handle, "", "a pool's name is not empty"),
            (parse_transport_address, "10.0.0.1:x", "'10.0.0.1:x': 'x' is not a port number (0 to 65535)"),
            (multicast_group, "10.0.0.1", "10.0.0.1 is not a multicast group"),
            (multicast_group, "239.0.0.50:0", "239.0.0.50:0: a group is never at port 0"),
            (udp_encapsulation, "0", "0 is not between 1 and 65535"),
        ]
        for parse, text, sentence in rows:
            error = self.assertRaises(ConfigurationError, parse, text)
            self.assertEqual(sentence, str(error))
