"""What somebody sees of a scope, and what keys change of it."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rserpool.cli.monitor.entries import REGISTRARS, Entry, Mood
from rserpool.cli.monitor.picture import HELP, Header, Mark
from rserpool.cli.monitor.view import ALIASES, KEYS, SORTS, View
from rserpool.cli.terminal import width
from tests.cli.monitor.stage import Seen, element, registrar

SCOPE = [
    registrar(0xAA),
    element("www", 1, load=0.2, heard=3.0, uptime=100.0, where="tcp 10.0.0.2:80"),
    element("www", 2, "silent", Mood.BAD, load=0.9, heard=7.0, uptime=300.0, where="tcp 10.0.0.1:80"),
    element("www", 3, "draining", Mood.DOUBTFUL, uptime=200.0, where="tcp 10.0.0.3:80", says="3 open"),
    element("db", 4, load=0.5, where="tcp 10.0.0.4:5432"),
]


class PictureTests(SynchronousTestCase):
    """What stands where."""

    def test_groups(self) -> None:
        """Registrars, then the pools with their elements under them; counts above; what is wrong is said in words."""
        lines = Seen(SCOPE).lines()
        self.assertEqual(
            [line.rstrip() for line in lines[:12]],
            [
                "rserpool monitor  1 registrar  2 pools  4 elements, 1 bad, 1 doubtful",
                "registrar 0x000000aa at /run/rserpool/registrar.sock; reports at 127.0.0.1:2960",
                "    ELEMENT    STATE      LOAD  HEARD     UP  WHERE, AND MORE",
                "> - registrars  1",
                "    0x000000aa ready         -      -      -  127.0.0.1:3863",
                "  - db  1 element",
                "    0x00000004 registered  50%      -      -  tcp 10.0.0.4:5432",
                "  - www  3 elements, 1 silent, 1 draining",
                "    0x00000001 registered  20%   3.0s  1m40s  tcp 10.0.0.2:80",
                "    0x00000002 silent      90%   7.0s  5m00s  tcp 10.0.0.1:80",
                "    0x00000003 draining      -      -  3m20s  tcp 10.0.0.3:80, 3 open",
                "",
            ],
        )
        self.assertEqual(lines[-1], "1-8 of 8  by name  ? help  q quit  / filter  s sort  Enter fold")

    def test_whole(self) -> None:
        """What has no room is left out, and what is shown is whole: in 80 columns, too, the home registrar."""
        more = "5.0 ms, home 0x000000aa"
        for where, columns, expected in (
            ("tcp 10.0.0.2:80", 90, "tcp 10.0.0.2:80, 5.0 ms, home 0x000000aa"),
            ("tcp 10.0.0.2:80", 80, "tcp 10.0.0.2:80, home 0x000000aa"),
            ("tcp 127.77.1.1:38053", 80, "127.77.1.1:38053, home 0x000000aa"),
            ("tcp 192.168.100.100:38053", 80, "192.168.100.100:38053"),
        ):
            seen = Seen([element("www", 1, where=where, says=more)], columns)
            self.assertEqual(expected, seen.lines()[4][46:])
            self.assertIn(f"{where}, {more}"[:30], "".join(seen.keys("a")))
        asked = Entry(REGISTRARS, "0x000000aa", "ready", Mood.GOOD, where="127.77.1.1:3863", says="home of 3, is asked")
        self.assertTrue(Seen([asked]).lines()[4].endswith(" home of 3, is asked"))

    def test_marks(self) -> None:
        """A state has a colour beside its word."""
        seen = Seen(SCOPE)
        marks = {text.strip(): mark for line in seen.looking.lines((80, 24)) for text, mark in line}
        self.assertEqual(
            (marks["silent"], marks["draining"], marks["registered"]), (Mark.BAD, Mark.DOUBTFUL, Mark.GOOD)
        )

    def test_fits(self) -> None:
        """No line is wider than the terminal and none is too many, whatever is shown on a terminal of whatever size."""
        strange = element("池" * 40, 5, where="tcp 10.0.0.1:80", says="e\u0301" * 60 + "池" * 40)
        many = [*SCOPE, strange, *(element("many", number) for number in range(100, 400))]
        for size in ((80, 24), (40, 5), (1, 1), (200, 60), (79, 3)):
            seen = Seen(many, *size)
            for keys in ((), ("a",), ("end",), ("?",), ("x",), ("/", "池")):
                lines = seen.keys(*keys)
                self.assertLessEqual(len(lines), size[1])
                self.assertLessEqual(max(map(width, lines)), size[0], (size, keys))

    def test_help(self) -> None:
        """It fits 80 columns and 24 lines, and names each key; any key goes back."""
        seen = Seen(SCOPE)
        lines = seen.keys("?")
        self.assertEqual([line for line in lines[3:] if line], [line for line in HELP.splitlines() if line])
        self.assertIn("Any key goes back.", lines)
        words = HELP.replace("\n", " ").split()
        named = {"up", "down", "PgUp", "PgDn", "Home", "End", "Enter", "left", "right", "Esc", "Space"}
        self.assertEqual(named - set(words), set())
        for key in {*KEYS, *ALIASES} - {"?", " ", "f1", "f3", "f4", "f6", "f10"}:
            if len(key) == 1:
                self.assertIn(key, words)
        self.assertIn("0x00000004", seen.keys("x")[6])

    def test_nobody(self) -> None:
        """Why the list is empty."""
        self.assertIn("Nobody has reported yet: start ", Seen([]).lines()[3])
        self.assertIn("'ftp' is in the line of none of 5.", Seen(SCOPE, view=View(text="ftp")).lines())

    def test_trouble(self) -> None:
        """What is wrong with where it comes from stands in place of that."""
        self.assertEqual("nobody answers", Seen(SCOPE).now(SCOPE, Header("here", "nobody answers"))[1])


class KeyTests(SynchronousTestCase):
    """What is pressed."""

    def test_moves(self) -> None:
        """By lines, by pages, to the ends; what is looked at scrolls along, and never past its end."""
        seen = Seen([element("www", number) for number in range(1, 101)], lines=14)
        for key, where, last in (
            ("j", "0x00000001", "1-10 of 101"), ("down", "0x00000002", "1-10"), ("k", "0x00000001", "1-10"),
            ("pagedown", "0x0000000a", "2-11 of"), (" ", "0x00000013", "11-20"), ("pageup", "0x0000000a", "11-20"),
            ("b", "0x00000001", "2-11"), ("G", "0x00000064", "92-101 of 101"), ("j", "0x00000064", "92-101"),
            ("g", "www", "1-10"), ("up", "www", "1-10"), ("end", "0x00000064", "92-101"), ("home", "www", "1-10"),
        ):  # fmt: skip
            lines = seen.keys(key)
            self.assertIn(where, seen.cursor, key)
            self.assertTrue(lines[-1].startswith(last), (key, lines[-1]))

    def test_folds(self) -> None:
        """A pool shows its heading alone, an element all that is known of it; left goes to the heading."""
        seen = Seen(SCOPE)
        seen.keys("end", "left")
        self.assertEqual(seen.rows, ["registrars", "0x000000aa", "db", "0x00000004", "www"])
        self.assertTrue(seen.cursor.startswith("> + www  3 elements, 1 silent, 1 draining"))
        self.assertIn("0x00000003", seen.keys("right", "j", "j", "enter")[9] + seen.lines()[11])
        self.assertEqual(sum("10.0.0.1:80" in line for line in seen.lines()), 2)
        seen.keys("j", "enter")
        self.assertEqual(sum("10.0.0.1:80" in line for line in seen.lines()), 1)
        self.assertIn("0x00000002", seen.cursor)
        seen.keys("-")
        self.assertEqual(seen.rows, ["registrars", "db", "www"])
        self.assertIn("www", seen.cursor)
        self.assertEqual(len((seen.keys("+"), seen.rows)[1]), 8)
        self.assertEqual(len((seen.keys("a"), seen.rows)[1]), 13)

    def test_sorts(self) -> None:
        """By each of them in turn, the worst and largest first, or the other way round; the pools by names."""
        seen = Seen(SCOPE)
        wanted = {
            "name": "123", "state": "231", "load": "213", "heard": "213", "uptime": "231", "where": "213",
        }  # fmt: skip
        self.assertEqual(set(wanted), set(SORTS))
        for sort, order in wanted.items():
            self.assertIn(f"by {sort}", seen.lines()[-1])
            first = seen.rows.index("www") + 1
            self.assertEqual("".join(row[-1] for row in seen.rows[first : first + 3]), order, sort)
            seen.keys("s")
        self.assertIn("by name", seen.lines()[-1])
        self.assertIn("by where, backwards", seen.keys("S", "r")[-1])
        self.assertEqual("".join(row[-1] for row in seen.rows[-3:]), "312")

    def test_sorts_pools(self) -> None:
        """By state the pool with the worst comes first."""
        seen = Seen([*SCOPE, element("zoo", 9, "refused", Mood.DOUBTFUL)], view=View("state"))
        self.assertEqual([row for row in seen.rows if not row.startswith("0x")], ["registrars", "www", "zoo", "db"])

    def test_filters(self) -> None:
        """While it is typed, and until it is taken back; folded pools are opened for it."""
        seen = Seen(SCOPE)
        lines = seen.keys("-", "/", "S", "i", "x", "backspace", "L")
        self.assertEqual(lines[-1], "/SiL_  Enter keeps it, Esc ends it")
        self.assertEqual(seen.rows, ["www", "0x00000002"])
        self.assertIn("filter: SiL  ", seen.keys("enter")[-1])
        self.assertEqual(seen.rows, ["www", "0x00000002"])
        self.assertIn("4 elements", seen.lines()[0])
        self.assertIn("SiL_", seen.keys("/")[-1])
        seen.keys("escape")
        self.assertEqual(len(seen.rows), 8)
        seen.keys("/", "q", "j", "clear", "enter")
        self.assertEqual(len(seen.rows), 8)
        self.assertIsNone(seen.keys("/", "backspace") and seen.view.typing)
        self.assertEqual(seen.keys("/", "d", "b", "enter", "escape")[-1], Seen(SCOPE).lines()[-1])

    def test_quits(self) -> None:
        seen = Seen(SCOPE)
        seen.keys("f10")
        self.assertIsNone(seen.looking.view)

    def test_other_keys(self) -> None:
        """They do nothing, and nothing breaks where there is nobody."""
        before = Seen(SCOPE).lines()
        self.assertEqual(Seen(SCOPE).keys("z", "", "é", "backspace", "redraw"), before)
        seen = Seen([])
        for key in (*KEYS, *ALIASES, "x"):
            if ALIASES.get(key) != "q":
                seen.keys(key, "escape", "escape")


class ChangeTests(SynchronousTestCase):
    """What somebody looks at while others come and go."""

    def test_stays(self) -> None:
        """The cursor stays with its element, and that where it is on the screen."""
        there = [element("www", number) for number in range(10, 90)]
        seen = Seen(there)
        seen.keys("pagedown", "pagedown")
        chosen, where = seen.cursor, [line[:1] for line in seen.lines()].index(">")
        seen.now([*(element("www", number) for number in range(1, 10)), *there])
        self.assertEqual((seen.cursor, [line[:1] for line in seen.lines()].index(">")), (chosen, where))
        seen.now(there[30:])
        self.assertEqual(seen.cursor, chosen)

    def test_leaves(self) -> None:
        """Where its element is gone the cursor is on the one that is there now, or the last."""
        seen = Seen(SCOPE)
        seen.keys("end")
        seen.now(SCOPE[:3])
        self.assertIn("0x00000002", seen.cursor)
        self.assertIn("0x00000001", (seen.keys("k"), seen.cursor)[1])

    def test_first(self) -> None:
        """Who has not moved sees what comes first."""
        seen = Seen(SCOPE[1:])
        self.assertEqual(seen.now(SCOPE)[3].split()[-2:], ["registrars", "1"])

    def test_many(self) -> None:
        """Of 5,000 elements those are put into words that are on the screen."""
        counted = []

        class Load(float):
            """Says when it is put into words."""

            def __format__(self, how: str) -> str:
                counted.append(self)
                return super().__format__(how)

        there = [element("www", number, load=Load(0.5)) for number in range(5000)]
        seen = Seen(there)
        seen.keys("pagedown")
        counted.clear()
        seen.keys("j")
        self.assertEqual(len(counted), 2 * 20)
