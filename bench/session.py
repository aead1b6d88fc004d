"""Sessions: the gap when their element is killed, beside the floor of the machine; and what they cost.

C{python -m bench.session [--json [FILE]] [--quick] [--kills 100] [--seconds 3] [--only gap|cost]}.

I{Gap}: a registrar, three elements that count, and a user that asks them one request after the other, in repeat mode;
the element that serves is killed (SIGKILL), so many times. The gap is the time from the kill to the first answer of
another element. The I{floor} of the same run: a raw socket that is connected to an element of the same kind, from its
kill to the end of file to being connected elsewhere. What was lost or counted twice shows in the count.

I{Cost}: messages of 100 bytes through a session, and requests with answers, beside the bare Twisted protocol over the
same transport, one and eight at a time. Over TCP the bare protocol knows no messages: what comes at once it sends back
at once; I{strings} is Twisted's own protocol for messages, C{Int32StringReceiver}.
"""

from __future__ import annotations

import argparse
import random
import signal
import socket
import statistics
import time

from bench.processes import Ended, Process, Processes, free_port
from bench.report import Figures, columns, percentile, progress, run

HOST = "127.0.0.1"
ELEMENTS = 3
GOALS = {"tcp": "2x floor", "sctp": "25 ms"}
WORST = 0.1
SERVED = r"^served (\d+\.\d+) (\d+) (\d+)$"


class Scene:
    """A registrar and elements of one kind."""

    def __init__(self, processes: Processes, kind: str, service: str = "counter", elements: int = ELEMENTS) -> None:
        self._processes = processes
        self._kind = kind
        self._service = service
        udp = free_port(socket.SOCK_DGRAM)
        self.registrar_address = f"{HOST}:3863/{udp}"
        self.registrar = processes.registrar(udp, "--asap", f"{HOST}:3863", "--asap-tcp", "none")
        self.elements: dict[int, Process] = {}
        self.ports: dict[int, int] = {}
        for number in range(1, elements + 1):
            self.start(number)
        for number in self.elements:
            self.wait(number)

    def start(self, number: int) -> None:
        """Start an element, again if it was killed."""
        arguments = ("--kind", self._kind, "--service", self._service, "--registrar", self.registrar_address)
        self.elements[number] = self._processes.python(
            f"element {number}", "-m", "bench.session_ends", "element", *arguments, "--identifier", str(number)
        )

    def wait(self, number: int) -> None:
        """Until it is registered."""
        self.ports[number] = int(self.elements[number].says(r"^registered (\d+)").group(1))

    def kill(self, number: int) -> float:
        """Kill it; when that was (monotonic seconds)."""
        when = time.monotonic()
        self.elements[number].signal(signal.SIGKILL)
        return when

    def again(self, number: int) -> None:
        """Start it again, and wait until it can serve."""
        self.elements[number].end()
        self.start(number)
        self.wait(number)


def floor(scene: Scene, number: int) -> float:
    """Seconds from the kill of an element to the end of file to a connection elsewhere, with raw sockets."""
    other = number % ELEMENTS + 1
    with socket.create_connection((HOST, scene.ports[number])) as connected:
        connected.recv(4096)
        # It has nothing more to say.
        time.sleep(0.05)
        killed = scene.kill(number)
        try:
            while connected.recv(4096):
                pass
        except ConnectionResetError:
            pass
        with socket.create_connection((HOST, scene.ports[other])):
            return time.monotonic() - killed


def gaps(kind: str, kills: int) -> Figures:
    """Kill the element of a session again and again."""
    dice = random.Random(kind)
    found: list[float] = []
    floors: list[float] = []
    wrong = 0
    with Processes() as processes:
        scene = Scene(processes, kind)
        arguments = ("--registrar", scene.registrar_address, "--pause", "0.001")
        user = processes.python("user", "-m", "bench.session_ends", "user", *arguments)
        serving = int(user.says(SERVED).group(3))
        for turn in range(kills):
            if kind == "tcp" and turn % 2 == 0:
                idle = next(number for number in scene.elements if number != serving)
                floors.append(floor(scene, idle))
                scene.again(idle)
            time.sleep(0.2 + 0.1 * dice.random())
            killed = scene.kill(serving)
            while True:
                answer = user.says(r"^(served|wrong|ended)", 30.0)
                if answer.group(1) == "ended":
                    raise Ended(answer.string)
                if answer.group(1) == "wrong":
                    wrong += 1
                    continue
                words = answer.string.split()
                if float(words[1]) > killed:
                    break
            found.append(float(words[1]) - killed)
            dead, serving = serving, int(words[3])
            scene.again(dead)
            progress(f"session {kind} {turn + 1}/{kills}: {1000 * found[-1]:.1f} ms")
    median, low = statistics.median(found), statistics.median(floors) if floors else float("nan")
    ordered = sorted(found)
    return {
        "kills": kills,
        "median_ms": 1000 * median,
        "p90_ms": 1000 * percentile(ordered, 0.9),
        "worst_ms": 1000 * ordered[-1],
        "floor_ms": 1000 * low if floors else None,
        "lost_or_doubled": wrong,
        "goal": GOALS[kind],
        "met": (median <= 2 * low if kind == "tcp" else median <= 0.025) and ordered[-1] <= WORST and not wrong,
        "gaps_ms": [round(1000 * gap, 1) for gap in found],
        "floors_ms": [round(1000 * one, 1) for one in floors],
    }


def costs(kind: str, seconds: float, rounds: int) -> Figures:
    """Messages per second: bare, through a session, and as requests."""
    found: dict[str, list[tuple[float, float]]] = {}
    with Processes() as processes:
        scene = Scene(processes, kind, "echo", 1)
        bare = processes.python("bare", "-m", "bench.session_ends", "bare", "--kind", kind)
        place = ":".join(bare.says(r"^open (\d+) (\d+)").groups())
        styles, places, servers = ["bare", "messages", "requests"], {"bare": place}, {"bare": bare}
        if kind == "tcp":
            styles.insert(1, "strings")
            strings = processes.python("strings", "-m", "bench.session_ends", "bare", "--kind", "strings")
            places["strings"] = ":".join(strings.says(r"^open (\d+) (\d+)").groups())
            servers["strings"] = strings
        for _ in range(rounds):
            for depth in (1, 8):
                for style in styles:
                    client = processes.python(
                        "load", "-m", "bench.session_load", style, "--kind", kind, "--depth", str(depth),
                        "--seconds", str(seconds), "--registrar", scene.registrar_address,
                        "--bare", places.get(style, "0:0"),
                    )  # fmt: skip
                    server = servers.get(style, scene.elements[1])
                    client.says("^begin")
                    cpu = server.cpu()
                    rate, cost, count = map(float, client.says(r"^rate (\S+) (\S+) (\S+)").groups())
                    cost += 1e6 * (server.cpu() - cpu) / count
                    client.end()
                    found.setdefault(f"{style}, {depth} at a time", []).append((rate, cost))
                    progress(f"session {kind} {style}, {depth} at a time: {rate:.0f}/s, {cost:.1f} us of both ends")
    rates = {name: statistics.median(rate for rate, _ in pairs) for name, pairs in found.items()}
    costs = {name: statistics.median(cost for _, cost in pairs) for name, pairs in found.items()}
    return {
        name: {
            "per_second": rates[name],
            "ratio": rates[name] / rates[f"bare, {name.split(', ')[1]}"],
            "us": costs[name],
            "cpu_ratio": costs[f"bare, {name.split(', ')[1]}"] / costs[name],
        }
        for name in found
    }


def measure(options: argparse.Namespace) -> Figures:
    """All figures."""
    kills, seconds, rounds = (3, 0.5, 1) if options.quick else (options.kills, options.seconds, options.rounds)
    found: Figures = {}
    for kind in ("tcp", "sctp"):
        if options.only in (None, "gap"):
            found[f"gap, {kind}"] = gaps(kind, kills)
        if options.only in (None, "cost"):
            found[f"cost, {kind}"] = costs(kind, seconds, rounds)
    return found


def table(figures: Figures) -> str:
    """The figures for people."""
    lines: list[str] = []
    rows = [
        [name.removeprefix("gap, "), str(one["kills"]), f"{one['median_ms']:.1f}", f"{one['p90_ms']:.1f}",
         f"{one['worst_ms']:.1f}", "" if one["floor_ms"] is None else f"{one['floor_ms']:.1f}", one["goal"],
         str(one["lost_or_doubled"])]
        for name, one in figures.items() if name.startswith("gap")
    ]  # fmt: skip
    if rows:
        head = [
            "its element killed, over",
            "times",
            "median ms",
            "p90 ms",
            "worst ms",
            "floor ms",
            "goal",
            "lost, doubled",
        ]
        lines += ["Gap of a session (worst goal 100 ms)", columns(head, rows)]
    rows = [
        [f"{name.removeprefix('cost, ')}: {style}", f"{one['per_second']:.0f}", f"{100 * one['ratio']:.0f} %",
         f"{one['us']:.1f}", f"{100 * one['cpu_ratio']:.0f} %"]
        for name, styles in figures.items() if name.startswith("cost")
        for style, one in styles.items()
    ]  # fmt: skip
    if rows:
        lines += [
            "",
            "Cost of a session (goals: 80 % messages, 50 % requests)",
            columns(["over", "per s", "of bare", "us of both ends", "of bare"], rows),
        ]
    return "\n".join(lines)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark alone."""
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=3.0, help="how long each rate is measured")
    parser.add_argument("--rounds", type=int, default=3, help="how often, in turns; the median counts")
    parser.add_argument("--only", choices=("gap", "cost"))


if __name__ == "__main__":
    run("session", "Sessions: the gap when their element is killed, and what they cost.", measure, table, add_arguments)
