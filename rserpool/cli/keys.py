"""C{rserpool keys}: makes the keys and certificates of a scope, changes them, and says what is wrong with them."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from io import StringIO
from itertools import filterfalse
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from rserpool.cli.codes import OK, OTHER
from rserpool.cli.options import configured, number
from rserpool.core import reading
from rserpool.core.addresses import is_name
from rserpool.core.errors import ConfigurationError

if TYPE_CHECKING:
    from rserpool.security.scope_directory import Member

EPILOG = "exit codes: 0 all is well, 1 something is wrong (also: a certificate ends soon), 2 a wrong option"
WIDTH = 80


def configure(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(metavar="ACTION", required=True, dest="action")
    make = actions.add_parser("make", help="make all keys and certificates of a new scope", allow_abbrev=False)
    _directory(make, "a new directory; it gets a folder for each process")
    make.add_argument(
        "--scope", metavar="NAME", required=True, type=configured(_dns_name), help="its name, as in pools.example.org"
    )
    _members(make, "registrar", "a registrar, by the name and addresses by which others name it; may be repeated", True)
    _members(make, "element", "an element of pools, by a name and perhaps its host's addresses; may be repeated", False)
    _members(make, "operator", "who may ask registrars for their status (default: operator)", False)
    _members(make, "submitter", "who submits code to workers, by a name; access.toml says where it may", False)
    _certificates(make)
    add = actions.add_parser(
        "add", help="add members; to those that are there, a second key and a new certificate", allow_abbrev=False
    )
    _directory(add, "what rserpool keys make has made")
    _members(add, "registrar", "as in rserpool keys make", False)
    _members(add, "element", "as in rserpool keys make", False)
    _members(add, "operator", "as in rserpool keys make", False)
    _members(add, "submitter", "as in rserpool keys make", False)
    _certificates(add)
    remove = actions.add_parser("remove", help="take keys away: who has no other one is cut off", allow_abbrev=False)
    _directory(remove, "what rserpool keys make has made")
    remove.add_argument("identity", metavar="IDENTITY", nargs="+", help="web1 or web1@2, for example")
    check = actions.add_parser("check", help="say what is wrong, and when certificates end", allow_abbrev=False)
    _directory(check, "the directory of a process (--security), or of a whole scope")
    check.add_argument(
        "--days", metavar="N", type=number(int), default=30, help="tell who ends within so many days (default: 30)"
    )


async def run(
    reactor: Any, options: argparse.Namespace, out: TextIO, clock: Callable[[], datetime] | None = None
) -> int:
    """Do it.

    @param clock: tells the time; that of this host by default.
    @return: the exit code.
    """
    now = (clock or _now)()
    if options.action == "check":
        return _check(options, out, now)
    told = StringIO()
    try:
        if options.action == "make":
            _make(options, told, now)
        elif options.action == "add":
            _add(options, told, now)
        else:
            _remove(options, told)
    except OSError as error:
        raise ConfigurationError(f"{error.filename or options.directory}: {error.strerror or error}") from None
    # Where this cannot be written the command fails, though all is done: it says which of the two.
    try:
        print(told.getvalue(), end="", file=out, flush=True)
    except OSError as error:
        error.strerror = f"{error.strerror}: {options.directory} is changed, but what to do with it cannot be told"
        raise
    return OK


def _make(options: argparse.Namespace, out: TextIO, now: datetime) -> None:
    from rserpool.security.scope_directory import CA_KEY, USERS, ScopeDirectory, Terms, member_of

    directory: Path = options.directory
    options.operator = options.operator or [member_of("operator", "operator")]
    members = _named(options)
    ScopeDirectory(directory).make(options.scope, members, Terms(now, options.days, options.rsa))
    _tell(out, f"{directory}: the scope {options.scope}. Copy each folder to where it belongs, and nowhere else:")
    print(file=out)
    for each in options.registrar:
        where = f" --asap {_reached(each)}" + "".join(
            f" --peer {_reached(other)}" for other in options.registrar if other != each
        )
        # On loopback HTTPS is spoken, and certificates count, only where that is said.
        admin = f" --admin https://{_reached(each)}:PORT" if options.operator_certificate else ""
        _entry(out, each.name, f"the registrar: twistd rserpool-ns --security {each.name}{where}{admin}")
    first = _reached(options.registrar[0])
    for each in options.element:
        serve = f"--security {each.name} --registrar {first} --pool POOL -- PLUGIN"
        _entry(out, each.name, f"the element: twistd rserpool-pe {serve}")
    for each in options.operator:
        looks = f"who looks after registrars: rserpool status --security {each.name} {first}"
        acts = f"; rserpool drain --security {each.name} --admin https://{first}:PORT POOL ELEMENT"
        _entry(out, each.name, looks + (acts if options.operator_certificate else ""))
    for each in options.submitter:
        _entry(out, each.name, f"who submits code: PoolExecutor(POOL, code=True, security='{each.name}', tls=NAME)")
    resolve = f"rserpool resolve --security {USERS} --registrar {first} POOL"
    _entry(out, USERS, f"users, all of them; it has no secret: {resolve}")
    print(file=out)
    _tell(out, f"{CA_KEY} makes new certificates: keep it where none of these processes runs.")
    _tell(out, f"Certificates end in {options.days} days; rserpool keys check {directory} says when.")


def _add(options: argparse.Namespace, out: TextIO, now: datetime) -> None:
    from rserpool.security.scope_directory import ScopeDirectory, Terms

    members = _named(options)
    if not members:
        raise ConfigurationError("name --registrar, --element, --operator or --submitter")
    changed = ScopeDirectory(options.directory).add(members, Terms(now, options.days, options.rsa))
    names = {each.name for each in members}
    first = {folder: files for folder, files in changed.items() if folder.name not in names}
    own = {folder: files for folder, files in changed.items() if folder.name in names}
    if first:
        _tell(out, "Copy these first; they count within seconds, and the old keys stay good:")
        _files(out, first)
    _tell(out, "Then these:" if first else "Copy these:")
    _files(out, own)
    _tell(out, "When all is well, take old keys away: rserpool keys remove.")


def _remove(options: argparse.Namespace, out: TextIO) -> None:
    from rserpool.security.scope_directory import ScopeDirectory

    changed = ScopeDirectory(options.directory).remove(options.identity)
    _tell(out, "Copy these; they count within seconds, and who has no other key is then cut off:")
    _files(out, changed)


def _check(options: argparse.Namespace, out: TextIO, now: datetime) -> int:
    from rserpool.security.checking import check

    findings = check(options.directory, now, options.days)
    for where, ends in findings.ends:
        _tell(out, f"{where}: good until {ends:%Y-%m-%d %H:%M} UTC")
    for sentence in findings.soon:
        _tell(out, f"SOON: {sentence}")
    for sentence in findings.wrong:
        _tell(out, f"WRONG: {sentence}")
    if findings.wrong or findings.soon:
        return OTHER
    print("all is well", file=out)
    return OK


def _directory(parser: argparse.ArgumentParser, text: str) -> None:
    parser.add_argument("directory", metavar="DIR", type=Path, help=text)


def _members(parser: argparse.ArgumentParser, kind: str, text: str, required: bool) -> None:
    parser.add_argument(
        f"--{kind}",
        metavar="NAME[,HOST...]",
        action="extend",
        nargs="+",
        default=[],
        required=required,
        type=configured(partial(_member, kind)),
        help=text,
    )


def _certificates(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--operator-certificate",
        action="store_true",
        help="operators get a certificate, too, by which they act at admin interfaces over HTTPS (drain, evict ...)",
    )
    days = configured(reading.between(1, 3650))
    parser.add_argument("--days", metavar="N", type=days, default=365, help="how long certificates are good (365)")
    parser.add_argument(
        "--rsa",
        metavar="BITS",
        type=configured(reading.between(2048, 8192)),
        default=0,
        help="certificates with RSA keys (default: on the curve P-256)",
    )


def _named(options: argparse.Namespace) -> list[Member]:
    operators = [replace(each, certified=options.operator_certificate) for each in options.operator]
    if options.operator_certificate and not operators:
        raise ConfigurationError("--operator-certificate: name the --operator who is to have one")
    return [*options.registrar, *options.element, *operators, *options.submitter]


def _member(role: str, text: str) -> Member:
    from rserpool.security.scope_directory import member_of

    hosts = [reading.parse_transport_address(_bracketed(host)).hosts[0] for host in text.split(",")]
    for host in hosts if role in ("registrar", "submitter") else ():
        _check_certified(host)
    return member_of(role, ",".join(hosts))


def _reached(member: Member) -> str:
    """Where others reach it: by an address if it has one, since that needs nobody who knows the name."""
    return next(map(_bracketed, filterfalse(is_name, member.hosts)), member.hosts[0])


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def _dns_name(text: str) -> str:
    address = reading.parse_transport_address(text)
    if len(address.hosts) > 1 or not is_name(address.hosts[0]) or ":" in text or "/" in text:
        raise ConfigurationError(f"{text!r} is not a name as DNS has them: pools.example.org")
    return _check_certified(address.hosts[0])


def _check_certified(name: str) -> str:
    if "_" in name:
        # Nobody who checks certificates takes it (RFC 5890 section 2.3.1).
        raise ConfigurationError(f"{name!r}: the name of a host that a certificate has has no underscore in it")
    return name


def _files(out: TextIO, changed: Mapping[Path, Iterable[Path]]) -> None:
    for folder, files in changed.items():
        _entry(out, folder.name, " ".join(path.name for path in files))


def _entry(out: TextIO, name: str, text: str) -> None:
    print(textwrap.fill(text, WIDTH, initial_indent=f"  {name}/  ", subsequent_indent="      ", **_WHOLE), file=out)


def _tell(out: TextIO, text: str) -> None:
    print(textwrap.fill(text, WIDTH, subsequent_indent="  ", **_WHOLE), file=out)


_WHOLE: Any = {"break_long_words": False, "break_on_hyphens": False}


def _now() -> datetime:
    return datetime.now(UTC)
