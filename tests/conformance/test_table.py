"""The conformance table is whole, and docs/conformance is what it says."""

from __future__ import annotations

import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.conformance.pages import DIRECTORY, pages
from tests.conformance.table import Mark, Requirement, Table, marks


class TableTests(SynchronousTestCase):
    """What must hold at every commit."""

    def test_every_row_has_a_test_or_a_reason(self) -> None:
        """And every mark finds one row."""
        self.assertEqual(Table().problems, [])

    def test_the_pages_are_up_to_date(self) -> None:
        """Otherwise: C{python -m tests.conformance --update}."""
        made = pages(Table())
        self.assertEqual({path.name for path in DIRECTORY.iterdir()}, set(made))
        for name, text in made.items():
            self.assertTrue(text == (DIRECTORY / name).read_text(encoding="utf-8"), f"{name} is out of date")


class RuleTests(SynchronousTestCase):
    """The check finds what is wrong."""

    def setUp(self) -> None:
        self.table = Table()
        self.table.problems.clear()

    def test_a_sentence_that_no_row_has(self) -> None:
        self.table._prove(Mark("here", "5352", "3.1", "MUST be purple"))
        self.assertEqual(self.table.problems, ["here: 'MUST be purple' of 5352 3.1 stands in no row"])

    def test_a_sentence_that_is_not_the_only_one(self) -> None:
        self.table._prove(Mark("here", "5356", "4.5.2", "MUST"))
        self.assertEqual(self.table.problems, ["here: 'MUST' of 5356 4.5.2 stands in 5356-4.5.2-01, 5356-4.5.2-02"])

    def test_a_test_takes_the_reason_away(self) -> None:
        row = self.forget("not done")
        row.tests = ["here"]
        self.table._reasons()
        self.assertIn(f"{row.identifier} has a reason to have no test, and ['here']", self.table.problems)

    def test_what_is_kept_in_part_has_a_test(self) -> None:
        """Which shows what part."""
        row = self.forget("in part")
        row.tests = []
        self.table._reasons()
        self.assertIn(f"{row.identifier} is kept in part, and no test shows which", self.table.problems)

    def test_two_reasons(self) -> None:
        self.table._reasons()
        self.assertIn("5352-3.3-02 has two reasons: not done, not done", self.table.problems)

    def forget(self, category: str) -> Requirement:
        """The first row of a category, without it."""
        row = next(each for each in self.table.requirements.values() if each.category == category)
        row.category = ""
        return row

    def test_neither(self) -> None:
        self.assertEqual(Requirement("5352-3.1-01", "MUST", "MUST").state, "")

    def test_marks_are_read_in_the_source(self) -> None:
        """Of classes and of methods, also where a decorator spans several lines."""
        directory = Path(tempfile.mkdtemp())
        self.addCleanup(directory.rmdir)
        path = directory / "test_some.py"
        self.addCleanup(path.unlink)
        path.write_text(
            '@rfc("1", "2", "whole")\nclass A:\n'
            '    @rfc(\n        "1",\n        "2.1",\n        "a",\n        "b",\n    )\n    def test_it(self): ...\n',
            encoding="utf-8",
        )
        module = f"{directory.name}.test_some"
        self.assertEqual(
            list(marks(directory)),
            [
                Mark(f"{module}.A", "1", "2", "whole"),
                Mark(f"{module}.A.test_it", "1", "2.1", "a"),
                Mark(f"{module}.A.test_it", "1", "2.1", "b"),
            ],
        )
