"""The picture in a browser: one page, and a stream of what happens (server-sent events)."""

from __future__ import annotations

import base64
import json
from typing import Any

from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

from rserpool.cli.fractal.picture import Picture, Tile, palette_of

HOST = "127.0.0.1"
PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>A picture that a pool computes</title>
<style>
  :root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
  body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
  canvas { width: 100%; background: #181818; image-rendering: pixelated }
  #who span { display: inline-block; margin-right: 1.2rem } #who i { display: inline-block; width: 1em; height: 1em }
  .killed { opacity: .5; text-decoration: line-through }
</style>
<h1>A picture that a pool computes</h1>
<p>Each tile has the colour of the worker that made it. Workers are killed in the middle of a tile, and others started:
a tile that was interrupted goes on at another worker, from its last row.</p>
<canvas id="picture" role="img" aria-label="the Mandelbrot set, as far as it is computed"></canvas>
<p id="who" aria-live="off"></p><ol id="events" aria-live="polite"></ol>
<script>
  const canvas = document.getElementById("picture"), context = canvas.getContext("2d"), palettes = {}, workers = {};
  const bytes = text => Uint8Array.from(atob(text), char => char.charCodeAt(0));
  function count(number, change) {
    const worker = workers[number] ??= { tiles: 0, alive: true };
    change(worker);
    document.getElementById("who").replaceChildren(...Object.entries(workers).map(([number, worker]) => {
      const span = document.createElement("span"), box = document.createElement("i"), shade = palettes[number];
      if (shade) box.style.background = `rgb(${shade.slice(360, 363)})`;
      span.append(box, ` worker ${number}: ${worker.tiles} tiles`);
      if (!worker.alive) span.className = "killed";
      return span;
    }));
  }
  const stream = new EventSource("events");
  stream.onmessage = event => {
    const told = JSON.parse(event.data);
    if (told.size) {
      [canvas.width, canvas.height] = told.size;
      Object.keys(workers).forEach(key => delete workers[key]);
    }
    if (told.palette) palettes[told.worker] = bytes(told.palette);
    if (told.tile) {
      const [left, top, width, height] = told.tile, points = bytes(told.points), shades = palettes[told.worker];
      const image = context.createImageData(width, height);
      points.forEach((point, index) => image.data.set([...shades.slice(3 * point, 3 * point + 3), 255], 4 * index));
      context.putImageData(image, left, top);
      count(told.worker, worker => worker.tiles++);
    }
    if (told.killed) count(told.killed, worker => worker.alive = false);
    if (told.text) {
      const line = document.createElement("li");
      line.textContent = told.text;
      document.getElementById("events").append(line);
    }
    if (told.over) stream.close();
  };
</script></html>
"""


class Page:
    """Serves the page, and tells all that look at it."""

    def __init__(self, reactor: Any, picture: Picture) -> None:
        self._reactor = reactor
        self._picture = picture
        self._told: list[bytes] = []
        self._looking: list[Any] = []
        self._palettes: set[int] = set()
        self._port: Any = None

    async def listen(self, port: int) -> str:
        """Serve it.

        @return: where.
        """
        root = Resource()
        root.putChild(b"", _Page())
        root.putChild(b"events", _Events(self._look))
        site = Site(root)
        site.noisy = False
        self._port = await TCP4ServerEndpoint(self._reactor, port, interface=HOST).listen(site)
        self._tell({"size": [self._picture.width, self._picture.height]})
        return f"http://{HOST}:{self._port.getHost().port}/"

    def tile(self, tile: Tile, points: bytes, worker: int) -> None:
        """A tile is there."""
        if worker not in self._palettes:
            self._palettes.add(worker)
            self._tell({"worker": worker, "palette": _text(b"".join(palette_of(worker)))})
        where = [tile.left, tile.top, tile.width, tile.height]
        self._tell({"tile": where, "worker": worker, "points": _text(points)})

    def event(self, text: str, killed: int = 0, over: bool = False) -> None:
        """Something happened."""
        self._tell({"text": text, "killed": killed, "over": over})

    async def close(self) -> None:
        """Nobody looks any more."""
        for request in self._looking:
            request.finish()
        self._looking = []
        if self._port is not None:
            await self._port.stopListening()

    def _tell(self, what: dict[str, Any]) -> None:
        line = b"data: " + json.dumps(what).encode() + b"\n\n"
        self._told.append(line)
        for request in self._looking:
            request.write(line)

    def _look(self, request: Any) -> None:
        request.write(b"".join(self._told))
        self._looking.append(request)
        request.notifyFinish().addErrback(lambda _: self._looking.remove(request))


class _Page(Resource):
    isLeaf = True

    def render_GET(self, request: Any) -> bytes:
        """The page."""
        request.setHeader("Content-Type", "text/html; charset=utf-8")
        return PAGE.encode()


class _Events(Resource):
    isLeaf = True

    def __init__(self, look: Any) -> None:
        super().__init__()
        self._look = look

    def render_GET(self, request: Any) -> int:
        """The stream."""
        request.setHeader("Content-Type", "text/event-stream")
        request.setHeader("Cache-Control", "no-store")
        self._look(request)
        return NOT_DONE_YET


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
