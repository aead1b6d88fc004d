"""Reliable Server Pooling (RSerPool, RFC 5351 to 5356) for Twisted."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    __version__: str
    """The version of what is installed, which setup.cfg has."""
else:

    def __getattr__(name: str) -> str:
        """Look the version up only where somebody asks: reading metadata takes longer than most imports here."""
        if name != "__version__":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib.metadata import PackageNotFoundError, version

        try:
            return version("rserpool")
        except PackageNotFoundError:
            return "(not installed: run from its source)"
