"""Cookies: what an element believes, and what it refuses (RFC 5352 section 3.8, RFC 5355 section 2.16)."""

from __future__ import annotations

import os
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import ConfigurationError, CookieRefused
from rserpool.core.session.cookies import LONGEST_STATE
from rserpool.core.wire import asap
from rserpool.session import KeyRing, SignedCookies, UnsignedCookies, parse_keys

OLD, NEW = b"o" * 16, b"n" * 32
POOL = b"pool"
WALL = 1_700_000_000.0


class SignedTests(SynchronousTestCase):
    """Signed, with an age and a pool."""

    def setUp(self) -> None:
        self.cookies = SignedCookies(KeyRing({"new": NEW}), max_age=100.0, skew=10.0)
        self.cookie = self.cookies.seal(b"state", POOL, WALL)

    def refused(self, sentence: str, cookie: bytes, pools: tuple[bytes, ...] = (POOL,), wall: float = WALL) -> None:
        with self.assertRaisesRegex(CookieRefused, sentence):
            self.cookies.open(cookie, pools, wall)

    def test_another_element_with_the_key_believes_it(self) -> None:
        another = SignedCookies(KeyRing({"any name": NEW}))
        self.assertEqual(another.open(self.cookie, (b"other", POOL), WALL + 50), b"state")

    def test_forged(self) -> None:
        """Whatever is changed, and whoever signed."""
        for place in range(len(self.cookie)):
            forged = bytearray(self.cookie)
            forged[place] ^= 1
            self.refused("signature|not a signed cookie|version|does not have", bytes(forged))
        self.refused("does not have", SignedCookies(KeyRing({"new": b"x" * 32})).seal(b"state", POOL, WALL))

    def test_of_another_version(self) -> None:
        """Of an older or a newer one: that is said, whatever else it is."""
        for version in (0, 2):
            other = self.cookie[:4] + bytes([version]) + self.cookie[5:]
            self.refused(f"it is of version {version}, and we know version 1", other)

    def test_not_ours(self) -> None:
        for cookie in (b"", b"state", self.cookie[:40], bytes(200)):
            self.refused("not a signed cookie", cookie)

    def test_of_another_pool(self) -> None:
        self.refused("of the pool 'pool'", self.cookie, (b"other",))

    def test_too_old(self) -> None:
        """A clock that is behind by no more than the skew makes no cookie too old."""
        self.assertEqual(self.cookies.open(self.cookie, (POOL,), WALL + 110), b"state")
        self.refused("it is 111 s old, and may be 100 s old", self.cookie, wall=WALL + 111)

    def test_from_the_future(self) -> None:
        self.assertEqual(self.cookies.open(self.cookie, (POOL,), WALL - 10), b"state")
        self.refused("the clocks of two elements differ", self.cookie, wall=WALL - 11)

    def test_longest_state_fits_its_message(self) -> None:
        for cookies in (self.cookies, SignedCookies(KeyRing({"new": NEW}), nonce=os.urandom)):
            cookie = cookies.seal(bytes(LONGEST_STATE), b"p" * 255, WALL)
            echo = asap.CookieEcho(cookie)
            self.assertEqual(asap.decode(asap.encode(echo)).message, echo)
            with self.assertRaisesRegex(ValueError, "60000 bytes"):
                cookies.seal(bytes(LONGEST_STATE + 1), POOL, WALL)

    @settings(max_examples=200, deadline=None)
    @given(cookie=st.binary(max_size=200), head=st.booleans())
    def test_any_bytes_are_refused(self, cookie: bytes, head: bool) -> None:
        """By L{CookieRefused}, and nothing else."""
        with self.assertRaises(CookieRefused):
            self.cookies.open((self.cookie[:24] if head else b"") + cookie, (POOL,), WALL)


class RotationTests(SynchronousTestCase):
    """Keys are changed without a break."""

    def test_at_every_step_all_elements_understand_each_other(self) -> None:
        """New key beside the old one; then sign with the new one; then without the old one."""
        steps = [
            ({"old": OLD}, "old"),
            ({"old": OLD, "new": NEW}, "old"),
            ({"old": OLD, "new": NEW}, "new"),
            ({"new": NEW}, "new"),
        ]
        for (before, signs), (after, will_sign) in zip(steps, steps[1:], strict=False):
            one, other = SignedCookies(KeyRing(before, signs)), SignedCookies(KeyRing(after, will_sign))
            for maker, reader in ((one, other), (other, one)):
                self.assertEqual(reader.open(maker.seal(b"state", POOL, WALL), (POOL,), WALL), b"state")

    def test_a_ring_is_replaced_in_place(self) -> None:
        ring = KeyRing({"old": OLD})
        cookies = SignedCookies(ring)
        cookie = cookies.seal(b"state", POOL, WALL)
        ring.replace({"old": OLD, "new": NEW})
        self.assertEqual(cookies.open(cookie, (POOL,), WALL), b"state")
        ring.replace({"new": NEW})
        with self.assertRaisesRegex(CookieRefused, "a key that this element does not have"):
            cookies.open(cookie, (POOL,), WALL)

    def test_bad_keys(self) -> None:
        for keys, current, sentence in (
            ({}, None, "need a key"),
            ({"k": b"short"}, None, "'k' has 5 bytes; at least 16"),
            ({"k": NEW}, "other", "no key 'other'"),
        ):
            with self.assertRaisesRegex(ConfigurationError, sentence):
                KeyRing(keys, current)

    def test_read(self) -> None:
        text = f"# comment\nold {OLD.hex()}\n\nnew {NEW.hex()}  # since today\n"
        self.assertEqual(parse_keys(text), {"old": OLD, "new": NEW})
        with self.assertRaises(ConfigurationError) as caught:
            parse_keys(f"old {OLD.hex()}\nnew {NEW.hex()}q")
        self.assertEqual(str(caught.exception), "line 2 of the keys is not NAME HEXADECIMAL")


class EncryptedTests(SynchronousTestCase):
    """Encrypted, too."""

    def setUp(self) -> None:
        self.random = Random(1)
        self.cookies = SignedCookies(KeyRing({"new": NEW}), nonce=self.random.randbytes)

    def test_nobody_can_read_it(self) -> None:
        cookie = self.cookies.seal(b"a secret state", POOL, WALL)
        self.assertNotIn(b"secret", cookie)
        self.assertEqual(self.cookies.open(cookie, (POOL,), WALL), b"a secret state")
        self.assertNotEqual(self.cookies.seal(b"a secret state", POOL, WALL), cookie)

    def test_an_element_that_does_not_encrypt_yet_understands_it(self) -> None:
        plain = SignedCookies(KeyRing({"new": NEW}))
        self.assertEqual(plain.open(self.cookies.seal(b"state", POOL, WALL), (POOL,), WALL), b"state")
        self.assertEqual(self.cookies.open(plain.seal(b"state", POOL, WALL), (POOL,), WALL), b"state")

    def test_forged(self) -> None:
        cookie = bytearray(self.cookies.seal(b"state", POOL, WALL))
        cookie[-40] ^= 1
        with self.assertRaises(CookieRefused):
            self.cookies.open(bytes(cookie), (POOL,), WALL)


class UnsignedTests(SynchronousTestCase):
    """The state as it is."""

    def test_as_it_is(self) -> None:
        cookies = UnsignedCookies()
        self.assertEqual(cookies.seal(b"state", POOL, WALL), b"state")
        self.assertEqual(cookies.open(b"anything", (), 0.0), b"anything")
