"""Attacks on a worker by the code that it runs; docs/compute.md says what holds."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import cloudpickle
from twisted.internet import reactor
from twisted.internet.defer import Deferred

from rserpool.compute.code import job_of
from rserpool.compute.code_slot import CodeSlot
from rserpool.compute.slots import Slots
from rserpool.core.compute import frames
from rserpool.core.compute.errors import JobFailed
from rserpool.job.confined import Limits
from tests.compute import attacks
from tests.compute.test_slots import Asking, SlotCase
from tests.processes.test_code import only_root

USER = 61_000 + os.getpid() % 4000
"""Nobody else's processes are its."""
GROUP = 65534
MIB = 2**20


class Submitted(Asking):
    """A job that brings its code."""

    def __init__(self, slots: Slots, function: Any, *arguments: Any, state: Any = None, **named: Any) -> None:
        self.header, self.body = frames.decode(job_of(function, arguments, named, True)[1])
        if state is not None:
            kind, body = frames.pack(state)
            self.header |= {"state": len(body), "state as": kind}
            self.body += body
        self.result: Deferred[Any] = Deferred()
        self.parts: list[float] = []
        self.states: list[Any] = []
        slots.put(self)

    def progress(self, message: bytes) -> None:
        self.parts.append(frames.decode(message)[0]["progress"])


class CodeSlotCase(SlotCase):
    timeout = 120  # a guest is slow, and each job has processes of its own

    def setUp(self) -> None:
        only_root()
        cloudpickle.register_pickle_by_value(attacks)
        self.addCleanup(cloudpickle.unregister_pickle_by_value, attacks)

    async def confined(self, count: int = 1, *, secrets: tuple[str, ...] = (), **limits: Any) -> Slots:
        options = {"memory": 1024 * MIB, "seconds": 0, "disk": 16 * MIB, "processes": 16, **limits}
        seconds = options.pop("wall", None)
        given = Limits(USER, GROUP, secrets=secrets, **options)
        return await self.slots(lambda reactor, owner: CodeSlot(reactor, owner, given), count, seconds=seconds)

    def open_folder(self) -> Path:
        """A folder that everybody reaches, and a job too: where everybody may write, it has a place of its own."""
        folder = Path(tempfile.mkdtemp(dir="/opt"))
        self.addCleanup(shutil.rmtree, folder)
        folder.chmod(0o755)
        return folder

    async def fails(self, job: Asking) -> JobFailed:
        """What it fails with."""
        return await self.assertFailure(job.result, JobFailed)

    async def well(self, slots: Slots) -> None:
        """The next job is done as if nothing had been."""
        self.assertEqual(await Submitted(slots, lambda x: x + 1, 1).result, 2)


class JobTests(CodeSlotCase):
    """What a job that means no harm may rely on."""

    async def test_job(self) -> None:
        """It calls, tells, goes on from a state, imports what there is, has a directory and other processes."""
        slots = await self.confined()

        def job(x: int) -> Any:
            import decimal
            import subprocess
            import tempfile

            from rserpool.job import checkpoint, progress, restored

            progress(0.25)
            checkpoint({"x": x})
            with tempfile.NamedTemporaryFile() as file:
                file.write(b"here")
            said = subprocess.run(["echo", "said"], capture_output=True, text=True, check=True).stdout
            return [str(decimal.Decimal(x)), said, restored()]

        asked = Submitted(slots, job, 7, state=b"before")
        error = await self.fails(asked)
        self.assertIn("what ", str(error))
        self.assertEqual((asked.parts, asked.states), ([0.25], [{"x": 7}]))
        asked = Submitted(slots, job, 7, state="before")
        self.assertEqual(await asked.result, ["7", "said\n", "before"])

    async def test_not_loaded(self) -> None:
        """Code of another Python, and what is none: the job fails, and says why."""
        slots = await self.confined()
        for header, code, kind in (({"python": "2.7"}, b"", "OtherPython"), ({}, b"no pickle", "UnpicklingError")):
            frame = frames.encode({"do": "f", "as": "json", "code": 9, "python": frames.PYTHON, **header}, b"x")
            asked = Submitted.__new__(Submitted)
            asked.header, asked.body = frames.decode(frame)[0], (code or bytes(9)) + b"[[]]"
            asked.result, asked.parts, asked.states = Deferred(), [], []
            slots.put(asked)
            self.assertEqual((await self.fails(asked)).kind, kind)
        await self.well(slots)


class SecretTests(CodeSlotCase):
    """Nothing of the worker is to be had."""

    def folder(self) -> Path:
        folder = self.open_folder()
        for name in ("own.key", "private-key.pem"):
            (folder / name).write_text("secret")
            (folder / name).chmod(0o600)
        (folder / "access.toml").write_text("for all to read")
        return folder

    async def test_files(self) -> None:
        """Key files cannot be read, nor what lies beside them, by no way there."""
        folder = self.folder()
        slots = await self.confined(secrets=(f"{folder}/own.key", f"{folder}/private-key.pem"))
        paths = [f"{folder}/own.key", f"{folder}/access.toml", f"/proc/1/root{folder}/own.key", "/etc/shadow"]
        tried = await Submitted(slots, attacks.tried, *paths, str(folder)).result
        self.assertEqual([path for path, how in tried.items() if how.startswith(("read", "folder"))], [])
        # Rights that are given later are of no use to the process that waits, and keep all others from beginning.
        (folder / "own.key").chmod(0o644)
        why = ""
        while not why:
            try:
                tried = await Submitted(slots, attacks.tried, *paths, str(folder)).result
            except RuntimeError as error:
                why = str(error)
            self.assertEqual([path for path, how in tried.items() if how.startswith(("read", "folder"))], [])
        self.assertIn("can read", why)

    async def test_readable(self) -> None:
        """A worker does not start where jobs could read a key, or whose keys they own; and says what to do."""
        for mode, owner, says in ((0o644, 0, "can read"), (0o600, USER, "owns")):
            key = self.folder() / "own.key"
            key.chmod(mode)
            os.chown(key, owner, -1)
            given = Limits(USER, GROUP, 1024 * MIB, 0, MIB, 16, (str(key),))
            slots = Slots(reactor, lambda owner: CodeSlot(reactor, owner, given), 1)  # noqa: B023
            self.addCleanup(slots.stop)
            error: Any = await self.assertFailure(slots.start(), ChildProcessError)
            self.assertIn(f"{says} {key}: chown root {key}; chmod 0600", str(error))

    async def test_surroundings(self) -> None:
        """No environment, descriptor, terminal, group or process of anybody else."""
        os.environ["OF_THE_WORKER"] = "secret"
        self.addCleanup(os.environ.pop, "OF_THE_WORKER")
        for descriptor in (kept := os.pipe()):
            os.set_inheritable(descriptor, True)
            self.addCleanup(os.close, descriptor)
        slots = await self.confined()
        found = await Submitted(slots, attacks.surroundings).result
        self.assertEqual(sorted(found["environment"]), ["HOME", "LANG", "PATH", "TMPDIR"])
        self.assertNotIn("secret", str(found["initial"]))
        self.assertEqual(found["initial"][1], "PermissionError")
        self.assertEqual(found["processes"], [1, 2])
        self.assertEqual(found["descriptors"], [0, 1, 2, 3], kept)
        self.assertEqual(found["ids"], [USER] * 3 + [GROUP] * 3)
        self.assertEqual(found["core"], ["0", "0"])
        self.assertEqual(found["terminal"], "OSError")
        self.assertFalse(found["writable"])

    async def test_grip(self) -> None:
        """The worker, and what sees to its end, can be neither read, traced nor killed."""
        slots = await self.confined()
        got = await Submitted(slots, attacks.grip, os.getpid()).result
        # To number 1 of a namespace a signal from within is nothing, or not allowed.
        self.assertEqual([what for what, how in got.items() if how], [])
        await self.well(slots)

    async def test_rise(self) -> None:
        """Rights that were given up are gone: also for setuid programs, and in namespaces of its own."""
        program = self.open_folder() / "id"
        shutil.copy(shutil.which("id") or "id", program)
        program.chmod(0o4755)
        slots = await self.confined()
        got = await Submitted(slots, attacks.rise, str(program)).result
        self.assertEqual(got.pop("setuid file"), str(USER))
        self.assertEqual([what for what, how in got.items() if how], [])
