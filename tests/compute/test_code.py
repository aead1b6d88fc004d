"""Code that travels: who says so, and who refuses it."""

from __future__ import annotations

import sys
from typing import Any
from unittest import mock

import cloudpickle

from rserpool.compute import Job, JobFailed, Jobs
from rserpool.compute.code import job_of
from rserpool.core.compute import frames
from rserpool.core.errors import ConfigurationError
from rserpool.security.following import Secured
from rserpool.security.settings import Certificate, Security
from tests.compute.scope import JobCase


class SubmittingTests(JobCase):
    """The user's side."""

    def test_said_at_both_sides(self) -> None:
        """Who does not say so submits no code; a worker that was not told so takes none."""
        worker = self.scope.work("a")
        jobs = self.scope.jobs()
        with self.assertRaisesRegex(TypeError, "--accept-code.*code=True"):
            jobs.submit(len, [1])
        error = self.fails(jobs.begin(Job(*job_of(len, ([1],), {}, True))), JobFailed)
        self.assertEqual(error.kind, "CodeRefused")
        self.assertIn("--accept-code", str(error))
        self.assertEqual(worker.done, [])

    def test_what_it_takes(self) -> None:
        """A user whom no worker could know is told what is missing."""
        user: Any = self.scope.user().service
        certified = Security(certificate=Certificate(b"chain", b"key"), server_ca=b"anchors")
        for secured, tls, says in (
            (None, "farm", "in a secured scope alone"),
            (Security(server_ca=b"anchors"), "farm", "has no certificate"),
            (certified, None, "say tls="),
        ):
            user.secured = None if secured is None else Secured(secured)
            with self.assertRaisesRegex(ConfigurationError, says):
                Jobs(user, "farm", code=True, tls=tls)
        user.secured = Secured(certified)
        with mock.patch.dict(sys.modules, {"cloudpickle": None}):
            with self.assertRaisesRegex(ConfigurationError, r"pip install 'rserpool\[code\]'"):
                Jobs(user, "farm", code=True, tls="farm")
        user.secured = None

    def test_sizes(self) -> None:
        """A function is bounded by itself; what cannot be pickled is told at once."""
        data = b"x" * frames.LONGEST_CODE
        with self.assertRaisesRegex(ValueError, "give data as arguments"):
            job_of(lambda: data, (), {}, True)
        lock = sys.stdin
        with self.assertRaisesRegex(TypeError, "cannot travel"):
            job_of(lambda: lock, (), {}, True)
        with self.assertRaisesRegex(TypeError, "a job is a function"):
            job_of(7, (), {}, True)
        name, work = job_of(lambda x: x + 1, (b"one",), {}, True)
        header, body = frames.decode(work)
        self.assertEqual((name, header["do"], header["as"]), (header["do"], name, frames.BYTES))
        self.assertEqual(body[header["code"] :], b"one")
        self.assertEqual(cloudpickle.loads(body[: header["code"]])(1), 2)


class LyingTests(JobCase):
    """A worker is a stranger to its users: what it says of a job is read strictly."""

    def test_progress(self) -> None:
        """What is too much, too little, or no number."""
        worker = self.scope.work("a")
        job = self.scope.jobs().submit("wait", "job")
        parts: list[float] = []
        job.progressing = parts.append
        self.scope.until(lambda: worker.open)
        [session] = self.scope.factories["a"].sessions
        for said in (b"1" + b"0" * 400, b"-1", b"1e999", b"NaN", b'"x"', b"[]"):
            session.send(b'{"progress":' + said + b"}\n")
        for said in (b"", b"[" * 60_000 + b"\n", b"{", b'{"slots":"many"}\n', b'{"slots":-1}\n'):
            session.send(said)
        self.scope.advance(1.0)
        self.assertEqual(parts, [1.0, 0.0, 1.0, 0.0])
        worker.open.pop("job").callback("done")
        self.assertEqual(self.scope.result(job.result), "done")
