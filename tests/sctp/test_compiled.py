"""Whether what can be compiled of the SCTP backends was built."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import sysconfig
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from rserpool.sctp.compiled import PARTS, PURE, SHUTTLE, Part, fits


class BuiltTests(SynchronousTestCase):
    """C{_messages} and C{_shuttle}."""

    def test_built(self) -> None:
        """They are there where they can be built; C{make test} builds them. No test of them is left out in silence."""
        if os.environ.get(PURE) or not fits():
            raise SkipTest("they are not wanted, or not made for this interpreter")
        compiler = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")[0]
        headers = Path(sysconfig.get_path("include")) / "Python.h"
        can = shutil.which(compiler) and headers.exists()
        for part in PARTS:
            if part.load() is None and not can:
                raise SkipTest("there is no compiler, or no Python.h")
            self.assertIsNotNone(part.load(), "make test builds it; make clean first if it does not")

    def test_sources(self) -> None:
        """A checkout has them where it is looked for them."""
        for part in PARTS:
            self.assertTrue(Path(part.source).is_file() or "site-packages" in part.source, part.source)

    def stand_in(self, text: bytes) -> tuple[Part, Path]:
        """What is no extension module is where one should be."""
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        built = folder / "rserpool_standing_in.abi3.so"
        built.write_bytes(text)
        self.patch(os, "environ", {})
        self.patch(sys, "path", [str(folder), *sys.path])
        return Part("rserpool_standing_in", str(folder / "source.c")), built

    def test_missing(self) -> None:
        """That it is not there needs no word."""
        part, built = self.stand_in(b"")
        built.unlink()
        self.assertEqual((None, ""), part.look())

    def test_broken(self) -> None:
        """What is there and cannot be loaded is left alone, and why is told."""
        part, built = self.stand_in(b"no library")
        found, why = part.look()
        self.assertIsNone(found)
        self.assertIn(str(built), why)
        self.assertIsNone(part.load())

    def test_cut_off(self) -> None:
        """What lacks its end would end the process that loads it, wherever it ends."""
        for real in PARTS:
            if real.load() is None:
                raise SkipTest("nothing is compiled here, or it is not wanted")
            whole = Path(real.load().__file__).read_bytes()
            part, built = self.stand_in(whole)
            for length in range(0, len(whole), 997):
                built.write_bytes(whole[:length])
                found, why = part.look()
                self.assertIsNone(found)
                self.assertIn(str(built), why)

    def test_as_its_source(self) -> None:
        """In a checkout what is older than its source is left alone: it may want to be called in another way."""
        part, built = self.stand_in(b"no library")
        source = Path(part.source)
        source.touch()
        os.utime(built, (1000, 1000))
        os.utime(source, (1001, 1001))
        self.assertEqual((None, f"{built} is older than its source"), part.look())
        os.utime(source, (1000, 1000))
        self.assertNotIn("older", part.look()[1])

    def test_stable(self) -> None:
        """One file is for all Pythons since the first that it fits, as its name says."""
        for part in PARTS:
            if part.load() is None:
                raise SkipTest("nothing is compiled here, or it is not wanted")
            self.assertEqual(f"{part.name.rpartition('.')[2]}.abi3.so", Path(part.load().__file__).name)
        self.assertIn(".abi3.so", EXTENSION_SUFFIXES)

    def test_not_wanted(self) -> None:
        """C{RSERPOOL_PURE} leaves it alone, and so does an interpreter that has another ABI."""
        self.patch(os, "environ", {**os.environ, PURE: "1"})
        self.assertIsNone(SHUTTLE.load())
        self.patch(os, "environ", {})
        self.patch(sys, "abiflags", "t")
        self.assertEqual((False, None), (fits(), SHUTTLE.load()))
