"""Pools for Dask: C{Client("rserpool://POOL")} and C{dask worker rserpool://POOL} find the scheduler in a pool.

Dask finds L{PoolBackend} by an entry point (C{distributed.comm.backends}); a program imports nothing. The scheduler is
one as any other, with an element beside it (C{rserpool-pe --pool POOL --port 8786 -- run dask scheduler}). An address
may say more: C{rserpool://POOL?registrar=HOST:PORT&profile=fast&security=DIR}, with C{registrar=} for each of several.
What it does not say, the environment says, or a file of the user (L{rserpool.config.user}).

All connections of a process to one pool go to one scheduler, while any of them is open: two schedulers know nothing of
each other. See C{docs/dask.md} for what becomes of work when a scheduler or a worker dies.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from math import inf
from typing import Any
from urllib.parse import parse_qsl, unquote_to_bytes
from weakref import WeakKeyDictionary, ref

try:
    from distributed.comm import get_address_host
    from distributed.comm.core import CommClosedError, Connector, FatalCommClosedError
    from distributed.comm.registry import Backend, get_backend
    from distributed.comm.tcp import TCPListener, TLSListener
    from distributed.utils import get_ip
except ImportError as error:
    raise ImportError(f"rserpool.dask needs Dask: pip install 'rserpool[dask]' ({error})") from None

from rserpool.core.errors import ConfigurationError, RSerPoolError
from rserpool.core.frozen import frozen
from rserpool.core.user.trying import TIMEOUT, PassedOver, try_elements
from rserpool.core.wire.parameters import PoolElementParameter
from rserpool.names.aio import LoopHands, Pools
from rserpool.names.blocking import resolver
from rserpool.names.checking import why_not
from rserpool.names.errors import NameUnknown, NothingAccepts
from rserpool.names.over_tcp import over_tcp, trying, where

__all__ = ["PoolAddress", "PoolBackend", "parse_pool"]

LOGGER = logging.getLogger("distributed.rserpool")
"""Dask's log, since it is Dask's users who read it."""
ATTEMPT = 3.0
"""Seconds that a scheduler may take to accept, at most: Dask itself begins again after a fifth of its own time-out."""
UNKNOWN = 3.0
"""Seconds that a pool which never was here may be unknown to its registrar, counted across the attempts into which Dask
divides its time-out: so the reason comes before that is over."""
FORGOTTEN = 30.0
"""Seconds after which it is another time."""


@frozen
class PoolAddress:
    """What stands behind C{rserpool://}.

    @ivar pool: the pool handle.
    @ivar registrars: where registrars serve ASAP over TCP, each C{HOST:PORT}; none for those that are usual here.
    @ivar profile: the timers.
    @ivar security: what secures asking registrars; None for what the environment says.
    """

    pool: bytes
    registrars: tuple[str, ...] = ()
    profile: str = "default"
    security: str | None = None


def parse_pool(text: str) -> PoolAddress:
    """Read C{POOL[?NAME=VALUE[&NAME=VALUE]...]}; both may be percent-encoded.

    @raise ConfigurationError: with a sentence.
    """
    name, _, query = text.partition("?")
    pool = unquote_to_bytes(name.removesuffix("/"))
    if not pool:
        raise ConfigurationError("which pool? write rserpool://POOL")
    said: dict[str, list[str]] = {}
    for key, value in parse_qsl(query, keep_blank_values=True):
        said.setdefault(key, []).append(value)
    registrars = tuple(said.pop("registrar", ()))
    rest = {key: _only(key, said.pop(key)) for key in ("profile", "security") if key in said}
    if said:
        wrong = ", ".join(sorted(said))
        raise ConfigurationError(f"rserpool://{text}: there is no {wrong}; choose from registrar, profile, security")
    return PoolAddress(pool, registrars, rest.get("profile", "default"), rest.get("security"))


def _only(key: str, values: Sequence[str]) -> str:
    if len(values) != 1:
        raise ConfigurationError(f"rserpool://: {key}= may stand once")
    return values[0]


class PoolBackend(Backend):  # type: ignore[misc]
    """Addresses C{rserpool://POOL}, for C{distributed}: it connects to schedulers.

    What it connects by is Dask's own TCP, or TLS where Dask's C{Security} has certificates. Workers listen as they do
    for other addresses, at the address by which this host reaches the scheduler.
    """

    def __init__(self) -> None:
        self._places: dict[PoolAddress, Place] = {}

    def place(self, loc: str) -> Place:
        """The scheduler of this process in a pool.

        @raise ConfigurationError: if there is something wrong with the address.
        """
        address = parse_pool(loc)
        found = self._places.get(address)
        if found is None:
            found = self._places[address] = Place(address)
        return found

    def get_connector(self) -> PoolConnector:
        """See C{distributed.comm.registry.Backend}, as for the others."""
        return PoolConnector(self)

    def get_listener(self, loc: str, handle_comm: Any, deserialize: bool, **options: Any) -> Any:
        """A worker listens: over TLS, if it has a certificate."""
        listener = _TcpListener if options.get("ssl_context") is None else _TlsListener
        return listener(loc, handle_comm, deserialize, **options)

    def get_address_host(self, loc: str) -> str:
        """Where the scheduler is. It blocks: Dask asks so while a worker is made, before anything runs.

        @raise PoolNameError: if there is none, with a sentence.
        """
        return self.place(loc).host()

    def resolve_address(self, loc: str) -> str:
        """The same address: where the scheduler is may change."""
        return loc

    def get_local_address_for(self, loc: str) -> str:
        """Our own address on the way to the scheduler. It blocks, too."""
        return str(get_ip(self.get_address_host(loc)))


class Place:
    """The scheduler that this process has found in a pool: all its connections go there, while any is open."""

    def __init__(self, address: PoolAddress) -> None:
        self.address = address
        options: Any = {"registrars": address.registrars, "profile": address.profile, "security": address.security}
        self.pools = Pools(**options)
        self._resolver = resolver(**options)
        self._element: PoolElementParameter | None = None
        self._known = False
        self._unknown_since: float | None = None
        self._open: WeakKeyDictionary[Any, asyncio.AbstractEventLoop] = WeakKeyDictionary()

    @property
    def element(self) -> PoolElementParameter | None:
        """The scheduler, if there is a connection to it."""
        return self._element if any(not comm.closed() for comm in list(self._open)) else None

    def known(self) -> None:
        """The pool is there."""
        self._known, self._unknown_since = True, None

    def unknown(self, now: float) -> float:
        """The registrar says that there is no such pool.

        @return: how many seconds more that may be otherwise in a moment; infinite for a pool that was there before.
        """
        if self._known:
            return inf
        if self._unknown_since is None or now - self._unknown_since > FORGOTTEN:
            self._unknown_since = now
        return max(0.0, self._unknown_since + UNKNOWN - now)

    def told(self) -> None:
        """Who wanted it has heard that there is no such pool; whoever comes now waits anew."""
        self._unknown_since = None

    def joined(self, element: PoolElementParameter, comm: Any) -> bool:
        """There is another connection.

        @return: False if it is not to the scheduler that this process has meanwhile: then it is of no use.
        """
        before = self.element
        if before is not None and where(before) != where(element):
            return False
        self._element = element
        self._open[comm] = asyncio.get_running_loop()
        return True

    def lost(self, element: PoolElementParameter) -> None:
        """A scheduler is gone. If it is ours, what is open to it is of no use, which its users should know at once."""
        if self._element is None or where(self._element) != where(element):
            return
        for comm, loop in list(self._open.items()):
            with suppress(RuntimeError):  # this loop is closed
                loop.call_soon_threadsafe(comm.abort)
        self._open.clear()

    def host(self) -> str:
        """Where it is; blocks until that is known."""
        found, pool = self.element, self.address.pool
        if found is None:
            patience = self._resolver.asker.default_timeout
            found = over_tcp(pool, self._resolver.resolve(pool, patience=patience).elements)[0]
        return where(found)[0]


class PoolConnector(Connector):  # type: ignore[misc]
    """Connects to the scheduler of a pool; Dask asks one of these again and again, until its time is over."""

    def __init__(self, backend: PoolBackend) -> None:
        self._backend = backend

    async def connect(self, address: str, deserialize: bool = True, **options: Any) -> Any:
        """Connect to the scheduler that this process has, or else to the one that the pool's policy wants.

        Who does not accept is reported, and the next one is tried.

        @raise distributed.comm.core.FatalCommClosedError: if there is no such pool.
        @raise distributed.comm.core.CommClosedError: if no scheduler accepts; Dask tries it again.
        """
        try:
            place = self._backend.place(address)
        except ConfigurationError as error:
            raise FatalCommClosedError(str(error)) from None
        while True:
            hands = _Hands(place, deserialize, options)
            profile = place.pools.source.profile
            search = trying(place.address.pool, profile, TIMEOUT, ATTEMPT, hands.now(), place.element)
            try:
                comm = await try_elements(search, hands)
            except NameUnknown as error:
                place.told()
                raise FatalCommClosedError(str(error)) from None
            except RSerPoolError as error:
                raise CommClosedError(str(error)) from None
            except asyncio.CancelledError as cancelled:
                # Dask's time is over: what it raises has this as its cause, and so a sentence.
                raise cancelled from hands.why
            assert search.element is not None
            if place.joined(search.element, comm):
                return comm
            comm.abort()


class _Hands(LoopHands):
    """Those of one connect."""

    def __init__(self, place: Place, deserialize: bool, options: dict[str, Any]) -> None:
        super().__init__(place.pools, place.address.pool)
        self._place, self._deserialize, self._options = place, deserialize, options
        self._scheme = "tcp" if options.get("ssl_context") is None else "tls"
        self.why: RSerPoolError | None = None

    async def resolve(self, seconds: float, fresh: bool) -> list[PoolElementParameter]:
        found, ours = await self._resolve(seconds, fresh), self._place.element
        if ours is None:
            return found
        still = [each for each in found if where(each) == where(ours)]
        if not still:
            # Its registrar says so, too.
            self._place.lost(ours)
        return still or found

    async def _resolve(self, seconds: float, fresh: bool) -> list[PoolElementParameter]:
        try:
            found = await self._asked(seconds, fresh)
        except RSerPoolError as error:
            self.failed(error)
            raise
        self._place.known()
        return found

    async def _asked(self, seconds: float, fresh: bool) -> list[PoolElementParameter]:
        try:
            return await super().resolve(seconds, True)
        except NameUnknown as error:
            self.failed(error)
            left = min(seconds, self._place.unknown(self.now()))
            if fresh or not left:
                raise
            return await super().resolve(left, False)

    def failed(self, why: RSerPoolError) -> None:
        """There is no scheduler yet; it is told at once, since Dask waits for long."""
        if self.why is None:
            LOGGER.warning("%s; this goes on for a while", why)
        self.why = why

    async def attempt(self, element: PoolElementParameter, seconds: float) -> Any:
        host, port = where(element)
        place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        connector = get_backend(self._scheme).get_connector()
        try:
            async with asyncio.timeout(seconds):
                comm = await connector.connect(place, deserialize=self._deserialize, **self._options)
        except OSError as error:
            cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
            fatal = isinstance(error, FatalCommClosedError)
            why = PassedOver(str(error)) if fatal else why_not(cause, seconds)
            self.failed(NothingAccepts(f"the scheduler at {place} does not accept: {why}"))
            if isinstance(cause, ConnectionError):
                # Nobody is there. Of who is only late we do not know that.
                self._place.lost(element)
            raise why from None
        there = ref(comm)
        self.accepted(element, lambda: _over(there()))
        return comm


def _over(comm: Any) -> bool:
    return comm is None or bool(comm.closed())


class _Towards:
    """A worker's listener, which tells others the address by which this host reaches the scheduler."""

    ip: str
    default_host: str | None
    comm_handler: Any

    async def start(self) -> None:
        """Begin; the scheduler must be there.

        @raise PoolNameError: if it is not, with a sentence.
        """
        server = getattr(self.comm_handler, "__self__", None)
        scheduler = getattr(getattr(server, "scheduler", None), "address", None)
        if not self.ip and self.default_host is None and scheduler is not None:
            reached = asyncio.get_running_loop().run_in_executor(None, get_address_host, scheduler)
            self.default_host = get_ip(await reached)
        await super().start()  # type: ignore[misc]


class _TcpListener(_Towards, TCPListener):  # type: ignore[misc]
    pass


class _TlsListener(_Towards, TLSListener):  # type: ignore[misc]
    pass
