"""What a release is built from, and what is complained of. C{make dist} builds one and looks at it."""

from __future__ import annotations

import re
import shutil
import zipfile
from configparser import ConfigParser
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from rserpool.sctp.usrsctp.library import BUNDLED
from tests.release import binary
from tests.release.dist import IN_SHARE, IN_WHEEL, check_wheel, complain
from tests.release.tree import LINK, ROOT, source_of, standing_alone

PAGE = "![a pool](docs/pool.svg)\nsee [the\npages](docs/index.md), [there](https://example.org/) and [below](#below)"


class ReadmeTests(SynchronousTestCase):
    """The README, where its neighbours are not."""

    def test_without_forge(self) -> None:
        """Links to other files become their texts, pictures go; what leads elsewhere stays."""
        self.assertEqual(
            standing_alone(PAGE, None, "1.0"), "\nsee the\npages, [there](https://example.org/) and [below](#below)"
        )

    def test_with_forge(self) -> None:
        """They lead to the files of that version."""
        page = standing_alone(PAGE, "https://example.org/r", "1.0")
        self.assertIn("![a pool](https://example.org/r/raw/v1.0/docs/pool.svg)", page)
        self.assertIn("[the\npages](https://example.org/r/blob/v1.0/docs/index.md)", page)
        self.assertIn("[there](https://example.org/) and [below](#below)", page)

    def test_source(self) -> None:
        """Where that is stands in setup.cfg, if anywhere."""
        setup = ConfigParser()
        setup.read_string("[metadata]\nproject_urls =\n    Source = https://example.org/r/\n")
        self.assertEqual("https://example.org/r", source_of(setup))
        setup.read_string("[metadata]\nproject_urls =\n")
        self.assertIsNone(source_of(setup))

    def test_ours(self) -> None:
        """Nothing is left in ours that leads nowhere, and what it names is there."""
        page = (ROOT / "README.md").read_text()
        self.assertIsNone(LINK.search(standing_alone(page, None, "1.0")))
        for _, _, name in LINK.findall(page):
            self.assertTrue((ROOT / name.partition("#")[0]).exists(), name)
        self.assertNotIn("<img", page)


class ComplaintTests(SynchronousTestCase):
    """What is missing, or too much."""

    def test_named(self) -> None:
        """Ten of them are named."""
        complain(Path("a.whl"), "lacks", ())
        ended = self.assertRaises(SystemExit, complain, Path("a.whl"), "lacks", map(str, range(11)))
        self.assertEqual("make dist: a.whl lacks 0, 1, 10, 2, 3, 4, 5, 6, 7, 8 ...", str(ended))


class BinaryTests(SynchronousTestCase):
    """The wheel that has more than Python."""

    def test_bundled(self) -> None:
        """libusrsctp lies where it is looked for, its licences beside ours, and the metadata name them all."""
        if not binary.TEXTS.is_file():
            raise SkipTest("libusrsctp2 of Debian is not here")
        tree = Path(self.mktemp())
        (tree / binary.FOLDER).mkdir(parents=True)
        shutil.copy(ROOT / "setup.cfg", tree)
        library = binary.bundle(tree)
        self.assertEqual(library.read_bytes(), (tree / binary.FOLDER / binary.LIBRARY).read_bytes())
        self.assertTrue(BUNDLED.endswith(f"/{binary.FOLDER}/{binary.LIBRARY}"))
        self.assertIn("Cisco", (tree / binary.LICENCE).read_text(encoding="utf-8"))
        setup = ConfigParser()
        setup.read(tree / "setup.cfg", encoding="utf-8")
        self.assertEqual(binary.LICENCES, setup["metadata"]["license_expression"])
        self.assertEqual("LICENSE, LICENSE.libusrsctp", setup["metadata"]["license_files"])

    def test_looked_at(self) -> None:
        """A wheel that lacks a module, or has one too many, or has the name of another, is complained of."""
        wheel = Path(self.mktemp()).with_name("rserpool-1.0-py3-none-any.whl")
        wheel.parent.mkdir(parents=True, exist_ok=True)
        shared = [f"rserpool-1.0.data/data/{name}" for name in IN_SHARE]
        with zipfile.ZipFile(wheel, "w") as zipped:
            for name in (*IN_WHEEL, *shared, "rserpool-1.0.dist-info/licenses/LICENSE", "rserpool/a.py"):
                zipped.writestr(name, "")
        there = {*IN_WHEEL, "rserpool/a.py"}
        check_wheel(wheel, "py3-none-any", there)
        for modules, named, licences, complaint in (
            (there | binary.COMPILED, "any", (), f"lacks {', '.join(sorted(binary.COMPILED))}"),
            (there, "any", (binary.LICENCE,), f"lacks rserpool-1.0.dist-info/licenses/{binary.LICENCE}"),
            (there - {"rserpool/a.py"}, "any", (), "should not have rserpool/a.py"),
            (there, "manylinux", (), "is not named manylinux"),
        ):
            ended = self.assertRaises(SystemExit, check_wheel, wheel, named, modules, *licences)
            self.assertEqual(f"make dist: {wheel.name} {complaint}", str(ended))


class VersionTests(SynchronousTestCase):
    """The version stands in one place."""

    def test_once(self) -> None:
        """In setup.cfg; no other file that people read or that is run says it."""
        setup = ConfigParser()
        setup.read(ROOT / "setup.cfg", encoding="utf-8")
        version = setup["metadata"]["version"]
        self.assertTrue(re.fullmatch(r"\d+\.\d+\.\d+(\.dev0|rc\d+)?", version), version)
        others = [
            ROOT / "README.md",
            ROOT / "SECURITY.md",
            ROOT / "docs" / "conf.py",
            *(ROOT / "rserpool").rglob("*.py"),
        ]
        self.assertEqual([], [str(path) for path in others if version in path.read_text(encoding="utf-8")])
