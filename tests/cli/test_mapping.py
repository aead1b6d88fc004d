"""C{rserpool map}, whose output nobody reads, cannot be written, or is not wanted any more."""

from __future__ import annotations

from argparse import Namespace
from errno import ENOSPC
from io import BytesIO, StringIO
from typing import Any

from twisted.internet import defer
from twisted.internet.defer import ensureDeferred

from rserpool.cli import mapping
from tests.compute.scope import JobCase


class Broken(StringIO):
    """A file on a disk that is full, from a line on."""

    def __init__(self, error: OSError, good: int = 1) -> None:
        super().__init__()
        self._error = error
        self._good = good

    def write(self, text: str) -> int:
        if not self._good:
            raise self._error
        self._good -= 1
        return super().write(text)


class MappingTests(JobCase):
    def setUp(self) -> None:
        super().setUp()
        # Lines are read in a thread; here they are there.
        self.patch(mapping, "deferToThreadPool", lambda reactor, pool, read: defer.execute(read))

    def map(self, function: str, lines: bytes, out: StringIO, **options: Any) -> Any:
        user = self.scope.user()
        reactor: Any = user.service.reactor
        given = Namespace(**{"command": [function], "json": True, "as_they_come": False, "quiet": False, **options})
        self.told = StringIO()
        one = mapping.Mapping(_Threads(reactor), self.jobs(), given, out, self.told)  # type: ignore[arg-type]
        return ensureDeferred(one.run(BytesIO(lines)))

    def jobs(self) -> Any:
        return self.scope.jobs()

    def test_unwritable(self) -> None:
        """It ends with the error, in order or not, and says nothing further."""
        self.scope.work("a", 2)
        for as_they_come in (False, True):
            for error in (BrokenPipeError(), OSError(ENOSPC, "full")):
                done = self.map("square", b"1\n2\n3\n4\n", Broken(error), as_they_come=as_they_come)
                self.scope.until(lambda: done.called)  # noqa: B023
                self.assertIs(self.failureResultOf(done).value, error)
                self.assertEqual(self.told.getvalue(), "")

    def test_interrupted(self) -> None:
        """Jobs that are cancelled with it are not told one by one; but how far it came is, and who did what."""
        worker = self.scope.work("a")
        done = self.map("wait", b"1\n2\n3\n", StringIO())
        self.scope.until(lambda: worker.open)
        worker.open[1].callback("done")
        self.scope.until(lambda: 2 in worker.open)
        done.cancel()
        self.scope.until(lambda: done.called)
        self.failureResultOf(done, defer.CancelledError)
        self.assertRegex(
            self.told.getvalue(),
            r"^3 jobs in .* s: 1 done, 0 failed, 2 cancelled, 0 given to a second worker\n  0x00000061 did 1\n$",
        )

    def test_interrupted_out_of_order(self) -> None:
        """What is done and could not be printed, since it was not its turn, is told."""
        worker = self.scope.work("a", 2)
        out = StringIO()
        done = self.map("wait", b"1\n2\n3\n", out)
        self.scope.until(lambda: len(worker.open) == 2)
        worker.open[2].callback("second")
        self.scope.until(lambda: 3 in worker.open)
        done.cancel()
        self.scope.until(lambda: done.called)
        self.failureResultOf(done, defer.CancelledError)
        self.assertIn("1 of them were done and not printed", self.told.getvalue())
        self.assertEqual(out.getvalue(), "")

    def test_bytes(self) -> None:
        """A function that cannot take bytes: the option is named, once."""
        self.scope.work("a")
        done = self.map("square", b"1\n2\n", StringIO(), json=False)
        self.scope.until(lambda: done.called)
        self.assertEqual(self.successResultOf(done), 1)
        self.assertEqual(self.told.getvalue().count("say --json"), 1)


class _Threads:
    """The reactor of a user, which has no threads."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor

    def getThreadPool(self) -> None:
        """None is needed."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)
