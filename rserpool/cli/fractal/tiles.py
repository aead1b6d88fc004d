"""What the workers compute: tiles of the Mandelbrot set, row by row, each row a checkpoint."""

from rserpool.job import checkpoint, progress, restored

__all__ = ["tile"]

ROWS = 2
"""Bytes at the beginning of a tile: how many of its rows an earlier worker had computed."""


def tile(columns: list[float], rows: list[float], limit: int) -> bytes:
    """A tile: for each point how soon it leaves the circle of radius 2.

    @param columns: the real parts; C{rows}: the imaginary parts, from above.
    @param limit: so many steps are tried; at most 255.
    @return: how many rows came from a checkpoint, in 2 bytes; then a byte for each point, row by row: the steps that it
        took, and 0 for those that never leave.
    """
    done: bytes = restored() or b""
    before = len(done) // len(columns)
    for number in range(before, len(rows)):
        done += bytes(steps(complex(real, rows[number]), limit) for real in columns)
        checkpoint(done)
        progress((number + 1) / len(rows))
    return before.to_bytes(ROWS, "big") + done


def steps(point: complex, limit: int) -> int:
    """How many steps of z = z*z + point it takes until z is outside; 0 if it stays within."""
    z = 0j
    for step in range(1, limit + 1):
        z = z * z + point
        if z.real * z.real + z.imag * z.imag > 4.0:
            return step
    return 0
