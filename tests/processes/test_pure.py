"""With C{RSERPOOL_PURE} set nothing compiled is used, and all works as it does with it."""

from __future__ import annotations

from pathlib import Path

from tests.processes.harness import Process, ProcessTests

PURE = {"RSERPOOL_PURE": "1"}


def compiled(process: Process) -> bool:
    """Whether a process has loaded what is compiled."""
    maps = Path(f"/proc/{process.pid}/maps").read_text(encoding="utf-8")
    return "_shuttle" in maps or "_messages" in maps


class PureTests(ProcessTests):
    async def test_pool(self) -> None:
        """A registrar, an element and a user, each in Python alone over UDP."""
        over_udp = ("--backend", "usrsctp")
        registrar = await self.registrar(*over_udp, **PURE)
        joining = ("--pool", "pool", "--registrar", registrar.text)
        element = self.twistd("rserpool-pe", *joining, *over_udp, "--", "served", **PURE)
        await element.says("registered as")
        user = self.rserpool("resolve", "pool", "--registrar", registrar.text, "--transport", "sctp", *over_udp, **PURE)
        self.assertEqual(0, await user.ended, user.text)
        self.assertIn("pool pool: 1 element, round-robin", user.output)
        self.assertFalse(compiled(registrar.process) or compiled(element))
        self.no_traceback(registrar.process, element, user)

    async def test_doctor(self) -> None:
        """It tells."""
        doctor = self.rserpool("doctor", "--backend", "usrsctp", "--timeout", "0.1", **PURE)
        await doctor.ended
        self.assertIn("SCTP is in Python alone, since RSERPOOL_PURE is set", doctor.output)
