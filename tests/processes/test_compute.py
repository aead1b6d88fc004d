"""Workers under C{twistd rserpool-worker}, killed in the middle of jobs, and what uses them."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from twisted.internet import reactor
from twisted.internet.defer import ensureDeferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from rserpool.compute import JobFailed, JobLost, PoolExecutor, aio
from tests.compute import some_jobs
from tests.processes.harness import Process, ProcessTests, Registrar, all_of
from tests.processes.watched import ended

JOBS = str(Path(some_jobs.__file__))
T = TypeVar("T")


class ComputeTests(ProcessTests):
    """A farm."""

    async def farm(self, workers: int = 2, slots: int = 1) -> tuple[Registrar, list[Process]]:
        """A registrar, and workers whose checkpoints are signed by one key."""
        registrar = await self.registrar()
        keys = Path(self.mktemp())
        keys.write_text(f"ours {os.urandom(16).hex()}\n")
        keys.chmod(0o600)
        self.options = ("--registrar", registrar.text, "--cookie-keys", str(keys.absolute()))
        processes = [self.worker(f"--slots={slots}", "--functions", JOBS) for _ in range(workers)]
        await all_of(*(process.says("farm: registered as") for process in processes))
        return registrar, processes

    def worker(self, *options: str) -> Process:
        return self.twistd("rserpool-worker", "--pool", "farm", *self.options, *options)

    async def with_pool(self, registrar: Registrar, work: Callable[[PoolExecutor], T], **options: Any) -> T:
        """Have a thread use an executor, as an ordinary program does."""

        def use() -> T:
            with PoolExecutor("farm", registrars=[registrar.text.partition("/")[0]], **options) as pool:
                return work(pool)

        return await deferToThread(use)

    async def test_executor(self) -> None:
        """What concurrent.futures promises, and what else there is."""
        registrar, processes = await self.farm(slots=2)

        def work(pool: PoolExecutor) -> None:
            self.assertEqual(list(pool.map("square", range(600))), [n * n for n in range(600)])
            self.assertEqual(sorted(each.result() for each in pool.as_they_come("square", range(9))),
                             [n * n for n in range(9)])  # fmt: skip
            self.assertEqual(pool.submit("twice", b"\0").result(), b"\0\0")
            error = pool.submit("fail", "no").exception()
            self.assertIsInstance(error, JobFailed)
            self.assertIn("some_jobs.py", getattr(error, "traceback", ""))
            with self.assertRaisesRegex(TypeError, "code does not travel"):
                pool.submit(len, [1])
            with self.assertRaisesRegex(TypeError, "as bytes alone"):
                pool.submit("square", {1})
            self.assertEqual((pool.progress.failed, pool.progress.workers), (1, 2))

        await self.with_pool(registrar, work)
        self.no_traceback(registrar.process)

    async def test_cancelled(self) -> None:
        """A job that runs is ended, and its slot serves the next one."""
        registrar, (worker,) = await self.farm(workers=1)
        pool = await deferToThread(PoolExecutor, "farm", registrars=[registrar.text.partition("/")[0]])
        held = pool.submit("hold", 1)
        await worker.says("holding")
        self.assertTrue(held.running())
        self.assertTrue(held.cancel() and held.cancelled() and held.cancel())
        after = pool.submit("square", 4)
        await deferToThread(pool.shutdown)
        self.assertEqual(after.result(), 16)
        self.assertRaises(RuntimeError, pool.submit, "square", 4)

        def interrupted() -> list[Any]:
            with PoolExecutor("farm", registrars=[registrar.text.partition("/")[0]]) as pool:
                futures = [pool.submit("hold", number) for number in range(2)]
                with self.assertRaises(KeyboardInterrupt), pool:
                    raise KeyboardInterrupt
            return futures

        for future in await deferToThread(interrupted):
            self.assertTrue(future.cancelled())

    async def test_asyncio(self) -> None:
        """Results in order, errors, and a job whose future is cancelled."""
        registrar, (worker,) = await self.farm(workers=1)
        where = registrar.text.partition("/")[0]

        async def work() -> None:
            async with aio.PoolExecutor("farm", registrars=[where]) as pool:
                self.assertEqual([value async for value in pool.map("square", range(300))],
                                 [n * n for n in range(300)])  # fmt: skip
                with self.assertRaisesRegex(JobFailed, "LookupError: no"):
                    await pool.submit("fail", "no")
                with self.assertRaises(asyncio.TimeoutError):
                    await asyncio.wait_for(pool.submit("hold", 1), 0.2)
                self.assertEqual(await pool.submit("square", 5), 25)
            with self.assertRaises(RuntimeError):
                pool.submit("square", 5)

        await deferToThread(asyncio.run, work())
        self.no_traceback(worker)

    async def test_killed(self) -> None:
        """Another worker goes on from the checkpoint of one that is killed. At most once, the job fails."""
        registrar, processes = await self.farm()
        where = registrar.text.partition("/")[0]
        pool = await deferToThread(PoolExecutor, "farm", registrars=[where])
        future = pool.submit("hold", "it")
        while not future.progress:
            # It comes after the checkpoint.
            await deferLater(reactor, 0.02)
        [has] = [process for process in processes if "holding" in process.text]
        has.signal("KILL")
        result, repeated = await deferToThread(lambda: (future.result(), future.repeated))
        self.assertEqual((result, repeated), ({"held": "it"}, 1))
        await deferToThread(pool.shutdown)
        processes.remove(has)
        once = ensureDeferred(
            self.with_pool(registrar, lambda pool: pool.submit("hold", "again").exception(), at_most_once=True)
        )
        await processes[0].says("holding")
        processes[0].signal("KILL")
        self.assertIsInstance(await once, JobLost)

    async def test_stopped(self) -> None:
        """SIGTERM: jobs that do not end in time go on elsewhere, and the processes of its slots end with it."""
        registrar, _ = await self.farm(workers=0)
        worker = self.worker("--functions", JOBS, "--grace=0.5")
        await worker.says("registered as")
        held = self.rserpool("submit", "--registrar", registrar.text, "farm", "hold", "it")
        await worker.says("holding")
        other = self.worker("--functions", JOBS)
        await other.says("registered as")
        worker.signal("TERM")
        await worker.ended
        self.assertEqual(await held.ended, 0, held.text)
        self.assertEqual(held.output, '{"held": "it"}\n')
        self.no_traceback(worker, other, held)

    async def test_program(self) -> None:
        """A program as a worker, and a line for each job."""
        registrar, _ = await self.farm(workers=0)
        worker = self.rserpool(
            "worker", "--registrar", registrar.text, "--slots=2", "farm", "--",
            "sh", "-c", 'read x; test $x != 5 && echo "$((x * x))"',
        )  # fmt: skip
        await worker.says("farm: registered as")
        mapping = self.rserpool("map", "--registrar", registrar.text, "farm", "--", "sh")
        mapping.transport.write(b"".join(b"%d\n" % n for n in range(8)))
        mapping.transport.closeStdin()
        self.assertEqual(await mapping.ended, 1)
        self.assertEqual(mapping.output.split(), [str(n * n) for n in range(8) if n != 5])
        self.assertIn("line 6: ProgramFailed: ended with status 1", mapping.text)
        self.assertIn("8 jobs in", mapping.text)
        self.assertIn("7 done, 1 failed, 0 given to a second worker", mapping.text)
        self.no_traceback(worker, mapping)

    async def test_json_lines(self) -> None:
        registrar, _ = await self.farm()
        mapping = self.rserpool("map", "--registrar", registrar.text, "--json", "farm", "--", "square")
        mapping.transport.write(b"3\nx\n4\n")
        mapping.transport.closeStdin()
        self.assertEqual(await mapping.ended, 1)
        self.assertEqual(mapping.output, "9\n16\n")
        self.assertIn("line 2 is not JSON", mapping.text)

    async def test_orphans(self) -> None:
        """A worker that is killed leaves no process behind, also in the middle of a job."""
        if sys.platform != "linux":
            self.skipTest("only Linux ends the children of who was killed")
        registrar, (worker,) = await self.farm(workers=1)
        pid = await self.with_pool(registrar, lambda pool: pool.submit("where").result())
        held = self.rserpool("submit", "--registrar", registrar.text, "--at-most-once", "farm", "hold", "it")
        await worker.says("holding")
        gone = ended(self, pid)
        worker.signal("KILL")
        await worker.ended
        await gone
        self.assertEqual(await held.ended, 1)
        self.assertIn("it may have done", held.text)

    async def test_wrong(self) -> None:
        """Mistakes are told in a sentence."""
        for options, says in (
            ((), "--pool NAME is needed"),
            (("--pool", "farm"), "say what does the jobs"),
            (("--pool", "farm", "--functions", "no.py"), "there is no file no.py"),
            (("--pool", "farm", "--", "./no-such-program"), "there is no program ./no-such-program"),
            (("--pool", "farm", "--functions", "x", "--slots", "0"), "--slots: "),
            (("--pool", "farm", "--functions", "x", "--cookie-keys", "/no"), "--cookie-keys: "),
        ):
            process = self.twistd("rserpool-worker", *options)
            self.assertEqual(await process.ended, 1)
            self.assertIn(says, process.text)
            self.no_traceback(process)
        process = self.twistd("rserpool-worker", "--pool", "farm", "--functions", "no_such_module")
        self.assertEqual(await process.ended, 1)
        self.assertIn("rserpool-worker: ModuleNotFoundError: No module named 'no_such_module'", process.text)
        self.no_traceback(process)
