"""An empty environment, in which a release is installed and tried as somebody new would."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
from contextlib import closing
from pathlib import Path

PATIENCE = 300
"""Seconds that anything may take."""


class Environment:
    """A virtual environment with nothing but pip; nothing of a checkout is on its path."""

    def __init__(self, python: str, place: Path) -> None:
        """
        @param python: the interpreter that makes it.
        @param place: where; it is made.
        """
        self._place = place
        self._programs = place / "bin"
        self._hidden = place / "hidden"
        self._run(python, "-m", "venv", place, cwd=place.parent)

    def version(self) -> str:
        """What Python it has."""
        return self._run("python", "-V").strip()

    def install(self, file: Path) -> None:
        """Install a wheel or an sdist, with what it needs."""
        self._run("python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", file)

    def look(self) -> None:
        """All ways to the version, the plugins, the manual pages and the completions are there."""
        version = self._run("rserpool", "--version")
        assert version == self._run("python", "-m", "rserpool", "--version"), version
        assert self._run("twistd", "rserpool-ns", "--version").startswith(version.strip())
        assert "rserpool-pe" in self._run("twistd", "--help")
        assert "complete" in self._run("rserpool", "completion", "bash")
        assert (self._place / "share" / "man" / "man1" / "rserpool-pe.1").is_file()

    def hide(self, library: str) -> None:
        """Have the dynamic linker find this library of the system's no more."""
        self._hidden.mkdir(exist_ok=True)
        (self._hidden / library).touch()

    def serve(self, *parts: str) -> None:
        """A registrar runs, answers, and ends when it is told to.

        @param parts: files that this environment has, and that it must have loaded.
        """
        asap, enrp, udp = free_port(socket.SOCK_STREAM), free_port(socket.SOCK_STREAM), free_port(socket.SOCK_DGRAM)
        options = ["--asap", f"127.0.0.1:{asap}", "--enrp", f"127.0.0.1:{enrp}", "--udp-encapsulation", str(udp)]
        registrar = subprocess.Popen(
            [self._programs / "twistd", "-n", "--pidfile=", "rserpool-ns", *options],
            stdout=subprocess.PIPE, text=True, cwd=self._place, env=self._environment(),
        )  # fmt: skip
        try:
            assert registrar.stdout is not None
            for line in registrar.stdout:
                if "serves ASAP" in line:
                    break
            assert "ready" in self._run("rserpool", "status", f"127.0.0.1:{enrp}/{udp}")
            loaded = Path(f"/proc/{registrar.pid}/maps").read_text(encoding="utf-8") if parts else ""
            for part in parts:
                assert re.search(rf" {re.escape(str(self._place))}/lib\S*/{re.escape(part)}$", loaded, re.MULTILINE), (
                    part
                )
        finally:
            registrar.terminate()
            registrar.communicate(timeout=PATIENCE)
        # Twisted ends by the signal that told it to, when all is done.
        assert registrar.returncode in (0, -signal.SIGTERM), registrar.returncode

    def demonstrate(self) -> None:
        """The demonstration loses no request."""
        self._run("rserpool", "demo")

    def _run(self, program: str, *words: object, cwd: Path | None = None) -> str:
        own = self._programs / program
        done = subprocess.run(
            [str(own if own.exists() else program), *map(str, words)],
            cwd=cwd or self._place, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE,
            env=self._environment(),
        )  # fmt: skip
        if done.returncode:
            raise SystemExit(f"{done.stdout}{done.stderr}make dist: {program} exited with {done.returncode}, see above")
        return done.stdout

    def _environment(self) -> dict[str, str]:
        strange = ("PYTHON", "RSERPOOL", "VIRTUAL", "LD_LIBRARY")
        usual = {name: value for name, value in os.environ.items() if not name.startswith(strange)}
        return usual | ({"LD_LIBRARY_PATH": str(self._hidden)} if self._hidden.is_dir() else {})


def free_port(kind: socket.SocketKind) -> int:
    """A port of loopback that nobody uses."""
    with closing(socket.socket(socket.AF_INET, kind)) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
