"""What options, endpoint strings and the environment call the same: here, so that help loads nothing that does it."""

from __future__ import annotations

TRANSPORTS = ("auto", "sctp", "tcp")
"""How a registrar is spoken with."""
BACKENDS = ("auto", "kernel", "usrsctp")
"""Which SCTP."""
REGISTRARS = "RSERPOOL_REGISTRARS"
"""The environment variable that names registrars, separated by blanks, where nothing else does."""
