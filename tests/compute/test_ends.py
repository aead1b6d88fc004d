"""The end of jobs: cancelled, too late, too long, and of those that have them done."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, ensureDeferred

from rserpool.compute import JobFailed, Jobs, JobTimeout, NoWorkers
from tests.compute.scope import JobCase
from tests.loglines import LogLines


class EndTests(JobCase):
    """Cancelling, deadlines, limits, and the end of it all."""

    def test_cancelled(self) -> None:
        """The worker stops, and does another one's job."""
        a = self.scope.work("a")
        jobs = self.scope.jobs()
        job, waits = jobs.submit("wait", "job"), jobs.submit("square", 3)
        never = jobs.submit("square", 4)
        self.scope.until(lambda: a.open)
        never.cancel()
        self.failureResultOf(never.result, CancelledError)
        job.cancel()
        self.failureResultOf(job.result, CancelledError)
        self.assertEqual(self.scope.result(waits.result), 9)
        self.assertEqual((a.done, len(a.made), a.slots.jobs), (["job", 3], 2, 0))
        job.cancel()

    def test_user_gone(self) -> None:
        """A job whose user has gone is ended."""
        a = self.scope.work("a")
        user = self.scope.user()

        Jobs(user.service, "farm").submit("wait", "job").result.addErrback(lambda failure: None)
        self.scope.until(lambda: a.open)
        self.scope.kill(user)
        self.scope.until(lambda: len(a.made) == 2)
        self.assertEqual(a.slots.jobs, 0)

    def test_user_stops(self) -> None:
        """The pool user is stopped by its owner: no job is left waiting."""
        a = self.scope.work("a")
        user = self.scope.user()
        jobs = Jobs(user.service, "farm")
        some = [jobs.submit("wait", number) for number in range(500)]
        self.scope.until(lambda: a.open)
        user.service.stopService()
        for job in some:
            self.fails(job, NoWorkers)
        self.scope.advance(1.0)
        self.assertEqual(jobs.progress.waiting, 0)
        self.scope.result(ensureDeferred(jobs.close()))

    def test_deadline(self) -> None:
        """All waiting counts; the worker stops."""
        a = self.scope.work("a")
        jobs = self.scope.jobs(deadline=5.0)
        job, waits = jobs.submit("wait", "job"), jobs.submit("wait", "never")
        self.scope.until(lambda: a.open)
        self.assertIn("within 5 s", str(self.fails(job, JobTimeout)))
        self.fails(waits, JobTimeout)
        self.scope.until(lambda: a.slots.jobs == 0)
        self.assertEqual(a.done, ["job"])
        self.assertEqual(self.scope.result(jobs.submit("square", 3).result), 9)

    def test_limit_of_the_worker(self) -> None:
        """A job that takes too long is the job's fault: it is done nowhere else."""
        a = self.scope.work("a", seconds=2.0)
        b = self.scope.work("b", seconds=2.0)
        job = self.scope.jobs().submit("wait", "job")
        self.assertIn("TimeLimit: it took longer than the 2 s", str(self.fails(job, JobFailed)))
        self.assertEqual(len(a.done + b.done), 1)

    def test_close_alone(self) -> None:
        """Who closes, and waits for jobs that nobody can do, waits as long as was said, and not for ever."""
        jobs = self.scope.jobs(patience=8.0)
        job = jobs.submit("square", 3)
        closed = ensureDeferred(jobs.close())
        self.fails(job, NoWorkers)
        self.scope.result(closed)

    def test_told(self) -> None:
        """Who waits hears that soon, and for how long: nobody answers, or nobody can be reached."""
        said = LogLines(self)
        self.scope.work("a")
        self.scope.kill(*self.scope.registrars)
        job = self.scope.jobs(patience=9.0).submit("square", 3)
        self.scope.advance(3.0)
        told = "no worker of pool farm could be used yet: jobs wait for one, for 9 s at most"
        self.assertEqual(said.lines.count(told), 1)
        self.assertIn("no worker of pool 'farm' could be used for 9 s", str(self.fails(job, NoWorkers)))

    def test_close(self) -> None:
        """It waits for the jobs; after it there is nothing left at the workers."""
        a = self.scope.work("a")
        jobs = self.scope.jobs()
        job = jobs.submit("wait", "job")
        self.scope.until(lambda: a.open)

        closed = ensureDeferred(jobs.close())
        self.scope.advance(60.0)
        self.assertNoResult(closed)
        self.assertRaises(RuntimeError, jobs.submit, "square", 1)
        a.open["job"].callback("done")
        self.scope.result(closed)
        self.assertEqual(self.successResultOf(job.result), "done")
        self.scope.advance(1.0)
        self.assertEqual(len(self.scope.factories["a"].sessions), 0)

    def test_close_and_cancel(self) -> None:
        a = self.scope.work("a")
        jobs = self.scope.jobs()
        both = jobs.submit("wait", "job"), jobs.submit("wait", "more")
        self.scope.until(lambda: a.open)

        self.scope.result(ensureDeferred(jobs.close(cancel=True)))
        for job in both:
            self.failureResultOf(job.result, CancelledError)
        self.scope.until(lambda: a.slots.jobs == 0)

    def test_without_keys(self) -> None:
        """A checkpoint without a key is dropped; the job begins anew elsewhere."""
        a = self.scope.work("a", keys=None)
        job = self.scope.jobs().submit("wait", "job")
        self.scope.until(lambda: a.open)
        a.slot_of().checkpoint(1)
        self.scope.advance(0.1)
        b = self.scope.work("b", keys=None)
        self.scope.dies("a")
        self.scope.until(lambda: b.open)
        self.assertEqual(b.restored, [None])
        b.open["job"].callback("done")
        self.scope.result(job.result)
