"""Who is let in: no machine gets all the room, and nobody keeps it in silence (RFC 5352 section 9.1, threat 8)."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core.admission import HELLO, MOMENT, SILENT, Admission

ATTACKER, OTHER, USER = "10.6.6.6", "10.6.6.7", "10.0.2.1"


class AdmissionTests(SynchronousTestCase):
    """Guests are numbers here."""

    def setUp(self) -> None:
        self.now = 0.0
        self.count = 0
        self.gone: list[int] = []

    def come(self, admission: Admission[int], host: str, speaks: bool = False) -> bool:
        """One comes, and whoever has to go for it goes."""
        welcome, victim = admission.room(host, self.now)
        if victim is not None:
            admission.goes(victim)
            self.gone.append(victim)
        if welcome:
            self.count += 1
            admission.comes(self.count, host, self.now)
            if speaks:
                admission.speaks(self.count)
        return welcome

    def test_idle_of_one_machine(self) -> None:
        """1,010 that come from one machine and say nothing: it has its share, and a user of another machine none of
        that; one of the same machine gets the place of one of them."""
        admission: Admission[int] = Admission(960, 480)
        came = sum(self.come(admission, ATTACKER) for _ in range(1010))
        self.assertEqual((came, len(admission)), (480, 480))
        self.assertTrue(self.come(admission, USER, speaks=True))
        self.now += MOMENT
        self.assertTrue(self.come(admission, ATTACKER, speaks=True))
        self.assertEqual(self.gone, [1])

    def test_idle_of_many_machines(self) -> None:
        """Two machines take all room there is, and say something, too: who comes from a third one gets a place."""
        admission: Admission[int] = Admission(960, 480)
        for host in (ATTACKER, OTHER):
            for _ in range(500):
                self.come(admission, host, speaks=True)
        self.assertEqual(len(admission), 960)
        self.assertFalse(self.come(admission, ATTACKER, speaks=True))
        for _ in range(100):
            self.assertTrue(self.come(admission, USER, speaks=True))
        self.assertEqual((len(admission), admission.of(USER), len(self.gone)), (960, 100, 100))

    def test_silent(self) -> None:
        """All but 100 of a machine that say nothing have 10 s, those that came first go; who spoke stays."""
        admission: Admission[int] = Admission(1000, 1000)
        self.come(admission, ATTACKER, speaks=True)
        for _ in range(300):
            self.come(admission, ATTACKER)
        self.assertTrue(admission.crowded)
        self.assertEqual(admission.mute(self.now + HELLO - 0.1), [])
        silent = admission.mute(self.now + HELLO)
        self.assertEqual(silent, list(range(2, 302 - SILENT)))
        for each in silent:
            admission.goes(each)
        self.assertFalse(admission.crowded)

    def test_networks_of_ipv6(self) -> None:
        """A machine has as many IPv6 addresses as it likes."""
        admission: Admission[int] = Admission(100, 10)
        came = sum(self.come(admission, f"2001:db8::{number:x}") for number in range(1, 50))
        self.assertEqual(came, 10)

    def test_who_is_not_there(self) -> None:
        """Nothing comes of those that went, or never came."""
        admission: Admission[int] = Admission(1, 1)
        admission.speaks(7)
        admission.goes(7)
        self.come(admission, USER)
        admission.goes(1)
        admission.goes(1)
        self.assertEqual((len(admission), admission.of(USER)), (0, 0))
