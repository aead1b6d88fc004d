"""What a subcommand tells of what is logged while it runs."""

from __future__ import annotations

from errno import EADDRINUSE, ENOENT
from io import StringIO

from twisted.internet.error import CannotListenError, ReactorNotRunning
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from rserpool.cli.codes import OTHER
from rserpool.cli.running import explain, observer


class ExplainTests(SynchronousTestCase):
    """L{explain}."""

    def test_where_it_cannot_listen(self) -> None:
        """As the roles that twistd starts say it."""
        taken = CannotListenError("127.0.0.1", 80, OSError(EADDRINUSE, "Address already in use"))
        said = "cannot listen on 127.0.0.1 port 80: Address already in use"
        self.assertEqual((OTHER, said), explain(taken))
        missing = OSError(ENOENT, "No such file or directory", "217", None, b"/run/none/x.lock")
        self.assertEqual((OTHER, "/run/none/x.lock: No such file or directory"), explain(missing))


class ObserverTests(SynchronousTestCase):
    """L{observer}."""

    def setUp(self) -> None:
        self.stream = StringIO()
        self.log = Logger("rserpool.test", observer=observer(self.stream))

    def test_sentences(self) -> None:
        """Warnings and worse are told."""
        self.log.info("nothing new")
        self.log.warn("{what} is gone", what="it")
        self.log.failure("while it ran", Failure(ValueError("wrong")))
        self.assertEqual("rserpool: it is gone\nrserpool: while it ran\n", self.stream.getvalue())

    def test_ended_twice(self) -> None:
        """The reactor minds the second of two signals that end it, as C{timeout} sends them; nobody else does."""
        self.log.failure("while calling from thread", Failure(ReactorNotRunning("it has stopped")))
        self.assertEqual("", self.stream.getvalue())
