"""Whether the compiled part of usrsctp was built."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import sysconfig
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from rserpool.sctp.usrsctp import shuttle


class BuiltTests(SynchronousTestCase):
    """C{_shuttle}."""

    def test_built(self) -> None:
        """It is there where it can be built; C{make test} builds it. No test of it is left out in silence."""
        if os.environ.get(shuttle.PURE) or not shuttle.fits():
            raise SkipTest("it is not wanted, or not made for this interpreter")
        compiler = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")[0]
        headers = Path(sysconfig.get_path("include")) / "Python.h"
        if shuttle.compiled() is None and not (shutil.which(compiler) and headers.exists()):
            raise SkipTest("there is no compiler, or no Python.h")
        self.assertIsNotNone(shuttle.compiled(), "make test builds it; make clean first if it does not")

    def test_as_its_source(self) -> None:
        """It is not older than what it is made of."""
        if shuttle.compiled() is None:
            raise SkipTest("nothing is compiled here, or it is not wanted")
        built = Path(shuttle.compiled().__file__)
        source = Path(shuttle.__file__).with_suffix(".c")
        if not source.exists():
            raise SkipTest("this is no checkout")
        self.assertGreaterEqual(built.stat().st_mtime, source.stat().st_mtime, "make test builds it again")

    def test_stable(self) -> None:
        """One file is for all Pythons since the first that it fits, as its name says."""
        if shuttle.compiled() is None:
            raise SkipTest("nothing is compiled here, or it is not wanted")
        self.assertEqual("_shuttle.abi3.so", Path(shuttle.compiled().__file__).name)
        self.assertIn(".abi3.so", EXTENSION_SUFFIXES)

    def test_not_wanted(self) -> None:
        """C{RSERPOOL_PURE} leaves it alone, and so does an interpreter that has another ABI."""
        self.patch(os, "environ", {**os.environ, shuttle.PURE: "1"})
        self.assertIsNone(shuttle.compiled())
        self.patch(os, "environ", {})
        self.patch(sys, "abiflags", "t")
        self.assertEqual((False, None), (shuttle.fits(), shuttle.compiled()))
