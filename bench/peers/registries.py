"""The registries: nodes of etcd, of ZooKeeper and of this package, each a process of its own, with their settings."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from bench.enclosed import FOLDER
from bench.processes import Process, Processes, free_port

ZOOKEEPER = "/usr/share/java/zookeeper.jar"
PATIENCE = 60.0


@dataclass(frozen=True)
class Setting:
    """One system as it is set.

    @ivar ttl: seconds of a lease or session; for this package the profile says.
    @ivar says: what is set, for people.
    """

    system: str
    name: str
    client: str
    ttl: float
    says: str
    tuned: bool = False
    more: tuple[str, ...] = field(default=())

    @property
    def title(self) -> str:
        """How tables call it."""
        return f"{self.system}, {self.name}"

    def options(self, at: Sequence[str], client: str = "") -> list[str]:
        """The options of a process that uses it."""
        chosen = [client or self.client, *(f"--at={each}" for each in at), f"--ttl={self.ttl:g}"]
        chosen += [f"--profile={self.name}"] if self.system == "rserpool" else ["--tuned"] * self.tuned
        return chosen


SETTINGS = (
    Setting(
        "etcd",
        "default",
        "aetcd",
        60.0,
        "as installed, data on disk; leases of 60 s, as sessions of its Go client have them (etcd has no default)",
    ),
    Setting(
        "etcd",
        "tuned",
        "aetcd",
        1.0,
        "heartbeats 20 ms, elections 200 ms, data in memory, reads that one node answers alone (serializable); leases"
        " of 1 s, the shortest that there are",
        True,
        ("--heartbeat-interval=20", "--election-timeout=200"),
    ),
    Setting(
        "ZooKeeper",
        "default",
        "kazoo",
        10.0,
        "the sample configuration (tickTime 2000, initLimit 10, syncLimit 5), data on disk; sessions of 10 s, kazoo's"
        " default",
    ),
    Setting(
        "ZooKeeper",
        "tuned",
        "kazoo",
        0.5,
        "tickTime 100, sessions of 0.5 s, data in memory, no fsync (forceSync=no), serial garbage collector",
        True,
        ("-Dzookeeper.forceSync=no", "-XX:+UseSerialGC", "-Xms64m", "-Xmx512m"),
    ),
    Setting("rserpool", "default", "rserpool", 0.0, "profile `default`, SCTP over UDP (usrsctp)"),
    Setting("rserpool", "fast", "rserpool", 0.0, "profile `fast`, SCTP over UDP (usrsctp)"),
)


class Registry:
    """Nodes of one registry on one host; a context that ends them.

    @ivar nodes: the processes that live, by number.
    """

    def __init__(self, setting: Setting, count: int, host: str = "127.0.0.1", before: Sequence[str] = ()) -> None:
        self.setting = setting
        self.count = count
        self.host = host
        self.nodes: dict[int, Process] = {}
        self._before = before
        self._processes = Processes()

    @staticmethod
    def of(setting: Setting, count: int, host: str = "127.0.0.1", before: Sequence[str] = ()) -> Registry:
        """The registry of a system."""
        kinds: dict[str, type[Registry]] = {"etcd": Etcd, "ZooKeeper": ZooKeeper, "rserpool": Ours}
        return kinds[setting.system](setting, count, host, before)

    @property
    def at(self) -> list[str]:
        """Where clients connect, node after node."""
        raise NotImplementedError

    def start(self, number: int) -> None:
        """Start a node."""
        raise NotImplementedError

    def ready(self) -> bool:
        """Whether all nodes that live serve."""
        raise NotImplementedError

    def leader(self) -> int:
        """The number of the node that leads; where none does, the first."""
        return 0

    def cpu(self) -> float:
        """Processor time of all nodes so far, in seconds."""
        return sum(node.cpu() for node in self.nodes.values())

    def rss(self) -> int:
        """Bytes resident of all nodes, after a collection of garbage where one can be had."""
        return sum(node.rss() for node in self.nodes.values())

    def kill(self, number: int) -> None:
        """Kill -9 a node."""
        node = self.nodes.pop(number)
        node.signal(signal.SIGKILL)
        node.end()

    def wait(self) -> None:
        """Until all serve.

        @raise TimeoutError: if they do not.
        """
        until = time.monotonic() + PATIENCE
        while not self._ready():
            if time.monotonic() > until:
                raise TimeoutError(f"{self.setting.title} does not serve")
            time.sleep(0.1)

    def _ready(self) -> bool:
        try:
            return self.ready()
        except (OSError, ValueError, KeyError):
            return False

    def __enter__(self) -> Self:
        self._processes.__enter__()
        place = Path(os.environ[FOLDER])
        self._folder = Path(tempfile.mkdtemp(dir=place / "memory" if self.setting.tuned else place))
        try:
            for number in range(self.count):
                self.start(number)
            self.wait()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *what: Any) -> None:
        self._processes.__exit__(*what)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _ports(self, kinds: int, kind: socket.SocketKind = socket.SOCK_STREAM) -> list[list[int]]:
        found: set[int] = set()
        while len(found) < kinds * self.count:
            found.add(free_port(kind))
        ports = sorted(found)
        return [ports[one :: self.count] for one in range(self.count)]


def available(system: str) -> str:
    """Why a system cannot be measured here; empty if it can."""
    from importlib.util import find_spec

    if system == "etcd":
        if shutil.which("etcd") is None:
            return "etcd is not installed (apt install etcd-server)"
        return "" if find_spec("aetcd") and find_spec("etcd3gw") else "pip install -e '.[peers]'"
    if system == "ZooKeeper":
        if not Path(ZOOKEEPER).exists() or shutil.which("java") is None:
            return "ZooKeeper is not installed (apt install zookeeper)"
        return "" if find_spec("kazoo") else "pip install -e '.[peers]'"
    return ""


class Etcd(Registry):
    """Nodes of etcd."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._of = self._ports(2)

    @property
    def at(self) -> list[str]:
        return [f"{self.host}:{client}" for client, _ in self._of]

    def start(self, number: int) -> None:
        client, peer = (f"http://{self.host}:{port}" for port in self._of[number])
        cluster = ",".join(f"n{other}=http://{self.host}:{ports[1]}" for other, ports in enumerate(self._of))
        options = [f"--name=n{number}", f"--data-dir={self._folder}/{number}", f"--initial-cluster={cluster}"]
        options += [f"--listen-client-urls={client}", f"--advertise-client-urls={client}", "--logger=zap"]
        options += [f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}", "--log-level=error"]
        self.nodes[number] = self._processes.command(
            f"etcd {number}", "etcd", *options, *self.setting.more, before=self._before
        )

    def ready(self) -> bool:
        return all(json.loads(self._ask(number, "GET", "/health"))["health"] == "true" for number in self.nodes)

    def leader(self) -> int:
        for number in self.nodes:
            status = json.loads(self._ask(number, "POST", "/v3/maintenance/status"))
            if status["leader"] == status["header"]["member_id"]:
                return number
        return 0

    def _ask(self, number: int, how: str, path: str) -> str:
        url = f"http://{self.at[number]}{path}"
        if self._before:
            body = ["-d", "{}"] if how == "POST" else []
            asked = [*self._before, "curl", "-s", "-m", "2", *body, url]
            return subprocess.run(asked, capture_output=True, text=True, timeout=5, check=False).stdout
        data = b"{}" if how == "POST" else None
        with urllib.request.urlopen(urllib.request.Request(url, data), timeout=2) as answer:
            return str(answer.read().decode())


class ZooKeeper(Registry):
    """Nodes of ZooKeeper."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._of = self._ports(3)

    @property
    def at(self) -> list[str]:
        return [f"{self.host}:{ports[0]}" for ports in self._of]

    def start(self, number: int) -> None:
        folder = self._folder / str(number)
        folder.mkdir(exist_ok=True)
        (folder / "myid").write_text(f"{number + 1}\n")
        tick, initial = (100, 100) if self.setting.tuned else (2000, 10)
        lines = [f"tickTime={tick}", f"initLimit={initial}", "syncLimit=5", f"dataDir={folder}"]
        lines += [f"clientPort={self._of[number][0]}", f"clientPortAddress={self.host}", "maxClientCnxns=0"]
        lines += ["admin.enableServer=false", "4lw.commands.whitelist=srvr"]
        if self.count > 1:
            lines += [f"server.{one + 1}={self.host}:{ports[1]}:{ports[2]}" for one, ports in enumerate(self._of)]
        (folder / "zoo.cfg").write_text("\n".join(lines) + "\n")
        where = ["-cp", ZOOKEEPER, "org.apache.zookeeper.server.quorum.QuorumPeerMain", str(folder / "zoo.cfg")]
        self.nodes[number] = self._processes.command(
            f"ZooKeeper {number}", "java", *self.setting.more, *where, before=self._before
        )

    def ready(self) -> bool:
        return all("Mode:" in self._srvr(number) for number in self.nodes)

    def leader(self) -> int:
        return next((number for number in self.nodes if "Mode: leader" in self._srvr(number)), 0)

    def rss(self) -> int:
        """As the virtual machine has it after a collection; a heap is never given back at once."""
        if shutil.which("jcmd"):
            for node in self.nodes.values():
                with suppress(subprocess.SubprocessError):
                    subprocess.run(("jcmd", str(node.pid), "GC.run"), capture_output=True, timeout=30, check=False)
        return super().rss()

    def heap(self) -> int | None:
        """Bytes of objects that live in the heaps of all nodes; None if nobody can tell (jcmd of a JDK)."""
        total = 0
        for node in self.nodes.values():
            asked = ("jcmd", str(node.pid), "GC.class_histogram")
            try:
                done = subprocess.run(asked, capture_output=True, text=True, timeout=30, check=True)
                total += int(done.stdout.strip().splitlines()[-1].split()[2])
            except (OSError, subprocess.SubprocessError, ValueError, IndexError):
                return None
        return total

    def _srvr(self, number: int) -> str:
        code = (
            "import socket,sys; s=socket.create_connection((sys.argv[1], int(sys.argv[2])), 2); s.sendall(b'srvr');"
            " print(s.makefile().read())"
        )
        host, _, port = self.at[number].rpartition(":")
        asked = [*self._before, "/usr/bin/env", "python3", "-S", "-c", code, host, port]
        return subprocess.run(asked, capture_output=True, text=True, timeout=10, check=False).stdout


class Ours(Registry):
    """Registrars of this package, each other's peers."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._of = self._ports(1, socket.SOCK_DGRAM)
        self._waits: dict[int, Process] = {}

    @property
    def at(self) -> list[str]:
        return [f"{self.host}:3863/{udp}" for (udp,) in self._of]

    def start(self, number: int) -> None:
        options = ["--identifier", str(number + 1), "--asap", f"{self.host}:3863", "--enrp", f"{self.host}:9901"]
        options += ["--asap-tcp", "none", "--profile", self.setting.name]
        for other, (udp,) in enumerate(self._of):
            if other != number:
                options += ["--peer", f"{self.host}:9901/{udp}"]
        self.nodes[number] = self._processes.registrar(self._of[number][0], *options, before=self._before)
        if self.count > 1:
            self._waits[number] = self.nodes[number]

    def ready(self) -> bool:
        for node in self._waits.values():
            node.says("ready: ", PATIENCE)
        self._waits.clear()
        return True
