"""Jobs and workers in memory: what a user of a farm can rely on, whatever becomes of its workers."""

from __future__ import annotations

from typing import Any

from rserpool.compute import JobFailed, JobGivenUp, JobLost, NoWorkers
from tests.compute.scope import JobCase, Worker
from tests.loglines import LogLines


class ResultTests(JobCase):
    """What a job comes to."""

    def test_results(self) -> None:
        self.scope.work("a", 2)
        self.scope.work("b")
        jobs = self.scope.jobs()
        all_of_them = [jobs.submit("square", number) for number in range(50)]
        self.assertEqual([self.scope.result(job.result) for job in all_of_them], [n * n for n in range(50)])
        a, b = self.scope.workers["a"], self.scope.workers["b"]
        self.assertEqual(sorted(a.done + b.done), list(range(50)))
        self.assertTrue(a.done and b.done)
        self.assertEqual((jobs.progress.done, jobs.progress.workers, jobs.progress.waiting), (50, 2, 0))

    def test_failure(self) -> None:
        """An exception in the job is the job's; no other worker is asked."""
        self.scope.work("a")
        self.scope.work("b")
        jobs = self.scope.jobs()
        error = self.fails(jobs.submit("fail"), JobFailed)
        self.assertEqual((error.kind, str(error)), ("KeyError", "KeyError: 'nothing'"))
        self.assertIn("Traceback", error.traceback)
        self.assertIn("cannot travel", str(self.fails(jobs.submit("odd"), JobFailed)))
        self.assertIn("there are fail, half, odd, square, wait", str(self.fails(jobs.submit("no"), JobFailed)))
        self.assertIn("takes 2 positional", str(self.fails(jobs.submit("square", 1, 2), JobFailed)))
        self.assertEqual((jobs.progress.failed, jobs.progress.repeated), (4, 0))

    def test_settled(self) -> None:
        """Who waits for the end of a job finds that its result was taken."""
        self.scope.work("a")
        jobs = self.scope.jobs()
        order: list[str] = []
        for job in (jobs.submit("square", 3), jobs.submit("fail"), jobs.submit("wait", 1)):
            job.settled().addCallback(lambda _: order.append("settled"))
            job.result.addBoth(lambda _: order.append("taken"))
        self.scope.until(lambda: len(order) == 4)
        job.cancel()
        self.assertEqual(order, ["taken", "settled"] * 3)

    def test_progress(self) -> None:
        self.scope.work("a")
        job = self.scope.jobs().submit("half")
        told: list[float] = []
        job.progressing = told.append
        self.scope.result(job.result)
        self.assertEqual((told, job.progress, job.worker), ([0.5], 0.5, self.scope.number("a")))

    def test_order(self) -> None:
        """More jobs than slots: they wait, and are given in their order."""
        a = self.scope.work("a", 2)
        jobs = self.scope.jobs()
        for number in range(5):
            jobs.submit("wait", number)
        self.scope.until(lambda: len(a.open) == 2)
        self.scope.advance(1.0)
        self.assertEqual((a.done, jobs.progress.running, jobs.progress.waiting), ([0, 1], 2, 3))
        a.open.pop(1).callback(None)
        self.scope.until(lambda: len(a.done) == 3)
        self.assertEqual(a.done, [0, 1, 2])

    def test_two_users(self) -> None:
        """Both may give a worker as many jobs as it has slots; it does one after the other."""
        a = self.scope.work("a")
        one, two = self.scope.jobs(), self.scope.jobs()
        first, second = one.submit("wait", 1), two.submit("wait", 2)
        self.scope.until(lambda: a.open)
        self.scope.advance(1.0)
        self.assertEqual((a.done, a.slots.jobs), ([1], 2))
        a.open[1].callback("first")
        self.assertEqual(self.scope.result(first.result), "first")
        self.scope.until(lambda: 2 in a.open)
        a.open[2].callback("second")
        self.assertEqual(self.scope.result(second.result), "second")


class DeathTests(JobCase):
    """Workers die, leave, and do not exist."""

    def begin(self, **options: Any) -> tuple[Worker, Worker, Any, Any]:
        """Two workers, a job that one of them has, and whose worker it is."""
        both = self.scope.work("a"), self.scope.work("b")
        jobs = self.scope.jobs(**options)
        job = jobs.submit("wait", "job")
        self.scope.until(lambda: self.waiting(*both))
        one, other = both if both[0].open else both[::-1]
        return one, other, jobs, job

    def test_elsewhere(self) -> None:
        one, other, jobs, job = self.begin()
        self.scope.dies(one.name)
        self.scope.until(lambda: other.open)
        other.open["job"].callback("done")
        self.assertEqual(self.scope.result(job.result), "done")
        self.assertEqual((job.worker, job.repeated), (self.scope.number(other.name), 1))
        self.assertEqual((jobs.progress.repeated, jobs.progress.done), (1, 1))

    def test_newcomer(self) -> None:
        """A worker that came after the user had asked is given the job: the other one has no room."""
        one, other, jobs, _ = self.begin()
        jobs.submit("wait", "more")
        self.scope.until(lambda: len(self.waiting(one, other)) == 2)
        new = self.scope.work("c")
        self.scope.advance(0.1)
        self.scope.dies(one.name)
        self.scope.until(lambda: new.open)
        self.assertEqual((list(new.open), other.slots.jobs), (["job"], 1))

    def test_at_most_once(self) -> None:
        one, other, jobs, job = self.begin(at_most_once=True)
        self.scope.dies(one.name)
        self.assertIn("it may have done", str(self.fails(job, JobLost)))
        self.scope.advance(5.0)
        self.assertEqual(other.done, [])
        # Others are not lost with it.
        self.assertEqual(self.scope.result(jobs.submit("square", 3).result), 9)

    def test_checkpoint(self) -> None:
        """The next worker goes on from the last checkpoint; the next job does not."""
        one, other, jobs, job = self.begin()
        one.slot_of().checkpoint({"at": 1})
        one.slot_of().checkpoint({"at": 2})
        self.scope.advance(0.1)
        self.scope.dies(one.name)
        self.scope.until(lambda: other.open)
        self.assertEqual(other.restored, [{"at": 2}])
        other.open.pop("job").callback("done")
        self.scope.result(job.result)
        jobs.submit("wait", "job")
        self.scope.until(lambda: other.open)
        self.assertEqual(other.restored, [{"at": 2}, None])

    def test_a_job_after_a_checkpoint(self) -> None:
        """A state belongs to one job: another one whose worker dies begins anew."""
        one, other, jobs, job = self.begin()
        one.slot_of().checkpoint(b"state")
        one.open["job"].callback(None)
        self.scope.result(job.result)
        jobs.submit("wait", "another")
        self.scope.until(lambda: "another" in self.waiting(one, other))
        self.scope.dies(one.name if "another" in one.open else other.name)
        left = other if "another" in one.open else one
        self.scope.until(lambda: "another" in left.open)
        self.assertEqual(left.restored[-1], None)

    def test_killing_job(self) -> None:
        """A job over which slots die is given up after three, and named; nobody else's job suffers."""
        workers = [self.scope.work(name) for name in "abc"]
        jobs = self.scope.jobs()
        job, second = jobs.submit("wait", "job"), jobs.submit("wait", "innocent")
        self.scope.until(lambda: len(self.waiting(*workers)) == 2)
        for _ in range(3):
            self.scope.until(lambda: [each for each in workers if "job" in each.open])
            # Who is lost at once is passed over without asking who has room.
            self.scope.advance(0.1)
            [has] = [each for each in workers if "job" in each.open]
            del has.open["job"]
            has.slot_of().kill()
        error = self.fails(job, JobGivenUp)
        self.assertIn("job wait: 3 elements were given this request", str(error))
        self.assertEqual(job.repeated, 2)
        [has] = [each for each in workers if "innocent" in each.open]
        has.open["innocent"].callback("fine")
        self.assertEqual(self.scope.result(second.result), "fine")

    def test_progress_counts(self) -> None:
        """A job that leaves a checkpoint at each worker that dies is not what kills them."""
        workers = [self.scope.work(name) for name in "abc"]
        job = self.scope.jobs().submit("wait", "job")
        for number in range(6):
            self.scope.until(lambda: [each for each in workers if "job" in each.open])
            self.scope.advance(0.1)
            [has] = [each for each in workers if "job" in each.open]
            del has.open["job"]
            has.slot_of().checkpoint(number)
            self.scope.advance(0.1)
            has.slot_of().kill()
        self.scope.until(lambda: [each for each in workers if "job" in each.open])
        [has] = [each for each in workers if "job" in each.open]
        self.assertEqual(has.restored[-1], 5)
        has.open["job"].callback("done")
        self.assertEqual(self.scope.result(job.result), "done")

    def test_leaving(self) -> None:
        """A worker that leaves the pool ends what it has; new jobs go elsewhere."""
        one, other, jobs, job = self.begin()
        element: Any = self.scope.processes[one.name]
        self.scope.result(element.leave("farm"))
        self.scope.advance(60.0)
        later = jobs.submit("wait", "later")
        self.scope.until(lambda: "later" in other.open)
        one.open["job"].callback("done")
        other.open["later"].callback("done, too")
        self.assertEqual(self.scope.result(job.result), "done")
        self.assertEqual(self.scope.result(later.result), "done, too")
        self.assertEqual(jobs.progress.repeated, 0)

    def test_sent_away(self) -> None:
        """One that cannot wait sends its users away, and blames nobody: also the fourth time."""
        one, other, jobs, job = self.begin()
        for number in range(4):
            has = one if one.open else other
            has.open.clear()
            has.slot_of().checkpoint(number)
            for session in list(self.scope.factories[has.name].sessions):
                session.go_elsewhere()
            self.scope.until(lambda: one.open or other.open)
        has = one if one.open else other
        self.assertEqual(has.restored[-1], 3)
        has.open["job"].callback("done")
        self.assertEqual(self.scope.result(job.result), "done")

    def test_nobody(self) -> None:
        """A pool without workers is waited for as long as was said, and the sentence says so."""
        jobs = self.scope.jobs(patience=10.0)
        began = self.scope.now
        job = jobs.submit("square", 2)
        self.scope.advance(9.0)
        self.assertNoResult(job.result)
        error = self.fails(job, NoWorkers)
        self.assertIn("no worker could be used for 10 s: no pool is named 'farm'", str(error))
        self.assertEqual(str(error).count("farm"), 1)
        self.assertLessEqual(self.scope.now - began, 10.0)
        late = jobs.submit("square", 3)
        self.scope.advance(3.0)
        self.scope.work("a")
        self.assertEqual(self.scope.result(late.result), 9)

    def test_unknown(self) -> None:
        """That there is no such pool is told at once, to who waits for jobs; once, and again when it is gone again."""
        said = LogLines(self)
        told = "no pool is named farm now: jobs wait for it, for 30 s at most"
        jobs = self.scope.jobs()
        self.scope.advance(3.0)
        self.assertNotIn(told, said.lines)
        job = jobs.submit("square", 2)
        self.assertIn(told, said.lines)
        self.scope.advance(10.0)
        jobs.submit("square", 3)
        self.assertEqual(said.lines.count(told), 1)
        self.scope.work("a")
        self.assertEqual(self.scope.result(job.result), 4)
        self.scope.dies("a")
        late = jobs.submit("square", 5)
        self.scope.advance(20.0)
        self.assertEqual(said.lines.count(told), 2)
        self.scope.work("b")
        self.assertEqual(self.scope.result(late.result), 25)

    def test_all_die(self) -> None:
        """The last worker dies over a job: another may come in time."""
        one, other, jobs, job = self.begin()
        self.scope.dies(other.name)
        self.scope.dies(one.name)
        self.scope.advance(10.0)
        c = self.scope.work("c")
        self.scope.until(lambda: c.open)
        c.open["job"].callback("done")
        self.assertEqual(self.scope.result(job.result), "done")
        last = jobs.submit("wait", "last")
        self.scope.until(lambda: "last" in c.open)
        self.scope.dies("c")
        self.fails(last, NoWorkers)
