"""The end of jobs that bring their code, their limits, and what they say."""

from __future__ import annotations

import os
import sys
from struct import pack

from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from rserpool.compute.framed import Framed
from rserpool.core.compute import frames
from rserpool.core.compute.errors import JobFailed
from tests.compute import attacks
from tests.compute.test_code_slot import USER, CodeSlotCase, Submitted
from tests.processes.test_code import processes_of


class EndTests(CodeSlotCase):
    """A job ends, and nothing of it stays."""

    def processes(self) -> list[str]:
        """Its user's processes, but for that which waits for the next job."""
        return [each for each in processes_of(USER) if not each.startswith(sys.executable)]

    async def test_outlived(self) -> None:
        """A daemon is ended before the result is told."""
        slots = await self.confined()
        self.assertEqual(await Submitted(slots, attacks.outlive, 1_000_000).result, 2)
        self.assertEqual(self.processes(), [])

    async def test_taken_back(self) -> None:
        """Where nobody waits any more all its processes end, too."""
        slots = await self.confined()

        def daemon_and_stay() -> None:
            import time

            from rserpool.job import progress

            attacks.outlive(1_000_000)
            progress(1.0)
            time.sleep(1000)

        asked = Submitted(slots, daemon_and_stay)
        while not asked.parts:
            await deferLater(reactor, 0.02)
        self.assertEqual(len(self.processes()), 1)
        slots.take_back(asked)
        while self.processes():
            await deferLater(reactor, 0.02)
        await self.well(slots)

    async def test_left(self) -> None:
        """Files, shared memory and changed modules are not there for the next job, and not on this machine."""
        slots = await self.confined()
        left = await Submitted(slots, attacks.leave_things).result
        self.assertIn("/dev/shm", left)
        self.assertNotIn("/run", left)
        self.assertEqual(await Submitted(slots, attacks.find_things).result, [False, False, []])
        for folder in ("/tmp", "/var/tmp", "/dev/shm"):
            self.assertFalse(os.path.exists(f"{folder}/left-by-a-job"))

    async def test_vanished(self) -> None:
        """Who ends without a word has no result; the slot has another process at once."""
        slots = await self.confined()
        for how in ("exit", "kill", "close"):
            error = await self.assertFailure(Submitted(slots, attacks.vanish, how).result, RuntimeError)
            self.assertIn("its process ", str(error))
        await self.well(slots)


class LimitTests(CodeSlotCase):
    """What there is of everything."""

    async def test_filled(self) -> None:
        """Memory, disk, descriptors, threads and processes: the job fails, and the next one has all of it."""
        slots = await self.confined()
        for what, kind in (
            ("memory", "MemoryError"),
            ("disk", "OSError"),
            ("files", "OSError"),
            ("threads", "RuntimeError"),
            ("processes", "BlockingIOError"),
        ):
            self.assertEqual((await self.fails(Submitted(slots, attacks.fill, what))).kind, kind, what)
        await self.well(slots)

    async def test_time(self) -> None:
        """Of the processor, and of the clock."""
        slots = await self.confined(seconds=1)
        error = await self.fails(Submitted(slots, attacks.fill, "time"))
        self.assertEqual(error.kind, "TimeLimit")
        self.assertIn("1 s of processor time", str(error))
        await self.well(slots)

    async def test_siblings(self) -> None:
        """The job in the next slot, of the same user, is out of reach."""
        slots = await self.confined(2)

        def wait() -> str:
            import time

            from rserpool.job import progress

            progress(0.5)
            while not __import__("os").path.exists("never"):
                time.sleep(0.05)
                if time.monotonic() > begun + 1.0:
                    return "lived"
            return ""

        import time

        begun = time.monotonic()
        asked = Submitted(slots, wait)
        while not asked.parts:
            await deferLater(reactor, 0.02)
        self.assertEqual(await Submitted(slots, attacks.kill_everybody).result, "nobody")
        self.assertEqual(await asked.result, "lived")


class LengthTests(SynchronousTestCase):
    """What comes over the socket, before anybody looks what it is."""

    def test_wrong(self) -> None:
        """No message has a length of 0, or of more than all that a job may say: nothing more is heard."""
        for length in (0, 2**31):
            received: list[bytes] = []
            lost: list[bool] = []
            link, transport = Framed(received.append, lost.append), StringTransport()
            link.makeConnection(transport)
            link.dataReceived(pack("!I", 1) + b"p" + pack("!I", length) + b"=")
            self.assertEqual((received, lost, transport.disconnected), ([b"p"], [True], True))


class MessageTests(CodeSlotCase):
    """What comes from a job is believed no more than what comes from a stranger."""

    def message(self, tag: bytes, text: bytes) -> bytes:
        return pack("!I", len(text) + 1) + tag + text

    async def test_in_anothers_name(self) -> None:
        """Whatever it says is about itself; its last word is the first outcome."""
        slots = await self.confined()
        true, lie = frames.result("true"), frames.result("lie")
        said = self.message(b"=", true) + self.message(b"=", lie) * 5
        self.assertEqual(await Submitted(slots, attacks.say, then=1).result, 1)
        one = Submitted(slots, lambda: attacks.say(said, then="late"))
        other = Submitted(slots, lambda: "other")
        self.assertEqual([await one.result, await other.result], ["true", "other"])

    async def test_garbage(self) -> None:
        """What is no message ends the job, and harms nobody."""
        slots = await self.confined()
        for said in (
            self.message(b"r", b'{"functions":["rm"]}\n'),
            self.message(b"p", b'{"progress":"much"}\n'),
            self.message(b"p", b'{"progress":1' + b"0" * 400 + b"}\n"),
            self.message(b"p", b"[" * 50_000 + b"\n"),
            self.message(b"c", b'{"as":"pickle"}\nx'),
            self.message(b"c", b'{"as":"bytes"}\n' + bytes(50_000)),
            self.message(b"c", b"{}\n"),
        ):
            error = await self.fails(Submitted(slots, lambda said=said: attacks.say(said, then=1)))
            self.assertEqual(error.kind, "BadFrame", said[:20])
        said = pack("!I", 2**31) + b"="
        await self.assertFailure(Submitted(slots, lambda: attacks.say(said, then=1)).result, RuntimeError)
        self.assertEqual(slots.functions, ())
        await self.well(slots)

    async def test_pickled(self) -> None:
        """Results and errors are JSON, bytes and text: nobody unpickles them."""
        slots = await self.confined()
        given = await Submitted(slots, attacks.answer_pickled, "bytes").result
        self.assertIsInstance(given, bytes)
        for how, kind in (("object", "TypeError"), ("error", "ValueError")):
            error = await self.fails(Submitted(slots, attacks.answer_pickled, how))
            self.assertEqual((type(error), error.kind), (JobFailed, kind))
        self.assertFalse(os.path.exists("unpickled-by-somebody"))

    async def test_flood(self) -> None:
        """Who never falls silent is heard so often, and no more."""
        slots = await self.confined(wall=1.0)
        asked = Submitted(slots, attacks.flood)
        self.assertEqual((await self.fails(asked)).kind, "TimeLimit")
        self.assertLessEqual(len(asked.parts) + len(asked.states), 600)

        def print_on() -> None:
            import os

            while True:
                os.write(1, bytes(1_000_000))

        self.assertEqual((await self.fails(Submitted(slots, print_on))).kind, "TimeLimit")
        await self.well(slots)
