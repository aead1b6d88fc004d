"""The machine that the lab runs on: this one, where its kernel has SCTP, otherwise a guest, User-Mode Linux."""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
MODULES = Path("/usr/lib/uml/modules")
"""Where Debian's user-mode-linux has its modules."""
MEMORY = 1 << 30
"""Bytes of memory of the guest."""
TOOLS = {
    "ip": "iproute2",
    "tc": "iproute2",
    "tcpdump": "tcpdump",
    "tshark": "tshark",
    "rspregistrar": "rsplib-registrar",
    "pingpongclient": "rsplib-services",
    "rspserver": "rsplib-tools",
}
GUEST_TOOLS = {"linux.uml": "user-mode-linux", "modprobe": "kmod"}
PATH = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", ""), "/usr/sbin", "/sbin", "/usr/bin"])
"""System administration is not on everybody's path."""
PASSED_ON = ("TEST_", "LAB_", "HYPOTHESIS_", "PYTHON", "LANG", "LC_", "RSERPOOL_PURE")
"""The tests see these of the caller's environment: names, or how they begin."""


class LabUnavailable(Exception):
    """Something is missing; the sentence says what to install."""


def missing(tools: dict[str, str]) -> list[str]:
    """The packages of those tools that are not there."""
    return sorted({package for tool, package in tools.items() if shutil.which(tool, path=PATH) is None})


def kernel_has_sctp() -> bool:
    """Whether this machine's kernel has SCTP; root loads its module if need be."""
    for attempt in range(2):
        try:
            socket.socket(socket.AF_INET, socket.SOCK_SEQPACKET, 132).close()
            return True
        except OSError:
            if attempt or os.geteuid() or not (modprobe := shutil.which("modprobe", path=PATH)):
                return False
            subprocess.run([modprobe, "-q", "sctp"], check=False, stderr=subprocess.DEVNULL)
    return False


def may_make_networks() -> bool:
    """Whether this process may make networks of its own."""
    if os.geteuid() or not (unshare := shutil.which("unshare", path=PATH)):
        return False
    tried = subprocess.run([*_unshare(unshare), "true"], check=False, capture_output=True)
    return tried.returncode == 0


def _unshare(path: str) -> list[str]:
    return [path, "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]


def environment(results: Path) -> dict[str, str]:
    """What the lab's processes find in their environment."""
    passed = {name: value for name, value in os.environ.items() if name.startswith(PASSED_ON)}
    passed.update(PATH=PATH, TERM="dumb", PYTHONDONTWRITEBYTECODE="1", PYTHONUNBUFFERED="1")
    passed.update(RSERPOOL_LAB=str(results), RSERPOOL_LAB_PYTHON=sys.executable)
    return passed


def here(results: Path, command: list[str]) -> list[str]:
    """The command line that runs a command in a lab on this very machine; root only."""
    unshare = shutil.which("unshare", path=PATH)
    assert unshare is not None
    inside = 'mount -t tmpfs tmpfs /run && cd "$1" && shift && exec sh "$@"'
    return [*_unshare(unshare), "sh", "-c", inside, "sh", str(ROOT), str(HERE / "setup.sh"), *command]


def memory_place() -> str:
    """Where the guest's memory is a file, of no name: the quickest place that has room, and lets programs be run."""
    for place in ("/dev/shm", tempfile.gettempdir()):
        try:
            about = os.statvfs(place)
        except OSError:
            continue
        if about.f_bavail * about.f_frsize > MEMORY and not about.f_flag & os.ST_NOEXEC and os.access(place, os.W_OK):
            return place
    places = f"/dev/shm or {tempfile.gettempdir()}"
    raise LabUnavailable(f"the guest needs {MEMORY >> 20} MiB in {places}, not mounted noexec")


def guest(results: Path, command: list[str]) -> list[str]:
    """The command line that boots a guest and runs a command there; anybody may.

    @raise LabUnavailable: if something is missing.
    """
    if lacking := missing(GUEST_TOOLS):
        raise LabUnavailable(f"missing: {' '.join(lacking)}. Please run: apt-get install {' '.join(lacking)}")
    linux = shutil.which("linux.uml", path=PATH)
    assert linux is not None
    version = subprocess.run([linux, "--version"], check=True, capture_output=True, text=True).stdout.split()[0]
    modules = MODULES / version
    if not modules.is_dir():
        raise LabUnavailable(f"{linux} has no modules at {modules}. Please run: apt-get install user-mode-linux")
    # modprobe looks here, so that nothing needs to be linked or written on this machine.
    (results / "lib" / "modules").mkdir(parents=True)
    (results / "lib" / "modules" / version).symlink_to(modules)
    init = results / "init"
    exports = "".join(
        f"export {name}={shlex.quote(value)}\n" for name, value in environment(results).items() if name.isidentifier()
    )
    init.write_text(
        f"#!/bin/sh\n{exports}cd {shlex.quote(str(ROOT))}\nexec sh {shlex.join([str(HERE / 'boot.sh'), *command])}\n"
    )
    init.chmod(0o755)
    options = ["con=null", "con0=fd:0,fd:1", "ssl=null", "quiet", "loglevel=1", "panic=-1"]
    return [linux, f"mem={MEMORY}", "rootfstype=hostfs", "ro", f"init={init}", *options]
