"""C{rserpool exec}: which element's address a command is given, and when it runs again."""

from __future__ import annotations

from argparse import ArgumentTypeError
from io import StringIO
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.trial.unittest import SynchronousTestCase

from rserpool.cli import execute
from rserpool.cli.execute import environment, statuses
from rserpool.cli.parser import make_parser
from rserpool.core import (
    ConfigurationError,
    NoRegistrar,
    PolicyParameter,
    PoolElementParameter,
    RSerPoolError,
    SctpTransport,
    TcpTransport,
    UnknownPool,
)
from rserpool.core.wire.parameters import DATA_ONLY, OpaqueTransport
from tests.pool_scope import PoolScope


class Runs:
    """A command whose ends a test decides.

    @ivar environments: what each run was given.
    """

    def __init__(self, *statuses: int) -> None:
        self.environments: list[dict[str, str]] = []
        self.told_to_end = False
        self._statuses = list(statuses)

    async def run(self, environment: dict[str, str]) -> int:
        self.environments.append(environment)
        return self._statuses.pop(0)

    def done(self) -> None:
        pass

    @property
    def elements(self) -> list[str]:
        return [each["RSERPOOL_ELEMENT"] for each in self.environments]


class ExecuteTests(SynchronousTestCase):
    """Runs in a world."""

    def setUp(self) -> None:
        self.scope = PoolScope(self)
        self.user = self.scope.client.service
        self.complaints = StringIO()

    def start(self, command: Any, *arguments: str) -> Deferred[int]:
        options = make_parser().parse_args(["exec", *arguments])
        options.command = ["command"]
        return ensureDeferred(
            execute.run(
                self.scope.client.reactor, options, StringIO(), user=self.user, command=command,
                complaints=self.complaints,
            )
        )  # fmt: skip

    def members(self, *numbers: int, policy: str = "priority:priority=%d") -> None:
        for number in numbers:
            self.scope.member(number, policy=policy % (100 - number) if "%" in policy else policy)

    def test_first(self) -> None:
        """It succeeds: it has run once, with the address of the policy's first element."""
        self.members(1, 2)
        command = Runs(0)
        self.assertEqual(0, self.scope.result(self.start(command, "pool")))
        (given,) = command.environments
        self.assertEqual(
            {
                "RSERPOOL_POOL": "pool",
                "RSERPOOL_HOST": "10.0.1.1",
                "RSERPOOL_PORT": "8001",
                "RSERPOOL_ADDRESS": "10.0.1.1:8001",
                "RSERPOOL_TRANSPORT": "tcp",
                "RSERPOOL_HOSTS": "10.0.1.1",
                "RSERPOOL_UDP_PORT": "",
                "RSERPOOL_ELEMENT": "0x00000001",
                "RSERPOOL_ATTEMPT": "1",
            },
            given,
        )
        self.assertEqual("", self.complaints.getvalue())
        self.assertFalse(self.user.running)

    def test_elsewhere(self) -> None:
        """It fails: it runs again elsewhere, each element once, at most as often as wanted; the last status counts."""
        self.members(1, 2, 3, 4)
        command = Runs(7, 8, 9)
        self.assertEqual(9, self.scope.result(self.start(command, "pool")))
        self.assertEqual(["0x00000001", "0x00000002", "0x00000003"], command.elements)
        self.assertEqual(
            [
                "rserpool exec: status 7 with 0x00000001 at tcp 10.0.1.1:8001; trying 0x00000002 at tcp 10.0.1.2:8002",
                "rserpool exec: status 8 with 0x00000002 at tcp 10.0.1.2:8002; trying 0x00000003 at tcp 10.0.1.3:8003",
                "rserpool exec: status 9 with 0x00000003 at tcp 10.0.1.3:8003; tried 3, which is enough",
            ],
            self.complaints.getvalue().splitlines(),
        )

    def test_nowhere_else(self) -> None:
        """No element is tried twice."""
        self.members(1)
        command = Runs(7)
        self.assertEqual(7, self.scope.result(self.start(command, "pool", "--attempts", "5", "--quiet")))
        self.assertEqual("", self.complaints.getvalue())

    def test_retry_on(self) -> None:
        """Only some statuses are failures."""
        self.members(1, 2, 3)
        command = Runs(7, 8)
        self.assertEqual(8, self.scope.result(self.start(command, "pool", "--retry-on", "5-7")))
        self.assertEqual(2, len(command.environments))
        self.assertEqual(1, self.scope.result(self.start(Runs(1), "pool", "--retry-on", "none")))

    def test_told_to_end(self) -> None:
        """A command that was told to end by a signal is not run again."""
        self.members(1, 2)
        command = Runs(143)
        command.told_to_end = True
        self.assertEqual(143, self.scope.result(self.start(command, "pool")))

    def reported(self, *arguments: str) -> bool:
        """Whether an element where the command fails is reported: it comes last afterwards."""
        command = Runs(1)
        self.scope.result(self.start(command, "pool", "--attempts", "1", *arguments))
        (failed,) = command.elements
        return failed in {f"0x{identifier:08x}" for _, identifier in self.reports}

    @property
    def reports(self) -> list[tuple[bytes, int]]:
        return self._reports

    def watch_reports(self) -> None:
        """Note what the user reports."""
        self._reports: list[tuple[bytes, int]] = []
        report = self.user.report

        def noted(pool: Any, identifier: int) -> None:
            self._reports.append((pool, identifier))
            report(pool, identifier)

        self.patch(self.user, "report", noted)

    def test_report(self) -> None:
        """An element is reported if it accepts no connection; always, or never, if that is wanted."""
        self.members(1)
        self.watch_reports()
        self.assertFalse(self.reported())
        self.assertTrue(self.reported("--report", "always"))
        self._reports.clear()
        self.scope.close()
        self.assertFalse(self.reported("--report", "never"))
        self.assertTrue(self.reported())

    def test_killed(self) -> None:
        """The registrar is gone when the second element is wanted: what was known will do."""
        self.members(1, 2)
        scope = self.scope

        class Killing(Runs):
            async def run(self, environment: dict[str, str]) -> int:
                scope.kill(*scope.registrars)
                return await super().run(environment)

        command = Killing(1, 0)
        self.assertEqual(0, self.scope.result(self.start(command, "pool")))
        self.assertEqual(["0x00000001", "0x00000002"], command.elements)

    def test_errors(self) -> None:
        """No such pool, no registrar, no address, no command."""
        command = Runs()
        with self.assertRaises(UnknownPool):
            self.scope.result(self.start(command, "nothing"))
        self.scope.member(1, b"strange", transport=OpaqueTransport(b""))
        with self.assertRaisesRegex(RSerPoolError, "pool 'strange' has no element with an address"):
            self.scope.result(self.start(command, "strange"))
        self.scope.kill(*self.scope.registrars)
        with self.assertRaises(NoRegistrar):
            self.scope.result(self.start(command, "pool", "--timeout", "1"))
        options = make_parser().parse_args(["exec", "pool"])
        options.command = []
        failed = ensureDeferred(execute.run(self.scope.client.reactor, options, StringIO()))
        self.failureResultOf(failed, ConfigurationError)
        self.assertEqual([], command.environments)

    def test_no_such_command(self) -> None:
        """127 if it is not there, 126 if it cannot be executed; nobody is asked for an element."""
        for name, status in (("no-such-command-here", 127), (__file__, 126)):
            options = make_parser().parse_args(["exec", "pool"])
            options.command = [name]
            running = ensureDeferred(
                execute.run(self.scope.client.reactor, options, StringIO(), complaints=self.complaints)
            )
            self.assertEqual(status, self.successResultOf(running))
            self.assertIn(f"rserpool exec: {name}: ", self.complaints.getvalue())


class WordTests(SynchronousTestCase):
    """What is given and taken."""

    def test_statuses(self) -> None:
        """C{--retry-on}."""
        self.assertEqual({7, 100, 101}, statuses("7,100-101"))
        self.assertEqual(frozenset(), statuses("none"))
        self.assertEqual(255, len(statuses("any")))
        for wrong in ("0", "256", "x", "", "9-7", "1,"):
            with self.assertRaises(ArgumentTypeError):
                statuses(wrong)

    def test_environment(self) -> None:
        """IPv6 stands in brackets where a port follows; SCTP has several addresses, and a UDP port."""
        home = SctpTransport(3863, DATA_ONLY, ("::1",))
        over_sctp = SctpTransport(7, DATA_ONLY, ("::1", "::2"))
        given = environment(
            PoolElementParameter(1, 1, 60, over_sctp, PolicyParameter(1), home, encapsulation=9900), b"pool", 2
        )
        self.assertEqual("[::1]:7", given["RSERPOOL_ADDRESS"])
        self.assertEqual(("::1", "7", "sctp"), tuple(given[f"RSERPOOL_{n}"] for n in ("HOST", "PORT", "TRANSPORT")))
        self.assertEqual(("::1,::2", "9900"), (given["RSERPOOL_HOSTS"], given["RSERPOOL_UDP_PORT"]))
        given = environment(
            PoolElementParameter(1, 1, 60, TcpTransport(7, "::1"), PolicyParameter(1), home, encapsulation=9900),
            b"p",
            1,
        )
        self.assertEqual("", given["RSERPOOL_UDP_PORT"])
