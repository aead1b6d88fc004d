"""Who is to be dialled has dialled us, and its TLS handshake is under way (RFC 9260 section 1.3)."""

from __future__ import annotations

from typing import Any

from rserpool.sctp.tls.attempt import Attempt, NotNeeded
from tests.sctp.test_tls import ANSWER, TlsCase
from tests.sctp.tls_case import KEYS, tls_channel


class AttemptTests(TlsCase):
    """The server dials the client while that has no more than a handshake with it."""

    def setUp(self) -> None:
        super().setUp()
        self.ends(tls_channel(KEYS), tls_channel(KEYS))
        self.attempts: list[Any] = []
        up = self.server.associationUp

        def meanwhile(association: Any) -> None:
            up(association)
            self.attempts.append(self.server.connect(self.here))

        self.server.associationUp = meanwhile

    def lost(self) -> list[tuple[Any, Any]]:
        return [(association, reason) for association, reason in self.accepting.lost]

    def test_not_needed(self) -> None:
        """One association comes of it, and lives; the attempt is lost when that is up, and never up itself."""
        association = self.client.connect(self.there)
        self.run_for()
        (attempt,) = self.attempts
        self.assertIsInstance(attempt, Attempt)
        (accepted,) = self.accepting.up
        self.assertTrue(accepted.established and association.established)
        ((lost, reason),) = self.lost()
        self.assertIs(attempt, lost)
        reason.trap(NotNeeded)
        attempt.send(ANSWER)
        accepted.send(ANSWER)
        self.run_for()
        self.assertEqual(1, len(self.connecting.received))

    def test_given_up(self) -> None:
        """Who gives the attempt up ends nothing but that."""
        up = self.server.associationUp

        def given_up(association: Any) -> None:
            up(association)
            self.attempts[-1].abort()

        self.server.associationUp = given_up
        association = self.client.connect(self.there)
        self.run_for()
        self.assertEqual([self.attempts[0]], [lost for lost, _ in self.lost()])
        self.assertTrue(association.established and self.accepting.up[0].established)

    def test_failed(self) -> None:
        """When the handshake fails the attempt is lost all the same: who wants the peer dials again."""
        self.client.channel.sides.client = None
        self.client.connect(self.there)
        self.run_for()
        self.assertEqual([self.attempts[0]], [lost for lost, _ in self.lost()])
        self.assertEqual([], self.accepting.up)
        self.assertNotIsInstance(self.server.connect(self.here), Attempt)
        self.run_for(30)
