"""Pingpong beside rsplib's: one pool of both, users of both, and the counter goes on from element to element."""

from __future__ import annotations

import json
import re
from typing import Any

from rserpool.core.addresses import ASAP_PORT
from tests.lab.networks import Host
from tests.lab.rsplib import RsplibTests
from tests.processes.harness import RSERPOOL, Process

ACK = r"Ack #(\d+) from PE \$([0-9a-f]{8}) \(reply #(\d+)\)"


class PingPongTests(RsplibTests):
    """A registrar of ours; an element of ours has the PE identifier 1, one of theirs 2."""

    timeout = 90

    def ours(self, host: Host, registrar: Host) -> Process:
        """Start an element of ours on a host."""
        where = f"{registrar.addresses[0]}:{ASAP_PORT}"
        options = ("--registrar", where, "--identifier", "1", "--address", host.addresses[0])
        with host:
            return self.twistd("rserpool-pe", *options, "--", "rserpool-pingpong", "--sctp", "0")

    async def pool(self) -> tuple[Any, Host, dict[int, Process], dict[int, Any]]:
        """Both elements in PingPongPool; and how to start each again."""
        where, here, there, user = self.networks.hosts(4)
        registrar = await self.our_registrar(where, 7)
        self.where = where
        start = {
            1: lambda: self.ours(here, where),
            2: lambda: self.their_element(there, where, "pingpong", 2),
        }
        elements = {number: begin() for number, begin in start.items()}
        await self.holds(registrar, b"PingPongPool", 1, 2)
        return registrar, user, elements, start

    async def test_their_user(self) -> None:
        """rsplib's user goes from element to element, to ours and to theirs; the answers are counted on."""
        registrar, host, elements, start = await self.pool()
        user = self.their_user(host, self.where, "pingpongclient", "-interval=50")
        answer = await user.says(ACK)
        for _ in range(2):
            serving = int(answer[2], 16)
            await user.says(rf"from PE \${serving:08x}", after=len(user.lines) + 5)
            elements[serving].signal("KILL")
            answer = await user.says(ACK.replace(r"([0-9a-f]{8})", f"({3 - serving:08x})"), after=len(user.lines))
            await self.holds(registrar, b"PingPongPool", 3 - serving)
            elements[serving] = start[serving]()
            await self.holds(registrar, b"PingPongPool", 1, 2)
        replies = [int(match[3]) for line in user.lines if (match := re.search(ACK, line))]
        # An element may be killed between its answer and the cookie that counts it: then a number comes twice.
        steps = [after - before for before, after in zip(replies, replies[1:], strict=False)]
        self.assertEqual((1, set()), (replies[0], set(steps) - {0, 1}), user.text)
        self.assertLessEqual(steps.count(0), 2, user.text)
        self.assertNotRegex(user.text, r"Detected gap of (?!0!)")

    async def test_our_user(self) -> None:
        """Our user does, too: nothing is lost, nothing comes twice, and the answers are counted on."""
        registrar, host, elements, start = await self.pool()
        where = f"{self.where.addresses[0]}:{ASAP_PORT}"
        options = ("--transport", "sctp", "--registrar", where, "--json", "--interval", "0.05")
        with host:
            user = self.spawn("-c", RSERPOOL, "ping", *options)
        serving = json.loads((await user.says('"event": "answer"')).string)["element"]
        for _ in range(2):
            await user.says(f'"answer".*"element": {serving},', after=len(user.lines) + 5)
            elements[serving].signal("KILL")
            serving = 3 - serving
            await user.says(f'"answer".*"element": {serving},', after=len(user.lines))
            await self.holds(registrar, b"PingPongPool", serving)
            elements[3 - serving] = start[3 - serving]()
            await self.holds(registrar, b"PingPongPool", 1, 2)
        user.signal("INT")
        await user.ended
        summary = json.loads(user.output.splitlines()[-1])
        counts = [summary[each] for each in ("lost", "doubled", "replies_skipped", "failovers")]
        self.assertEqual([0, 0, 0, 2], counts, user.text)
        self.assertLessEqual(summary["replies_repeated"], 2, user.text)
