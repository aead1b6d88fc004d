"""SCTP in memory, for tests and simulations: a network of processes on one clock, with SCTP's faults."""

from __future__ import annotations

from rserpool.sctp.memory.network import Network
from rserpool.sctp.memory.stack import MemoryStack

__all__ = ["MemoryStack", "Network"]
