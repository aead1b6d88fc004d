"""What is told of a process that cannot start."""

from __future__ import annotations

from errno import EACCES, EADDRINUSE

from twisted.internet.error import CannotListenError
from twisted.trial.unittest import SynchronousTestCase

from rserpool.tap.started import sentence_of


class SentenceTests(SynchronousTestCase):
    """One line, for who has to act on it."""

    def test_another_registrar(self) -> None:
        """Where a port of registrars is taken, what two registrars of one host need, or what the command has for it; of
        other ports it says nothing."""
        taken = OSError(EADDRINUSE, "Address already in use")
        self.assertEqual(
            "cannot listen on 127.0.0.1 port 3863: Address already in use; if a registrar of this host has it, give"
            " this one an address of its own: --asap 127.0.0.2, for example",
            sentence_of(CannotListenError("127.0.0.1", 3863, taken), "rserpool-ns"),
        )
        for name, option in (
            ("rserpool-pe", "behind --"),
            ("rserpool-proxy", "--listen"),
            ("rserpool-worker", "--tcp"),
        ):
            said = sentence_of(CannotListenError("127.0.0.1", 3863, taken), name)
            self.assertIn(option, said)
            self.assertNotIn("--asap", said)
        self.assertEqual(
            "cannot listen on 127.0.0.1 port 80: Address already in use",
            sentence_of(CannotListenError("127.0.0.1", 80, taken), "rserpool-ns"),
        )
        self.assertEqual(
            "cannot listen on any address port 3863: Permission denied",
            sentence_of(CannotListenError("", 3863, OSError(EACCES, "Permission denied")), "rserpool-ns"),
        )
