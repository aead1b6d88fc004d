"""The options of C{twistd rserpool-proxy}."""

from __future__ import annotations

from typing import Any

from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactor
from twisted.trial.unittest import SynchronousTestCase

from rserpool.core.errors import ConfigurationError
from rserpool.core.profiles import FAST
from rserpool.proxy.listening import server_endpoint
from rserpool.tap.proxy import Options, makeService


class OptionTests(SynchronousTestCase):
    """What is read, and what is refused."""

    def read(self, *words: str) -> Options:
        options = Options()
        options.parseOptions(list(words))
        return options

    def test_values(self) -> None:
        """Every option ends where it belongs."""
        options = self.read(
            *("--pool", "www", "--listen", "8080", "--listen", "unix:/run/www", "--registrar", "10.0.0.1:3863"),
            *("--transport", "tcp", "--limit", "7", "--grace", "0", "--timeout", "2.5", "--drop", "--profile", "fast"),
        )
        self.assertEqual(["8080", "unix:/run/www"], options.listen)
        self.assertEqual({"limit": 7, "grace": 0.0, "timeout": 2.5, "drop": True}, options.settings)
        self.assertEqual(("tcp", FAST), (options.user["transport"], options.user["profile"]))
        self.assertEqual("10.0.0.1:3863", str(options.user["registrars"][0]))

    def test_places(self) -> None:
        """A HOST:PORT, as elsewhere, is a TCP port at that address."""
        for text, interface, port in (
            ("127.77.1.5:8080", "127.77.1.5", 8080),
            ("0.0.0.0:0", "0.0.0.0", 0),  # noqa: S104
            ("[::1]:81", "::1", 81),
            ("82", "127.0.0.1", 82),
            ("tcp:83", "", 83),
        ):
            memory: Any = MemoryReactor()
            server_endpoint(memory, text).listen(Factory())
            ((at, *_, where),) = memory.tcpServers
            self.assertEqual((port, interface), (at, where), text)
        for wrong in ("127.0.0.1:99999", "::1:80", "[127.0.0.1]:80", "www:80", ":80", "127.0.0.1:"):
            with self.assertRaisesRegex(ConfigurationError, "no server endpoint; write for example"):
                server_endpoint(MemoryReactor(), wrong)

    def test_mistakes(self) -> None:
        """One sentence that names the option."""
        at = ("--pool", "www", "--listen", "8080")
        for sentence, *words in (
            ("--pool NAME is needed", "--listen", "8080"),
            ("--listen ENDPOINT is needed", "--pool", "www"),
            ("--registrar: 'no:where'", *at, "--registrar", "no:where"),
            ("--tls: --tls-ca goes with --tls NAME", *at, "--tls-ca", "ca.pem"),
            ("--tls: 'a..b' is no name of a certificate", *at, "--tls", "a..b"),
            ("--tls: nowhere.pem: it cannot be read", *at, "--tls", "a.example", "--tls-ca", "nowhere.pem"),
            ("--transport: there is no transport 'udp'", *at, "--transport", "udp"),
            ("--limit: 0 is not between", *at, "--limit", "0"),
            ("--grace: 'x' is not a number of seconds", *at, "--grace", "x"),
            ("--profile: ", *at, "--profile", "slow"),
        ):
            with self.assertRaises(SystemExit) as raised:
                self.read(*words)
            self.assertIn(f"twistd rserpool-proxy: {sentence}", str(raised.exception))
        with self.assertRaisesRegex(SystemExit, "twistd rserpool-proxy: --listen: 'nonsense:1' is no server endpoint"):
            makeService(self.read("--pool", "www", "--listen", "nonsense:1"))
