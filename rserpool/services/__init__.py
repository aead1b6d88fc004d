"""The classic services as pool elements, compatible with rsplib's: echo, discard, daytime, chargen, pingpong."""

from __future__ import annotations

from rserpool.services.classic import Classic
from rserpool.services.clients import Echoing, Pinging
from rserpool.services.pingpong import PingPongFactory
from rserpool.services.tally import Tally

__all__ = ["Classic", "Echoing", "PingPongFactory", "Pinging", "Tally"]
