"""Runs the steps of the Containerfile in a clean root, and what it would run: C{python -m tests.container.check}.

No engine of containers is needed, but root, debootstrap and a network: the root is Debian as C{FROM} names it, each
C{RUN} line is given to C{/bin/sh} in it (chroot), each C{COPY} copies what git knows. Then the command runs as the
image's user, in a network of its own, answers C{rserpool status}, and takes its leave at SIGTERM.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.container.containerfile import Containerfile, parse

ROOT = Path(__file__).resolve().parent.parent.parent
FILE = ROOT / "contrib" / "container" / "Containerfile"
MIRROR = "http://deb.debian.org/debian"
PATIENCE = 60.0
"""Seconds until it must answer, and until it must have ended."""
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
STATUS = "/opt/rserpool/bin/rserpool"


def main() -> int:
    """Do it."""
    parser = argparse.ArgumentParser(prog="make container-check", description="Runs the Containerfile in a clean root.")
    parser.add_argument("--bind", action="append", default=[], help="a folder of this machine that RUN lines may read")
    parser.add_argument("--base", type=Path, help="a root that debootstrap has made before, which is copied")
    options = parser.parse_args()
    if os.geteuid() != 0 or shutil.which("debootstrap") is None:
        print("container-check: this needs root, and debootstrap (apt-get install debootstrap)", file=sys.stderr)
        return 1
    found = parse(FILE.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "root"
        begin(found.base, root, options.base)
        with mounted(root, options.bind):
            for word, parts in found.steps:
                print(f"container-check: {word} {' '.join(parts)[:100]}", flush=True)
                run(root, parts[0], found) if word == "RUN" else copy(root, parts)
            serve(root, found)
    print("container-check: all is well")
    return 0


def begin(base: str, root: Path, made: Path | None) -> None:
    """The root that C{FROM} names."""
    suite = re.fullmatch(r"docker\.io/library/debian:([a-z]+)-slim", base)
    if suite is None:
        raise SystemExit(f"container-check: {base} is not Debian's")
    if made is not None:
        subprocess.run(["cp", "-a", str(made), str(root)], check=True)
        return
    print(f"container-check: debootstrap {suite[1]}", flush=True)
    done = subprocess.run(
        ["debootstrap", "--variant=minbase", suite[1], str(root), MIRROR], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"container-check: debootstrap: {done.stdout[-1000:]}{done.stderr[-1000:]}")


@contextmanager
def mounted(root: Path, folders: Sequence[str]) -> Iterator[None]:
    """With C{/proc} and C{/dev}, and folders of this machine, which are no part of the image."""
    places = []
    for source, target in [("/proc", "proc"), ("/dev", "dev"), *((each, each.lstrip("/")) for each in folders)]:
        (root / target).mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", "--rbind", source, str(root / target)], check=True)
        subprocess.run(["mount", "--make-rslave", str(root / target)], check=True)
        places.append(root / target)
    try:
        yield
    finally:
        for place in reversed(places):
            subprocess.run(["umount", "--recursive", "--lazy", str(place)], check=True)


def connect(root: Path) -> None:
    """Copy what this machine's network needs; a step may have replaced it."""
    for name in ("/etc/resolv.conf", "/etc/ssl/certs/ca-certificates.crt", "/etc/pip.conf", "/etc/xdg/pip/pip.conf"):
        with suppress(OSError):
            (root / name.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(name, root / name.lstrip("/"))


def run(root: Path, command: str, found: Containerfile) -> None:
    """A C{RUN} line."""
    connect(root)
    given = {name: value for name, value in os.environ.items() if name.startswith("PIP_") or name.endswith("_proxy")}
    environment = {"PATH": PATH, "DEBIAN_FRONTEND": "noninteractive", **given, **found.environment}
    done = subprocess.run(
        ["chroot", str(root), "/bin/sh", "-c", command], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(
            f"container-check: status {done.returncode} of {command}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
        )


def copy(root: Path, parts: Sequence[str]) -> None:
    """A C{COPY} line: what git knows of each source."""
    *sources, target = parts
    for source in sources:
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--", source], cwd=ROOT, capture_output=True, check=True
        ).stdout
        names = [name.decode() for name in listed.split(b"\0") if name]
        if not names:
            raise SystemExit(f"container-check: git knows no {source}")
        for name in names:
            inner = os.path.relpath(name, source)
            place = root / target.lstrip("/")
            if inner != ".":
                place /= inner
            elif target.endswith("/"):
                place /= Path(name).name
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, place)
            place.chmod(0o644)


def serve(root: Path, found: Containerfile) -> None:
    """The command of the image, in a network where nobody else is."""
    entering = ["chroot", f"--userspec={found.user}", str(root)]
    # The sleeper has the network; whoever enters it is told its pid.
    network = subprocess.Popen(
        ["unshare", "--net", "sh", "-c", "ip link set lo up; echo up; exec sleep infinity"], stdout=-1
    )
    try:
        assert network.stdout is not None
        network.stdout.readline()
        inside = ["nsenter", f"--net=/proc/{network.pid}/ns/net", *entering]
        print(f"container-check: as {found.user}: {' '.join(found.command)}", flush=True)
        environment = {"PATH": PATH, **found.environment}
        with tempfile.TemporaryFile() as output:
            serving = subprocess.Popen([*inside, *found.command], env=environment, stdout=output, stderr=output)
            try:
                said = answer(inside, environment, serving)
                serving.terminate()
                status = serving.wait(PATIENCE)
            finally:
                serving.kill()
                serving.wait()
            output.seek(0)
            log = output.read().decode()
        print(said.rstrip())
        # Twisted ends by the signal that it was sent, as shells and engines expect.
        if status not in (0, -signal.SIGTERM) or '"event": "serves"' not in log or "Traceback" in log:
            raise SystemExit(f"container-check: it ended with status {status}, and said\n{log[-3000:]}")
    finally:
        network.kill()
        network.wait()


def answer(inside: Sequence[str], environment: dict[str, str], serving: subprocess.Popen[bytes]) -> str:
    """What C{rserpool status} says, as soon as it is ready."""
    until = time.monotonic() + PATIENCE
    while True:
        asked = subprocess.run(
            [*inside, STATUS, "status"], env=environment, capture_output=True, text=True, check=False
        )
        if not asked.returncode:
            return asked.stdout
        if serving.poll() is not None or time.monotonic() > until:
            raise SystemExit(f"container-check: it does not serve: {asked.stdout}{asked.stderr}")


if __name__ == "__main__":
    sys.exit(main())
