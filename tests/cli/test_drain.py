"""C{rserpool drain --wait}: it goes on while the element has no home."""

from __future__ import annotations

import os
from io import StringIO
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import maybeDeferred
from twisted.trial.unittest import TestCase

from rserpool.admin import AdminClient, AdminError
from rserpool.admin.service import AdminService
from rserpool.cli import drain
from rserpool.cli.parser import make_parser
from rserpool.core.errors import CannotAct, UnknownPool
from tests.admin.test_unix import Nothing


class Answering(Nothing):
    """Answers what it is told, in order; an error is raised."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)

    def act(self, verb: str, *arguments: Any, by: str) -> Any:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


class WaitTests(TestCase):
    """A real interface, whose registrar says this and that."""

    async def drained(self, *answers: Any) -> tuple[int, list[str]]:
        self.patch(drain, "EVERY", 0.01)
        self.patch(drain, "PATIENCE", 0.2)
        path = f"/tmp/rserpool-{os.getpid()}-{id(self)}.sock"  # noqa: S108
        service = AdminService(reactor, Answering(*answers), [path])
        service.startService()
        try:
            options, out = make_parser("drain").parse_args(["drain", "www", "0x1", "--wait"]), StringIO()
            status = await drain.run(reactor, options, out, AdminClient(path))
        finally:
            await maybeDeferred(service.stopService)
        return status, [line.partition(": ")[2] for line in out.getvalue().splitlines()]

    async def test_its_home_dies(self) -> None:
        """For a while nobody knows it, or how many connections it has; then its next home does."""
        lost = CannotAct("registrar 0x0b does not answer")
        status, lines = await self.drained(2, lost, UnknownPool(b"www"), lost, 2, 1, 0)
        self.assertEqual(0, status)
        self.assertEqual(["2 connections are left", "1 connection is left", "no connections are left"], lines)

    async def test_it_is_gone(self) -> None:
        """What nobody knows any more after a while is an error; so is what cannot be done at all, at once."""
        for answers in ((2, CannotAct("it is gone")), (CannotAct("it is gone"),)):
            with self.assertRaisesRegex(AdminError, "it is gone"):
                await self.drained(*answers)
