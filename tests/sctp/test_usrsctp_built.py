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

    def stand_in(self, text: bytes) -> Path:
        """What is no extension module is where it should be."""
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        built = folder / "rserpool_standing_in.abi3.so"
        built.write_bytes(text)
        self.patch(os, "environ", {})
        self.patch(sys, "path", [str(folder), *sys.path])
        self.patch(shuttle, "NAME", "rserpool_standing_in")
        self.patch(shuttle, "SOURCE", str(folder / "shuttle.c"))
        return built

    def test_missing(self) -> None:
        """That it is not there needs no word."""
        self.stand_in(b"").unlink()
        self.assertEqual((None, ""), shuttle.look())

    def test_broken(self) -> None:
        """What is there and cannot be loaded is left alone, and why is told."""
        built = self.stand_in(b"no library")
        found, why = shuttle.look()
        self.assertIsNone(found)
        self.assertIn(str(built), why)
        self.assertIsNone(shuttle.compiled())

    def test_as_its_source(self) -> None:
        """In a checkout what is older than its source is left alone: it may want to be called in another way."""
        built = self.stand_in(b"no library")
        source = built.with_name("shuttle.c")
        source.touch()
        os.utime(built, (1000, 1000))
        os.utime(source, (1001, 1001))
        self.assertEqual((None, f"{built} is older than its source"), shuttle.look())
        os.utime(source, (1000, 1000))
        self.assertNotIn("older", shuttle.look()[1])

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
