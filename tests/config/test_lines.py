"""On which line a key of a TOML file is."""

from __future__ import annotations

import tomllib
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rserpool.config.lines import lines_of

ODD = '''\
# [registrar] is not here
top = 1 # nor is [this]

[ registrar ] # but here
"asap" = "127.0.0.1:3863"
  peer   =  [ # a comment, with ] and "
    "a",   # more

    "b]",
  ]
text = """
[element]
pool = "no"
\\""" still """
raw = \'\'\'
[proxy] \'\' \'\'\'
limit.pools = 3
'quo.ted' . "more" = 4
[registrar."odd]name"]
x = { y = 1, z = [ { w = "}" } ] }
[[element]]
pool = "one"
[[element]]
pool = "two"
[proxy.a.b]
[a]
'''


class LineTests(SynchronousTestCase):
    """Odd, but legal."""

    def test_odd(self) -> None:
        """Each key is where it begins, whatever looks like another one."""
        tomllib.loads(ODD.replace("[proxy.a.b]", "[proxy.a.b]"))
        self.assertEqual(
            {
                ("top",): 2,
                ("registrar",): 4,
                ("registrar", "asap"): 5,
                ("registrar", "peer"): 6,
                ("registrar", "text"): 11,
                ("registrar", "raw"): 15,
                ("registrar", "limit"): 17,
                ("registrar", "limit", "pools"): 17,
                ("registrar", "quo.ted"): 18,
                ("registrar", "quo.ted", "more"): 18,
                ("registrar", "odd]name"): 19,
                ("registrar", "odd]name", "x"): 20,
                ("registrar", "odd]name", "x", "y"): 20,
                ("registrar", "odd]name", "x", "z"): 20,
                ("element",): 21,
                ("element", "pool"): 22,
                ("proxy", "a", "b"): 25,
                ("a",): 26,
            },
            lines_of(ODD),
        )

    def test_line_ends(self) -> None:
        """They may be those of other systems; and other characters end no line."""
        self.assertEqual({("a",): 1, ("b",): 3}, lines_of("a = 1\r\n\r\nb = 2\r\n"))
        self.assertEqual({("a",): 1, ("b",): 2}, lines_of('a = "\u2028"\nb = 2'))
        self.assertEqual({}, lines_of(""))

    @given(st.data())
    @settings(max_examples=50, deadline=None, derandomize=True)
    def test_any(self, data: st.DataObject) -> None:
        """Statements of any kind, comments and empty lines between them."""
        value = st.sampled_from(["1", '"a # = [b]"', "[\n1,\n]", '"""\nk0 = 1\n[t]\n"""', "{ y = 1 }", "'''\n'''"])
        between = st.sampled_from(["", "# k1 = 2", "   ", "#[t]"])
        rows: list[str] = []
        expected = {}
        for number in range(data.draw(st.integers(1, 6))):
            rows += data.draw(st.lists(between, max_size=3))
            expected[(f"k{number}",)] = len(rows) + 1
            rows += f"k{number} = {data.draw(value)}".split("\n")
        text: Any = "\n".join(rows)
        tomllib.loads(text)
        self.assertEqual(expected, {name: line for name, line in lines_of(text).items() if len(name) == 1})
