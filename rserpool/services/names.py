"""The services by name, and the pools in which rsplib has them."""

from __future__ import annotations

POOLS = {
    "echo": "EchoPool",
    "discard": "DiscardPool",
    "daytime": "DaytimePool",
    "chargen": "CharGenPool",
    "pingpong": "PingPongPool",
    "calcapp": "CalcAppPool",
    "fractal": "FractalGeneratorPool",
}
"""Each service's default pool."""
TITLES = {"calcapp": "CalcApp", "fractal": "The fractal generator"}
"""What those are called whose name says it otherwise."""
