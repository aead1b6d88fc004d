"""Checks of keys and certificates: who can read them, and when they expire."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rserpool.cli.doctor.findings import Finding, fine, note, problem, warning
from rserpool.security.files import wrong_mode

SOON = timedelta(days=30)
"""Certificates that expire within this are told of."""
_SECRET = ("own.key", "private-key.pem")


def key_files(folder: Path) -> Iterator[Finding]:
    """Whether others may read what is secret, or write anything."""
    bad = False
    try:
        files = sorted(path for path in folder.iterdir() if path.is_file())
    except OSError as error:
        yield problem(
            "keys", f"{folder} cannot be read: {error.strerror}", "name the directory that rserpool keys made"
        )
        return
    for path in files:
        if path.suffix not in (".key", ".keys", ".pem", ".toml"):
            continue
        try:
            wrong = wrong_mode(os.stat(path), path, path.name in _SECRET or path.suffix == ".keys")
        except OSError as error:
            wrong = f"{path} cannot be looked at: {error.strerror}"
        if wrong:
            bad = True
            says, _, cure = wrong.rpartition(": ")
            yield problem("keys", says or wrong, cure or "look at the file")
    if not bad:
        yield fine("keys", f"nobody but its owner can read the keys in {folder}")


def certificates(folder: Path, now: datetime | None = None) -> Iterator[Finding]:
    """Whether certificates are valid, and for how long yet.

    @param now: the time; that of this host by default.
    """
    now = now or datetime.now(UTC)
    for path in sorted(folder.glob("*.pem")):
        with_key = path.name == "private-key.pem"
        if with_key:
            continue
        try:
            found = _read(path)
        except ImportError:
            yield note("certificates", "certificates cannot be read without the package cryptography")
            return
        except (OSError, ValueError) as error:
            yield problem("certificates", f"{path} holds no certificate: {error}", "make it anew (rserpool keys)")
            continue
        for each in found:
            yield _judged(path, each, now)


def _read(path: Path) -> list[Any]:
    from cryptography import x509

    return x509.load_pem_x509_certificates(path.read_bytes())


def _judged(path: Path, certificate: Any, now: datetime) -> Finding:
    who = certificate.subject.rfc4514_string() or "nobody"
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    cure = "have a new one issued, and put it there: running processes take it by themselves"
    if now > ends:
        return problem("certificates", f"{path}: the certificate of {who} expired on {ends:%Y-%m-%d %H:%M} UTC", cure)
    if now < begins:
        return problem(
            "certificates",
            f"{path}: the certificate of {who} is not valid before {begins:%Y-%m-%d %H:%M} UTC",
            "set the clock of this host, or of the one that issued it",
        )
    if now > ends - SOON:
        days = (ends - now).days
        return warning("certificates", f"{path}: the certificate of {who} expires in {days} days", cure)
    return fine("certificates", f"{path}: the certificate of {who} is valid until {ends:%Y-%m-%d}")
