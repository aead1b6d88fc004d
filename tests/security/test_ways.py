"""Both ways to OpenSSL keep one contract, and the one that this Python would choose is one of them."""

from __future__ import annotations

import ssl

from twisted.trial.unittest import SynchronousTestCase

from rserpool.security import engine
from rserpool.security.context import make_context
from rserpool.security.way import Terms
from tests.security.contract import WayContract

STANDARD = hasattr(ssl.SSLContext, "set_psk_client_callback")


class BindingTests(WayContract, SynchronousTestCase):
    """By the binding on which pyOpenSSL stands."""

    def setUp(self) -> None:
        from rserpool.security.binding import BoundContext

        self.patch(engine, "make_context", BoundContext)


class StandardTests(WayContract, SynchronousTestCase):
    """By C{ssl}."""

    chooses_groups = hasattr(ssl.SSLContext, "set_groups")
    skip = None if STANDARD else "ssl has callbacks for keys since Python 3.13"

    def setUp(self) -> None:
        from rserpool.security.standard import StandardContext

        self.patch(engine, "make_context", StandardContext)


class ChoiceTests(SynchronousTestCase):
    """Which way is taken."""

    def test_public_first(self) -> None:
        """What is public is preferred."""
        name = "StandardContext" if STANDARD else "BoundContext"
        self.assertEqual(name, type(make_context(Terms(False))).__name__)
