"""The options of the services' twistd plugins."""

from __future__ import annotations

from typing import Any

from twisted.application.service import IServiceMaker
from twisted.internet.endpoints import TCP6ServerEndpoint
from twisted.internet.task import Clock
from twisted.plugin import getPlugins
from twisted.trial.unittest import SynchronousTestCase

from rserpool.sctp import SctpServerEndpoint
from rserpool.services import Terms
from rserpool.session import SignedCookies, UnsignedCookies
from rserpool.tap.pe import Options as ElementOptions


class OptionTests(SynchronousTestCase):
    """What each command line makes, and what is wrong with it."""

    def options(self, name: str, *words: str) -> Any:
        (maker,) = (maker for maker in getPlugins(IServiceMaker) if maker.tapname == name)
        options: Any = maker.options()
        options.parseOptions(list(words))
        return options

    def test_services(self) -> None:
        """Over SCTP at any port by default; over TCP where it is wanted."""
        for name in ("echo", "discard", "daytime", "chargen", "pingpong", "calcapp", "fractal"):
            options = self.options(f"rserpool-{name}")
            self.assertEqual(("sctp", ("127.0.0.1",), 0), (options.protocol, options.place.hosts, options.place.port))
            self.assertIn(f"rserpool-{name}", options.getUsage())
        options = self.options("rserpool-echo", "--tcp", "[::1]:7")
        self.assertEqual(("tcp", ("::1",), 7), (options.protocol, options.place.hosts, options.place.port))

    def test_where(self) -> None:
        """In rserpool-pe a service is where its element is, and nowhere else, unless its own options say so."""
        for words, hosts in (
            ((), ("127.0.0.1",)),
            (("--registrar", "[::1]:3863"), ("::1",)),
            (("--address", "10.1.1.1,10.2.1.1"), ("10.1.1.1", "10.2.1.1")),
        ):
            options: Any = ElementOptions()
            options.parseOptions([*words, "--", "rserpool-echo", "--sctp", "7"])
            self.assertEqual((hosts, 7), (options.inner.place.hosts, options.inner.place.port))
        options = ElementOptions()
        options.parseOptions(["--", "rserpool-echo", "--sctp", "0.0.0.0:7"])
        self.assertEqual(("0.0.0.0",), options.inner.place.hosts)

    def test_makes(self) -> None:
        """A service with an endpoint and a factory."""
        from rserpool.tap import classic

        service: Any = classic.makeService(self.options("rserpool-chargen", "--sctp", "127.0.0.1:9"))
        self.assertIsInstance(service.endpoint.inner, SctpServerEndpoint)
        service = classic.makeService(self.options("rserpool-pingpong", "--tcp", "[::1]:9", "--fail-after", "3"))
        self.assertIsInstance(service.endpoint.inner, TCP6ServerEndpoint)
        self.assertEqual(3, service.factory.fail_after)
        self.assertIsInstance(service.factory.cookies, UnsignedCookies)

    def test_calcapp(self) -> None:
        """What an element of CalcApp offers."""
        options = self.options("rserpool-calcapp", "--capacity", "1e9", "--jobs", "3", "--cookie-seconds", "0.5")
        self.assertEqual(Terms(1e9, 3, 0.5), options.factory(Clock()).calculator.terms)

    def test_fractal(self) -> None:
        """When an element of the fractal generator leaves cookies."""
        options = self.options("rserpool-fractal", "--cookie-seconds", "0.5", "--cookie-messages", "7")
        painter = options.factory(Clock()).painter
        self.assertEqual((0.5, 7), (painter.cookie_seconds, painter.cookie_messages))

    def test_keys(self) -> None:
        """Cookies are signed with the keys of a file."""
        path = self.mktemp()
        with open(path, "w", encoding="ascii") as file:
            file.write("2026 " + "ab" * 16 + "\n")
        options = self.options("rserpool-pingpong", "--cookie-keys", path)
        self.assertIsInstance(options.factory(None).cookies, SignedCookies)

    def test_keys_change(self) -> None:
        """The file is followed while the service runs."""
        from rserpool.tap import classic

        path = self.mktemp()
        with open(path, "w", encoding="ascii") as file:
            file.write("2026 " + "ab" * 16 + "\n")
        options = self.options("rserpool-pingpong", "--tcp", "127.0.0.1:0", "--cookie-keys", path)
        services: Any = classic.makeService(options)
        keys, serving = services
        before = keys.ring.current
        with open(path, "a", encoding="ascii") as file:
            file.write("2027 " + "cd" * 16 + "\n")
        keys.look()
        self.assertNotEqual(before, keys.ring.current)
        self.assertIsInstance(serving.factory.cookies, SignedCookies)

    def test_wrong(self) -> None:
        """A sentence that names the option."""
        for words, sentence in (
            (("rserpool-echo", "--tcp", "x"), "--tcp: '127.0.0.1:x': 'x' is not a port number"),
            (("rserpool-echo", "--tcp", "1", "--sctp", "2"), "--sctp and --tcp exclude each other"),
            (
                ("rserpool-pingpong", "--cookie-keys", "/nonexistent"),
                "--cookie-keys: /nonexistent: the keys of cookies cannot be read: No such file or directory (see",
            ),
            (("rserpool-pingpong", "--fail-after", "0"), "--fail-after: 0 is not between"),
            (("rserpool-calcapp", "--capacity", "0"), "--capacity: '0' is not a number above 0"),
        ):
            with self.assertRaises(SystemExit) as ended:
                self.options(*words)
            self.assertIn(sentence, str(ended.exception))

    def test_backend(self) -> None:
        """The plugin has that of C{rserpool-pe}, unless it names its own."""
        for words, expected in ((("rserpool-echo",), "usrsctp"), (("rserpool-echo", "--backend", "auto"), "auto")):
            options: Any = ElementOptions()
            options.parseOptions(["--backend", "usrsctp", "--", *words])
            self.assertEqual(expected, options.inner.backend)

    def test_default_pool(self) -> None:
        """C{rserpool-pe} knows the pool of each; other plugins need C{--pool}."""
        options: Any = ElementOptions()
        options.parseOptions(["--", "rserpool-pingpong"])
        self.assertEqual(["PingPongPool"], options.pools)
        options = ElementOptions()
        options.parseOptions(["--pool", "other", "--", "rserpool-echo", "--tcp", "0"])
        self.assertEqual(["other"], options.pools)
        with self.assertRaises(SystemExit) as ended:
            ElementOptions().parseOptions(["--", "web"])
        self.assertIn("--pool NAME is needed", str(ended.exception))
