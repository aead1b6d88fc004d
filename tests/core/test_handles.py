"""Pool handles as people write them."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import ConfigurationError
from rserpool.core.handles import LONGEST, handle_of
from rserpool.core.wire import asap
from tests.core.stage import element


class LengthTests(SynchronousTestCase):
    """Whoever names a pool hears at once that its name is too long."""

    def test_longest(self) -> None:
        """A handle that is taken fits requests."""
        handle = handle_of("x" * LONGEST)
        for request in (asap.HandleResolution(handle, True, 1), asap.Registration(handle, element(1))):
            self.assertEqual(request, asap.decode(asap.encode(request)).message)

    def test_too_long(self) -> None:
        with self.assertRaisesRegex(ConfigurationError, "65001 bytes fits no message"):
            handle_of(b"x" * (LONGEST + 1))
