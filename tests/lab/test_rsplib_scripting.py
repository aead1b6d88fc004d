"""rsplib's scripting service with a user of ours: work goes on elsewhere when its element is killed."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path
from typing import Any

from tests.lab.networks import Host
from tests.lab.rsplib import RsplibTests
from tests.lab.scripting import PIECE, Running, Script
from tests.processes.harness import Process

POOL = b"ScriptingPool"
PLACE = Path("/run/lab/scripting")
"""All hosts see it."""
LONG = f"""#!/bin/sh
touch {PLACE}/began-$$
until [ -e {PLACE}/go ]; do sleep 0.05; done
cat "$2" >"$1"
"""
"""What waits until it may go on, and gives back its environment."""
FAILING = """#!/bin/sh
exit 3
"""


def work(program: str) -> bytes:
    """A work package."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as tar:
        about = tarfile.TarInfo("ssrun")
        about.size, about.mode = len(program), 0o755
        tar.addfile(about, io.BytesIO(program.encode()))
    return made.getvalue()


class ScriptingTests(RsplibTests):
    """A registrar of ours, and two elements of theirs."""

    timeout = 90

    def theirs(self, host: Host, identifier: int) -> Process:
        cache = PLACE / f"cache{identifier}"
        options = (f"-sscachedirectory={cache}", "-sskeepaliveinterval=1000")
        return self.their_element(host, self.where, "scripting", identifier, *options)

    def begin(self, program: str, environment: bytes | None) -> tuple[Script, Running]:
        script = Script(work(program), environment)
        running = Running(self.asking, POOL, script)
        self.addCleanup(running.close)
        return script, running

    async def test_work_goes_on(self) -> None:
        """Its element is killed: the next one does it, and gives back what it made; then it has the environment."""
        PLACE.mkdir(exist_ok=True)
        self.where, *hosts, here = self.networks.hosts(4)
        self.networks.enter(here)
        registrar = await self.our_registrar(self.where, 7)
        elements = {number: self.theirs(host, number) for number, host in enumerate(hosts, 1)}
        await self.holds(registrar, POOL, *elements)
        self.asking = self.our_user(here, self.where)
        environment = os.urandom(2 * PIECE + 1000)
        script, running = self.begin(LONG, environment)
        await self.until(lambda: len(list(PLACE.glob("began-*"))) == 1, "it begins")
        serving: Any = running.session.element
        first = serving.identifier
        elements[first].signal("KILL")
        await self.until(lambda: len(list(PLACE.glob("began-*"))) == 2, "it begins again elsewhere")
        (PLACE / "go").touch()
        self.assertEqual(3 - first, (await running.done).identifier)
        self.assertEqual((0, True, [True, True]), (script.status, script.output == environment, script.uploads))
        again, running = self.begin(LONG, environment)
        await running.done
        self.assertEqual((0, True, [False]), (again.status, again.output == environment, again.uploads))
        failing, running = self.begin(FAILING, None)
        await running.done
        self.assertNotEqual(0, failing.status)
