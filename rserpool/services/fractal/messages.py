"""The messages of the fractal generator, and its cookie, as rsplib has them: all numbers in network byte order."""

from __future__ import annotations

import math
import struct
from struct import Struct
from typing import Final

from rserpool.core.errors import WireError
from rserpool.core.frozen import frozen

PPID_FRACTAL: Final = 32
"""The payload protocol identifier of all messages."""
MOST_POINTS: Final = 324
"""So many points are in a message, at most."""
MANDELBROT: Final = 1
"""The algorithm z = z * z - c."""
MANDELBROT_N: Final = 2
"""The algorithm z = z ** n - c."""
LARGEST: Final = 2**16
"""The most points of a tile in each direction, and the most n that L{MANDELBROT_N} has here."""
HIGHEST_N: Final = 100

_PARAMETER: Final = 1
_DATA: Final = 2
_HEAD: Final = Struct("!BBH")
_PARAMETER_BODY: Final = Struct("!IIIIddddd")
_DATA_BODY: Final = Struct("!III")
_NOWHERE: Final = 2**32 - 1
_MARK: Final = b"<FG-TD1>"
_STATE_HEAD: Final = _HEAD.pack(_PARAMETER, 0, 4)
_PLACE: Final = Struct("!II")


@frozen
class Parameter:
    """What a tile is: type 1, flags 0, length 60, then the fields as they stand here (32 bits, C{n}: 64-bit floats).

    @ivar width: points in a row; C{height}: rows.
    @ivar limit: so many steps are tried.
    @ivar algorithm: L{MANDELBROT} or L{MANDELBROT_N}.
    @ivar first: c of the point at the upper left; C{last}: of the one that would be next to the lower right.
    @ivar n: the exponent; 2 for L{MANDELBROT}.
    """

    width: int
    height: int
    limit: int
    algorithm: int
    first: complex
    last: complex
    n: float = 2.0

    def encode(self) -> bytes:
        """Its bytes."""
        return _HEAD.pack(_PARAMETER, 0, _HEAD.size + _PARAMETER_BODY.size) + self.body()

    def body(self) -> bytes:
        """Those behind the head."""
        corners = self.first.real, self.first.imag, self.last.real, self.last.imag
        return _PARAMETER_BODY.pack(self.width, self.height, self.limit, self.algorithm, *corners, self.n)

    @classmethod
    def decode(cls, message: bytes) -> Parameter:
        """Read it.

        @raise WireError: if it is something else, or no tile that can be computed.
        """
        if len(message) != _HEAD.size + _PARAMETER_BODY.size or message[0] != _PARAMETER:
            raise WireError(f"no tile: type {message[:1].hex()}, {len(message)} bytes")
        if _HEAD.unpack_from(message)[2] != len(message):
            raise WireError("no tile: its length is wrong")
        return cls.of_body(message[_HEAD.size :])

    @classmethod
    def of_body(cls, body: bytes) -> Parameter:
        """Read what stands behind the head.

        @raise WireError: if it is no tile that can be computed.
        """
        width, height, limit, algorithm, *corners, n = _PARAMETER_BODY.unpack(body)
        if not (0 < width <= LARGEST and 0 < height <= LARGEST and limit > 0):
            raise WireError(f"no tile: {width} x {height} points, {limit} steps")
        if algorithm not in (MANDELBROT, MANDELBROT_N):
            raise WireError(f"no tile: algorithm {algorithm}")
        if not (all(map(math.isfinite, corners)) and 1.0 <= n <= HIGHEST_N):
            raise WireError(f"no tile: from {corners[:2]} to {corners[2:]}, n = {n}")
        return cls(width, height, limit, algorithm, complex(*corners[:2]), complex(*corners[2:]), n)

    def point(self, index: int) -> complex:
        """Its c; points are counted from the upper left, row by row."""
        y, x = divmod(index, self.width)
        size = self.last - self.first
        return complex(self.first.real + x * size.real / self.width, self.first.imag + y * size.imag / self.height)


@frozen
class Data:
    """Points: type 2, flags 0, length, x and y of the first, how many (32 bits each), then each one's steps (32 bits).

    @ivar x: where the first is; the others follow, row by row.
    @ivar steps: for each how many it takes to be outside; that of the tile's limit for those that stay inside.
    """

    x: int
    y: int
    steps: tuple[int, ...]

    def encode(self) -> bytes:
        """Its bytes."""
        size = len(self.steps)
        head = _HEAD.pack(_DATA, 0, _HEAD.size + _DATA_BODY.size + 4 * size)
        return head + _DATA_BODY.pack(self.x, self.y, size) + struct.pack(f"!{size}I", *self.steps)

    @classmethod
    def decode(cls, message: bytes) -> Data | None:
        """Read it; None for the last one, which says that the tile is complete.

        @raise WireError: if it is something else.
        """
        if len(message) < _HEAD.size + _DATA_BODY.size or message[0] != _DATA:
            raise WireError(f"no points: type {message[:1].hex()}, {len(message)} bytes")
        x, y, size = _DATA_BODY.unpack_from(message, _HEAD.size)
        begin = _HEAD.size + _DATA_BODY.size
        if len(message) != begin + 4 * size or _HEAD.unpack_from(message)[2] != len(message):
            raise WireError(f"no points: {size} in {len(message)} bytes")
        if (x, y) == (_NOWHERE, _NOWHERE):
            return None
        return cls(x, y, struct.unpack_from(f"!{size}I", message, begin))


COMPLETE: Final = Data(_NOWHERE, _NOWHERE, ()).encode()
"""Says that a tile is complete."""


@frozen
class State:
    """How far a tile is: C{<FG-TD1>}, its parameter (whose head says 4 for its length), x and y of the next point.

    @ivar index: the next point, counted from the upper left, row by row.
    """

    parameter: Parameter
    index: int

    def encode(self) -> bytes:
        """The cookie."""
        y, x = divmod(self.index, self.parameter.width)
        return _MARK + _STATE_HEAD + self.parameter.body() + _PLACE.pack(x, y)

    @classmethod
    def decode(cls, cookie: bytes) -> State:
        """Read it.

        @raise WireError: if it is no cookie of the fractal generator.
        """
        begin = len(_MARK) + _HEAD.size
        end = begin + _PARAMETER_BODY.size
        if len(cookie) != end + _PLACE.size or not cookie.startswith(_MARK):
            raise WireError(f"no cookie of the fractal generator: {cookie[:8]!r}, {len(cookie)} bytes")
        parameter = Parameter.of_body(cookie[begin:end])
        x, y = _PLACE.unpack_from(cookie, end)
        if not (x < parameter.width and y < parameter.height) and (x, y) != (0, parameter.height):
            raise WireError(f"no cookie of the fractal generator: at {x}, {y}")
        return cls(parameter, y * parameter.width + x)
