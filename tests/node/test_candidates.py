"""Registrars from options, and our own address towards them."""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import ConfigurationError, TransportAddress
from rserpool.core.addresses import in_short
from rserpool.core.choices import REGISTRARS
from rserpool.node.candidates import local_host_towards, local_hosts_towards, over, registrars_from

NOWHERE = "255.255.255.255"
"""No socket may be connected to it."""


class NamedTests(SynchronousTestCase):
    """C{registrars_from}."""

    def test_named(self) -> None:
        """In the order in which they were named, none twice."""
        self.assertEqual(
            registrars_from(["10.0.0.1:3864/9898", "[::1]", "10.0.0.2,10.0.1.2:3863", "[::1]:3863"]),
            (
                TransportAddress(("10.0.0.1",), 3864, 9898),
                TransportAddress(("::1",), 3863),
                TransportAddress(("10.0.0.2", "10.0.1.2"), 3863),
            ),
        )

    def test_this_host(self) -> None:
        """Without a name: this host, at the UDP ports that registrars take, or over TCP."""
        self.assertEqual(registrars_from([]), tuple(TransportAddress(("127.0.0.1",), 3863, 9899 - n) for n in range(8)))
        self.assertEqual(registrars_from([], "tcp"), (TransportAddress(("127.0.0.1",), 3863, 0, "tcp"),))

    def test_environment(self) -> None:
        """The environment names them where nothing else does; a mistake in it is told as its."""
        self.patch(os, "environ", {REGISTRARS: " 10.0.0.1:3864/9898  reg.example\n"})
        named = (TransportAddress(("10.0.0.1",), 3864, 9898), TransportAddress(("reg.example",), 3863))
        self.assertEqual(named, registrars_from(()))
        self.assertEqual(("10.0.0.1", "reg.example"), tuple(one.hosts[0] for one in registrars_from((), "tcp")))
        self.assertEqual("10.0.0.2", registrars_from(["10.0.0.2"])[0].hosts[0])
        os.environ[REGISTRARS] = "10.0.0.1:x"
        with self.assertRaisesRegex(ConfigurationError, "^RSERPOOL_REGISTRARS: '10.0.0.1:x'"):
            registrars_from(())

    def test_in_short(self) -> None:
        """Many registrars are told of in a few words."""
        self.assertEqual("127.0.0.1:3863 at 8 UDP ports", in_short(registrars_from(())))
        self.assertEqual("127.0.0.1:3863 (tcp)", in_short(registrars_from((), "tcp")))
        named = registrars_from([f"10.0.0.{n}:3863/9900" for n in range(1, 7)])
        self.assertEqual("10.0.0.1:3863/9900, 10.0.0.2:3863/9900 and 4 more", in_short(named, 2))

    def test_over_tcp(self) -> None:
        """TCP knows one address at a time, and no UDP port."""
        both = TransportAddress(("10.0.0.1", "10.0.1.1"), 3863, 9898)
        self.assertEqual(
            over([both], "tcp"),
            [TransportAddress(("10.0.0.1",), 3863, 0, "tcp"), TransportAddress(("10.0.1.1",), 3863, 0, "tcp")],
        )

    def test_wrong(self) -> None:
        """The wrong text is named."""
        for text in ("example..org", "10.0.0.1:x", "10.0.0.1:0", "[::1", ""):
            with self.assertRaises(ConfigurationError) as raised:
                registrars_from(["127.0.0.1:3863", text])
            self.assertIn(repr(text), str(raised.exception))


class LocalTests(SynchronousTestCase):
    """C{local_host_towards}."""

    def test_loopback(self) -> None:
        """What is on this host is reached from this host."""
        self.assertEqual(local_host_towards("127.0.0.7"), "127.0.0.1")
        self.assertEqual(local_host_towards("::1"), "::1")

    def test_several(self) -> None:
        """One of our addresses for each way; what has no way is left out."""
        registrars = registrars_from(["127.0.0.1", "[::1]", "127.0.0.2", NOWHERE])
        self.assertEqual(local_hosts_towards(registrars), ("127.0.0.1", "::1"))

    def test_no_way(self) -> None:
        """An address to which there is no way is named."""
        with self.assertRaises(ConfigurationError) as raised:
            local_hosts_towards(registrars_from([NOWHERE]))
        self.assertIn(NOWHERE, str(raised.exception))

    def test_nobody(self) -> None:
        """Without any registrar (they will announce themselves): this host."""
        self.assertEqual(local_hosts_towards([]), ("127.0.0.1",))
