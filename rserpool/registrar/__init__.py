"""The registrar as a Twisted service: what C{twistd rserpool-ns} runs, and what applications embed."""

from __future__ import annotations

from rserpool.registrar.service import RegistrarService

__all__ = ["RegistrarService"]
