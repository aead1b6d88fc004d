"""Every public name (docs/public.md) says what it is, and is typed."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from twisted.python.reflect import namedAny
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementedBy

from rserpool.session.links import Owner

LIST = Path(__file__).resolve().parent.parent / "docs" / "public.md"


def public_names() -> dict[str, Any]:
    """What the list names."""
    return {name: namedAny(name) for name in re.findall(r"`(rserpool(?:\.\w+)+)`", LIST.read_text())}


def within(name: str, thing: Any) -> Iterator[tuple[str, Any]]:
    """A thing and its public parts: of a module what it defines, of a class the methods that this package gave it."""
    yield name, thing
    if inspect.ismodule(thing):
        for part, value in list(vars(thing).items()):
            if not part.startswith("_") and getattr(value, "__module__", None) == thing.__name__:
                yield from within(f"{name}.{part}", value)
    elif inspect.isclass(thing):
        for base in thing.__mro__:
            if base.__module__.startswith("rserpool"):
                for part, value in list(vars(base).items()):
                    method = getattr(value, "fget", None) or getattr(value, "__func__", value)
                    if not part.startswith("_") and inspect.isfunction(method):
                        yield f"{name}.{part}", method


def explained_elsewhere(thing: Any, part: str) -> bool:
    """Whether an interface of the class says what the method does."""
    interfaces = implementedBy(thing) if inspect.isclass(thing) else ()
    return any(part in interface.names(all=True) for interface in interfaces) or bool(
        inspect.getdoc(getattr(thing, part, None)) or inspect.getdoc(getattr(Owner, part, None))
    )


class PublicTests(SynchronousTestCase):
    """Names, methods, parameters."""

    def test_documented(self) -> None:
        """Each class, function, interface and method has a docstring, of its own or of what it implements."""
        silent = [
            full
            for name, thing in public_names().items()
            for full, part in within(name, thing)
            if (callable(part) or inspect.ismodule(part))
            and not (inspect.getdoc(part) or explained_elsewhere(thing, full.rpartition(".")[2]))
        ]
        self.assertEqual([], silent)

    def test_typed(self) -> None:
        """Each parameter and each result has an annotation."""
        untyped = []
        for name, thing in public_names().items():
            for full, part in within(name, thing):
                if inspect.isfunction(part):
                    signature = inspect.signature(part)
                    untyped += [
                        f"{full}({each.name})"
                        for each in signature.parameters.values()
                        if each.annotation is each.empty and each.name not in ("self", "cls")
                    ]
                    if signature.return_annotation is signature.empty:
                        untyped.append(full)
        self.assertEqual([], untyped)
