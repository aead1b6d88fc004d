"""Forty elements and users of all kinds and four registrars on one host, started in any order."""

from __future__ import annotations

from random import Random

from rserpool.core.addresses import REGISTRAR_ENCAPSULATION_PORTS
from tests.processes.harness import ProcessTests, all_of, free_address

PROGRAMS = 8
"""Of three elements and two users that watch."""
REGISTRARS = 4
AT_ONCE = 4
SEED = 11


class CrowdTests(ProcessTests):
    """All share one address, and nobody takes what the registrars need."""

    async def test_any_order(self) -> None:
        """All elements are in one scope, whoever came first, and each user is served."""
        host = free_address()
        ports = REGISTRAR_ENCAPSULATION_PORTS[:REGISTRARS]
        where = {"RSERPOOL_REGISTRARS": " ".join(f"{host}:3863/{port}" for port in ports)}
        peers = [word for port in ports for word in ("--peer", f"{host}:9901/{port}")]
        registrar = ("twistd", "rserpool-ns", "--asap", f"{host}:3863", *peers)
        program = ("-m", "tests.processes.crowd", host, str(PROGRAMS))
        wanted = [registrar] * REGISTRARS + [program] * PROGRAMS
        Random(SEED).shuffle(wanted)
        programs, registrars = [], []
        for first in range(0, len(wanted), AT_ONCE):
            started = []
            for words in wanted[first : first + AT_ONCE]:
                if words is registrar:
                    registrars.append(self.twistd(*words[1:]))
                    started.append(registrars[-1].says(r"serves ASAP at \S+:3863/(\d+)"))
                else:
                    programs.append(self.spawn(*words, **where))
                    started.append(programs[-1].says("^started$"))
            await all_of(*started)
        await all_of(*(each.says("^served$") for each in programs))
        serving = [await self.serving(process) for process in registrars]
        self.assertEqual(sorted(ports), sorted(each.address.encapsulation for each in serving))
        seen = [self.watch(self.user(each), b"sctp") for each in serving]
        await all_of(*(each.until(lambda elements: len(elements) == PROGRAMS) for each in seen))
        self.no_traceback(*programs, *registrars)
