"""The fractal generator beside rsplib's: one pool of both, users of both, and tiles go on from each other's cookies."""

from __future__ import annotations

import os
import re
from pathlib import Path

from rserpool.core.addresses import ASAP_PORT
from rserpool.services import Painting, Parameter
from rserpool.services.fractal.messages import MANDELBROT_N, MOST_POINTS, State
from rserpool.services.fractal.painter import Tile
from tests.lab.networks import Host
from tests.lab.rsplib import RsplibTests
from tests.processes.harness import Process

POOL = "FractalGeneratorPool"
OURS, THEIRS, NEXT = 1, 2, 3
MESSAGES = 10
"""So many an element of theirs sends in a session before it fails."""
TILE = Parameter(100, 60, 1500, MANDELBROT_N, -1.2 + 1.1j, 1.2 - 1.1j, 4.0)
"""More points than theirs sends before it fails. Ours shares its time among tiles, by steps: while it paints five
messages of this, it paints some of the picture, which has more steps; so it is killed in the middle of both."""
PICTURE = """<!DOCTYPE XMLFractalSave>
<FractalV1>
 <Algorithm>
  <AlgorithmName>Mandelbrot</AlgorithmName>
  <C1Real>-1.5</C1Real> <C1Imag>1.5</C1Imag> <C2Real>1.5</C2Real> <C2Imag>-1.5</C2Imag>
  <Useroptions> <MaxIterations>3000</MaxIterations> </Useroptions>
 </Algorithm>
 <ColorScheme> <ColorSchemeName>SimpleHSV</ColorSchemeName> </ColorScheme>
</FractalV1>
"""


class FractalTests(RsplibTests):
    """Elements of ours and of theirs, which end each session after L{MESSAGES}, under a registrar of either kind."""

    timeout = 120

    def ours(self, host: Host, identifier: int) -> Process:
        """Start an element of ours on a host."""
        where = f"{self.where.addresses[0]}:{ASAP_PORT}"
        element = ("--registrar", where, "--identifier", str(identifier), "--address", host.addresses[0])
        with host:
            return self.twistd("rserpool-pe", *element, "--", "rserpool-fractal", "--cookie-messages", "1")

    def their_painter(self, host: Host) -> Process:
        """Their user, without a window: it paints a picture of two tiles again and again."""
        folder = Path("/run/lab/fractal")
        folder.mkdir(exist_ok=True)
        (folder / "picture.fsf").write_text(PICTURE)
        size = ("-width=200", "-height=60", "-threads=2", "-interimagetime=1")
        self.patch(os, "environ", os.environ | {"QT_QPA_PLATFORM": "offscreen"})
        return self.their_user(
            host, self.where, "fractalpooluser", *size, f"-configdir={folder}/", "-recvtimeout=20000"
        )

    async def test_tiles_go_on(self) -> None:
        """Under their registrar."""
        self.where, *hosts = self.networks.hosts(6)
        self.their_registrar(self.where, 7)
        await self.tiles_go_on(hosts)

    async def test_tiles_go_on_under_ours(self) -> None:
        """Under our registrar."""
        self.where, *hosts = self.networks.hosts(6)
        await self.our_registrar(self.where, 7)
        await self.tiles_go_on(hosts)

    async def tiles_go_on(self, hosts: list[Host]) -> None:
        """Tiles of both users go from theirs to ours, which is killed, and on at theirs, which is killed, too."""
        *hosts, there, here = hosts
        self.networks.enter(here)
        asking = self.our_user(here, self.where)
        ours = self.ours(hosts[0], OURS)
        theirs = self.their_element(
            hosts[1], self.where, "fractal", THEIRS, f"-fgpfailureafter={MESSAGES}", "-fgpmaxthreads=9"
        )
        await self.resolves(asking, POOL, OURS, THEIRS)
        painter = self.their_painter(there)
        await ours.says(r"a tile goes on here at x=\d+ y=[1-9]")
        served: list[int] = []
        painting = Painting(
            asking,
            POOL,
            TILE,
            order=lambda elements: sorted(elements, key=lambda element: -element.identifier),
            painted=lambda index, steps, element: served.append(element.identifier),
        )
        self.addCleanup(painting.close)
        await self.until(lambda: OURS in served and self.behind(painting) > 15 * MOST_POINTS, "ours has painted more")
        self.assertEqual([THEIRS] * MESSAGES + [OURS], served[: MESSAGES + 1])
        ours.signal("KILL")
        del theirs.lines[:]
        await painting.done
        self.assertEqual((0, THEIRS), (painting.tile.missing, served[-1]))
        self.check(painting)
        await self.until(lambda: self.echoes(theirs), "a tile of their user goes on at theirs from a cookie of ours")
        self.ours(hosts[2], NEXT)
        await self.resolves(asking, POOL, THEIRS, NEXT)
        theirs.signal("KILL")
        await self.resolves(asking, POOL, NEXT)
        pictures = len(painter.lines)
        for _ in range(2):
            await painter.says("Getting parameters from", after=pictures)
            pictures = len(painter.lines)

    def behind(self, painting: Painting) -> int:
        """How far the last cookie is."""
        cookie = painting.session.cookie
        return 0 if cookie is None else State.decode(cookie).index

    def check(self, painting: Painting) -> None:
        """Whoever painted a point, it is what we compute."""
        for index in range(0, TILE.width * TILE.height, 197):
            tile = Tile(TILE, index, 0.0)
            tile.compute()
            self.assertEqual(tile.steps[0], painting.tile.steps[index], f"point {index}")

    def echoes(self, theirs: Process) -> list[int]:
        """Where tiles went on at theirs: not at their beginning, nor where theirs itself had failed."""
        said = re.findall(r"Got CookieEcho on .*\n.*?x=(\d+) y=(\d+)", theirs.text)
        places = [int(y) * TILE.width + int(x) for x, y in said]
        return [each for each in places if each not in (0, MESSAGES * MOST_POINTS - 1)]
