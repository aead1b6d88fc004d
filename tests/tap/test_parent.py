"""A wrapped plugin's options see C{twistd}'s as if the plugin were run alone."""

from __future__ import annotations

from typing import Any

from twisted.python import usage
from twisted.scripts._twistd_unix import ServerOptions
from twisted.trial.unittest import SynchronousTestCase

from rserpool.tap.parent import parent_for
from rserpool.tap.pe import ElementOptions


class ParentTests(SynchronousTestCase):
    """The parent of a plugin's options."""

    def setUp(self) -> None:
        self.twistd: Any = ServerOptions()
        self.twistd.subCommand = "rserpool-pe"
        self.inner = usage.Options()
        self.parent: Any = parent_for(self.twistd, "served", self.inner)

    def test_subcommand(self) -> None:
        """It is the subcommand, for itself alone."""
        self.assertEqual(("served", self.inner), (self.parent.subCommand, self.parent.subOptions))
        self.assertEqual("rserpool-pe", self.twistd.subCommand)
        self.assertIsInstance(self.parent, ServerOptions)

    def test_values(self) -> None:
        """Options of twistd are read as they are now, and may be set."""
        self.twistd["no_save"] = True
        self.assertTrue(self.parent["no_save"] and self.parent.get("no_save"))
        self.assertEqual(dict(self.twistd), dict(self.parent))
        self.assertEqual(list(self.twistd), list(self.parent))
        self.assertIn("logfile", self.parent)
        self.parent["logfile"] = "elsewhere"
        self.parent.found = 1
        self.parent.subCommand = "other"
        self.assertEqual(("elsewhere", 1), (self.twistd["logfile"], self.twistd.found))
        self.assertEqual(("other", "rserpool-pe"), (self.parent.subCommand, self.twistd.subCommand))
        del self.parent["logfile"]
        self.assertNotIn("logfile", self.twistd)
        self.assertEqual((len(self.twistd), str(self.twistd)), (len(self.parent), str(self.parent)))
        self.assertEqual(self.parent, self.parent)
        self.assertEqual(1, len({self.parent, self.parent}))

    def test_none(self) -> None:
        """Options without a parent have none."""
        self.assertIsNone(parent_for(None, "served", self.inner))

    def test_wrapped(self) -> None:
        """What C{twistd rserpool-pe -- web} hands to web."""
        options = ElementOptions()
        options.parent = self.twistd
        options.parseOptions(["--pool", "pool", "--", "web"])
        self.assertEqual(("web", options.inner), (options.inner.parent.subCommand, options.inner.parent.subOptions))
