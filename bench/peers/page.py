"""The page of what was measured beside the peers, from its figures (C{docs/peers.json}) alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.peers.picture import Figures, median, number_of, picture
from bench.report import when

ROOT = Path(__file__).resolve().parent.parent.parent
FIGURES = ROOT / "docs" / "peers.json"
PAGE = ROOT / "docs" / "peers.md"
PICTURE = ROOT / "docs" / "pictures" / "peers.svg"

HEAD = """# Beside the peers

etcd, ZooKeeper and rsplib do the same work as this package, on the same machine, in one run. `python -m bench.peers`
has measured it, and has written this page and its picture.

{when}

![Rates, times until a user is served again, and memory, of etcd, ZooKeeper and rserpool.](pictures/peers.svg)

Of several runs the picture has the median, and of several libraries the fastest.

## What is done

- *Resolve*: 16 clients in one process ask for a pool of 10, each the next time when it has its answer. Nothing comes
  from a cache. In etcd that is a range of keys (their values say where the elements serve), in ZooKeeper the names of
  a node's children (the names say it: with data in the nodes it would be one request for each element).
- *Register*: the same clients register an element each, and take it away again, which is not counted, though its
  processor time is. In etcd that is a lease and a key, then the end of the lease; in ZooKeeper an ephemeral node.
  With three nodes, an answer means in etcd and ZooKeeper that a majority has it on disk; here it means that the home
  registrar has it, and tells both others.
- Clients are the libraries that people use: aetcd (gRPC, asyncio) and etcd3gw (the JSON gateway, threads) for etcd,
  kazoo (threads) for ZooKeeper, and `PoolUserService` and `PoolElementService` of this package. etcd3, the oldest,
  cannot be imported with protobuf 4 or newer. All are Python, so the clients' own processor
  time is most of some rates: *nodes* and *clients* are the processor time of either side for one answer, and those do
  not depend on who had to wait for whom.
- *Killed*: three servers, each on a host of its own (a network namespace), one user that asks without a pause worth
  mentioning over a connection that it keeps. The server that serves it is killed (SIGKILL); the time is from its last
  answer to the first of another. The user of etcd and ZooKeeper is what one writes oneself: it watches the pool, tries
  elements by lot, goes on at once when a connection ends, and drops it when its element is no longer listed. Ours is
  `PoolClientEndpoint(drop=True)`. None of them gives up a question by a time-out of its own; with one, all take that.
- *Listed*: for how long the registry went on listing the killed server.
- *A node is killed*: of three nodes, the one that the user asks, which leads the others where there is a leader. That
  user resolves and connects for each question; the time is the longest between two answers. kazoo and this package
  know all nodes; aetcd knows one, and this user goes to the next when it fails.
- *Silent*: the link of the server's host goes down: nothing says that it is gone.
- *Memory*: resident memory of one node for an entry of an owner with many, and of an owner with one (its connection
  and its lease or session included). That of a Java process is measured after a collection of garbage, and the
  objects in its heap are beside it in parentheses.
- *At rest*: owners that only keep what they registered: processor time of the node, and of all owners in one process.

## How they are set

"""

TAIL = """
## How to read it

- etcd and ZooKeeper agree on what is written, by a majority, and keep it on disk; registrars do neither
  ([](compared.md)). What that costs is in the columns with two replicas, and where nodes are killed: who must agree
  has to elect a leader first. If you need agreement, that is the price; if you only look for servers, you need not
  pay it.
- How soon a silent host is noticed is a setting everywhere. Shorter leases and sessions cost processor time at rest,
  and give a busy client less time to renew them. etcd has no lease below 1 s.
- A killed server is no news to its user: the connection ends. It is to everybody who resolves afterwards, and gets it
  as long as it is listed.
- Everything is on one machine with few processors: nodes, clients and servers share them. With a machine for each,
  rates with three nodes would be higher, of all.

## Again

<!-- not run: takes minutes -->
```sh
apt install etcd-server zookeeper default-jdk-headless iproute2 curl
pip install -e '.[peers]'
python -m bench.peers                   # all: about 7 minutes, and 8 in the lab; writes this page and the picture
python -m bench.peers --quick           # a minute or two each: to see that it works; it writes nothing without --write
python -m bench.peers --part host       # without the lab; what the page has of the lab stays
python -m bench.peers --part page       # the page and the picture again, from docs/peers.json
```

As root, for network namespaces; then nothing that it starts can outlive it, however it ends. Without root a stopped
process (SIGSTOP) stands for a host that falls silent. The lab needs what `make lab` needs. What is not installed is
left out, and that is said here. Each half is written when it is done, tells of each figure as it comes, and is ended
after an hour, whatever happens.
"""


def page(figures: Figures) -> str:
    """The page."""
    host, lab = figures["host"], figures.get("lab")
    systems = host["systems"]
    text = HEAD.format(when=when(host))
    text += _table(["", "how it is set"], [[name, one["says"]] for name, one in systems.items()])
    text += "".join(f"\n{name} was left out: {why}.\n" for name, why in host["left_out"].items())
    text += "\n## Rates\n\n" + _rates(systems) + "\n## Faults\n\n" + _faults(systems)
    text += "\n## Memory, and at rest\n\n" + _rest(systems)
    if lab:
        text += "\n## rsplib, in the lab\n\n" + _lab(lab)
    return text + TAIL


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _rates(systems: Figures) -> str:
    rows = []
    for name, one in systems.items():
        for work in ("resolve", "register"):
            for kind in [kind for kind in one["one"]["rates"] if kind.startswith(work)]:
                row = [name, kind]
                for nodes in ("one", "three"):
                    found = one[nodes]["rates"][kind]
                    row += [f"{found['per_second']:,.0f}", f"{found['p99_ms']:.1f}"]
                    row += [f"{found['nodes_us']:.0f}", f"{found['client_us']:.0f}"]
                    if found["failed"]:
                        row[1] += f" ({found['failed']} failed)"
                rows.append(row)
    head = ["", ""]
    for nodes in ("one node", "three"):
        head += [f"{nodes}: a second", "p99 ms", "us of nodes", "of clients"]
    return _table(head, rows)


def _ms(several: list[float]) -> str:
    middle = median(several)
    if middle is None:
        return "not tried"
    return f"{middle:,.0f}" if len(several) == 1 else f"{middle:,.0f} ({max(several):,.0f})"


def _faults(systems: Figures) -> str:
    rows = [
        [name, *(_ms(one["three"][f"{kind}_ms"]) for kind in ("killed", "delisted", "node_killed", "silent"))]
        for name, one in systems.items()
    ]
    ways = {one["three"]["silent_by"] for one in systems.values()}
    head = ["ms, median (worst)", "server killed", "and listed for", "node killed", "host silent"]
    return _table(head, rows) + f"\nHosts: {', '.join(sorted(ways))}.\n"


def _rest(systems: Figures) -> str:
    rows = []
    for name, one in systems.items():
        memory, idle = one["one"]["memory"], one["one"]["idle"]
        row = [name, f"{memory['empty'] / 2**20:.0f} MiB"]
        for kind in ("shared", "own"):
            heap = f" ({memory[f'heap_{kind}']:,.0f})" if f"heap_{kind}" in memory else ""
            row.append(f"{memory[kind]:,.0f}{heap}")
        row += [f"{idle['nodes_percent']:.2f} %", f"{idle['owners_percent']:.2f} %"]
        row.append(f"{one['three']['idle_percent']:.2f} %")
        rows.append(row)
    owners = next(iter(systems.values()))["one"]["idle"]["owners"]
    head = ["", "a node, empty", "bytes an entry", "bytes an owner with one"]
    head += [f"{owners} owners at rest: the node", "all owners", "three nodes, three servers: nodes"]
    return _table(head, rows)


def _lab(lab: Figures) -> str:
    systems = lab["systems"]
    names = list(systems)
    text = when(lab) + (
        " A guest with one processor, whose kernel has SCTP, and both over it: only the ratios count. The load is"
        " the same generator with 16 clients for both; elements are not asked meanwhile whether they live.\n\n"
    )
    text += "".join(f"{what} was left out: it failed twice ({why}).\n\n" for what, why in lab["left_out"].items())
    pairs = names[:2]
    if all("memory" in systems[name] for name in pairs):
        text += _lab_rates(systems, pairs)
    faults = dict.fromkeys(kind for one in systems.values() for kind in one if isinstance(one[kind], list))
    rows = [[fault, *(_ms(systems[name].get(fault, [])) for name in names)] for fault in faults]
    text += _table(["ms, median (worst)", *names], rows)
    tuned, kernel = lab["tuned"], lab["kernel"]
    return text + (
        "\nAn element that is killed, or whose host falls silent: until its user, which pings each 10 ms, is served by"
        " another. A killed registrar: one of three; until the last of its elements was told its new home. Tuned:"
        f" `{tuned['rsplib tuned']}`, and the kernel's SCTP as our profile `default` has it"
        f" ({', '.join(f'{key} {value}' for key, value in kernel.items())}); ours: `{tuned['ours fast']}`.\n"
    )


def _lab_rates(systems: Figures, pair: list[str]) -> str:
    rows = []
    for kind, called in (
        ("resolve, one", "resolutions"),
        ("register, one", "registrations"),
        ("register, three", "registrations, two replicas"),
    ):
        both = [systems[name][kind] for name in pair]
        row = [called, *(f"{one['per_second']:,.0f}" for one in both)]
        row.append(f"{both[1]['per_second'] / both[0]['per_second']:.2f}")
        for side in ("nodes_us", "client_us"):
            row += [f"{one[side]:.0f}" for one in both]
        rows.append(row)
    head = ["", *(f"{name}, a second" for name in pair), "ours to rsplib's"]
    head += [f"{name}, us of {side}" for side in ("registrars", "clients") for name in pair]
    memory = [(name, systems[name]["memory"]) for name in pair]
    text = _table(head, rows) + "\nBytes an entry: "
    text += ", ".join(f"{name} {one['entry']:,.0f} (empty {one['empty'] / 2**20:.0f} MiB)" for name, one in memory)
    return text + ".\n\n"


def write(figures: Figures) -> dict[Path, str]:
    """The page and the picture, and where they are."""
    return {PAGE: page(figures), PICTURE: picture(figures["host"]["systems"])}


def table(figures: dict[str, Any]) -> str:
    """The main figures for a terminal, of both halves."""
    from bench.peers.picture import PANELS
    from bench.report import columns

    systems = figures["host"]["systems"]
    rows = []
    for title, _, value in PANELS:
        found = [value(one) for one in systems.values()]
        rows.append([title, *("" if each is None else number_of(each) for each in found)])
    text = columns(["", *systems], rows)
    return f"{text}\n\nIn the lab: {_lab(figures['lab'])}" if "lab" in figures else text
