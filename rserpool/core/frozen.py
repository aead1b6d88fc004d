"""Frozen dataclasses with slots, whose classes are made, and their objects too, in a third of the time.

C{dataclass(frozen=True, slots=True)} compiles six methods for each class while it is imported: a seventh of what a
short command took. And its C{__init__} sets each field through C{object.__setattr__}, which looks the name up every
time. Here only C{__init__} is compiled, and sets through the descriptors of the slots.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import MISSING, FrozenInstanceError, dataclass, field, fields
from operator import attrgetter
from typing import Any, NoReturn, TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(cls: type[T]) -> type[T]:
    """Make a class what C{dataclass(frozen=True, slots=True)} would.

    Its fields have plain defaults or none: no default factories, no C{InitVar}. It inherits from its own kind alone.
    """
    made = _fields_of(cls)
    present = vars(made)
    compared = [each.name for each in fields(made) if each.compare]
    for name, method in {
        "__init__": _init(made),
        "__repr__": _repr([each.name for each in fields(made) if each.repr]),
        "__eq__": _eq(_values(compared)),
        "__hash__": _hash(_values(compared)),
        "__setattr__": _no_assignment,
        "__delattr__": _no_deletion,
        "__getstate__": _state,
        "__setstate__": _set_state,
    }.items():
        if name not in present:
            setattr(made, name, method)
    return made  # type: ignore[no-any-return]


def _fields_of(cls: Any) -> Any:
    """The class as a dataclass that has nothing but its fields; who asks hears what it becomes."""
    settings = [
        each.__dict__["__dataclass_params__"] for each in cls.__mro__[1:] if "__dataclass_params__" in vars(each)
    ]
    # A frozen one would have its methods compiled, and one that is not cannot inherit from those that are.
    for each in settings:
        each.frozen = False
    made: Any = dataclass(init=False, repr=False, eq=False, slots=True)(cls)
    told = made.__dataclass_params__
    told.init = told.repr = told.eq = True
    for each in (*settings, told):
        each.frozen = True
    return made


def _init(cls: Any) -> Any:
    names: dict[str, Any] = {}
    parameters = []
    body = []
    for each in fields(cls):
        names[f"_set_{each.name}"] = getattr(cls, each.name).__set__
        default = ""
        if each.default_factory is not MISSING:
            raise TypeError(f"{cls.__name__}: {each.name} has a default factory")
        if each.default is not MISSING:
            names[f"_default_{each.name}"] = each.default
            default = f"=_default_{each.name}"
        parameters.append(each.name + default)
        body.append(f"    _set_{each.name}(self, {each.name})\n")
    if hasattr(cls, "__post_init__"):
        body.append("    self.__post_init__()\n")
    exec(f"def __init__(self, {', '.join(parameters)}):\n{''.join(body) or '    pass'}", names)
    made = names["__init__"]
    made.__qualname__ = f"{cls.__qualname__}.__init__"
    made.__annotations__ = {each.name: each.type for each in fields(cls)} | {"return": None}
    return made


def _values(names: list[str]) -> Callable[[Any], tuple[Any, ...]]:
    """What reads some fields: as many as there are."""
    if len(names) > 1:
        return attrgetter(*names)
    return lambda self: tuple(getattr(self, name) for name in names)


def _repr(names: Iterable[str]) -> Any:
    def __repr__(self: Any) -> str:
        return f"{type(self).__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name in names)})"

    return __repr__


def _eq(values: Callable[[Any], tuple[Any, ...]]) -> Any:
    def __eq__(self: Any, other: Any) -> Any:
        return values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented

    return __eq__


def _hash(values: Callable[[Any], tuple[Any, ...]]) -> Any:
    def __hash__(self: Any) -> int:
        return hash(values(self))

    return __hash__


def _no_assignment(self: Any, name: str, value: Any) -> NoReturn:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _no_deletion(self: Any, name: str) -> NoReturn:
    raise FrozenInstanceError(f"cannot delete field {name!r}")


def _state(self: Any) -> list[Any]:
    return [getattr(self, each.name) for each in fields(self)]


def _set_state(self: Any, state: list[Any]) -> None:
    for each, value in zip(fields(self), state, strict=True):
        object.__setattr__(self, each.name, value)
