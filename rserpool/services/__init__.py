"""Services as pool elements, compatible with rsplib's: echo, discard, daytime, chargen, pingpong, CalcApp, fractals."""

from __future__ import annotations

from rserpool.services.calcapp.calculator import Terms
from rserpool.services.calcapp.element import CalcAppFactory
from rserpool.services.calcapp.user import Calculating, Calculation
from rserpool.services.classic import Classic
from rserpool.services.clients import Echoing, Pinging
from rserpool.services.fractal.element import FractalFactory
from rserpool.services.fractal.messages import Parameter
from rserpool.services.fractal.painter import Painter
from rserpool.services.fractal.tile import WantedTile
from rserpool.services.fractal.user import Painting
from rserpool.services.pingpong import PingPongFactory
from rserpool.services.tally import Tally

__all__ = [
    "CalcAppFactory",
    "Calculating",
    "Calculation",
    "Classic",
    "Echoing",
    "FractalFactory",
    "Painter",
    "Painting",
    "Parameter",
    "PingPongFactory",
    "Pinging",
    "Tally",
    "Terms",
    "WantedTile",
]
