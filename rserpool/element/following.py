"""What serves, of what a service has opened: what is to be registered now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.logger import Logger

from rserpool.core.errors import ConfigurationError
from rserpool.element.checks import AnotherProcess, Checking, is_open
from rserpool.element.health import Checks, Health
from rserpool.element.openings import open_ports, opener_of, tells_of_its_end
from rserpool.element.ports import KINDS, ListeningPorts, Place, bound_hosts, place_of
from rserpool.element.serving import Serving
from rserpool.node.own_ports import is_own_port

NONE = Checks()


class Followed:
    """A port that is registered while it is open.

    @param want: where it is; None for the one that the service opens.
    @param serving: what registers it.
    @param checks: whether who serves there is well.
    """

    _log = Logger()

    def __init__(self, reactor: Any, want: Place | None, serving: Serving, checks: Checks = NONE) -> None:
        self._reactor = reactor
        self._want = want
        self._here: list[Any] = []
        self._elsewhere: Checking | None = None
        self._checks = checks
        self._health: Health | None = None
        self.serving = serving

    def look(self, ports: ListeningPorts) -> None:
        """Look at what is open now, and register it.

        @raise ConfigurationError: if nothing was registered yet, and it is not known which port is to be, or users
            cannot reach it.
        """
        if self.serving.leaving or (self._as_before(ports) and self._well_as_before()):
            return
        ports.look()
        try:
            found = self._find(ports)
            if found is None:
                self._gone()
                return
            place, here = found
            if not self._well(place, here):
                return
            if (place, here) != (self.serving.place, self._here):
                self.serving.serves(here, place)
            self._here = here
        except ConfigurationError as error:
            if self.serving.element is None:
                raise
            if self.serving.place is not None:
                self._log.warn("{error}", error=error)
            self._gone()

    @property
    def is_told(self) -> bool:
        """Whether all that may change is told: else somebody has to look."""
        here = bool(self._here) and all(tells_of_its_end(self._reactor, port) for port in self._here)
        return here and self._health is None

    def begin(self) -> None:
        """Look anew, as if nothing had been there before."""
        self._here, self._elsewhere = [], None
        self.serving.begin()

    def stop(self) -> None:
        """Look no more."""
        if self._elsewhere is not None:
            self._elsewhere.stop()
        self._forget_health()

    def why_not(self, ports: ListeningPorts) -> str:
        """Why nothing is registered, in words."""
        if self._health is not None:
            return f"what serves at {self._want or 'its port'} is not well: {self._health.why or 'no answer yet'}"
        if self._want is not None and self._want.number:
            return f"nobody listens on {self._want}"
        opened = f" ({ports.told()})" if ports.ports else ""
        others = ", ".join(
            str(place_of(port))
            for port in open_ports(self._reactor)
            if port not in ports.ports and self._is_unknown(port) and place_of(port).kind in KINDS
        )
        note = f", and it is not known who opened {others}" if others else ""
        return f"the service opened no port that can be found{opened}{note}: name it with --port"

    def _is_unknown(self, port: Any) -> bool:
        return opener_of(self._reactor, port) is None and not is_own_port(port)

    def _as_before(self, ports: ListeningPorts) -> bool:
        open_still = bool(self._here) and all(is_open(self._reactor, port) for port in self._here)
        return open_still and (self._want is not None or not any(ports.is_a_guess(port) for port in self._here))

    def _gone(self) -> None:
        self._here = []
        self._forget_health()
        self.serving.gone()

    def _well(self, place: Place, here: list[Any]) -> bool:
        """Whether who serves there is well; where it is not, it leaves the pools."""
        if not self._checks.checks:
            return True
        if self._health is None:
            host = next((host for port in here for host in bound_hosts(port.getHost())), None)
            self._health = Health(
                self._reactor, self._checks, host or self.serving.addresses()[0], place.number, f"{place}"
            )
            self._health.start()
        if self._health.well:
            return True
        self._here = []
        self.serving.gone(f"what serves at {place} is not well ({self._health.why})")
        return False

    def _well_as_before(self) -> bool:
        return self._health is None or self._health.well is (self.serving.place is not None)

    def _forget_health(self) -> None:
        health, self._health = self._health, None
        if health is not None:
            health.stop()

    def _find(self, ports: ListeningPorts) -> tuple[Place, list[Any]] | None:
        if self._want is not None and self._want.number:
            return self._find_named(self._want)
        places = ports.serving(None if self._want is None else self._want.kind)
        if len(places) > 1:
            raise ConfigurationError(
                f"the service opened {len(places)} ports, and may serve at any: name with --port what is to be "
                f"registered of {', '.join(map(str, places))}"
            )
        return next(iter(places.items()), None)

    def _find_named(self, want: Place) -> tuple[Place, list[Any]] | None:
        here = [port for port in open_ports(self._reactor) if want.matches(place_of(port))]
        if here:
            if self._elsewhere is not None:
                self._elsewhere.stop()
            return want, here
        if self._elsewhere is None:
            hosts: Sequence[str] = self.serving.addresses()
            self._elsewhere = Checking(self._reactor, AnotherProcess(self._reactor, want.kind, want.number, hosts))
        self._elsewhere.start()
        return (want, []) if self._elsewhere.answer else None
