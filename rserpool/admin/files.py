"""The files of the console, and the description of the interface: sent as they are, under a strict policy."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from typing import Final

from rserpool.admin.answers import JSON, Answer

POLICY: Final = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; worker-src 'self'; "
    b"img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    b"require-trusted-types-for 'script'; trusted-types rserpool"
)
"""Nothing runs in the console that does not stand in its own files (Content Security Policy Level 3)."""
FILES: Final = {
    "/": ("console/index.html", b"text/html; charset=utf-8"),
    "/console.js": ("console/console.js", b"text/javascript; charset=utf-8"),
    "/events.js": ("console/events.js", b"text/javascript; charset=utf-8"),
    "/console.css": ("console/console.css", b"text/css; charset=utf-8"),
    "/v1/openapi.json": ("openapi.json", JSON),
}


@lru_cache(maxsize=64)
def file_at(path: str) -> Answer:
    """The file at a path of L{FILES}."""
    name, content = FILES[path]
    body = files("rserpool.admin").joinpath(name).read_bytes()
    return Answer(body, content, headers={} if content == JSON else {b"Content-Security-Policy": POLICY})
