"""Runs tests in the lab: C{python -m tests.lab.run [--timeout S] [--keep-results DIR] [--guest] [trial arguments]}.

Where this machine's kernel has SCTP and root asks, the lab is a network of its own here; otherwise it is a guest,
User-Mode Linux, which sees this machine's files and can write to nothing but the folder of the results. The tests'
output is shown as it comes; then the capture of all traffic is checked (C{tests.lab.capture}). The last line is
C{N passed, M failed, K skipped}; the status is trial's.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import os
import re
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.lab import machine

TIMEOUT = 1500.0
"""A run ends after as many seconds, whatever happens."""
PR_SET_CHILD_SUBREAPER = 36
CHECK = 300.0
"""The check of the capture may take as many seconds."""
FAILED = ("failures", "errors", "unexpectedSuccesses")
PASSED = ("successes", "expectedFailures")


class Interrupted(SystemExit):
    """A signal asks to stop."""


def interrupted(number: int, frame: object) -> None:
    raise Interrupted(128 + number)


def bounded(command: list[str], seconds: float, environment: dict[str, str], core: int | None = None) -> list[str]:
    """Run a command, show what it says, and end it and all that it started, at the latest when its time is up.

    @param core: run on this processor alone.
    @return: the lines of its output.
    """

    def prepare() -> None:
        if core is not None:
            os.sched_setaffinity(0, {core})

    running = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
        cwd=machine.ROOT,
        start_new_session=True,
        preexec_fn=prepare,
    )
    assert running.stdout is not None
    end = time.monotonic() + seconds
    output = b""
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(running.stdout, selectors.EVENT_READ)
            while (left := end - time.monotonic()) > 0:
                if not selector.select(min(left, 1.0)):
                    if running.poll() is not None:
                        break
                    continue
                if not (data := os.read(running.stdout.fileno(), 65536)):
                    break
                data = data.replace(b"\r\n", b"\n")
                output += data
                sys.stdout.buffer.write(data)
                sys.stdout.flush()
            else:
                print(f"\nlab: stopped after {seconds:.0f} s", flush=True)
    finally:
        # Those that it started are in its group.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)
        running.wait()
        running.stdout.close()
        reap()
    return output.decode("utf-8", "replace").splitlines()


def adopt() -> None:
    """Become the parent of what is left behind by the processes that this one starts; Linux only."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def reap() -> None:
    """Wait for all of them; they were killed."""
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()


def counts(lines: list[str]) -> Counter[str]:
    """What trial's last line counts; nothing if it never came."""
    for line in reversed(lines):
        if match := re.match(r"(PASSED|FAILED)(?: \((.*)\))?$", line.strip()):
            counted = (item.partition("=") for item in (match[2] or "").split(", ") if item)
            return Counter({name: int(number) for name, _, number in counted})
    return Counter()


def check(results: Path, complete: bool) -> tuple[int, Counter[str]]:
    """Check the traffic of the tests: the exit status, and what was counted."""
    environment = machine.environment(results) | {"HOME": str(results)}
    if complete:
        environment["LAB_COMPLETE"] = "yes"
    place = f"--temp-directory={results / 'trial'}"
    lines = bounded([sys.executable, "-m", "twisted.trial", place, "tests.lab.capture"], CHECK, environment)
    counted = counts(lines)
    failed = not counted or any(counted[name] for name in FAILED)
    if not counted:
        counted["errors"] += 1
    return int(failed), counted


def play(results: Path, trial: list[str], seconds: float, in_guest: bool) -> tuple[int, Counter[str]]:
    """Run the tests, then check their traffic.

    @return: the exit status, and what was counted.
    @raise machine.LabUnavailable: if something is missing.
    """
    if lacking := machine.missing(machine.TOOLS):
        raise machine.LabUnavailable(f"missing: {' '.join(lacking)}. Please run: apt-get install {' '.join(lacking)}")
    names = [argument for argument in trial if not argument.startswith("-")]
    command = [sys.executable, "-m", "twisted.trial", "--temp-directory=/run/lab/trial", *trial]
    if not names:
        command.append("tests.lab")
    began = time.monotonic()
    environment = machine.environment(results)
    if not in_guest and machine.kernel_has_sctp() and machine.may_make_networks():
        lines = bounded(machine.here(results, command), seconds, environment)
    else:
        # Its sockets are in its home.
        home = {"HOME": str(results), "TMPDIR": machine.memory_place(), "PATH": machine.PATH}
        cores = sorted(os.sched_getaffinity(0))
        boot = machine.guest(results, command)
        lines = bounded(boot, seconds, home, cores[os.getpid() % len(cores)])
    (results / "output.txt").write_text("\n".join(lines) + "\n")
    counted = counts(lines)
    try:
        status = int((results / "status").read_text())
    except (OSError, ValueError):
        # It never came to its end.
        status = 1
    print(f"\nlab: {time.monotonic() - began:.0f} s", flush=True)
    if status and not any(counted[name] for name in FAILED):
        counted["errors"] += 1
    if (results / "traffic.pcap").exists():
        wrong, checked = check(results, not names)
        status, counted = status or wrong, counted + checked
    return status, counted


def main(arguments: list[str]) -> int:
    """Run, report, remove what was made, and return trial's exit status."""
    parser = argparse.ArgumentParser("python -m tests.lab.run", description=__doc__, allow_abbrev=False)
    parser.add_argument("--timeout", type=float, default=TIMEOUT, metavar="S", help="seconds for all tests")
    parser.add_argument("--keep-results", type=Path, metavar="DIR", help="keep the capture and the output there")
    parser.add_argument("--guest", action="store_true", help="boot the guest even if this kernel has SCTP")
    options, trial = parser.parse_known_args(arguments)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, interrupted)
    adopt()
    results = Path(tempfile.mkdtemp(prefix="rserpool-lab-")).resolve()
    try:
        status, counted = play(results, trial, options.timeout, options.guest)
        if options.keep_results is not None:
            keep(results, options.keep_results)
    except machine.LabUnavailable as error:
        print(f"lab: {error}", file=sys.stderr)
        return 2
    finally:
        shutil.rmtree(results, ignore_errors=True)
    passed = sum(counted[name] for name in PASSED)
    failed = sum(counted[name] for name in FAILED)
    print(f"\n{passed} passed, {failed} failed, {counted['skips']} skipped", flush=True)
    return status


def keep(results: Path, where: Path) -> None:
    """Copy what the tests left in the folder of the results."""
    where.mkdir(parents=True, exist_ok=True)
    for made in results.iterdir():
        if made.is_file() and made.name not in ("init", "status"):
            shutil.copy(made, where)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
