"""Each check of C{rserpool doctor} with a set-up that is broken, and one that is not."""

from __future__ import annotations

import os
import socket
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rserpool.cli.doctor import host, keys, scope
from rserpool.cli.doctor.findings import Finding, Level
from rserpool.core.addresses import TransportAddress
from rserpool.core.errors import SctpUnavailable
from rserpool.core.wire.parameters import DATA_ONLY, SctpTransport, ServerInformation
from rserpool.node.neighbours import Answer
from tests.web.certificates import Authority

PLACE = TransportAddress(("127.0.0.1",), 9901, 9899)


class CheckCase(SynchronousTestCase):
    def worst(self, findings: Any) -> Finding:
        """The worst one; what is not well names its cure."""
        found = list(findings)
        for each in found:
            if each.level >= Level.WARNING:
                self.assertTrue(each.cure, each)
        return max(found, key=lambda each: each.level)

    def fine(self, findings: Any) -> None:
        worst = self.worst(findings)
        self.assertLess(worst.level, Level.WARNING, worst)

    def bad(self, findings: Any, *words: str, level: Level = Level.PROBLEM) -> None:
        worst = self.worst(findings)
        self.assertEqual(level, worst.level)
        for word in words:
            self.assertIn(word, f"{worst.says} ... {worst.cure}")

    def folder(self, files: dict[str, str]) -> Path:
        """A folder in place of /proc."""
        root = Path(self.mktemp())
        for name, text in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return root


class HostTests(CheckCase):
    def test_sctp(self) -> None:
        def missing() -> None:
            raise SctpUnavailable("there is none")

        def there() -> None:
            """It can be had."""

        self.fine(host.sctp(there, there))
        self.fine(host.sctp(missing, there))
        self.bad(host.sctp(missing, missing), "there is no SCTP", "apt-get install")

    def test_compiled_part(self) -> None:
        """Where it is not used, a note says why, what that costs, and what helps."""
        [used] = host.compiled_part(lambda: (True, True, ""), {})
        self.assertEqual((Level.OK, ""), (used.level, used.cure))
        off: Any = ({"RSERPOOL_PURE": "1"}, True, "since RSERPOOL_PURE is set: a res", "unset RSERPOOL_PURE")
        missing: Any = ({"RSERPOOL_PURE": ""}, True, "which is not here: a resolution costs", "--no-binary rserpool")
        foreign: Any = ({}, False, "in Python alone: a resolution costs", "not free-threaded")
        for environment, fits, *words in (off, missing, foreign):
            with self.subTest(words):
                self.bad(host.compiled_part(partial(tuple, (False, fits, "")), environment), *words, level=Level.NOTE)

    def test_broken_compiled_part(self) -> None:
        """What is there and cannot be used is not said to be missing."""
        broken = host.compiled_part(lambda: (False, True, "file too short"), {})
        words = ("cannot be used (file too short): a resolution costs", "--force-reinstall", "make clean")
        self.bad(broken, *words, level=Level.WARNING)

    def test_a_port_is_somebody_elses(self) -> None:
        """A UDP port that is really taken: by this process."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind(("127.0.0.1", 0))
            port = other.getsockname()[1]
            self.patch(host, "REGISTRAR_ENCAPSULATION_PORTS", (port, port + 1))
            self.bad(host.udp_ports(), f"UDP port {port} is taken by process {os.getpid()}", level=Level.WARNING)
            self.fine(host.udp_ports([TransportAddress(("127.0.0.1",), 9901, port)]))

    def test_all_ports_are_taken(self) -> None:
        line = "  1: 0100007F:{:04X} 00000000:0000 07 0:0 0:0 0 0 0 {}"
        lines = [line.format(9899 - number, 100 + number) for number in range(8)]
        proc = self.folder({"net/udp": "\n".join(["heading", *lines])})
        self.bad(host.udp_ports(proc=proc), "another registrar does not start", "--udp-encapsulation")
        self.fine(host.udp_ports(proc=self.folder({"net/udp": "heading\n"})))
        kernel = self.folder({"net/udp": "heading\n", "sys/net/sctp/udp_port": "9899\n"})
        self.fine(host.udp_ports(proc=kernel))

    def test_descriptors(self) -> None:
        proc = self.folder({"7/limits": "Limit\nMax open files            10      10      files\n", "7/fd/0": ""})
        self.fine(host.descriptors((65536, 65536), proc, []))
        self.fine(host.descriptors((65536, 65536), proc, [7]))
        self.bad(host.descriptors((256, 512), proc, []), "256 files", "LimitNOFILE", level=Level.WARNING)
        for number in range(1, 10):
            (proc / f"7/fd/{number}").touch()
        self.bad(host.descriptors((65536, 65536), proc, [7]), "process 7 has opened 10 files of 10")

    def test_settings(self) -> None:
        large = {"sys/net/core/rmem_max": "4194304\n", "sys/net/core/wmem_max": "4194304\n"}
        good = {f"sys/net/sctp/{name}": "0\n" for name in host._SCTP} | {"sys/net/sctp/rcvbuf_policy": "1\n"}
        self.fine(host.kernel_settings(self.folder(large)))
        self.fine(host.kernel_settings(self.folder(large | good)))
        small = self.folder({**large, "sys/net/core/rmem_max": "212992\n"})
        self.bad(host.kernel_settings(small), "net.core.rmem_max=212992", "sysctl -w", level=Level.WARNING)
        half = self.folder({**large, **good, "sys/net/sctp/udp_port": "9899\n"})
        self.bad(host.kernel_settings(half), "net.sctp.encap_port", level=Level.WARNING)
        moving = self.folder({**large, **good, "sys/net/sctp/addip_enable": "1\n"})
        self.bad(host.kernel_settings(moving), "net.sctp.auth_enable=1", level=Level.WARNING)
        shared = self.folder({**large, **good, "sys/net/sctp/rcvbuf_policy": "0\n"})
        self.assertIn("rcvbuf_policy", self.worst(host.kernel_settings(shared)).says)

    def test_mtu(self) -> None:
        self.fine(host.mtu([PLACE], 1280))
        self.bad(host.mtu([PLACE], 1280, lambda host: 1000), "packets of 1000 bytes", "mtu=1000")
        self.assertEqual([], list(host.mtu([PLACE], 1280, lambda host: None)))

    def test_names(self) -> None:
        self.fine(host.names(["localhost", "127.0.0.1"]))
        self.bad(host.names(["registrar.invalid"]), "registrar.invalid does not resolve", "/etc/hosts")


class ScopeTests(CheckCase):
    def answer(self, identifier: int | None, *peers: int, ready: bool = True, **options: Any) -> Answer:
        return Answer(PLACE, identifier, 0, ready, peers, **options)

    def test_registrars(self) -> None:
        self.fine(scope.registrars([self.answer(1, 2), self.answer(2, 1)], True))
        self.fine(scope.registrars([self.answer(None)], False))
        self.bad(scope.registrars([self.answer(None)], True), "no registrar answers at 127.0.0.1:9901/9899")
        two = [self.answer(1), self.answer(2)]
        self.bad(scope.registrars(two, False), "these are two scopes", "--peer 127.0.0.1:9901", level=Level.WARNING)
        self.bad(scope.registrars([self.answer(1, ready=False)], False), "is not ready", level=Level.WARNING)
        secured = list(scope.registrars([self.answer(None, refused=True)], False))
        self.assertIn("--security", secured[-1].cure)
        strange = self.answer(None, why="it does not know the key that we offer")
        found = list(scope.registrars([self.answer(1), strange], False))[-1]
        self.assertEqual((Level.NOTE, True), (found.level, "is of another scope, as it seems" in found.says), found)
        self.bad(scope.registrars([self.answer(1), strange], True), "failed: it does not know the key", "--security")

    def test_a_silent_peer(self) -> None:
        listed = [ServerInformation(number, SctpTransport(9901, DATA_ONLY, ("10.0.0.1",))) for number in (1, 2)]
        self.fine(scope.peers(None, listed, lambda each: False))
        self.bad(scope.peers(None, listed, lambda each: each.identifier == 2), "0x00000002", "does not answer us")

    def test_clock(self) -> None:
        told = "Mon, 30 Nov 2026 05:00:00 GMT"
        now = datetime(2026, 11, 30, 5, tzinfo=UTC).timestamp()
        self.fine(scope.clock("there", told, now + 1))
        self.bad(scope.clock("there", told, now + 100), "100 s behind ours", "chrony")
        self.bad(scope.clock("there", told, now - 100), "100 s ahead of ours")
        for nothing in (None, "", "yesterday"):
            self.assertIn("does not tell the time", self.worst(scope.clock("there", nothing, now)).says)


class KeyTests(CheckCase):
    def directory(self) -> Path:
        folder = self.folder({"own.key": "a:b", "elements.keys": "a:b", "access.toml": ""})
        for path in folder.iterdir():
            path.chmod(0o600)
        return folder

    def test_files_that_others_can_read(self) -> None:
        folder = self.directory()
        self.fine(keys.key_files(folder))
        (folder / "own.key").chmod(0o640)
        self.bad(keys.key_files(folder), "own.key", "chmod 0600")
        (folder / "own.key").chmod(0o600)
        (folder / "access.toml").chmod(0o666)
        self.bad(keys.key_files(folder), "access.toml", "chmod go-w")
        self.bad(keys.key_files(folder / "nothing"), "cannot be read")

    def test_certificates_that_expire(self) -> None:
        folder = self.directory()
        (folder / "server-ca.pem").write_bytes(Authority().pem)
        from cryptography import x509

        (certificate,) = x509.load_pem_x509_certificates((folder / "server-ca.pem").read_bytes())
        begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        self.bad(keys.certificates(folder, ends + timedelta(days=1)), "expired on")
        self.bad(keys.certificates(folder, ends - timedelta(hours=1)), "expires in 0 days", level=Level.WARNING)
        self.bad(keys.certificates(folder, begins - timedelta(days=1)), "is not valid before", "clock")
        if ends - begins > timedelta(days=40):
            self.fine(keys.certificates(folder, begins + timedelta(days=1)))
        (folder / "certificate.pem").write_text("nothing")
        self.bad(keys.certificates(folder), "holds no certificate")
