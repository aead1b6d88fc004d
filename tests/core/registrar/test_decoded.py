"""What holds of a registrar that knows messages by their bytes holds of one that decodes each: its tests, again."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.core.registrar import (
    test_dials,
    test_draining,
    test_foreign_elements,
    test_hands,
    test_limits,
    test_registration,
    test_secured,
    test_supervision,
    test_unconfirmed,
    test_views,
    test_who_what_where,
    test_work,
)
from tests.core.registrar.stage import RegistrarStage


class Decoded:
    """Nothing is known by its bytes."""

    def setUp(self: Any) -> None:
        self.patch(RegistrarStage, "at_once", False)
        super().setUp()  # type: ignore[misc]


def again(*modules: ModuleType) -> Iterator[tuple[str, type[SynchronousTestCase]]]:
    """The test cases of these modules."""
    for module in modules:
        for name, case in vars(module).items():
            if isinstance(case, type) and issubclass(case, SynchronousTestCase) and case.__module__ == module.__name__:
                yield name, type(name, (Decoded, case), {"__module__": __name__})


globals().update(
    again(
        test_dials,
        test_draining,
        test_foreign_elements,
        test_hands,
        test_limits,
        test_registration,
        test_secured,
        test_supervision,
        test_unconfirmed,
        test_views,
        test_who_what_where,
        test_work,
    )
)
