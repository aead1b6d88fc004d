"""The command C{rserpool} as a process: exit codes, and one sentence for each error."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from contextlib import closing, redirect_stderr, redirect_stdout
from importlib import import_module
from importlib.metadata import version
from io import StringIO

from twisted.trial.unittest import SynchronousTestCase

import rserpool
import twisted
from rserpool.cli.main import main
from rserpool.core import PolicyParameter, PoolElementParameter, SctpTransport, TcpTransport
from rserpool.core.wire import asap

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(rserpool.__file__)))
COMMAND = [sys.executable, "-m", "rserpool.cli.main"]


def nowhere() -> str:
    """An address of this host where no registrar is, nor any other process."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    return f"127.0.0.1:{port}/{port}"


def rserpool_command(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run it to its end."""
    environment = {**os.environ, "PYTHONPATH": ROOT}
    return subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, timeout=60, env=environment, check=False
    )


class ErrorTests(SynchronousTestCase):
    """What goes wrong."""

    def check(self, code: int, part: str, *arguments: str) -> None:
        """It ends with this code, and one sentence that contains C{part}."""
        ended = rserpool_command(*arguments)
        self.assertEqual(ended.returncode, code, ended.stderr)
        self.assertIn(part, ended.stderr)
        self.assertEqual(len(ended.stderr.splitlines()), 1, ended.stderr)
        self.assertEqual(ended.stdout, "")

    def test_wrong_options(self) -> None:
        """Exit code 2, and the option is named."""
        for part, *arguments in (
            ("COMMAND",),
            ("frobnicate", "frobnicate"),
            ("POOL", "resolve"),
            ("a pool's name is not empty", "resolve", ""),
            ("no underscore", "keys", "make", "d", "--scope", "a_b.example", "--registrar", "reg1"),
            ("no underscore", "keys", "make", "d", "--scope", "a.example", "--registrar", "reg_1"),
            ("not a name as DNS has them", "keys", "make", "d", "--scope", "192.0.2.1", "--registrar", "reg1"),
            ("--items", "resolve", "pool", "--items", "0"),
            ("--items", "resolve", "pool", "--items", "many"),
            ("--workers: '0' is not a whole number above 0", "demo", "--workers", "0"),
            ("--phase", "demo", "--phase", "-1"),
            ("--timeout", "watch", "pool", "--timeout", "-1"),
            ("--transport", "resolve", "pool", "--transport", "udp"),
            ("--profile", "resolve", "pool", "--profile", "slow"),
            ("--items", "watch", "pool", "--items", "3"),
            ("; did you mean --registrar? (see", "resolve", "--registar", "127.0.0.1", "pool"),
            ("unrecognized arguments: true; the command stands behind -- (see", "exec", "pool", "true"),
            ("rserpool watch: unrecognized arguments: --all (see rserpool watch --help)", "watch", "pool", "--all"),
        ):
            complaint = StringIO()
            with redirect_stderr(complaint):
                self.assertEqual(main(arguments), 2)
            self.assertIn(part, complaint.getvalue())
            self.assertEqual(complaint.getvalue().count("\n"), 1)

    def test_wrong_registrar(self) -> None:
        """A registrar that is no address: exit code 2, and what would be right."""
        self.check(2, "write 127.0.0.1", "resolve", "pool", "--registrar", "example..org:3863")

    def test_no_registrar(self) -> None:
        """Exit code 4, and those that were tried, over SCTP and over TCP."""
        where = ("--registrar", nowhere(), "--timeout", "0.3")
        self.check(4, "127.0.0.1", "resolve", "pool", *where)
        self.check(4, "127.0.0.1", "watch", "pool", "--transport", "tcp", *where)


class HelpTests(SynchronousTestCase):
    """C{--help}."""

    def test_light(self) -> None:
        """The help of all commands, and a wrong one, load neither Twisted nor the commands."""
        program = "import sys; from rserpool.cli.main import main; main(); print(*sys.modules, file=sys.stderr)"
        for words in (["--help"], ["frobnicate"]):
            command = [sys.executable, "-c", program, *words]
            ended = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=ROOT, check=True)
            modules = ended.stderr.split()
            self.assertIn("rserpool.cli.parser", modules)
            for heavy in ("twisted", "rserpool.core", "rserpool.cli.resolve"):
                self.assertNotIn(heavy, modules)

    def test_help(self) -> None:
        """The subcommands, their options and the exit codes are told."""
        ended = rserpool_command("--help")
        self.assertEqual((ended.returncode, ended.stderr), (0, ""))
        self.assertIn("resolve", ended.stdout)
        self.assertIn("exit codes", ended.stdout)
        ended = rserpool_command("resolve", "--help")
        for option in ("--registrar", "--items", "--transport", "--profile", "--timeout", "--json", "exit codes"):
            self.assertIn(option, ended.stdout)

    def test_version(self) -> None:
        """The version of what is installed."""
        told = StringIO()
        with redirect_stdout(told):
            self.assertEqual(main(["--version"]), 0)
        self.assertEqual(told.getvalue(), f"rserpool {version('rserpool')}\n")
        self.assertEqual(rserpool.__version__, version("rserpool"))

    def test_of_plugins(self) -> None:
        """C{twistd rserpool-ns --version} tells it, too, beside that of Twisted, whatever else is said."""
        for name in ("ns", "pe", "proxy"):
            told = StringIO()
            with redirect_stdout(told), self.assertRaises(SystemExit) as ended:
                import_module(f"rserpool.tap.{name}").Options().parseOptions(["--version"])
            self.assertIn(ended.exception.code, (None, 0))
            self.assertEqual(told.getvalue(), f"rserpool {version('rserpool')} (Twisted {twisted.__version__})\n")

    def test_without_metadata(self) -> None:
        """What was not installed says so, in the place of a version."""
        ended = subprocess.run(
            [sys.executable, "-S", "-c", "import rserpool; print(rserpool.__version__)"],
            capture_output=True, text=True, timeout=60, env={"PYTHONPATH": self.mktemp_with_source()},
        )  # fmt: skip
        self.assertEqual(ended.stdout, "(not installed: run from its source)\n", ended.stderr)

    def mktemp_with_source(self) -> str:
        """A directory that has this package, and no word about its installation."""
        directory = self.mktemp()
        os.mkdir(directory)
        os.symlink(os.path.dirname(os.path.abspath(rserpool.__file__)), os.path.join(directory, "rserpool"))
        return directory

    def test_as_module(self) -> None:
        """C{python -m rserpool} is the same command."""
        ended = subprocess.run(
            [sys.executable, "-m", "rserpool", "resolve"],
            capture_output=True, text=True, timeout=60, env={**os.environ, "PYTHONPATH": ROOT},
        )  # fmt: skip
        self.assertEqual(ended.returncode, 2)
        self.assertIn("rserpool resolve: the following arguments are required: POOL", ended.stderr)


INTERRUPTED = """
import sys

class Interrupt:
    def find_spec(self, name, *_):
        if name == "rserpool.cli.main":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupt())
from rserpool.cli.start import main
sys.exit(main())
"""


class InterruptTests(SynchronousTestCase):
    """SIGINT."""

    def test_at_the_start(self) -> None:
        """While it is imported: without a word, with code 130."""
        ended = subprocess.run(
            [sys.executable, "-c", INTERRUPTED], capture_output=True, timeout=60, env={**os.environ, "PYTHONPATH": ROOT}
        )
        self.assertEqual((ended.returncode, ended.stdout, ended.stderr), (130, b"", b""))

    def interrupted(self, command: str) -> tuple[int, str, str]:
        """Interrupt a command when it has reached a registrar, which says nothing."""
        with closing(socket.create_server(("127.0.0.1", 0))) as registrar:
            registrar.settimeout(60)
            where = f"127.0.0.1:{registrar.getsockname()[1]}"
            running = subprocess.Popen(
                [*COMMAND, command, "pool", "--registrar", where, "--transport", "tcp", "--profile", "rfc"],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env={**os.environ, "PYTHONPATH": ROOT},
            )
            try:
                with closing(registrar.accept()[0]) as connection:
                    connection.settimeout(60)
                    self.assertTrue(connection.recv(1))
                    running.send_signal(signal.SIGINT)
                    out, err = running.communicate(timeout=60)
            finally:
                running.kill()
                running.wait()
        return running.returncode, out, err

    def test_resolve(self) -> None:
        """An interrupted resolution ends without a word, with code 130."""
        self.assertEqual(self.interrupted("resolve"), (130, "", ""))

    def test_watch(self) -> None:
        """It is how one ends a watch: code 0."""
        self.assertEqual(self.interrupted("watch"), (0, "", ""))


class PipeTests(SynchronousTestCase):
    """What is printed is read by another program."""

    def test_nobody_reads(self) -> None:
        """A reader that has had enough is no error."""
        home = SctpTransport(5000, 1, ("127.0.0.1",))
        element = PoolElementParameter(1, 1, 60, TcpTransport(80, "127.0.0.1"), PolicyParameter(1), home)
        answer = asap.encode(asap.HandleResolutionResponse(b"pool", None, (element,)))
        with closing(socket.create_server(("127.0.0.1", 0))) as registrar:
            registrar.settimeout(60)
            where = f"127.0.0.1:{registrar.getsockname()[1]}"
            running = subprocess.Popen(
                [*COMMAND, "resolve", "pool", "--registrar", where, "--transport", "tcp"],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": ROOT},
            )
            try:
                assert running.stdout is not None
                running.stdout.close()
                running.stdout = None
                with closing(registrar.accept()[0]) as connection:
                    connection.settimeout(60)
                    connection.sendall(answer if connection.recv(100) else b"")
                    _, err = running.communicate(timeout=60)
            finally:
                running.kill()
                running.wait()
        self.assertEqual((running.returncode, err), (0, b""))
