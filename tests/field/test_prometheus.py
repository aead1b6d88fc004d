"""A real Prometheus (Debian's) reads the metrics, and each alert of contrib/prometheus is made to fire."""

from __future__ import annotations

import json
import re
import shutil
import urllib.request
from pathlib import Path
from typing import Any
from unittest import SkipTest

from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from tests.names.loopback import free_port
from tests.processes.harness import ROOT, Process, ProcessTests, Registrar, free_address

RULES = ROOT / "contrib" / "prometheus" / "rserpool.rules.yml"
SHORTER = {"for: 1m": "for: 1s", "for: 2m": "for: 1s", "[5m]": "[20s]"}
"""What is made shorter in the rules, so that nobody waits for hours."""
TRIES = 60
CONFIGURED = """
global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}
rule_files: [{rules}]
scrape_configs:
  - job_name: rserpool
    static_configs: [{{targets: [{targets}]}}]
"""


class PrometheusTests(ProcessTests):
    """Two registrars, some elements, and a Prometheus."""

    timeout = 240

    async def test_alerts(self) -> None:
        """No alert fires while all is well; then each does, when what it is about happens."""
        if shutil.which("prometheus") is None:
            raise SkipTest("apt-get install prometheus")
        hosts = [free_address(), free_address()]
        registrars = [await self.scraped(*hosts), await self.scraped(*reversed(hosts))]
        await self.prometheus(hosts)
        elements = [self.element(registrars[0], "--profile", "fast", pool=pool) for pool in ("www", "www", "lonely")]
        for element in elements:
            await element.says("registered as")
        await self.until("rserpool_registrar_elements{pool='lonely'}", "1")
        await self.until("rserpool_registrar_peers{state='connected'}", "1", "1")
        self.assertEqual(set(), await self.firing())

        elements[0].signal("KILL")
        await self.fires("RSerPoolElementsDie")
        refused = self.element(registrars[0], "--policy", "random", "--profile", "fast", pool="www")
        await refused.says("refused")
        await self.fires("RSerPoolRegistrationsRefused")
        elements[2].signal("TERM")
        await self.fires("RSerPoolPoolEmpty")
        registrars[1].process.signal("KILL")
        await self.fires("RSerPoolPeerLost")
        await self.fires("RSerPoolRegistrarNotReady")

    async def scraped(self, host: str, other: str) -> Registrar:
        """A registrar that shows its metrics."""
        where = ("--admin", f"{host}:8080", "--peer", f"{other}:9901", "--profile", "fast")
        return await self.registrar(*where, asap=f"{host}:3863")

    async def prometheus(self, hosts: list[str]) -> None:
        """One that scrapes them."""
        home = Path(self.mktemp()).absolute()
        home.mkdir()
        rules = RULES.read_text()
        for long, short in SHORTER.items():
            self.assertIn(long, rules)
            rules = rules.replace(long, short)
        (home / "rules.yml").write_text(rules)
        targets = ", ".join(f"'{host}:8080'" for host in hosts)
        (home / "prometheus.yml").write_text(CONFIGURED.format(rules=home / "rules.yml", targets=targets))
        self.port = free_port()
        process = self.program(
            "prometheus",
            f"--config.file={home}/prometheus.yml",
            f"--storage.tsdb.path={home}/data",
            f"--web.listen-address=127.0.0.1:{self.port}",
        )
        await process.says("Server is ready")

    def program(self, *command: str) -> Process:
        """Another program than Python."""
        process = Process()
        reactor.spawnProcess(process, shutil.which(command[0]) or "", command)

        async def end() -> None:
            process.signal("KILL")
            await process.ended

        self.addCleanup(end)
        return process

    async def api(self, path: str) -> Any:
        """What it answers."""

        def ask() -> Any:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/{path}", timeout=10) as answer:
                return json.load(answer)["data"]

        return await deferToThread(ask)

    async def firing(self) -> set[str]:
        """The alerts that fire."""
        alerts = (await self.api("alerts"))["alerts"]
        return {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}

    async def fires(self, name: str) -> None:
        """Wait until this one does."""
        for _ in range(TRIES):
            if name in await self.firing():
                return
            await deferLater(reactor, 1.0)
        raise AssertionError(f"{name} does not fire; {await self.firing()} do")

    async def until(self, query: str, *values: str) -> None:
        """Wait until a query has these values."""
        from urllib.parse import quote

        found: list[str] = []
        for _ in range(TRIES):
            found = [each["value"][1] for each in (await self.api(f"query?query={quote(query)}"))["result"]]
            if found and set(found) == set(values):
                return
            await deferLater(reactor, 1.0)
        raise AssertionError(f"{query}: {found}")

    def test_metrics_that_are_there(self) -> None:
        """Each name in the rules is one that a registrar has."""
        from rserpool.admin import numbers

        source = Path(numbers.__file__).read_text()
        for name in set(re.findall(r"rserpool_registrar_(\w+?)(?:_total)?\b", RULES.read_text())):
            self.assertTrue(f"{{prefix}}{name}" in source or f"rserpool_registrar_{name}" in source, name)
