"""For functions that workers call: C{from rserpool.job import checkpoint, restored}; see docs/compute.md.

Outside a worker they do nothing, so that such a function can be tried and tested by itself.
"""

from rserpool.job.telling import checkpoint, progress, restored

__all__ = ["checkpoint", "progress", "restored"]
