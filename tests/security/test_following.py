"""Files that change while a process runs; certificates that end."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.logger import LogLevel, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from rserpool.security.following import AGAIN, EXPIRY, LOOK, Secured, SecurityFiles
from rserpool.security.making import new_ca, new_certificate
from rserpool.security.settings import Certificate, Security

ONE, TWO, THREE = (os.urandom(32).hex() for _ in range(3))
NOW = datetime(2027, 1, 1, tzinfo=UTC)


class Case(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.log: Any = []
        observer: Any = self.log.append
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def told(self, level: LogLevel) -> list[str]:
        found = [each["log_format"].format(**each) for each in self.log if each["log_level"] is level]
        self.log.clear()
        return found


class FilesTests(Case):
    def setUp(self) -> None:
        super().setUp()
        self.path = Path(self.mktemp())
        self.path.mkdir()
        self.write("own.key", f"reg1:{ONE}\n")
        self.write("elements.keys", f"web1:{TWO}\n")
        self.files = SecurityFiles(self.path, wall=self.clock.seconds)
        self.files.start(self.clock)
        self.addCleanup(self.files.stop)
        self.seen: list[Security] = []
        self.files.watch(self.seen.append)

    def write(self, name: str, text: str) -> None:
        """As who writes a file anew: a moment later than before."""
        path = self.path / name
        path.write_text(text)
        path.chmod(0o600)
        self.moment = getattr(self, "moment", 0) + 1
        os.utime(path, (self.moment, self.moment))

    def elements(self) -> list[str]:
        return list(self.files.current.elements)

    def test_change(self) -> None:
        """A change counts at the second look that sees it, and is told without the key."""
        self.write("elements.keys", f"web1:{TWO}\nweb2:{THREE}\n")
        self.clock.advance(LOOK)
        self.assertEqual(["web1"], self.elements())
        self.clock.advance(LOOK)
        self.assertEqual(["web1", "web2"], self.elements())
        self.assertEqual([self.files.current], self.seen)
        told = self.told(LogLevel.info)
        self.assertEqual([f"security {self.path}: keys of elements added: web2"], told)

    def test_nothing_new(self) -> None:
        """Files that stay as they are tell nothing."""
        self.clock.pump([LOOK] * 5)
        self.assertEqual([], self.seen)

    def test_while_it_is_written(self) -> None:
        """Nothing counts while the file grows: who stands further down is not cut off."""
        self.write("elements.keys", f"web2:{THREE}\n")
        self.clock.advance(LOOK)
        self.write("elements.keys", f"web2:{THREE}\nweb1:{TWO}\n")
        self.clock.pump([LOOK] * 2)
        self.assertEqual([["web2", "web1"]], [list(each.elements) for each in self.seen])

    def test_broken(self) -> None:
        """A broken file changes nothing, and is told once; the mended one counts."""
        self.write("elements.keys", f"web1:{TWO}\nweb2:{THREE[:20]}")
        self.clock.pump([LOOK] * 5)
        self.assertEqual((["web1"], []), (self.elements(), self.seen))
        (error,) = self.told(LogLevel.error)
        self.assertIn("elements.keys, line 2", error)
        self.assertIn("nothing changes until this is mended", error)
        self.assertNotIn(THREE[:10], error)
        self.write("elements.keys", f"web1:{TWO}\nweb2:{THREE}\n")
        self.clock.pump([LOOK] * 2)
        self.assertEqual(["web1", "web2"], self.elements())

    def test_gone(self) -> None:
        """A file that is gone takes no keys away; one that is empty does."""
        (self.path / "elements.keys").unlink()
        self.clock.pump([LOOK] * 2)
        self.assertEqual(["web1"], self.elements())
        self.assertIn("it is gone; to take keys away, leave it there and empty it", self.told(LogLevel.error)[0])
        self.write("elements.keys", "")
        self.clock.pump([LOOK] * 2)
        self.assertEqual([], self.elements())

    def test_readable_by_others(self) -> None:
        """Who makes a file readable for others is told, and the keys stay."""
        (self.path / "elements.keys").chmod(0o644)
        self.clock.pump([LOOK] * 2)
        self.assertEqual(["web1"], self.elements())
        self.assertIn("chmod 0600", self.told(LogLevel.error)[0])

    def test_at_once(self) -> None:
        """SIGHUP does not wait, and tells again what is wrong."""
        self.write("elements.keys", "")
        self.files.reload()
        self.assertEqual([], self.elements())
        self.write("elements.keys", "x")
        for _ in range(2):
            self.files.reload()
            self.assertEqual(1, len(self.told(LogLevel.error)))

    def test_new_file(self) -> None:
        """A file that comes later counts, too."""
        self.write("registrars.keys", f"reg2:{THREE}\n")
        self.clock.pump([LOOK] * 2)
        self.assertEqual(["reg2"], list(self.files.current.registrars))

    def test_started_again(self) -> None:
        """What has changed while nobody looked counts from the start on."""
        self.files.stop()
        self.write("elements.keys", "")
        self.files.start(self.clock)
        self.assertEqual([], self.elements())

    def test_stopped(self) -> None:
        """The last one who stops it ends it."""
        self.files.start(self.clock)
        self.files.stop()
        self.assertNotEqual([], self.clock.getDelayedCalls())
        self.files.stop()
        self.assertEqual([], self.clock.getDelayedCalls())
        self.files.start(self.clock)


class ExpiryTests(Case):
    def test_told(self) -> None:
        """Thirty days before, then once a day; and when it has ended, or the clock jumps back."""
        issued = new_certificate(new_ca("pools.example", NOW), ["reg1"], NOW, 60)
        wall = NOW.timestamp()
        security = Security(certificate=Certificate(issued.certificate, issued.private_key))
        secured = Secured(security, wall=lambda: wall + self.clock.seconds())
        secured.start(self.clock)
        self.addCleanup(secured.stop)
        self.assertEqual([], self.told(LogLevel.warn))
        wall += timedelta(days=31).total_seconds()
        self.clock.pump([EXPIRY] * AGAIN)
        (warning,) = self.told(LogLevel.warn)
        self.assertIn("the certificate: it ends in 2", warning)
        wall += timedelta(days=40).total_seconds()
        self.clock.advance(EXPIRY)
        self.assertIn("the certificate: it ended at 2027-03-02", self.told(LogLevel.warn)[0])
        wall -= timedelta(days=400).total_seconds()
        self.clock.advance(EXPIRY)
        self.assertIn("is the clock right?", self.told(LogLevel.warn)[0])
