"""Every place of a module that can be broken, and how: Cosmic Ray's operators, and one that removes statements."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.operator import Example, Operator
from cosmic_ray.plugins import get_operator, operator_names
from parso.python.tree import Keyword


class RemoveStatement(Operator):
    """C{pass} in place of a call or an assignment: nothing is forgotten, told or set."""

    def mutation_positions(self, node: Any) -> Iterator[tuple[Any, Any]]:
        if self._removable(node):
            yield node.start_pos, node.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        return Keyword("pass", node.start_pos, node.get_first_leaf().prefix)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (Example("def f():\n    g()\n", "def f():\n    pass\n"),)

    def _removable(self, node: Any) -> bool:
        if node.parent is None or node.parent.type != "simple_stmt" or node.search_ancestor("funcdef") is None:
            return False
        # A name that nothing gives a value any more is found by the first test that comes by.
        return node.type in ("atom_expr", "await_expr") or (
            node.type == "expr_stmt" and node.children[0].type in ("atom_expr", "power")
        )


@dataclass(frozen=True, slots=True)
class Place:
    """Where a module can be broken, in one way.

    @ivar path: the module's file, from the root of the checkout.
    @ivar start: line and column.
    @ivar operator: Cosmic Ray's operator.
    @ivar occurrence: which of the places that it finds in this module.
    """

    path: str
    start: tuple[int, int]
    operator: Any
    occurrence: int


@dataclass(frozen=True, slots=True)
class Mutation:
    """One way to break a module.

    @ivar path: the module's file, from the root of the checkout.
    @ivar line: where, counted from 1.
    @ivar before: the line as it is; C{after}: as it is then.
    @ivar source: the whole module then.
    """

    path: str
    line: int
    before: str
    after: str
    source: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}\n    - {self.before}\n    + {self.after}"


def places(root: Path, path: str, random: Random) -> Iterator[Place]:
    """Each place of a module, once for each kind of operator: which of that kind, by lot."""
    nodes = list(ast_nodes(get_ast((root / path).read_text(encoding="utf-8"))))
    choices: dict[tuple[Any, str], list[Place]] = defaultdict(list)
    for kind, operator in _operators():
        positions = [position for node in nodes for position in operator.mutation_positions(node)]
        for occurrence, (start, _) in enumerate(positions):
            choices[start, kind].append(Place(path, start, operator, occurrence))
    for where in sorted(choices):
        yield random.choice(choices[where])


def mutation(root: Path, place: Place) -> Mutation | None:
    """The module broken there; None if that changes nothing but annotations and texts, or what stands outside of
    functions and classes: figures that we chose, of which others would do."""
    code = (root / place.path).read_text(encoding="utf-8")
    mutated = mutate_code(code, place.operator, place.occurrence)
    if mutated is None or _meaning(mutated) in (_meaning(code), None):
        return None
    old, new = code.splitlines(), mutated.splitlines()
    at = next((n for n, pair in enumerate(zip(old, new, strict=False)) if pair[0] != pair[1]), place.start[0] - 1)
    if not old[at].startswith(" "):
        return None
    return Mutation(place.path, at + 1, old[at].strip(), new[at].strip(), mutated)


def _operators() -> Iterator[tuple[str, Any]]:
    """Each operator, by its kind: the replacements of one by another are one kind."""
    yield "RemoveStatement", RemoveStatement()
    for name in operator_names():
        made = get_operator(name)
        if not made.arguments():
            yield name.split("_")[0], made()


def _meaning(code: str) -> str | None:
    """What a module does, without annotations and the texts that only people read; None if it is no Python."""
    try:
        tree = ast.parse(code)
    except SyntaxError:
        return None
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.returns = None
        elif isinstance(node, ast.arg):
            node.annotation = None  # type: ignore[assignment]
        elif isinstance(node, ast.AnnAssign):
            node.annotation = ast.Constant(None)
        if isinstance(getattr(node, "body", None), list):
            node.body = [each for each in node.body if not _is_text(each)]  # type: ignore[attr-defined]
    return ast.dump(tree)


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
