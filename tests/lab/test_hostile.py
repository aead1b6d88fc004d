"""The hostile inputs, and mutated messages, against a registrar over the kernel's SCTP."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from tests.hostile.test_usrsctp import HostileTests
from tests.lab import LabTests, strange


class KernelTests(LabTests, HostileTests, TestCase):
    """Over the kernel's SCTP."""

    backend = "kernel"
    messages = 4000

    def hosts(self) -> tuple[str, str, str]:
        """The guest's own, at which nobody else's messages are looked at later."""
        hosts = "127.0.0.41", "127.0.0.42", "127.0.0.43"
        for host in hosts:
            strange(host)
        return hosts
