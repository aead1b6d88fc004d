"""A running scope goes from the first release to this one, host by host, while its users are served.

The old release is built as a wheel from its commit, with pip and git, and run beside this one. What the page
docs/upgrading.md says is done here, step by step.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar

from twisted.internet import reactor
from twisted.trial.unittest import SkipTest

from rserpool.core import parse_transport_address
from rserpool.user import PoolUserService
from tests.processes.harness import ROOT, Process, ProcessTests, free_address
from tests.processes.load import Load

COMMIT = "b524787"
"""What was 0.1.0."""
OLD, NEW = (0x0A, 0x0B), (0x1A, 0x1B)


class UpgradeTests(ProcessTests):
    timeout = 300
    built: ClassVar[TemporaryDirectory[str] | None] = None

    def setUp(self) -> None:
        super().setUp()
        if UpgradeTests.built is None:
            UpgradeTests.built = self.build()
        self.site = f"{UpgradeTests.built.name}/site"
        folder = TemporaryDirectory(prefix="rserpool-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    @staticmethod
    def build() -> TemporaryDirectory[str]:
        """The old release, installed in a folder of its own, which goes with the tests."""
        place = TemporaryDirectory(prefix="rserpool-0.1.0-")
        folder = Path(place.name)
        source = folder / "source"
        source.mkdir()
        pip = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check"]
        try:
            archive = subprocess.run(["git", "-C", str(ROOT), "archive", COMMIT], capture_output=True, check=True)
            subprocess.run(["tar", "x", "-C", str(source)], input=archive.stdout, check=True)
            subprocess.run(
                [*pip, "wheel", "--no-deps", "-w", str(folder), str(source)], check=True, capture_output=True
            )
            (wheel,) = folder.glob("*.whl")
            target = str(folder / "site")
            subprocess.run([*pip, "install", "--no-deps", "--target", target, str(wheel)], check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise SkipTest(f"the old release cannot be built: {error}") from None
        return place

    def old(self, *words: str) -> Process:
        """A process of the old release."""
        return self.twistd(*words, PYTHONPATH=self.site, path=self.folder)

    def element_of(self, old: bool, identifier: int, *registrars: str) -> Process:
        named = [word for where in registrars for word in ("--registrar", where)]
        service = ("web", "--listen", f"tcp:0:interface={self.host}", "--path", self.folder)
        words = ("rserpool-pe", "--pool", "pool", "--identifier", str(identifier), *named, "--", *service)
        return self.old(*words) if old else self.twistd(*words)

    async def printed(self, *words: str, status: int = 0) -> str:
        process = self.rserpool(*words)
        self.assertEqual(status, await process.ended, process.text)
        return process.text

    async def test_step_by_step(self) -> None:
        (Path(self.folder) / "index.html").write_text("here")
        self.host = free_address()
        # What runs: a registrar and two elements of the old release.
        first = await self.serving(self.old("rserpool-ns", "--asap", f"{self.host}:3863"))
        second_host, admin = free_address(), f"{self.folder}/admin.sock"
        second_place = f"{second_host}:3863/{9898 if first.address.encapsulation == 9899 else 9899}"
        elements = [self.element_of(True, each, first.text, second_place) for each in OLD]
        addresses = [first.address, parse_transport_address(second_place)]
        user = PoolUserService(reactor, addresses, transport="sctp")
        user.startService()
        self.addCleanup(user.stopService)
        pool = self.watch(user)
        await pool.holds(*OLD)
        load = Load(user, b"GET / HTTP/1.0\r\n\r\n", lambda answer: answer.startswith(b"HTTP/1.0 200"))
        self.addCleanup(load.stop)
        await load.more(10)
        # 1. A registrar of this release joins.
        enrp = f"{first.host}:9901/{first.address.encapsulation}".removesuffix("/0")
        udp = second_place.rpartition("/")[2]
        second = await self.registrar(
            "--peer", enrp, "--admin", admin, "--udp-encapsulation", udp, asap=f"{second_host}:3863"
        )
        await second.process.says("ready: 2 elements")
        await load.more(10)
        # 2. Elements of this release come, and old ones are stopped: each lets running requests end.
        newcomers = [self.element_of(False, each, second.text, first.text) for each in NEW]
        await pool.holds(*OLD, *NEW)
        await load.more(10)
        elements[0].signal("TERM")
        await pool.holds(OLD[1], *NEW)
        await load.more(10)
        # 3. The old registrar is stopped; the last old element goes to the new one, which it was told.
        first.process.signal("TERM")
        await first.process.ended
        await elements[1].says(f"home registrar is .*{second_host}")
        await load.more(10) if not load.lost else None
        # What is of the old release cannot be drained, and the sentence says what can be done.
        text = await self.printed("drain", "pool", f"0x{OLD[1]:x}", "--admin", admin, status=1)
        self.assertIn("does not know how to drain", text)
        self.assertIn("evict it", text)
        elements[1].signal("TERM")
        await elements[1].ended
        self.assertIn("drains", await self.printed("drain", "pool", f"0x{NEW[0]:x}", "--admin", admin))
        await load.stop()
        self.no_traceback(first.process, second.process, *elements, *newcomers)
        self.assertEqual([], load.lost)
