"""What C{bench.jobs} measures: a registrar and workers, Dask's, Celery, and processes of one machine."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import tempfile
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bench.processes import TWISTD, Processes, free_port

SYSTEMS = ("rserpool", "dask", "celery", "floor")
READY = {"rserpool": "registered as", "dask": "Starting established connection|Registered to"}
"""What a worker says when it can be given jobs."""


def installed(name: str) -> bool:
    """Whether it can be measured on this machine."""
    if name == "dask":
        return find_spec("distributed") is not None
    if name == "celery":
        return find_spec("celery") is not None and shutil.which("redis-server") is not None
    return True


class Bench:
    """One system, with so many workers of one process each."""

    def __init__(self, name: str, workers: int) -> None:
        self._name = name
        self._count = workers
        self._folder = tempfile.TemporaryDirectory()
        self._processes = Processes()
        self._workers: list[Any] = []

    def __enter__(self) -> Bench:
        self._processes.__enter__()
        try:
            self._where = getattr(self, f"_{self._name}")()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *what: Any) -> None:
        self._processes.__exit__(*what)
        self._folder.cleanup()

    def have_done(self, *job: Any, kill_after: float | None = None) -> tuple[float, float]:
        """Have jobs done.

        @param kill_after: seconds after which a worker is killed.
        @return: the seconds, and the processor time of all processes.
        """
        client = self.client(*job)
        before = _cpu(os.getpid())
        self.go()
        if kill_after is not None:
            time.sleep(kill_after)
            self.kill(1)
        seconds = float(client.says(r"^end (\S+)").group(1))
        used = _cpu(os.getpid()) - before
        end(client.pid)
        return seconds, used

    def client(self, *job: Any) -> Any:
        """Who has jobs done; it waits for L{go}."""
        self._gone = Path(self._folder.name) / f"go-{time.monotonic()}"
        os.environ["BENCH_GO"] = str(self._gone)
        words = ("-m", "bench.jobs_done", self._name, self._where, *map(str, job))
        client = self._processes.python("client", *words)
        client.says("^ready")
        return client

    def go(self) -> None:
        """Who was made last begins."""
        self._gone.touch()

    def file(self, name: str) -> Path:
        """A file of this one alone."""
        return Path(self._folder.name) / name

    def kill(self, number: int) -> None:
        """Kill a worker, from 1, with all that it started."""
        end(self._workers[number - 1].pid)

    def worker_of(self, pid: int) -> int | None:
        """The worker, from 1, that this process belongs to."""
        for number, worker in enumerate(self._workers, 1):
            if pid in descendants(worker.pid):
                return number
        return None

    def start(self) -> Any:
        """Start another worker; those of ours have their number, from 1, as identifier."""
        number = len(self._workers) + 1
        worker = self._processes.python(f"worker {number}", *getattr(self, f"_{self._name}_worker")(number))
        self._workers.append(worker)
        return worker

    def await_last(self) -> None:
        """The worker that was started last can be given jobs."""
        self._workers[-1].says(READY[self._name])

    def _start_all(self) -> None:
        for worker in [self.start() for _ in range(self._count)]:
            worker.says(READY[self._name])

    def _rserpool(self) -> str:
        port = free_port(socket.SOCK_STREAM)
        udp = free_port(socket.SOCK_DGRAM)
        self._processes.registrar(udp, "--asap-tcp", f"127.0.0.1:{port}")
        self._registrar = f"127.0.0.1:3863/{udp}"
        keys = Path(self._folder.name) / "keys"
        keys.touch(0o600)
        keys.write_text(f"bench {os.urandom(32).hex()}\n")
        self._start_all()
        return f"127.0.0.1:{port}"

    def _rserpool_worker(self, number: int) -> tuple[str, ...]:
        return (
            *TWISTD, "rserpool-worker", "--pool=farm", f"--registrar={self._registrar}", f"--identifier={number}",
            "--slots=1", "--functions=bench.jobs_done", f"--cookie-keys={self._folder.name}/keys",
        )  # fmt: skip

    def _dask(self) -> str:
        port = free_port(socket.SOCK_STREAM)
        options = ("--host", "127.0.0.1", "--port", str(port), "--no-dashboard", "--no-show")
        scheduler = self._processes.python("scheduler", "-m", "distributed.cli.dask_scheduler", *options)
        scheduler.says("Scheduler at")
        self._scheduler = f"tcp://127.0.0.1:{port}"
        self._start_all()
        return self._scheduler

    def _dask_worker(self, number: int) -> tuple[str, ...]:
        return (
            "-m", "distributed.cli.dask_worker", self._scheduler, "--nthreads=1", "--no-dashboard", "--no-nanny",
            f"--local-directory={self._folder.name}/{number}",
        )  # fmt: skip

    def _celery(self) -> str:
        port = free_port(socket.SOCK_STREAM)
        os.environ["BENCH_REDIS"] = str(port)
        code = f"import os; os.execvp('redis-server', ['redis-server', '--port', '{port}', '--save', ''])"
        self._processes.python("redis", "-c", code).says("Ready to accept")
        words = ("-A", "bench.jobs_celery", "worker", "-c", str(self._count), "-l", "info")
        worker = self._processes.python("celery", "-m", "celery", *words)
        worker.says("ready")
        self._workers.append(worker)
        return str(port)

    def _floor(self) -> str:
        return str(self._count)


def end(pid: int) -> None:
    """C{kill -9} of a process, and of all that it started."""
    for each in descendants(pid):
        with suppress(ProcessLookupError):
            os.kill(each, signal.SIGKILL)


def descendants(pid: int) -> list[int]:
    """A process, and all that it started."""
    found = [pid]
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += descendants(int(child))
    return found


def _cpu(pid: int) -> float:
    """Processor time of a process and all that it started and that lives, in seconds."""
    total = 0.0
    for each in descendants(pid):
        with suppress(OSError):
            for task in Path(f"/proc/{each}/task").iterdir():
                total += int((task / "schedstat").read_text().split()[0]) / 1e9
    return total
