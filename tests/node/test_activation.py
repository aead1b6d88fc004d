"""Listening sockets that systemd has opened."""

from __future__ import annotations

import os
import socket

from twisted.trial.unittest import SynchronousTestCase

from rserpool.node import activation
from rserpool.node.activation import inherited


class ActivationTests(SynchronousTestCase):
    """The descriptors of this very process."""

    def setUp(self) -> None:
        # The second one has the lower descriptor where the collector closes a file between them.
        sockets = (socket.create_server(("127.0.0.1", 0)) for _ in range(2))
        self.sockets = sorted(sockets, key=socket.socket.fileno)
        for each in self.sockets:
            self.addCleanup(each.close)
        first, second = (each.fileno() for each in self.sockets)
        # They are in order only where nobody closed others before.
        self.patch(activation, "FIRST", first)
        self.names = [""] * (second - first + 1)
        self.names[0], self.names[-1] = "asap-tcp", "other"

    def find(self, name: str, address: object, **more: str) -> object:
        environment = {
            "LISTEN_PID": str(os.getpid()),
            "LISTEN_FDS": str(len(self.names)),
            "LISTEN_FDNAMES": ":".join(self.names),
            **more,
        }
        found = inherited(name, address, environment)
        if found is None:
            return None
        self.addCleanup(found.close)
        return found.getsockname()

    def test_by_name(self) -> None:
        """A name counts, wherever the socket is."""
        self.assertEqual(self.sockets[0].getsockname(), self.find("asap-tcp", ("127.0.0.1", 1)))

    def test_by_address(self) -> None:
        """Where nothing has the name, the address counts."""
        place = self.sockets[1].getsockname()
        self.assertEqual(place, self.find("admin", place))
        self.assertIsNone(self.find("admin", ("127.0.0.1", 1)))
        self.assertIsNone(self.find("admin", "/run/admin"))

    def test_not_ours(self) -> None:
        """They are another process's, or there are none."""
        place = self.sockets[0].getsockname()
        self.assertIsNone(self.find("asap-tcp", place, LISTEN_PID="1"))
        self.assertIsNone(self.find("asap-tcp", place, LISTEN_FDS="some"))
        self.assertIsNone(inherited("asap-tcp", place, {}))

    def test_does_not_listen(self) -> None:
        """Another socket is none."""
        with socket.socket() as quiet:
            self.patch(activation, "FIRST", quiet.fileno())
            self.assertIsNone(self.find("asap-tcp", ("127.0.0.1", 0), LISTEN_FDS="1"))
