"""C{rserpool trace}: the messages of ASAP and ENRP as lines, live or from a capture."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool

from rserpool.admin.client import AdminClient
from rserpool.cli.codes import OK, OTHER
from rserpool.cli.operator import add_admin_options, client_of, in_thread
from rserpool.cli.options import configured
from rserpool.cli.trace import live
from rserpool.cli.trace.captures import BadCapture, Frame, frames
from rserpool.cli.trace.packets import Found, Packets
from rserpool.core.errors import ConfigurationError, WireError
from rserpool.core.handles import NOBODY, printable
from rserpool.core.reading import handle
from rserpool.core.wire import asap, enrp
from rserpool.core.wire.words import text_of
from rserpool.sctp.base import PPID_ASAP

EPILOG = """Live: sudo rserpool trace. From afar: ssh HOST tcpdump -i any -w - | rserpool trace -. What TLS secures is
shown as such; what a registrar itself sends and gets is shown with TLS, too: rserpool trace --admin PLACE. Exit codes:
0 all is well, 1 a capture is damaged, or any other error."""
_HEARTBEATS = (asap.EndpointKeepAlive, asap.EndpointKeepAliveAck, enrp.Presence)


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("capture", metavar="FILE", nargs="?", help="a capture, - for standard input (default: live)")
    add_admin_options(parser, needed=False)
    parser.add_argument("--interface", metavar="NAME", help="live: what passes there (default: all interfaces)")
    parser.add_argument("--pool", metavar="POOL", type=configured(handle), help="messages about this pool alone")
    parser.add_argument(
        "--no-heartbeats", action="store_true", help="leave keep-alives, their acknowledgements and presences out"
    )
    parser.add_argument("--associations", action="store_true", help="also how associations are set up, and end")
    parser.add_argument("--count", metavar="N", type=int, help="end after so many lines")
    parser.add_argument("--json", action="store_true", help="print JSON, an object a line")


async def run(reactor: Any, options: argparse.Namespace, out: TextIO) -> int:
    """Print them; 1 if the capture is damaged behind those that were printed."""
    if options.capture is not None:
        return _show(_of(options.capture), options, out)
    if options.admin is not None:
        return await in_thread(reactor, _show_told, client_of(options), options, out)
    opened = live.listen(options.interface)
    watching: Deferred[int] = deferToThreadPool(
        reactor, reactor.getThreadPool(), _show, live.frames(opened), options, out
    )
    try:
        return await watching
    finally:
        # The thread ends with the next frame, or with the process.
        opened.close()


def _of(name: str) -> Iterator[Frame]:
    if name == "-":
        return frames(sys.stdin.buffer)
    try:
        file: BinaryIO = Path(name).open("rb")  # noqa: SIM115
    except OSError as error:
        raise ConfigurationError(f"{name}: {error.strerror or error}") from None
    return _closing(file)


def _closing(file: BinaryIO) -> Iterator[Frame]:
    with closing(file):
        yield from frames(file)


def _show(source: Iterator[Frame], options: argparse.Namespace, out: TextIO) -> int:
    packets, shown = Packets(), 0
    try:
        for frame in source:
            for found in packets.take(frame.link, frame.data):
                line = _line(frame, found, options)
                if line is None:
                    continue
                print(line, file=out, flush=True)
                shown += 1
                if options.count is not None and shown >= options.count:
                    return OK
    except BadCapture as error:
        print(f"rserpool trace: {error}", file=sys.stderr)
        return OTHER
    return OK


def _show_told(client: AdminClient, options: argparse.Namespace, out: TextIO) -> int:
    """What a registrar or element itself sends and gets, also where TLS secures it."""
    here, shown = (str(client.place), 0), 0
    for number, told in enumerate(client.messages(), 1):
        if "lost" in told:
            print(f"rserpool trace: {told['lost']} messages were lost: they come too fast", file=sys.stderr)
            continue
        there = (told["peer"] or "?", 0)
        source, target = (there, here) if told["in"] else (here, there)
        frame = Frame(number, told["time"], 0, b"")
        line = _line(frame, Found(source, target, "admin", told["ppid"], bytes.fromhex(told["data"])), options)
        if line is None:
            continue
        print(line, file=out, flush=True)
        shown += 1
        if options.count is not None and shown >= options.count:
            break
    return OK


def _line(frame: Frame, found: Found, options: argparse.Namespace) -> str | None:
    """A line; None if it is not wanted."""
    protocol, message, text = "SCTP", None, found.data.decode("latin-1")
    if found.ppid is None:
        if not options.associations or options.pool is not None:
            return None
    else:
        protocol, message, text = _message(found)
    if options.no_heartbeats and (isinstance(message, _HEARTBEATS) or _is_about(message, NOBODY)):
        return None
    if options.pool is not None and not _is_about(message, options.pool):
        return None
    when = datetime.fromtimestamp(frame.when).astimezone()
    source, target = _place(found.source), _place(found.target)
    if options.json:
        told = {
            "time": when.isoformat(timespec="microseconds"),
            "frame": frame.number,
            "from": source,
            "to": target,
            "over": found.over,
            "protocol": protocol,
            "message": None if message is None else type(message).__name__,
            "text": text,
        }
        return json.dumps(told)
    return f"{when:%H:%M:%S}.{when.microsecond // 1000:03d} {source} -> {target}  {protocol} {text}"


def _message(found: Found) -> tuple[str, Any, str]:
    """Protocol, message if it can be decoded, and text."""
    protocol, codec = ("ASAP", asap) if found.ppid == PPID_ASAP else ("ENRP", enrp)
    data = found.data
    if data[:1] and data[0] in (0x14, 0x15, 0x16, 0x17) and data[1:2] == b"\x03":
        return protocol, None, f"{len(data)} bytes of TLS"
    try:
        message: Any = codec.decode(data).message
    except WireError as error:
        return protocol, None, f"garbage, {len(data)} bytes: {text_of(str(error))}"
    return protocol, message, text_of(message)


def _is_about(message: Any, pool: bytes) -> bool:
    entries = getattr(message, "entries", ())
    return getattr(message, "handle", None) == pool or any(entry.handle == pool for entry in entries)


def _place(place: tuple[str, int]) -> str:
    host, port = place
    if not port:
        return printable(host)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
