"""SCTP over UDP between two processes: echoes per second beside TCP's, and how soon a dead peer is noticed.

C{python -m bench.sctp [--json [FILE]] [--quick] [--seconds 2] [--deaths 5] [--associations 1 16 50]}. Each figure of
SCTP stands beside the same echo over Twisted's TCP in the same run, since absolute figures say little on a shared
machine.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from twisted.internet import reactor, task
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint
from twisted.internet.protocol import Factory, Protocol

from rserpool.core import PROFILES, Profile, TransportAddress, profile
from rserpool.core.profiles import DEFAULT
from rserpool.sctp import open_stack
from rserpool.sctp.base import SctpHandler

HOST = "127.0.0.1"
MESSAGE = bytes(100)


class SctpEcho(SctpHandler):
    def messageReceived(self, association: Any, data: bytes, ppid: int, stream: int, unordered: bool) -> None:
        association.send(data, ppid, stream)


class TcpEcho(Protocol):
    def connectionMade(self) -> None:
        self.transport.setTcpNoDelay(True)  # type: ignore[union-attr]

    def dataReceived(self, data: bytes) -> None:
        self.transport.write(data)  # type: ignore[union-attr]


class Load(SctpHandler):
    """A client that has one message under way on each association."""

    def __init__(self) -> None:
        self.count = 0
        self.up: list[Any] = []
        self.wanted = 0
        self.ready: Deferred[None] = Deferred()
        self.lost: Deferred[str] = Deferred()

    def associationUp(self, association: Any) -> None:
        self.up.append(association)
        if len(self.up) == self.wanted:
            self.ready.callback(None)

    def messageReceived(self, association: Any, data: bytes, ppid: int, stream: int, unordered: bool) -> None:
        self.count += 1
        association.send(data, ppid, stream)

    def associationLost(self, association: Any, reason: Any) -> None:
        if not self.lost.called:
            self.lost.callback(reason.type.__name__)


class TcpLoad(Protocol):
    """The same over TCP."""

    def __init__(self, load: Load) -> None:
        self.load = load

    def connectionMade(self) -> None:
        self.transport.setTcpNoDelay(True)  # type: ignore[union-attr]
        self.load.associationUp(self)

    def send(self, data: bytes, *_: int) -> None:
        self.transport.write(data)  # type: ignore[union-attr]

    def dataReceived(self, data: bytes) -> None:
        self.load.messageReceived(self, data, 0, 0, False)


def serve(name: str) -> None:
    """The other process."""
    stack = open_stack(reactor, profile=profile(name), hosts=(HOST,), encapsulation=0)
    endpoint: Any = stack.open(0, SctpEcho(), (HOST,))
    listening = TCP4ServerEndpoint(reactor, 0, interface=HOST).listen(Factory.forProtocol(TcpEcho))
    listening.addCallback(lambda port: print(endpoint.port, stack.encapsulation_port, port.getHost().port, flush=True))
    reactor.run()


class Server:
    """A child that runs L{serve}."""

    def __init__(self, profile: Profile) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bench.sctp", "--serve", profile.name], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        port, udp, self.tcp = map(int, self.process.stdout.readline().split())
        self.sctp = TransportAddress((HOST,), port, udp)

    def cpu(self) -> float:
        """Seconds of processor time that it has used."""
        with open(f"/proc/{self.process.pid}/stat") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


async def rate(server: Server, transport: str, associations: int, seconds: float) -> dict[str, float]:
    """Echoes per second, and processor time an echo at each end in microseconds."""
    load = Load()
    load.wanted = associations
    stack: Any = None
    if transport == "sctp":
        stack = open_stack(reactor, profile=DEFAULT, hosts=(HOST,), encapsulation=0)
        for _ in range(associations):
            stack.open(0, load, (HOST,), False).connect(server.sctp)
    else:
        for _ in range(associations):
            await TCP4ClientEndpoint(reactor, HOST, server.tcp).connect(Factory.forProtocol(lambda: TcpLoad(load)))
    if not load.ready.called:
        await load.ready
    for association in load.up:
        association.send(MESSAGE)
    await task.deferLater(reactor, 0.2)
    count, start, cpu, own = load.count, time.perf_counter(), server.cpu(), _own_cpu()
    await task.deferLater(reactor, seconds)
    done = load.count - count
    result = {
        "echoes/s": done / (time.perf_counter() - start),
        "server us": (server.cpu() - cpu) / done * 1e6,
        "client us": (_own_cpu() - own) / done * 1e6,
    }
    if stack is not None:
        await stack.close()
    else:
        for connection in load.up:
            connection.transport.abortConnection()
        await task.deferLater(reactor, 0.05)
    return result


def _own_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


async def death(profile: Profile, name: int, sending: bool, pause: float) -> float:
    """Seconds from the death of a peer until we know."""
    server = Server(profile)
    stack = open_stack(reactor, profile=profile, hosts=(HOST,), encapsulation=0)
    load = Load()
    load.wanted = 1
    association = stack.open(0, load, (HOST,), False).connect(server.sctp)
    await load.ready
    await task.deferLater(reactor, 0.3 + pause)
    calls = task.LoopingCall(association.send, b"?")
    start = time.perf_counter()
    server.process.send_signal(name)
    if sending:
        calls.start(0.02)
    await load.lost
    elapsed = time.perf_counter() - start
    if sending:
        calls.stop()
    server.end()
    await stack.close()
    return elapsed


async def measure(seconds: float, deaths: int, associations: list[int]) -> dict[str, Any]:
    """All figures."""
    server = Server(DEFAULT)
    rates: list[dict[str, Any]] = []
    for number in associations:
        sctp = await rate(server, "sctp", number, seconds)
        tcp = await rate(server, "tcp", number, seconds)
        rates.append({"associations": number, "sctp": sctp, "tcp": tcp, "ratio": sctp["echoes/s"] / tcp["echoes/s"]})
    server.end()
    noticed: list[dict[str, Any]] = []
    for each in PROFILES.values():
        if each.name == "rfc" or not deaths:
            # The RFC's values take minutes, by design.
            continue
        for what, name in (("killed", signal.SIGKILL), ("silent", signal.SIGSTOP)):
            for sending in (True, False):
                found = [await death(each, name, sending, turn / deaths * 0.4) for turn in range(deaths)]
                noticed.append(
                    {
                        "profile": each.name,
                        "peer": what,
                        "sending": sending,
                        "median ms": statistics.median(found) * 1000,
                        "worst ms": max(found) * 1000,
                    }
                )
    return {"echoes of 100 bytes": rates, "a dead peer is noticed after": noticed}


def show(found: dict[str, Any]) -> None:
    """Print a table."""
    print("associations   SCTP/s    TCP/s  ratio   us an echo: SCTP server, client; TCP server, client")
    for row in found["echoes of 100 bytes"]:
        sctp, tcp = row["sctp"], row["tcp"]
        print(
            f"{row['associations']:12} {sctp['echoes/s']:8.0f} {tcp['echoes/s']:8.0f} {row['ratio']:6.2f}"
            f"   {sctp['server us']:25.1f} {sctp['client us']:7.1f} {tcp['server us']:11.1f} {tcp['client us']:7.1f}"
        )
    print("\nprofile    peer     we are     median ms   worst ms")
    for row in found["a dead peer is noticed after"]:
        print(
            f"{row['profile']:10} {row['peer']:8} {'sending' if row['sending'] else 'idle':8}"
            f" {row['median ms']:11.0f} {row['worst ms']:10.0f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", nargs="?", const="-", metavar="FILE", help="JSON instead of the table, or to FILE")
    parser.add_argument("--quick", action="store_true", help="a short run, to see that it works")
    parser.add_argument("--seconds", type=float, default=2.0, help="how long each rate is measured")
    parser.add_argument("--deaths", type=int, default=5, help="how many peers die for each line; 0 for none")
    parser.add_argument("--associations", type=int, nargs="+", default=[1, 16, 50])
    parser.add_argument("--serve", metavar="PROFILE", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve)
        return

    async def run(_: Any) -> None:
        seconds, deaths = (0.5, 1) if options.quick else (options.seconds, options.deaths)
        found = await measure(seconds, deaths, options.associations)
        if options.json not in (None, "-"):
            Path(options.json).write_text(json.dumps(found, indent=2) + "\n")
        if options.json == "-":
            print(json.dumps(found, indent=2))
        else:
            show(found)

    task.react(lambda reactor: Deferred.fromCoroutine(run(reactor)))


if __name__ == "__main__":
    main()
