"""Pool handles in the hosts of URLs."""

from __future__ import annotations

from pathlib import Path

from hyperlink import DecodedURL
from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import URI

from rserpool.core import ConfigurationError
from rserpool.web import PoolHosts, WebPool, handle_of_host, host_of, read_hosts
from tests.core.wire.strategies import DETERMINISTIC

HANDLES = st.one_of(
    st.binary(min_size=1, max_size=70),
    st.text(alphabet="abxX-._0", min_size=1, max_size=70).map(str.encode),
    st.text(alphabet="x-2d.a", min_size=1, max_size=40).map(str.encode),
)


class EscapeTests(SynchronousTestCase):
    """Every handle has a host name, unless that would be too long."""

    @DETERMINISTIC
    @given(HANDLES)
    @example(b"x-ray")
    @example(b"x-ray-2e")
    @example(b"a" * 64)
    @example(b"xn--bcher-kva")
    @example(b"127.0.0.1")
    @example(b"::1")
    def test_round_trip(self, handle: bytes) -> None:
        """Through every library that folds and checks: hyperlink (treq's) and Twisted's."""
        host = host_of(handle)
        url = DecodedURL.from_text(f"http://{host.upper()}/path").to_uri().to_text()
        self.assertEqual(f"http://{host}/path", url)
        seen = URI.fromBytes(url.encode("ascii")).host.decode("ascii")
        self.assertEqual(handle, handle_of_host(seen))

    @DETERMINISTIC
    @given(st.text(max_size=300))
    def test_any_host(self, host: str) -> None:
        """Any text is the host name of one pool, or a mistake."""
        try:
            handle_of_host(host)
        except ConfigurationError:
            pass

    def test_plain(self) -> None:
        """What is a host name already is left alone."""
        for handle in ("www", "web.example", "a--b", "0", "x-ray", "x-", "x"):
            if handle != "x-":
                self.assertEqual(handle, host_of(handle))
            self.assertEqual(handle.encode(), handle_of_host(host_of(handle)))

    def test_as_documented(self) -> None:
        """The examples of the documentation."""
        self.assertEqual("x--4dy-20-50ool", host_of("My Pool"))
        self.assertEqual(b"My Pool", handle_of_host("x--4dy-20-50ool"))
        self.assertEqual("x--57-57-57", host_of("WWW"))

    def test_folded(self) -> None:
        """Upper case and a dot at the end change nothing."""
        self.assertEqual(b"www", handle_of_host("WWW."))
        self.assertEqual(b"My Pool", handle_of_host("X--4DY-20-50OOL"))

    def test_letters(self) -> None:
        """Other letters come as RFC 5890 has them, in lower case."""
        host = DecodedURL.from_text("http://Größe/").to_uri().host
        self.assertEqual("größe".encode(), handle_of_host(host))
        self.assertEqual("größe".encode(), handle_of_host("Größe"))

    def test_mistakes(self) -> None:
        """What stands for no pool."""
        for host in ("", ".", "127.0.0.1", "::1", "xn--zzzzzzzzzzzz", "a" * 300):
            with self.assertRaises(ConfigurationError):
                handle_of_host(host)

    def test_too_long(self) -> None:
        """An escape that no host name can hold, and a handle of nothing."""
        with self.assertRaises(ConfigurationError) as raised:
            host_of("A" * 100)
        self.assertIn("table", str(raised.exception))
        with self.assertRaises(ConfigurationError):
            host_of(b"")


class TableTests(SynchronousTestCase):
    """What the configuration says."""

    def test_hosts(self) -> None:
        """A host of the table stands for what the table says; others for themselves."""
        hosts = PoolHosts({"Shop.Example": "The Shop", "größe": b"\x00"})
        self.assertEqual(WebPool(b"The Shop"), hosts.pool("shop.example."))
        self.assertEqual(WebPool(b"\x00"), hosts.pool("xn--gre-6ka8i"))
        self.assertEqual(WebPool(b"other"), hosts.pool("other"))

    def test_certificates(self) -> None:
        """The name of the pool, whichever host it goes by; or the one for all."""
        hosts = PoolHosts({"shop": "The Shop"}, {"The Shop": "shop.example"}, "all.example")
        for host in ("shop", host_of("The Shop")):
            self.assertEqual(WebPool(b"The Shop", "shop.example"), hosts.pool(host))
        self.assertEqual(WebPool(b"other", "all.example"), hosts.pool("other"))

    def test_twice(self) -> None:
        """Two spellings of one host."""
        with self.assertRaises(ConfigurationError):
            PoolHosts({"shop": "a", "SHOP": "b"})

    def write(self, text: str) -> str:
        path = self.mktemp()
        Path(path).write_text(text, "utf-8")
        return path

    def test_file(self) -> None:
        """From a file."""
        hosts = read_hosts(
            self.write(
                'certificate = "all.example"\n[hosts]\n"shop.example" = "The Shop"\n'
                '[certificates]\n"The Shop" = "shop.example"\n'
            )
        )
        self.assertEqual(WebPool(b"The Shop", "shop.example"), hosts.pool("shop.example"))
        self.assertEqual(WebPool(b"www", "all.example"), hosts.pool("www"))

    def test_bad_file(self) -> None:
        """A mistake is named, with the file."""
        for text, part in (
            ("hosts", "="),
            ("hosts = 1", "hosts"),
            ("[hosts]\na = 1", "hosts"),
            ("certificate = 1", "certificate"),
            ("[certs]\na = 'b'", "certs"),
        ):
            path = self.write(text)
            with self.assertRaises(ConfigurationError) as raised:
                read_hosts(path)
            self.assertIn(part, str(raised.exception))
            self.assertIn(path, str(raised.exception))
