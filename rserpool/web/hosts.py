"""Which host names stand for which pools, read from a file."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from rserpool.core.errors import ConfigurationError
from rserpool.core.hosts import PoolHosts


def read_hosts(path: str | Path) -> PoolHosts:
    """Read the tables from a TOML file::

        certificate = "elements.example"

        [hosts]
        "shop.example" = "The Shop"

        [certificates]
        "The Shop" = "shop.example"

    @raise ConfigurationError: if it is not such a file; the text says where it is wrong.
    @raise OSError: if it cannot be read.
    """
    try:
        tables: dict[str, Any] = tomllib.loads(Path(path).read_text("utf-8"))
    except ValueError as error:
        raise ConfigurationError(f"{path}: {error}") from None
    unknown = sorted(tables.keys() - {"hosts", "certificates", "certificate"})
    if unknown:
        raise ConfigurationError(f"{path}: what is {', '.join(unknown)}? There are hosts, certificates and certificate")
    for name in ("hosts", "certificates"):
        table = tables.get(name, {})
        if not isinstance(table, dict) or not all(isinstance(value, str) for value in table.values()):
            raise ConfigurationError(f"{path}: {name} must be a table of texts")
    if not isinstance(tables.get("certificate", ""), str):
        raise ConfigurationError(f"{path}: certificate must be a text")
    return PoolHosts(**tables)
