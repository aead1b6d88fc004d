"""Runs a benchmark where nothing of it can outlive it: namespaces of its own for processes, network and mounts (root).

However the benchmark ends, even by SIGKILL, the system ends all its processes, and with them the network namespaces
that it made. Without root it runs as it is, and ends what it started by itself.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

INSIDE, FOLDER = "BENCH_ENCLOSED", "BENCH_FOLDER"
PR_SET_PDEATHSIG = 1
UNSHARE = ("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")


def enclosed(module: str, arguments: list[str], seconds: float | None = None) -> int | None:
    """Run C{python -m module arguments} enclosed.

    @param seconds: it is ended after so many, whatever it does; None for never.
    @return: its exit status; None in the process that is enclosed, and shall go on.
    """
    if os.environ.get(INSIDE):
        return None
    folder = Path(tempfile.mkdtemp(prefix="rserpool-bench-"))
    try:
        environment = {**os.environ, INSIDE: "1", FOLDER: str(folder)}
        alone = _allowed()
        command = [*(UNSHARE if alone else ()), sys.executable, "-m", module, *arguments]
        running = subprocess.Popen(command, env=environment, preexec_fn=_with_parent)
        try:
            return running.wait(seconds)
        except subprocess.TimeoutExpired:
            print(f"{module}: ended after {seconds:.0f} s", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            return running.wait(20)
        finally:
            if not alone:
                running.terminate()
                with suppress(subprocess.TimeoutExpired):
                    running.wait(10)
            running.kill()
            running.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def settle() -> Path:
    """Inside: a place for the names of network namespaces, and loopback.

    @return: a folder that is removed at the end; C{memory} in it is in memory.
    """
    folder = Path(os.environ[FOLDER])
    memory = folder / "memory"
    memory.mkdir(exist_ok=True)
    if os.getpid() == 1 or _allowed():
        Path("/run/netns").mkdir(exist_ok=True)
        for place in (Path("/run/netns"), memory):
            subprocess.run(("mount", "-t", "tmpfs", "tmpfs", str(place)), capture_output=True, timeout=20, check=False)
        subprocess.run(("ip", "link", "set", "lo", "up"), capture_output=True, timeout=20, check=False)
    return folder


def _allowed() -> bool:
    if os.geteuid() or not shutil.which("unshare") or not shutil.which("ip"):
        return False
    return subprocess.run([*UNSHARE, "true"], capture_output=True, timeout=20, check=False).returncode == 0


def _with_parent() -> None:
    """Die with the process that started this one."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
