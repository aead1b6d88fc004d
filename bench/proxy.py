"""C{rserpool proxy} beside a direct connection: bytes a second, short connections, and small questions.

C{python -m bench.proxy [--json [FILE]] [--quick]}. A plain socket server is the one element of a pool; a plain client
asks it directly and through the proxy, in turns, over the loopback interface. All processes share the cores of the
machine: through the proxy every byte crosses the loopback twice.
"""

from __future__ import annotations

import argparse
import socket
import statistics
import sys
import threading
import time
from collections.abc import Callable

from bench.processes import TWISTD, Processes, free_port
from bench.report import Figures, columns, progress, run

CHUNK = bytes(1 << 18)


def serve() -> None:
    """The element: each line it reads is a number of bytes to send."""

    def answer(connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as lines:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for line in lines:
                left = int(line)
                while left:
                    part = min(left, len(CHUNK))
                    connection.sendall(CHUNK if part == len(CHUNK) else CHUNK[:part])
                    left -= part

    with socket.create_server(("127.0.0.1", 0), backlog=512) as server:
        print(f"open at {server.getsockname()[1]}", flush=True)
        while True:
            threading.Thread(target=answer, args=(server.accept()[0],), daemon=True).start()


def ask(connection: socket.socket, count: int, room: bytearray) -> None:
    """Ask for so many bytes, and read them."""
    connection.sendall(b"%d\n" % count)
    while count:
        got = connection.recv_into(room, min(count, len(room)))
        if not got:
            raise ConnectionError("it ended too early")
        count -= got


def connect(port: int) -> socket.socket:
    """A connection."""
    connection = socket.create_connection(("127.0.0.1", port), 10)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def bulk(port: int, size: int) -> float:
    """Bytes a second over one connection."""
    room = bytearray(1 << 20)
    with connect(port) as connection:
        ask(connection, 1, room)
        began = time.perf_counter()
        ask(connection, size, room)
        return size / (time.perf_counter() - began)


def short(port: int, count: int) -> float:
    """Connections a second, one after the other: connect, a question, its answer, close."""
    room = bytearray(4096)
    began = time.perf_counter()
    for _ in range(count):
        with connect(port) as connection:
            ask(connection, 1000, room)
    return count / (time.perf_counter() - began)


def small(port: int, count: int) -> float:
    """Questions a second over one connection, one after the other."""
    room = bytearray(4096)
    with connect(port) as connection:
        ask(connection, 100, room)
        began = time.perf_counter()
        for _ in range(count):
            ask(connection, 100, room)
        return count / (time.perf_counter() - began)


def measure(options: argparse.Namespace) -> Figures:
    """Direct and through the proxy, in turns."""
    rounds = 2 if options.quick else 5
    size, connections, questions = (64 << 20, 100, 500) if options.quick else (512 << 20, 500, 3000)
    what: dict[str, Callable[[int], float]] = {
        "bytes a second": lambda port: bulk(port, size),
        "short connections a second": lambda port: short(port, connections),
        "small questions a second": lambda port: small(port, questions),
    }
    udp = free_port(socket.SOCK_DGRAM)
    registrar = f"127.0.0.1:3863/{udp}"
    found: Figures = {}
    with Processes() as processes:
        processes.registrar(udp, "--asap-tcp", "none")
        server = processes.python("server", "-m", "bench.proxy", "--serve")
        direct = int(server.says(r"open at (\d+)")[1])
        arguments = ("--pool", "bench", "--registrar", registrar, "--port", f"tcp:{direct}")
        element = processes.python(
            "element", *TWISTD, "rserpool-pe", *arguments, "--", "web", "--listen", "tcp:0:interface=127.0.0.1"
        )
        element.says("registered as")
        proxy = processes.python(
            "proxy", "-m", "rserpool.cli.main", "proxy", "bench", "--registrar", registrar, "--listen", "0"
        )
        through = int(proxy.says(r"relays tcp 127\.0\.0\.1:(\d+)")[1])
        for name, figure in what.items():
            pairs = []
            for turn in range(rounds):
                pairs.append((figure(direct), figure(through)))
                progress(f"proxy {name} {turn + 1}/{rounds}: {pairs[-1][0]:.0f} direct, {pairs[-1][1]:.0f} through it")
            found[name] = {
                "direct": statistics.median(pair[0] for pair in pairs),
                "proxy": statistics.median(pair[1] for pair in pairs),
                "ratio": statistics.median(pair[1] / pair[0] for pair in pairs),
            }
    return {"rounds": rounds, "figures": found}


def table(figures: Figures) -> str:
    """The figures for people."""
    rows = [
        [name, f"{one['direct']:,.0f}", f"{one['proxy']:,.0f}", f"{one['ratio']:.2f}"]
        for name, one in figures["figures"].items()
    ]
    head = ["", "direct", "through the proxy", "ratio"]
    return f"rserpool proxy, median of {figures['rounds']} rounds\n" + columns(head, rows)


if __name__ == "__main__":
    if "--serve" in sys.argv:
        serve()
    else:
        run("proxy", "The proxy beside a direct connection.", measure, table)
