"""Operators with certificates: their names, and by what registrars know them (an entry in the access file of each)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rserpool.security.settings import FILES

NEWLINE = "\n"
PUBLIC = 0o644
HEAD = "# Who may be what, beyond what the files of keys say (docs/security.md). The same at each registrar.\n"


def certified_name(operator: str, scope: str) -> str:
    """The name in an operator's certificate: nobody else of the scope is called so."""
    return f"{operator}.operators.{scope}"


def known_by(registrar: Path, operators: Iterable[str], scope: str, ca: bytes) -> dict[Path, tuple[bytes, int]]:
    """What is to be in which file of a registrar's folder, and its mode, that it knows them; what is there stays.

    @param ca: PEM of who has issued their certificates.
    """
    access, client_ca = registrar / FILES["access"], registrar / FILES["client-ca"]
    before = text = _read(access).decode()
    for entry in (_entry(operator, scope) for operator in operators):
        if entry not in text:
            text = f"{text or HEAD}{'' if not text or text.endswith(NEWLINE) else NEWLINE}{entry}"
    if text == before:
        return {}
    trusted = _read(client_ca)
    return {access: (text.encode(), PUBLIC)} | ({} if ca in trusted else {client_ca: (trusted + ca, PUBLIC)})


def forgotten_by(registrar: Path, operators: Iterable[str], scope: str) -> dict[Path, bytes]:
    """The same, that it does not know them any more, as far as L{known_by} has written it."""
    access = registrar / FILES["access"]
    before = text = _read(access).decode()
    for operator in operators:
        text = text.replace(_entry(operator, scope), "")
    return {access: text.encode()} if text != before else {}


def _read(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def _entry(operator: str, scope: str) -> str:
    identities = f'"psk:{operator}", "dns:{certified_name(operator, scope)}"'
    return f'\n["{operator}"]\nidentities = [{identities}]\nroles = ["operator"]\n'
