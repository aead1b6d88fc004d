"""The faces export what docs/public.md lists, and load what is their own; each name is explained and typed."""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementedBy

import rserpool
from rserpool.session.links import LinkOwner

ROOT = Path(__file__).resolve().parent.parent
FACE = re.compile(r"^### `(rserpool[\w.]+)`")

WIRE = {"core.wire"}
USER = {*WIRE, "core.policies", "core.user", "node", "sctp", "security", "config"}
ELEMENT = {*WIRE, "core.policies", "core.element", "node", "sctp", "security", "config"}
REGISTRAR = {
    *WIRE, "core.policies", "core.handlespace", "core.peering", "core.registrar", "node", "sctp", "security", "config"
}  # fmt: skip
ROOMS = {"node", "sctp", "security", "config"}
SESSION = {*USER, "user", "core.session"}
MAY_LOAD = {
    "rserpool.core": WIRE,
    "rserpool.core.wire": set(),
    "rserpool.core.policies": WIRE,
    "rserpool.core.registrar": REGISTRAR - ROOMS,
    "rserpool.core.element": ELEMENT - ROOMS,
    "rserpool.core.user": USER - ROOMS,
    "rserpool.registrar": REGISTRAR,
    "rserpool.element": ELEMENT,
    "rserpool.user": USER,
    "rserpool.session": SESSION,
    "rserpool.plugins": {*WIRE, "core.policies"},
    "rserpool.sctp": WIRE,
    "rserpool.sctp.memory": WIRE,
    "rserpool.names": USER,
    "rserpool.names.aio": {*USER, "user"},
    "rserpool.names.hostnames": {*USER, "user"},
    "rserpool.names.requests": USER,
    "rserpool.names.httpx": {*USER, "user"},
    "rserpool.proxy": {*USER, "user"},
    "rserpool.web": {*USER, "user"},
    "rserpool.web.scrapy": {*USER, "user"},
    # They are built of sessions.
    "rserpool.services": {*SESSION, "session"},
    # Who reports has loaded a role already.
    "rserpool.monitor": {
        *WIRE,
        "core.policies",
        "core.element",
        "core.monitoring",
        "node",
        "sctp",
        "security",
        "config",
    },
    "rserpool.programs": {*WIRE, "node", "sctp"},
    "rserpool.compute": {*ELEMENT, *SESSION, "session", "element", "job", "core.compute"},
    "rserpool.compute.aio": {*ELEMENT, *SESSION, "session", "element", "compute", "job", "core.compute"},
    "rserpool.job": {*WIRE, "core.compute"},
    "rserpool.admin": WIRE,
    "rserpool.admin.service": {*WIRE, "core.policies", "node", "sctp", "security"},
    "rserpool.testing": {"job", "core.compute", *REGISTRAR, *ELEMENT, *USER, "registrar", "element", "user"},
}
"""The rooms of this package that a face loads, beside its own and the ground floor of the core."""
REPORTS = {"core.monitoring", "core.element", "monitor"}
STARTED = {
    # Every twistd of a machine loads it.
    "twisted.plugins.rserpool_plugins": {"tap"},
    "rserpool.tap.ns": {*REGISTRAR, *REPORTS, "registrar", "admin"},
    "rserpool.tap.pe": {*ELEMENT, *REPORTS, "element", "admin"},
    "rserpool.cli.main": {*USER, *REPORTS, "user"},
}
"""The same for what programs begin with."""

FOREIGN = {"OpenSSL", "cryptography", "twisted.internet.ssl", "twisted.web", "twisted.internet.reactor"}
"""What no face loads by the way."""
FOREIGN_TO_WEB = {"twisted.internet.reactor"}
FOREIGN_TO_ADMIN = FOREIGN - {"twisted.web"}

LOADED = """
import importlib, json, os, sys
import twisted.application.service, twisted.internet.defer, twisted.internet.protocol, twisted.logger
for face in sys.argv[1:]:
    if not os.fork():
        loaded = importlib.import_module(face)
        for name in getattr(loaded, "__all__", ()):
            getattr(loaded, name)
        print(json.dumps([face, sorted(sys.modules)]), flush=True)
        os._exit(0)
    assert not os.wait()[1], face
"""
"""Imports each face, and all that it exports, in a process of its own, and prints what was loaded."""

ASKED = """
import json, sys
from rserpool.cli.main import main
from rserpool.sctp.usrsctp.library import load
from rserpool.core.errors import SctpUnavailable
code = main(["resolve", "--registrar", "127.0.96.1:1", "--transport", "tcp", "--timeout", "0.05", "pool"])
assert code == 4, code
try:
    load()
except SctpUnavailable:
    pass
print(json.dumps(sorted(sys.modules)))
"""
"""Asks a registrar that is not there, loads what SCTP over UDP needs, and prints what was loaded."""


HELPED = """
import json, sys
from rserpool.cli.main import main
code = main(["resolve", "--help"])
assert code == 0, code
print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""
"""Shows the help of a subcommand, and prints what was loaded."""


def listed() -> dict[str, set[str]]:
    """The faces in docs/public.md, and the names that stand beneath each."""
    faces: dict[str, set[str]] = {}
    names: set[str] | None = None
    for line in (ROOT / "docs" / "public.md").read_text().splitlines():
        if line.startswith("#"):
            heading = FACE.match(line)
            names = faces.setdefault(heading[1], set()) if heading else None
        elif names is not None and line.startswith("|"):
            names.update(re.findall(r"`(\w+)`", line.split("|")[1]))
    return faces


def exported() -> dict[str, list[str]]:
    """The packages that export something; and of the modules those that the page calls faces."""
    packages = [one.name for one in pkgutil.walk_packages(rserpool.__path__, "rserpool.") if one.ispkg]
    found = {name: importlib.import_module(name) for name in {*packages, *listed()}}
    return {name: list(face.__all__) for name, face in found.items() if name in listed() or hasattr(face, "__all__")}


def public_names() -> dict[str, Any]:
    """What the list names."""
    return {
        f"{face}.{name}": getattr(importlib.import_module(face), name)
        for face, names in listed().items()
        for name in sorted(names)
    }


def within(name: str, thing: Any) -> Iterator[tuple[str, Any]]:
    """A thing and its public parts: of a class the methods that this package gave it."""
    yield name, thing
    if inspect.isclass(thing):
        for base in thing.__mro__:
            if base.__module__.startswith("rserpool"):
                for part, value in list(vars(base).items()):
                    method = getattr(value, "fget", None) or getattr(value, "__func__", value)
                    if not part.startswith("_") and inspect.isfunction(method):
                        yield f"{name}.{part}", method


def explained_elsewhere(thing: Any, part: str) -> bool:
    """Whether an interface of the class says what the method does."""
    interfaces = implementedBy(thing) if inspect.isclass(thing) else ()
    return any(part in interface.names(all=True) for interface in interfaces) or bool(
        inspect.getdoc(getattr(thing, part, None)) or inspect.getdoc(getattr(LinkOwner, part, None))
    )


class PublicTests(SynchronousTestCase):
    """Names, methods, parameters."""

    def test_listed(self) -> None:
        """What a face exports is listed beneath it, and what is listed is exported, in order and once."""
        faces = exported()
        self.assertGreater(sum(map(len, faces.values())), 20)
        self.assertEqual(listed(), {face: set(names) for face, names in faces.items()})
        for face, names in faces.items():
            self.assertEqual(len(names), len(set(names)), face)

    def test_documented(self) -> None:
        """Each class, function, interface and method has a docstring, of its own or of what it implements."""
        silent = [
            full
            for name, thing in public_names().items()
            for full, part in within(name, thing)
            if getattr(part, "__module__", "").startswith("rserpool")
            and callable(part)
            and not (inspect.getdoc(part) or explained_elsewhere(thing, full.rpartition(".")[2]))
        ]
        self.assertEqual([], silent)

    def test_typed(self) -> None:
        """Each parameter and each result has an annotation."""
        untyped = []
        for name, thing in public_names().items():
            for full, part in within(name, thing):
                if inspect.isfunction(part):
                    signature = inspect.signature(part)
                    untyped += [
                        f"{full}({each.name})"
                        for each in signature.parameters.values()
                        if each.annotation is each.empty and each.name not in ("self", "cls")
                    ]
                    if signature.return_annotation is signature.empty:
                        untyped.append(full)
        self.assertEqual([], untyped)


class LoadTests(SynchronousTestCase):
    """Who wants one role gets that role."""

    def test_loads_its_own(self) -> None:
        """A face loads its own room, what the table says, and the ground floor; no TLS, no web, and no reactor."""
        self.assertEqual(set(MAY_LOAD), set(listed()))
        allowed = MAY_LOAD | STARTED
        program = [sys.executable, "-c", LOADED, *allowed]
        printed = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True).stdout
        loaded = dict(json.loads(line) for line in printed.splitlines())
        self.assertEqual(set(allowed), set(loaded))
        for face, modules in loaded.items():
            foreign = FOREIGN_TO_WEB if face.startswith("rserpool.web") else FOREIGN
            foreign = FOREIGN_TO_ADMIN if face == "rserpool.admin.service" else foreign
            self.assertEqual([], sorted(foreign.intersection(modules)), face)
            self.assertEqual([], sorted(set(map(room, modules)) - allowed[face] - {room(face), None}), face)

    def test_a_short_command(self) -> None:
        """Whoever asks once, unsecured, loads no other role, no TLS, and reads no declarations in C."""
        program = [sys.executable, "-c", ASKED]
        printed = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True).stdout
        rooms = {room(module) for module in json.loads(printed)} - {None}
        self.assertEqual({*USER, "user", "cli"}, rooms)
        loaded = {
            "cffi", "pycparser", "rserpool.core.access", "rserpool.security.settings",
            "rserpool.security.following", "rserpool.node.tls", "rserpool.user.tls", "OpenSSL",
            "rserpool.user.endpoint", "rserpool.plugins", "rserpool.config.file", "rserpool.node.multicast",
            "rserpool.node.listening", "rserpool.core.wire.enrp",
        }.intersection(json.loads(printed))  # fmt: skip
        self.assertEqual(set(), loaded)

    def test_help(self) -> None:
        """Help loads nothing that would do it."""
        program = [sys.executable, "-c", HELPED]
        printed = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True).stderr
        modules = json.loads(printed)
        rooms = {room(module) for module in modules} - {None}
        self.assertEqual({"cli", "config", "security", "core.policies", "core.user", "core.wire"}, rooms)
        self.assertEqual(set(), {"twisted.internet", "twisted.application", "twisted.logger"}.intersection(modules))


def room(module: str) -> str | None:
    """The folder that a module lies in (C{"core.wire"}, C{"user"}); None for the ground floor, and what is not ours."""
    parts = module.split(".")
    deep = 3 if parts[:2] == ["rserpool", "core"] else 2
    folder = ".".join(parts[1:deep])
    if parts[0] != "rserpool" or len(parts) < deep or not (ROOT / "rserpool" / folder.replace(".", "/")).is_dir():
        return None
    return folder
