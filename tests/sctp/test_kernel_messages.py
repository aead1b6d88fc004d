"""What reads the kernel's SCTP, compiled and in Python: how it deals with a socket; the lab has what SCTP adds."""

from __future__ import annotations

import socket
from errno import EBADF, ENOTSOCK

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from rserpool.sctp.compiled import MESSAGES
from rserpool.sctp.kernel.messages import AT_ONCE, Came, Receive, receive, receiving

_IP_PKTINFO = 8  # Linux's


def both() -> dict[str, Receive]:
    """The ways of reading that there are here."""
    module = MESSAGES.load()
    return {"Python": receive} if module is None else {"Python": receive, "compiled": module.receive}


def plain(data: bytes) -> Came:
    """A message of a socket that is not SCTP's."""
    return 0, data, 0, 0, False, False, False


class ReceiveTests(SynchronousTestCase):
    """Local sockets that keep messages apart."""

    def pair(self) -> tuple[socket.socket, socket.socket]:
        here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.addCleanup(here.close)
        self.addCleanup(there.close)
        here.setblocking(False)
        return here, there

    def test_all_at_once(self) -> None:
        """What is there comes together, in order; then there is nothing."""
        for name, read in both().items():
            with self.subTest(name):
                here, there = self.pair()
                for data in (b"one", b"two" * 10000, b"three"):
                    there.send(data)
                self.assertEqual(([plain(b"one"), plain(b"two" * 10000), plain(b"three")], False), read(here))
                self.assertEqual(([], False), read(here))

    def test_bounded(self) -> None:
        """Where many are there, it says that there may be more."""
        for name, read in both().items():
            with self.subTest(name):
                here, there = self.pair()
                sent = [plain(b"%d" % number) for number in range(AT_ONCE + 1)]
                for each in sent:
                    there.send(each[1])
                self.assertEqual((sent[:AT_ONCE], True), read(here))
                self.assertEqual((sent[AT_ONCE:], False), read(here))

    def test_end_of_file(self) -> None:
        """It comes once, behind what came before it."""
        for name, read in both().items():
            with self.subTest(name):
                here, there = self.pair()
                there.send(b"last")
                there.close()
                self.assertEqual(([plain(b"last"), plain(b"")], False), read(here))
                self.assertEqual(([plain(b"")], False), read(here))

    def test_strange_words_beside(self) -> None:
        """What another protocol says beside a message is passed over."""
        for name, read in both().items():
            with self.subTest(name), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as here:
                here.setblocking(False)
                here.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
                here.bind(("127.0.0.1", 0))
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as there:
                    there.sendto(b"data", here.getsockname())
                    there.sendto(b"", here.getsockname())
                self.assertEqual(([plain(b"data"), plain(b"")], False), read(here))

    def test_no_socket(self) -> None:
        """A socket that is closed, or none, ends in the system's error."""
        for name, read in both().items():
            with self.subTest(name):
                here, _ = self.pair()
                here.close()
                self.assertEqual(EBADF, self.assertRaises(OSError, read, here).errno)
        with open("/dev/null", "rb") as file:
            compiled = both().get("compiled")
            if compiled is not None:
                self.assertEqual(ENOTSOCK, self.assertRaises(OSError, compiled, file).errno)
                self.assertRaises(AttributeError, compiled, None)

    def test_compiled_where_there_is_one(self) -> None:
        module = MESSAGES.load()
        if module is None:
            self.assertIs(receive, receiving())
            raise SkipTest("nothing is compiled here, or it is not wanted")
        self.assertIs(module.receive, receiving())
