"""Registrars of one host that do not know each other, or are not where users look: both are said."""

from __future__ import annotations

import json
import os
import re

from twisted.internet import reactor

from rserpool.cli.elsewhere import elsewhere
from rserpool.core.choices import REGISTRARS
from rserpool.node.candidates import registrars_from
from tests.processes.harness import ProcessTests, all_of, free_address


class NeighbourTests(ProcessTests):
    """Real registrars, each test with a loopback address of its own."""

    async def test_strangers(self) -> None:
        """The second one says so at once, and C{status} does; what they say joins them."""
        host = free_address()
        first = await self.registrar(asap=f"{host}:3863")
        second = await self.registrar(asap=f"{host}:3863")
        said = await second.process.says("does not know this one: these are two scopes.* --peer (.*)")
        peer = said[1]
        self.assertEqual(f"{host}:9901/{first.address.encapsulation}", peer)
        there = f"{host}:9901/{second.address.encapsulation}"
        people = self.rserpool("status", peer, there)
        programs = self.rserpool("status", "--json", peer, there)
        self.assertEqual([0, 0], await all_of(people.ended, programs.ended))
        self.assertRegex(people.text, f"do not know each other: .*two scopes; to join them, .* with --peer {peer}")
        one, other = (json.loads(line) for line in programs.lines)
        self.assertEqual([[other["registrar"]], [one["registrar"]]], [one["strangers"], other["strangers"]])
        second.process.signal("TERM")
        await second.process.ended
        third = await self.registrar("--peer", peer, asap=f"{host}:3863")
        await third.process.says("ready: 0 elements from registrar")
        joined = self.rserpool("status", peer, f"{host}:9901/{third.address.encapsulation}")
        await joined.ended
        self.assertNotIn("scopes", joined.text + third.process.text + first.process.text)
        self.no_traceback(first.process, second.process, third.process, people, programs, joined)

    async def test_started_last(self) -> None:
        """Elements that serve over SCTP leave the registrars' ports alone: whoever starts first."""
        host = free_address()
        plugin = ("rserpool-pingpong", "--sctp", f"{host}:0")
        where = ("--registrar", f"{host}:3863/9898", "--address", host)
        elements = [self.element(f"{host}:3863/9899", *where, plugin=plugin) for _ in range(3)]
        await all_of(*(element.says("serves at") for element in elements))
        first = await self.registrar(asap=f"{host}:3863")
        second = await self.registrar("--peer", f"{host}:9901/9899", asap=f"{host}:3863")
        self.assertEqual([9899, 9898], [first.address.encapsulation, second.address.encapsulation])
        await all_of(*(element.says("registered as") for element in elements))

    async def test_elsewhere(self) -> None:
        """A registrar that listens where nobody looks by himself: where, and how to name it."""
        registrar = await self.registrar()
        for transport, end in (("auto", r":3863/\d+ or"), ("tcp", ":3863 or")):
            self.assertRegex(await elsewhere(reactor, "usrsctp", transport), f"--registrar 127[.0-9]+{end}")
        status = self.rserpool("status")
        await status.ended
        self.assertIn(f"{registrar.host}:9901/{registrar.address.encapsulation} ", status.text)
        # The environment names it, to C{status} too.
        self.patch(os, "environ", {**os.environ, REGISTRARS: f"{registrar.text} {free_address()}:1"})
        self.assertEqual(registrar.address, registrars_from(())[0])
        status, resolve = self.rserpool("status", "--json"), self.rserpool("resolve", "nothing")
        await all_of(status.ended, resolve.ended)
        self.assertEqual(2, len(status.lines), status.text)
        self.assertTrue(json.loads(status.lines[0])["ready"])
        self.assertTrue(re.search("no pool is named", resolve.text), resolve.text)
