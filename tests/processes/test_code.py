"""Code that users submit: who may, as workers under C{twistd} see it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from twisted.internet import reactor
from twisted.internet.defer import ensureDeferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SkipTest

from rserpool.compute import JobFailed, NoWorkers, PoolExecutor
from rserpool.core.errors import ConfigurationError
from rserpool.job import linux
from rserpool.security.making import new_ca
from tests.processes.harness import Process, ProcessTests, Registrar, free_address

NOBODY = "65534:65534"
ACCESS = '[alice]\nidentities = ["dns:alice"]\nroles = ["submit-code"]\npools = ["farm"]\n'
T = TypeVar("T")


def processes_of(uid: int) -> list[str]:
    """The command lines of a user's processes."""
    found = []
    for each in Path("/proc").iterdir():
        try:
            if each.name.isdigit() and f"\nUid:\t{uid}\t" in (each / "status").read_text():
                found.append((each / "cmdline").read_bytes().decode())
        except OSError:
            pass
    return [each for each in found if each]


def only_root() -> None:
    """
    @raise SkipTest: where nobody can be confined.
    """
    if not linux.LINUX or os.geteuid():
        raise SkipTest("only root on Linux confines a job")
    namespaces = [
        "unshare",
        "--mount",
        "--pid",
        "--ipc",
        "--fork",
        "setpriv",
        "--reuid=65534",
        "--clear-groups",
        "true",
    ]
    if subprocess.run(namespaces, capture_output=True, check=False).returncode:
        raise SkipTest("root has no CAP_SYS_ADMIN here, or no other users")


class CodeCase(ProcessTests):
    """A secured scope with one registrar, a worker's folder, and those of C{alice} and C{bob}, who submit code."""

    async def scope(self) -> Registrar:
        only_root()
        self.host = free_address()
        self.path = Path(self.mktemp()).absolute()
        made = self.rserpool(
            "keys", "make", str(self.path), "--scope", "pools.example", "--registrar", f"reg1,{self.host}",
            "--element", "w1,farm.example", "--submitter", "alice", "bob",
        )  # fmt: skip
        self.assertEqual(0, await made.ended, made.text)
        self.access(ACCESS)
        registrar = await self.registrar("--security", str(self.path / "reg1"), asap=f"{self.host}:3863")
        self.where = registrar.text
        return registrar

    def access(self, text: str) -> None:
        (self.path / "w1" / "access.toml").write_text(text)

    def worker(self, *options: str, user: str = NOBODY, pool: str = "farm") -> Process:
        return self.twistd(
            "rserpool-worker", "--pool", pool, "--registrar", self.where, "--security", str(self.path / "w1"),
            "--accept-code", "--code-user", user, "--slots=2", *options,
        )  # fmt: skip

    async def with_pool(self, work: Callable[[PoolExecutor], T], who: str = "alice", pool: str = "farm") -> T:
        """Have a thread use an executor, as an ordinary program does."""
        options: dict[str, Any] = {"security": str(self.path / who), "tls": "farm.example", "patience": 2.0}

        def use() -> T:
            with PoolExecutor(pool, registrars=[f"{self.host}:3863"], code=True, **options) as executor:
                return work(executor)

        return await deferToThread(use)


class CodeTests(CodeCase):
    async def test_run(self) -> None:
        """Functions that no worker has heard of, their arguments, results and errors."""
        await self.scope()
        worker = self.worker()
        await worker.says("farm: registered as")
        offset = 7

        def work(pool: PoolExecutor) -> None:
            self.assertEqual(list(pool.map(lambda x: x * x + offset, range(9))), [n * n + 7 for n in range(9)])
            self.assertEqual(pool.submit(lambda data: data[::-1], b"abc").result(), b"cba")
            self.assertEqual(pool.submit(os.getuid).result(), 65534)
            error = pool.submit(lambda: 1 / 0).exception()
            assert isinstance(error, JobFailed)
            self.assertEqual((error.kind, "division by zero" in error.traceback), ("ZeroDivisionError", True))
            self.assertIn("offers no functions", str(pool.submit("square", 2).exception()))

        await self.with_pool(work)
        self.assertIn("audit: dns:alice at ", worker.text)
        self.no_traceback(worker)
        await self.who(worker)

    async def who(self, worker: Process) -> None:
        """Who has not the authority, or no certificate, or comes in the clear, gets nothing done."""
        error = await self.with_pool(lambda pool: pool.submit(os.getuid).exception(), "bob")
        assert isinstance(error, JobFailed)
        self.assertEqual(error.kind, "NotAllowed")
        self.assertIn("dns:bob may not submit code to pool 'farm'", str(error))
        await worker.says("audit: dns:bob may not submit code")
        for security, says in ((str(self.path / "users"), "has no certificate"), (False, "in a secured scope alone")):
            with self.assertRaisesRegex(ConfigurationError, says):
                PoolExecutor("farm", registrars=[f"{self.host}:3863"], code=True, security=security, tls="farm.example")
        # One that does not look at itself first; with TLS and without.
        for more in ({"tls": "farm.example"}, {}):
            error = await deferToThread(self.raw, {"security": str(self.path / "users"), **more})
            self.assertIsInstance(error, NoWorkers, more)
        self.no_traceback(worker)

    def raw(self, options: dict[str, Any]) -> BaseException | None:
        with PoolExecutor("farm", registrars=[f"{self.host}:3863"], patience=0.5, **options) as pool:
            pool._code = True
            return pool.submit(os.getuid).exception()

    async def test_revoked(self) -> None:
        """Who loses the authority loses the job that runs, with all its processes; nobody else does."""
        await self.scope()
        both = '[bob]\nidentities = ["dns:bob"]\nroles = ["submit-code"]\n'
        self.access(ACCESS + both)
        self.uid = 65_000 - os.getpid() % 4000
        worker = self.worker(user=f"{self.uid}:65534")
        await worker.says("farm: registered as")

        def hold(name: str) -> str:
            import os
            import time

            from rserpool.job import restored

            print("holding", name, os.getpid(), flush=True)
            while restored() is None:
                time.sleep(0.1)
            return name

        held = ensureDeferred(self.with_pool(lambda pool: pool.submit(hold, "its").exception(), "bob"))
        await worker.says("holding its")
        self.access(ACCESS)
        error = await held
        assert isinstance(error, JobFailed)
        self.assertEqual((error.kind, "dns:bob may not" in str(error)), ("NotAllowed", True))
        # Given back at once, on the same worker and slot.
        self.assertEqual(await self.with_pool(lambda pool: pool.submit(lambda: 1).result()), 1)
        self.no_traceback(worker)
        # A worker that is killed in the middle of a job leaves none of its processes.
        lost = ensureDeferred(self.with_pool(lambda pool: pool.submit(hold, "lost").exception()))
        await worker.says("holding lost")
        self.assertTrue(processes_of(self.uid))
        worker.signal("KILL")
        while processes_of(self.uid):
            await deferLater(reactor, 0.02)
        self.assertIsInstance(await lost, NoWorkers)

    async def test_other_issuer(self) -> None:
        """Where others issue certificates now, those that were shown before count no more."""
        await self.scope()
        worker = self.worker()
        await worker.says("farm: registered as")

        def hold() -> None:
            import time

            print("holding", flush=True)
            time.sleep(1000)

        held = ensureDeferred(self.with_pool(lambda pool: pool.submit(hold).exception()))
        await worker.says("holding")
        other = new_ca("elsewhere.example", datetime.now(UTC))
        (self.path / "w1" / "client-ca.pem").write_bytes(other.certificate)
        self.assertIsInstance(await held, NoWorkers)
        self.no_traceback(worker)

    async def test_elsewhere(self) -> None:
        """The authority is for the pools that it names."""
        await self.scope()
        worker = self.worker(pool="mill")
        await worker.says("mill: registered as")
        error = await self.with_pool(lambda pool: pool.submit(os.getuid).exception(), pool="mill")
        self.assertIn("dns:alice may not submit code to pool 'mill'", str(error))

    async def test_refuses(self) -> None:
        """A worker does not start where what it takes is missing; it says what to do."""
        await self.scope()
        plain = ("--pool", "farm", "--accept-code")
        self.access("")
        starts = [
            (self.twistd("rserpool-worker", *plain), "--accept-code goes with --code-user USER"),
            (
                self.twistd("rserpool-worker", *plain, "--code-user", NOBODY),
                "--accept-code: it goes with --security DIR",
            ),
            (self.twistd("rserpool-worker", *plain, "--functions", "x"), "say what does the jobs"),
            (self.worker(user="root"), "jobs run as somebody who has no rights, not as root"),
            (self.worker(user="no-such-user"), "--code-user: there is no user no-such-user"),
            (self.worker(), "nobody may submit code"),
        ]
        for process, says in starts:
            self.assertEqual(await process.ended, 1)
            self.assertIn(says, process.text)
            self.no_traceback(process)
        self.access(ACCESS)
        token = self.path / "token"
        token.write_text("secret" * 10)
        token.chmod(0o600)
        os.chown(token, 65534, 65534)
        process = self.worker("--admin", "127.0.0.1:0", "--admin-token", str(token))
        self.assertEqual(await process.ended, 1, process.text)
        self.assertIn(f"whom --code-user names, owns {token}", process.text)
        self.assertNotIn("secret", process.text)
