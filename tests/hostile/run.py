"""Mutated messages by the million: C{python -m tests.hostile.run --seed N --messages 1000000 [--over WHAT]}.

C{memory}: straight into the decoders and the roles (registrar, element, user), on a clock of its own; the same seed
gives the same run. C{tls}: to a secured scope in memory, before, in and after the handshake of TLS.
C{usrsctp} or C{kernel}: to a registrar in a process of its own, over real associations. Without
C{--over} a twentieth goes over usrsctp, and the rest through memory. Progress goes to standard error; the last line
says how many messages were sent and what came of it, and the status is 0 only if nobody was disturbed.
"""

from __future__ import annotations

import argparse
import faulthandler
import functools
import gc
import os
import resource
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from typing import Any

from twisted.internet.task import react
from twisted.logger import globalLogBeginner

from tests.hostile.arena import Arena, Disturbed
from tests.hostile.neighbourhood import Neighbourhood
from tests.hostile.tls_arena import TlsArena
from tests.processes.harness import free_address

EPOCH = 20_000
"""After so many messages through memory the strangers go, and what is left is measured."""
HANG = 120.0
"""Seconds without progress after which every stack is shown, and the run ends."""
BLOCKS = 10_000
"""Blocks of memory (60 bytes or so each) that may be more after the last epoch than after the first."""
SLOW = 1.0
"""Seconds of processor time that no single message may take."""
REAL = 20
"""Without --over, one message of so many goes over real associations."""


def tell(text: str) -> None:
    """Say it to whoever waits."""
    print(text, file=sys.stderr, flush=True)


def occupied() -> int:
    """How many blocks of memory are in use, without what bounded caches hold of addresses that will not come again."""
    for module in [module for name, module in sys.modules.items() if name.startswith("rserpool.")]:
        for value in vars(module).values():
            if isinstance(value, functools._lru_cache_wrapper):
                if value.cache_parameters()["maxsize"] is not None:
                    value.cache_clear()
                elif value.cache_info().currsize > 1:
                    raise Disturbed(f"{module.__name__} has a cache without an end")
    # Registrars freeze what lives long; what becomes garbage in a cycle later is found when there is much of it.
    gc.unfreeze()
    gc.collect()
    return sys.getallocatedblocks()


def memory(seed: int, messages: int, epoch: int = EPOCH, kind: Callable[[int], Arena] = Arena) -> str:
    """Play a run in memory; progress is told unless it is short.

    @param kind: the scope that is attacked.
    @return: what came of it.
    @raise Disturbed: if anything went wrong.
    """
    arena = kind(seed)
    blocks: list[int] = []
    left = messages
    began = time.monotonic()
    try:
        # What is filled once is filled now.
        arena.attack(min(messages, 2000))
        arena.quiet()
        left -= min(messages, 2000)
        while True:
            blocks.append(occupied())
            if not left:
                break
            faulthandler.dump_traceback_later(HANG + epoch / 100, exit=True)
            arena.attack(min(left, epoch))
            arena.quiet()
            left -= min(left, epoch)
            rate = (messages - left) / (time.monotonic() - began)
            if messages < EPOCH:
                continue
            tell(
                f"  seed {seed}: {messages - left:,} of {messages:,} through memory, {rate:,.0f} a second, "
                f"{blocks[-1] - blocks[0]:+,} blocks before that, the slowest took {arena.slowest * 1000:.0f} ms"
            )
        faulthandler.cancel_dump_traceback_later()
        grown = blocks[-1] - blocks[1 if len(blocks) > 2 else 0]
        if grown > BLOCKS:
            raise Disturbed(f"memory grew by {grown:,} blocks")
        if arena.slowest > SLOW:
            raise Disturbed(f"a message took {arena.slowest:.1f} s of processor time")
    except Disturbed as error:
        sent = sum(arena.sent.values())
        raise Disturbed(f"seed {seed}, after {sent:,} messages (the last: {arena.last.hex()[:400]}): {error}") from None
    finally:
        faulthandler.cancel_dump_traceback_later()
        arena.errors.seen.clear()
        arena.close()
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    lanes = ", ".join(f"{number:,} {lane}" for lane, number in sorted(arena.sent.items()))
    return (
        f"{messages:,} through memory ({lanes}), grown by {grown:+,} blocks, {megabytes} MB at most, the slowest took "
        f"{arena.slowest * 1000:.0f} ms, {arena.reconnected:,} associations"
    )


async def real(reactor: Any, backend: str, seed: int, messages: int, hosts: tuple[str, str, str]) -> str:
    """Play a run over real associations.

    @return: what came of it.
    @raise Disturbed: if anything went wrong.
    """
    neighbourhood = Neighbourhood(reactor, backend, hosts, seed)
    began = time.monotonic()
    try:
        await neighbourhood.start()
        left = messages
        while left:
            faulthandler.dump_traceback_later(HANG, exit=True)
            part = min(left, 5000)
            await neighbourhood.attack(part)
            left -= part
            rate = (messages - left) / (time.monotonic() - began)
            tell(
                f"  seed {seed}: {messages - left:,} of {messages:,} over {backend}, {rate:,.0f} a second, "
                f"registrar {neighbourhood.registrar.kilobytes:,} kB, answers within {neighbourhood.slowest:.2f} s"
            )
        grown = neighbourhood.grown()
    except Disturbed as error:
        sent = sum(neighbourhood.sent.values())
        raise Disturbed(f"seed {seed} over {backend}, after {sent:,} messages: {error}") from None
    finally:
        faulthandler.cancel_dump_traceback_later()
        await neighbourhood.stop()
    return (
        f"{messages:,} over {backend}, the registrar grew by {grown:+,} kB, {neighbourhood.asked:,} questions of the "
        f"bystander, answered within {neighbourhood.slowest:.2f} s, {neighbourhood.reconnected:,} associations; its "
        f"element was out of the pool for {neighbourhood.away:.1f} s at most"
    )


def play(over: str, seed: int, messages: int, hosts: tuple[str, str, str]) -> None:
    """Play a run in this process, and print what came of it.

    @raise SystemExit: with status 1 if anything went wrong.
    """
    # Twisted keeps what is logged until somebody wants it.
    globalLogBeginner.beginLoggingTo([], redirectStandardIO=False, discardBuffer=True)
    try:
        if over == "memory":
            print(memory(seed, messages))
            return
        if over == "tls":
            print(memory(seed, messages, kind=TlsArena))
            return
        outcome: list[str] = []

        async def main(reactor: Any) -> None:
            try:
                outcome.append(await real(reactor, over, seed, messages, hosts))
            except Disturbed as error:
                outcome.extend(("", str(error)))
            except Exception:  # noqa: BLE001
                outcome.extend(("", traceback.format_exc()))

        try:
            react(main)
        except SystemExit as ended:
            if ended.code:
                raise
        if len(outcome) > 1:
            raise Disturbed(outcome[1])
        print(outcome[0])
    except Disturbed as error:
        print(f"DISTURBED: {error}")
        sys.exit(1)


def main(arguments: list[str]) -> int:
    """Divide the work among processes, show their progress, and sum up."""
    parser = argparse.ArgumentParser("python -m tests.hostile.run", description=__doc__, allow_abbrev=False)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--over", choices=("memory", "usrsctp", "kernel", "tls"))
    parser.add_argument("--workers", type=int, default=min(2, os.cpu_count() or 1), help="processes for memory")
    parser.add_argument("--hosts", help="addresses of two registrars, and ours (free ones of loopback)")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    hosts = options.hosts.split(",") if options.hosts else [free_address() for _ in range(3)]
    if len(hosts) != 3:
        parser.error(f"--hosts: {options.hosts} are not three addresses")
    if options.alone:
        play(options.over, options.seed, options.messages, (hosts[0], hosts[1], hosts[2]))
        return 0
    shares = Counter[tuple[str, int]]()
    through_memory = options.messages if options.over == "memory" else 0
    if options.over is None:
        through_memory = options.messages - options.messages // REAL
    elsewhere = options.messages - through_memory
    if elsewhere and options.over != "tls":
        shares["usrsctp" if options.over is None else options.over, options.seed] = elsewhere
    for worker in range(options.workers):
        if options.over == "tls":
            shares["tls", options.seed + worker] = (options.messages + worker) // options.workers
        else:
            shares["memory", options.seed + worker] = (through_memory + worker) // options.workers
    began = time.monotonic()
    running: list[tuple[Any, Any]] = []
    for (over, seed), messages in shares.items():
        if messages:
            command = [sys.executable, "-m", "tests.hostile.run", "--alone", "--over", over, "--seed", str(seed),
                       "--messages", str(messages), "--hosts", ",".join(hosts)]  # fmt: skip
            said = tempfile.TemporaryFile("w+")
            running.append((subprocess.Popen(command, stdout=said), said))
    failed = 0
    for process, said in running:
        status = process.wait()
        said.seek(0)
        text = said.read().strip()
        if status and "DISTURBED" not in text:
            text = f"DISTURBED: a worker ended with status {status}\n{text}"
        failed += bool(status)
        print(text)
    took = time.monotonic() - began
    verdict = "somebody was disturbed" if failed else "no crash, no hang, no growth, nobody disturbed"
    print(f"{options.messages:,} messages, seed {options.seed}, {took:.0f} s: {verdict}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
