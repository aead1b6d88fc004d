"""What this package adds to rserpool."""

from sticky_policy import STICKY, MemoryLoad

from rserpool.plugins import LoadProbe, PolicyPlugin

sticky = PolicyPlugin(STICKY)
memory = LoadProbe("memory", MemoryLoad)
