"""The TLS handshake of one association (RFC 3436): from when it is dialled, or accepted, until it is up."""

from __future__ import annotations

from collections.abc import Collection

from twisted.internet.interfaces import IDelayedCall

from rserpool.core.errors import Unproved
from rserpool.core.identity import Identity
from rserpool.sctp.interfaces import ISctpAssociation
from rserpool.sctp.tls.channel import Rule
from rserpool.sctp.tls.greeting import Greeting, greeting
from rserpool.sctp.tls.place import Above, Place
from rserpool.security.engine import TlsConnection
from rserpool.security.failure import TlsFailure
from rserpool.security.hello import is_client_hello, random_of
from rserpool.security.records import FOR_MIDDLEBOXES, each_record
from rserpool.security.way import RECORD


class Opening(Above):
    """
    @ivar failure: why its handshake failed, or TLS ended.
    @ivar waiting: what came in, and was not looked at yet.
    """

    __slots__ = (
        "_expected", "_gathers", "_greeting", "_hello", "_lost", "_ppid", "_timer", "_tls", "endpoint", "failure",
        "outbound", "peer", "waiting",
    )  # fmt: skip

    def __init__(self, endpoint: Place, inner: ISctpAssociation, expected: Collection[Identity] | None) -> None:
        super().__init__(inner)
        self.endpoint = endpoint
        self.peer = inner.peer
        self.outbound = inner.outbound
        self.failure: Unproved | None = None
        self.waiting: bytearray | None = None
        # Whether that waits for no more than what came with it; else it is others' turn.
        self._gathers = False
        self._ppid = endpoint.channel.framing.ppid
        self._expected = expected
        self._greeting: Greeting | None = None
        self._hello = b""
        self._lost = False
        self._timer: IDelayedCall | None = None
        self._tls: TlsConnection | None = None

    # What its other half supplies.

    def fail(self, why: str, passing: bool = False) -> None:
        """TLS has failed; the peer hears as much of it as it may.

        @param passing: whether it may be otherwise in a moment.
        """
        raise NotImplementedError

    def abort(self) -> None:
        """End it at once."""
        raise NotImplementedError

    def _opened(self, tls: TlsConnection) -> None:
        """The peer has proved who it is.

        @raise TlsFailure: if what came behind that is not the peer's.
        """
        raise NotImplementedError

    # What the endpoint calls.

    def begin(self) -> None:
        """The association beneath is up: now TLS."""
        channel = self.endpoint.channel
        self._timer = self.endpoint.reactor.callLater(channel.patience, self._late)
        client = channel.rule is Rule.CLIENT or (channel.rule is Rule.DIALLER and self.outbound)
        if not client:
            return
        if channel.sides.client is None:
            self.fail("we have neither a key nor trust anchors, and cannot tell who it is")
            return
        self.prepare()
        made, self._greeting = self._greeting, None
        assert made is not None
        self._tls, self._hello = made.tls, made.hello
        if not made.rides:
            self._put(self._hello)
        elif made.side is not channel.sides.client:
            self.fail("our key was another when we dialled", passing=True)

    def prepare(self) -> None:
        """Make a client's hello, while the association beneath is set up."""
        channel = self.endpoint.channel
        if not self._lost and self._tls is None and channel.rule is not Rule.SERVER:
            endpoint = self.endpoint
            now = endpoint.reactor.seconds()
            self._greeting = greeting(self._greeting, channel, self.inner, self._expected, endpoint.ready, now)

    def go_on(self) -> None:
        """It is our turn."""
        waiting, self.waiting = self.waiting, None
        if waiting and not self._lost and self.failure is None:
            self._step(bytes(waiting))

    # The handshake.

    def _handshake(self, data: bytes) -> None:
        """A message came in; it should be a record."""
        if self.waiting is not None:
            self.waiting += data
            if len(self.waiting) > 2 * RECORD:
                if self._gathers:
                    self.go_on()
                else:
                    self.fail("it goes on before it was answered")
            return
        if self._hello and is_client_hello(data):
            self._crossed(data)
            return
        self._hello = b""
        if self._tls is None and not self._welcomed():
            self.waiting = bytearray(data)
            self._gathers = False
        elif self.failure is None:
            # What comes with it is looked at together with it.
            self.waiting = bytearray(data)
            self._gathers = True
            self.inner.after(self.go_on)

    def _welcomed(self) -> bool:
        """Somebody begins to speak TLS with us: whether it is its turn."""
        channel = self.endpoint.channel
        server = channel.sides.server
        if server is None:
            self.fail("we have neither keys nor a certificate, and cannot be its server")
            return False
        self._tls = server.connection()
        turn = channel.handshakes.may_begin(self, self.peer.hosts[0])
        if turn is None:
            self.fail("too many handshakes of its machine are under way", passing=True)
            return False
        return turn and self.endpoint.has_time_for(self)

    def _crossed(self, data: bytes) -> None:
        """Both ends dialled, so both have sent a ClientHello: who sent the smaller random begins again as server."""
        ours, theirs = random_of(self._hello), random_of(data)
        if self.endpoint.channel.rule is not Rule.DIALLER or ours == theirs:
            self.fail("it sends a ClientHello, where it is the server")
        elif ours < theirs:
            self._hello = b""
            self._tls = None
            self._handshake(data)

    def _step(self, data: bytes) -> None:
        tls = self._tls
        assert tls is not None
        # The records of a flight, and what was waiting for its end.
        self.inner.bundle()
        try:
            self._put(tls.handshake(data))
            if tls.established:
                self._stop()
                self.endpoint.channel.up(self, tls.offered)
                self._opened(tls)
                if self.outbound:
                    self.endpoint.opened()
        except TlsFailure as failure:
            self.fail(str(failure))

    def _late(self) -> None:
        self._timer = None
        self.fail(f"its TLS handshake was not over after {self.endpoint.channel.patience:g} s", passing=True)

    def _stop(self) -> None:
        """No handshake is under way any more."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        self.endpoint.over(self)

    def _put(self, records: bytes) -> None:
        """One record a message (RFC 3436 section 3.2); what is for middleboxes alone stays away (RFC 8446 D.4)."""
        for record in each_record(records):
            if record != FOR_MIDDLEBOXES or self._tls is None or not self._tls.modern:
                self.inner.send(record, self._ppid)
