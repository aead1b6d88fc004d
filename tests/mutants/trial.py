"""Tests in a process of their own, in which one module of the package is another one."""

from __future__ import annotations

import os
import resource
import signal
import sys
import time
import unittest
from collections.abc import Iterable, Iterator
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from types import ModuleType
from typing import Any

import hypothesis
from twisted.internet import reactor, task
from twisted.trial.runner import TestLoader

from tests.mutants.mutations import Mutation

LEFT_OUT = ("test_documented", "tests.conformance.test_table", "tests.scenarios.test_split.MixedTests")
"""Tests that compare the code with documents notice that it changed, and not what that does; and one takes 4 s."""
_LOADED = hypothesis, reactor, task  # once, and not by each process
SURVIVED, KILLED, LATE = "survived", "killed", "too late"


class _Instead(MetaPathFinder, Loader):
    """Gives one module another source, without touching its file."""

    def __init__(self, name: str, path: str, source: str) -> None:
        self._name, self._path, self._source = name, path, source

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        return spec_from_loader(fullname, self, origin=self._path) if fullname == self._name else None

    def exec_module(self, module: ModuleType) -> None:
        module.__file__ = self._path
        exec(compile(self._source, self._path, "exec"), module.__dict__)


def outcome(tests: Iterable[str], mutation: Mutation | None, seconds: float) -> tuple[str, float]:
    """Run tests until one fails; how that ended, and how many seconds it took.

    @param seconds: after so many nobody waits any more: a loop without an end is noticed, too.
    """
    began = time.monotonic()
    child = os.fork()
    if not child:
        _run(tests, mutation)
    while time.monotonic() < began + seconds:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return SURVIVED if status == 0 else KILLED, time.monotonic() - began
        time.sleep(0.005)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return LATE, seconds


def _run(tests: Iterable[str], mutation: Mutation | None) -> None:
    status = 1
    try:
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nowhere, stream)
        resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
        beside = "."
        if mutation is not None:
            name = mutation.path.removesuffix(".py").replace("/", ".")
            sys.meta_path.insert(0, _Instead(name, mutation.path, mutation.source))
            beside = f"test_{name.rpartition('.')[2]}."
        found = [test for name in tests for test in _each(TestLoader().loadByName(name, recurse=True))]
        wanted = [test for test in found if not any(part in test.id() for part in LEFT_OUT)]
        wanted.sort(key=lambda test: beside not in test.id())
        result = unittest.TestResult()
        result.failfast = True
        unittest.TestSuite(wanted).run(result)
        status = 0 if result.wasSuccessful() and result.testsRun else 1
    finally:
        os._exit(status)


def _each(suite: Any) -> Iterator[Any]:
    if isinstance(suite, unittest.TestCase) or not hasattr(suite, "__iter__"):
        yield suite
        return
    for each in suite:
        yield from _each(each)
