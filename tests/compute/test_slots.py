"""Slots, real and in memory, keep one contract."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from rserpool.compute import FunctionSlot, ProgramSlot
from rserpool.compute.slots import Slots
from rserpool.core.compute import frames
from rserpool.core.compute.errors import JobFailed
from rserpool.testing import MemorySlot
from tests.compute import some_jobs

JOBS = str(Path(some_jobs.__file__))


class Asking:
    """A job that a test waits for."""

    def __init__(self, slots: Slots, function: str, *arguments: Any, state: Any = None) -> None:
        self.header, self.body = frames.decode(frames.work(function, arguments, {}))
        if state is not None:
            kind, body = frames.pack(state)
            self.header |= {"state": len(body), "state as": kind}
            self.body += body
        self.result: Deferred[Any] = Deferred()
        self.told: Deferred[Any] = Deferred()
        self.states: list[Any] = []
        slots.put(self)

    def outcome(self, outcome: bytes) -> None:
        try:
            self.result.callback(frames.value_of(outcome))
        except JobFailed:
            self.result.errback()

    def checkpoint(self, message: bytes) -> None:
        header, body = frames.decode(message)
        self.states.append(frames.unpack(header["as"], body))

    def progress(self, message: bytes) -> None:
        self.told.callback(frames.decode(message)[0]["progress"])

    def broke(self, why: str) -> None:
        self.result.errback(RuntimeError(why))


class SlotCase(TestCase):
    """A test with slots, which end with it."""

    timeout = 30

    async def slots(self, make: Callable[..., Any], count: int = 1, **options: Any) -> Slots:
        slots = Slots(reactor, partial(make, reactor), count, **options)
        self.addCleanup(slots.stop)
        await slots.start()
        return slots


class Functions:
    """What calls functions."""

    make: Callable[..., Any]

    async def test_calls(self: Any) -> None:
        """JSON and bytes; the names that it offers; and what a job raises."""
        slots = await self.slots(self.make)
        self.assertIn("square", slots.functions)
        self.assertNotIn("_hidden", slots.functions)
        self.assertEqual(await Asking(slots, "square", 7).result, 49)
        self.assertEqual(await Asking(slots, "twice", b"\0\n").result, b"\0\n\0\n")
        error = await self.assertFailure(Asking(slots, "fail", "no").result, JobFailed)
        self.assertEqual((error.kind, str(error)), ("LookupError", "LookupError: no"))
        self.assertIn("some_jobs.py", error.traceback)
        error = await self.assertFailure(Asking(slots, "square").result, JobFailed)
        self.assertIn("TypeError", str(error))
        self.assertEqual(await Asking(slots, "square", 8).result, 64)

    async def test_states(self: Any) -> None:
        """A job goes on from the state that it is given; the next one knows nothing of it."""
        slots = await self.slots(self.make)
        for state in ({"n": 1}, b"bytes"):
            self.assertEqual(await Asking(slots, "hold", "x", state=state).result, state)
        self.assertEqual(await Asking(slots, "square", 3).result, 9)

    async def test_waiting(self: Any) -> None:
        """More jobs than slots: they wait."""
        slots = await self.slots(self.make, 2)
        self.assertEqual([await each.result for each in [Asking(slots, "square", n) for n in range(20)]],
                         [n * n for n in range(20)])  # fmt: skip


class FunctionSlotTests(Functions, SlotCase):
    """Real processes."""

    make = staticmethod(partial(FunctionSlot, module=JOBS))

    async def test_processes(self) -> None:
        """One that dies, or is killed, is replaced; it takes nobody's job with it."""
        slots = await self.slots(self.make)
        first = await Asking(slots, "where").result
        dying, after = Asking(slots, "die"), Asking(slots, "where")
        error = await self.assertFailure(dying.result, RuntimeError)
        self.assertIn("its process was killed (signal 9)", str(error))
        second = await after.result
        held, last = Asking(slots, "hold", 1), Asking(slots, "where")
        self.assertEqual(await held.told, 0.25)
        self.assertEqual(held.states, [{"held": 1}])
        slots.take_back(held)
        third = await last.result
        self.assertEqual(len({first, second, third}), 3)
        for pid in (first, second):
            with self.assertRaises(ProcessLookupError):
                os.kill(pid, 0)

    async def test_time_limit(self) -> None:
        slots = await self.slots(self.make, seconds=0.2)
        error = await self.assertFailure(Asking(slots, "hold", 1).result, JobFailed)
        self.assertIn("TimeLimit: it took longer than the 0.2 s", str(error))
        self.assertEqual(await Asking(slots, "square", 3).result, 9)

    async def test_sigterm(self) -> None:
        """Who ends a service signals all of its processes: jobs go on until their worker ends them."""
        slots = await self.slots(self.make)
        self.assertEqual(await Asking(slots, "terminate").result, [-15, -15])

    async def test_memory_limit(self) -> None:
        """A job that wants more than it may have fails; the slot goes on."""
        slots = await self.slots(partial(self.make, memory=512 * 2**20))
        error = await self.assertFailure(Asking(slots, "fill", 1024).result, JobFailed)
        self.assertEqual(error.kind, "MemoryError")
        self.assertEqual(await Asking(slots, "fill", 1).result, 2**20)

    async def test_long(self) -> None:
        """Values of many megabytes."""
        slots = await self.slots(self.make)
        self.assertEqual(await Asking(slots, "length", bytes(frames.LONGEST)).result, frames.LONGEST)
        self.assertEqual(len(await Asking(slots, "twice", bytes(7 * 2**20)).result), 14 * 2**20)

    async def test_does_not_start(self) -> None:
        """A module that is not there, cannot be imported, or has no functions: the sentence says it."""
        folder = Path(self.mktemp())
        folder.mkdir()
        (folder / "broken.py").write_text("import nothing_like_this")
        (folder / "empty.py").write_text("x = 1")
        for module, says in (
            ("no_such_module", "No module named 'no_such_module'"),
            (str(folder / "broken.py"), "No module named 'nothing_like_this'"),
            (str(folder / "empty.py"), "module empty has no functions to offer"),
        ):
            slots = Slots(reactor, partial(FunctionSlot, reactor, module=module), 1)
            starting: Any = slots.start()
            error = await self.assertFailure(starting, ChildProcessError)
            self.assertIn(says, str(error))
            # Only where something of the user's has failed it is of use to see where.
            self.assertEqual("no_such_module" not in module, "Traceback" in str(error))
            await slots.stop()
        self.flushLoggedErrors()


class MemorySlotTests(Functions, SlotCase):
    """What tests use."""

    functions = {name: getattr(some_jobs, name) for name in ("square", "twice", "fail", "hold")}
    make = staticmethod(partial(MemorySlot, functions=functions))


class ProgramSlotTests(SlotCase):
    """Programs of any kind."""

    async def program(self, script: str, **options: Any) -> Slots:
        return await self.slots(partial(ProgramSlot, command=("sh", "-c", script)), **options)

    async def test_values(self) -> None:
        slots = await self.program("cat")
        self.assertEqual(slots.functions, ("sh",))
        for value in (b"\0\xff\n", b"", 7, "text", [1, {"a": None}]):
            self.assertEqual(await Asking(slots, "sh", value).result, value)
        self.assertEqual(await Asking(slots, "sh", 1, 2).result, [1, 2])

    async def test_failures(self) -> None:
        """A status, a signal, no JSON, no program."""
        slots = await self.program('read what; echo about >&2; eval "$what"')
        error = await self.assertFailure(Asking(slots, "sh", b"exit 3\n").result, JobFailed)
        self.assertEqual((str(error), error.traceback), ("ProgramFailed: ended with status 3", "about\n"))
        error = await self.assertFailure(Asking(slots, "sh", b"kill -9 $$\n").result, JobFailed)
        self.assertEqual(str(error), "ProgramFailed: killed by signal 9")
        slots = await self.program("echo no")
        error = await self.assertFailure(Asking(slots, "sh", 1).result, JobFailed)
        self.assertIn("NotJSON", str(error))

    async def test_ended(self) -> None:
        """Its time, and nobody who waits."""
        slots = await self.program("exec sleep 60", seconds=0.2)
        error = await self.assertFailure(Asking(slots, "sh", b"").result, JobFailed)
        self.assertIn("TimeLimit", str(error))
        asking = Asking(slots, "sh", b"")
        slots.take_back(asking)
        self.assertEqual(slots.jobs, 0)

    async def test_left_behind(self) -> None:
        """What a program starts ends with the job: where it goes on in the background, and where nobody waits."""
        slots = await self.program('read how; sleep 1234567 & test "$how" || setsid sleep 1234567 & echo $!; $how')
        before = len(sleeping())
        pid = int(await Asking(slots, "sh", b"\n").result)
        self.assertFalse(Path(f"/proc/{pid}").exists())
        self.assertEqual(len(sleeping()), before)
        asking = Asking(slots, "sh", b"sleep 1234567\n")
        while len(sleeping()) < before + 2:
            await deferLater(reactor, 0.02)
        slots.take_back(asking)
        while len(sleeping()) > before:
            await deferLater(reactor, 0.02)
        # It has a process again.
        self.assertTrue(await Asking(slots, "sh", b"\n").result)

    async def test_much(self) -> None:
        """It may print before it has read all; what it does not read is not missed."""
        slots = await self.program("cat")
        data = bytes(4_000_000)
        self.assertEqual(await Asking(slots, "sh", data).result, data)
        slots = await self.program("true")
        self.assertEqual(await Asking(slots, "sh", data).result, b"")
        slots = await self.program("exec cat /dev/zero")
        error = await self.assertFailure(Asking(slots, "sh", b"").result, JobFailed)
        self.assertEqual(error.kind, "TooLong")


def sleeping() -> list[str]:
    """The processes that sleep so long."""
    found = []
    for each in Path("/proc").iterdir():
        try:
            if each.name.isdigit() and b"sleep\x001234567" in (each / "cmdline").read_bytes():
                found.append(each.name)
        except OSError:
            pass
    return found
