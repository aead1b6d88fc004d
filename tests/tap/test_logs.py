"""C{--log} and C{--log-level}."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from twisted.logger import ILogObserver, Logger, LogLevel, LogPublisher, formatEventAsClassicLogText
from twisted.python import usage
from twisted.trial.unittest import SynchronousTestCase

from rserpool.tap import logs
from rserpool.tap.ns import RegistrarOptions


class LogTests(SynchronousTestCase):
    """What is written where C{twistd} writes its log."""

    def options(self, *words: str, **twistd: Any) -> Any:
        """The options of a registrar, below those of C{twistd}."""
        options: Any = RegistrarOptions()
        options.parent = usage.Options()
        options.parent.update({"logfile": None, "nodaemon": True, "logger": None, **twistd})
        options.parseOptions(list(words))
        return options

    def written(self, options: Any, path: Path, *tell: Any) -> list[str]:
        """The lines that this writes."""
        observer = logs.chosen()
        self.assertTrue(ILogObserver.providedBy(observer))
        publisher = LogPublisher(observer)
        log = Logger(namespace="rserpool.test", observer=publisher)
        for each in tell:
            each(log)
        return path.read_text().splitlines()

    def test_json(self) -> None:
        """One object a line, with names that stay."""
        path = Path(self.mktemp())
        options = self.options("--log", "json", logfile=str(path))
        self.assertEqual("rserpool.tap.logs.chosen", options.parent["logger"])

        def removed(log: Logger) -> None:
            log.info(
                "{pool}: 0x{identifier:08x}{details}",
                event="element-removed",
                pool="a\n\u2028",
                identifier=7,
                details="",
            )

        def failed(log: Logger) -> None:
            try:
                raise ValueError("x")
            except ValueError:
                log.failure("it failed", place=path)

        first, second = map(json.loads, self.written(options, path, removed, failed))
        self.assertRegex(first.pop("time"), r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$")
        self.assertEqual(
            {
                "level": "info",
                "event": "element-removed",
                "text": "a\n\u2028: 0x00000007",
                "logger": "rserpool.test",
                "pool": "a\n\u2028",
                "identifier": "0x00000007",
            },
            first,
        )
        self.assertEqual(("critical", "message"), (second["level"], second["event"]))
        self.assertIn("ValueError: x", second["traceback"])
        self.assertEqual(str(path), second["place"])

    def test_text(self) -> None:
        """Each line is what Twisted makes of it, also one that was put together by who tells it."""
        usual = {"log_time": 1e9 + 0.5, "log_namespace": "rserpool.test", "log_level": LogLevel.info}
        for event in (
            {**usual, "log_format": "{line}", "line": "audit: {a} %s\nb"},
            {**usual, "log_format": "{line} {more}", "line": "a", "more": 7},
            {**usual, "log_format": "{line}", "line": "a", "log_system": "-"},
            {**usual, "log_format": "{line}", "line": "a", "log_time": 1e9 + 1.5},
            {"log_format": "{line}", "line": "a"},
            {"log_format": "a", "log_time": None},
            {"log_format": ""},
            {},
        ):
            self.assertEqual(formatEventAsClassicLogText(event), logs.text_line(event), event)

    def test_level(self) -> None:
        """What is below the level is not written; another one counts at once."""
        path = Path(self.mktemp())
        options = self.options("--log-level", "warn", logfile=str(path))

        def more(log: Logger) -> None:
            options.levels.change(LogLevel.debug)
            log.debug("four")

        lines = self.written(options, path, lambda log: log.info("one"), lambda log: log.error("two"), more)
        self.assertEqual(["two", "four"], [line.rpartition("] ")[2] for line in lines])

    def test_usual(self) -> None:
        """Debugging is left out where nobody asks for it."""
        path = Path(self.mktemp())
        options = self.options(logfile=str(path))
        lines = self.written(options, path, lambda log: log.debug("one"), lambda log: log.info("two"))
        self.assertEqual(["two"], [line.rpartition("] ")[2] for line in lines])

    def test_own_observer(self) -> None:
        """C{twistd --logger} is left as it is."""
        options = self.options("--log-level", "error", logger="twisted.logger.jsonFileLogObserver")
        self.assertEqual("twisted.logger.jsonFileLogObserver", options.parent["logger"])

    def test_mistakes(self) -> None:
        """There are few levels and forms, and syslog has one of its own."""
        for words, twistd, sentence in (
            (["--log-level", "all"], {}, "--log-level: there is no level 'all'; choose one of debug, info, warn"),
            (["--log", "xml"], {}, "--log: there is no form of logs 'xml'; choose one of text, json"),
            (["--log", "json"], {"syslog": True}, "--log json goes with a file or standard output"),
        ):
            error = self.assertRaises(SystemExit, self.options, *words, **twistd)
            self.assertIn(sentence, str(error.code))
