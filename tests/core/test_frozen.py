"""Frozen classes are what C{dataclass(frozen=True, slots=True)} makes."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError, dataclass, field, fields, is_dataclass, replace
from typing import Any, ClassVar

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core.frozen import frozen

PARAMS = ("init", "repr", "eq", "order", "frozen")


@frozen
class Place:
    KIND: ClassVar[str] = "a place"
    host: str
    port: int = 1
    note: object = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Usual:
    KIND: ClassVar[str] = "a place"
    host: str
    port: int = 1
    note: object = field(default=None, compare=False, repr=False)


@frozen
class Named(Place):
    name: str = ""

    def __repr__(self) -> str:
        return self.name


@frozen
class One:
    only: int


@frozen
class Nothing:
    pass


@frozen
class Checked:
    number: int

    def __post_init__(self) -> None:
        if self.number < 0:
            raise ValueError(self.number)


class FrozenTests(SynchronousTestCase):
    def test_made(self) -> None:
        """By place and by name, with defaults; what is wrong raises as ever."""
        self.assertEqual(("h", 1, None), (Place("h").host, Place("h").port, Place("h").note))
        self.assertEqual(Place("h", 2), Place(port=2, host="h"))
        self.assertEqual("n", Named("h", 2, name="n").name)
        for wrong in ((), ("h", 1, 2, 3)):
            self.assertRaises(TypeError, Place, *wrong)
        self.assertRaises(ValueError, Checked, -1)
        self.assertEqual(1, Checked(1).number)

    def test_as_the_standard_library(self) -> None:
        """The same fields, text, patterns and annotations."""
        self.assertEqual(
            [(each.name, each.default, each.compare) for each in fields(Usual)],
            [(each.name, each.default, each.compare) for each in fields(Place)],
        )
        self.assertEqual(repr(Usual("h")).replace("Usual", "Place"), repr(Place("h")))
        self.assertEqual("Nothing()", repr(Nothing()))
        self.assertEqual(Usual.__match_args__, Place.__match_args__)  # type: ignore[attr-defined]
        self.assertEqual(Usual.__init__.__annotations__, Place.__init__.__annotations__)
        self.assertTrue(is_dataclass(Place))
        self.assertEqual(Place("h", 3), replace(Place("h"), port=3))
        self.assertFalse(hasattr(Place("h"), "__dict__"))

    def test_equal(self) -> None:
        """What counts is equal, of one class."""
        for other in (Place("h", 2), Place("g"), Named("h"), Usual("h"), None):
            self.assertNotEqual(Place("h"), other)
        self.assertEqual({Place("h", note=1)}, {Place("h", note=2)})
        self.assertEqual({One(1), Nothing()}, {One(1), Nothing()})
        self.assertNotEqual(One(1), One(2))

    def test_its_own_methods(self) -> None:
        """What the class has itself stays."""
        self.assertEqual("n", repr(Named("h", name="n")))

    def test_frozen(self) -> None:
        """Nothing is set or deleted."""
        place: Any = Place("h")
        for name in ("host", "other"):
            self.assertRaises(FrozenInstanceError, setattr, place, name, "g")
            self.assertRaises(FrozenInstanceError, delattr, place, name)
        self.assertEqual("h", place.host)

    def test_copied(self) -> None:
        """Copies, and what was pickled, are equal."""
        place = Place("h", 2)
        for other in (copy.copy(place), copy.deepcopy(place), pickle.loads(pickle.dumps(place))):  # noqa: S301
            self.assertEqual(place, other)

    def test_inherited(self) -> None:
        """By frozen dataclasses, of either kind; one that is not frozen is refused."""

        @dataclass(frozen=True, slots=True)
        class Farther(Place):
            miles: int = 3

        farther: Any = Farther("h", 2, miles=4)
        self.assertEqual(("h", 2, 4), (farther.host, farther.port, farther.miles))
        self.assertEqual(farther, replace(Farther("h", 2), miles=4))
        self.assertRaises(FrozenInstanceError, setattr, farther, "host", "g")
        self.assertRaises(TypeError, dataclass, type("Thawed", (Named,), {}))
        for each in (Place, Named):
            params, usual = (vars(kind)["__dataclass_params__"] for kind in (each, Usual))
            self.assertEqual([getattr(usual, name) for name in PARAMS], [getattr(params, name) for name in PARAMS])

    def test_default_factory(self) -> None:
        """It is refused, rather than forgotten."""

        class Wrong:
            each: list[int] = field(default_factory=list)

        self.assertRaises(TypeError, frozen, Wrong)
