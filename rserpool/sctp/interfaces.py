"""What every SCTP backend offers, and what its users implement (RFC 9260 section 11, RFC 6458).

Two styles stand on one floor. I{One-to-many}: one L{ISctpEndpoint} on one SCTP port accepts and opens any number of
associations and reports to one L{ISctpHandler}. I{One-to-one}: each association has a protocol of its own, built by a
factory, as Twisted's users know it (L{rserpool.sctp.one_to_one}). SCTP keeps message boundaries: a message is
delivered whole, once, with its payload protocol identifier (host order) and stream.

No method calls back into its handler before it has returned, except C{send}, which may call C{associationPaused}.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zope.interface import Attribute, Interface

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from twisted.internet.defer import Deferred
    from twisted.python.failure import Failure

    from rserpool.core.addresses import TransportAddress


class ISctpStack(Interface):
    """One SCTP implementation inside one reactor: the place where endpoints are opened."""

    name = Attribute("C{str}: C{'usrsctp'}, C{'kernel'} or C{'memory'}.")
    encapsulation_port = Attribute(
        "C{int}: the UDP port of SCTP over UDP at this end (RFC 6951); 0 where none is used."
    )
    heartbeats = Attribute(
        "C{int}: how many of SCTP's heartbeats came to this process so far, or were answered; 0 where that takes no"
        " time of its own, since the kernel does it."
    )

    def open(port: int, handler: ISctpHandler, hosts: tuple[str, ...], listening: bool = True) -> ISctpEndpoint:
        """Open a one-to-many endpoint.

        @param port: C{int}, the SCTP port; 0 lets the stack choose one.
        @param handler: an L{ISctpHandler}.
        @param hosts: C{tuple} of C{str}, local IP addresses.
        @param listening: whether peers may open associations to it.
        @return: an L{ISctpEndpoint}.
        @raise twisted.internet.error.CannotListenError: if the port is taken or an address is not local.
        """

    def close() -> Deferred[None]:
        """Abort what is left and free the stack.

        @return: a C{Deferred} that fires with C{None} when it is done.
        """


class ISctpEndpoint(Interface):
    """One SCTP endpoint: a local port with any number of associations (one-to-many style)."""

    port = Attribute("C{int}: the local SCTP port.")
    hosts = Attribute("C{tuple} of C{str}: the local IP addresses.")
    associations = Attribute("C{int}: how many associations are up or being set up.")

    def connect(peer: TransportAddress) -> ISctpAssociation:
        """Open an association to a L{TransportAddress<rserpool.core.addresses.TransportAddress>}.

        The handler's C{associationUp} or C{associationLost} follows, never during this call.
        C{peer.encapsulation} 0 means plain SCTP with the kernel, the well-known UDP port 9899 with usrsctp. Between two
        endpoints there is at most one association (RFC 9260 section 1.3): if both dial at once, one comes of it,
        outbound at both ends; a second C{connect} to the same peer is lost with C{ConnectError} (C{EISCONN}).

        @return: an L{ISctpAssociation}, not up yet.
        """

    def setHeartbeat(seconds: float) -> None:
        """Set the heartbeat interval, in seconds, of all present and future associations."""

    def changeHosts(hosts: tuple[str, ...]) -> bool:
        """Have these local IP addresses instead of the present ones, in present associations as well (RFC 5061).

        @return: whether the peers are told; if not, their associations keep the addresses that they have.
        """

    def acceptNoMore() -> None:
        """Accept no new associations; those that are up are told of during this call at the latest, and stay."""

    def stopListening() -> Deferred[None]:
        """Accept no new associations, shut the present ones down gracefully, free the port.

        @return: a C{Deferred} that fires with C{None} when all associations are gone.
        """

    def abort() -> None:
        """Abort all associations and free the port at once."""


class ISctpAssociation(Interface):
    """One association of an endpoint."""

    peer = Attribute(
        "L{TransportAddress<rserpool.core.addresses.TransportAddress>}: for an association that C{connect} opened the"
        " very address given to it; for an accepted one the peer's addresses, SCTP port and encapsulation port as seen."
    )
    encapsulated = Attribute("C{bool}: whether it is encapsulated in UDP (RFC 6951).")
    peer_addresses = Attribute("C{tuple} of C{str}: the IP addresses of the peer that belong to the association.")
    unconfirmed_addresses = Attribute(
        "C{tuple} of C{str}: those of them that the peer names and has not proved yet to have (RFC 9260 section 5.4)."
    )
    local_addresses = Attribute("C{tuple} of C{str}: our IP addresses that belong to it.")
    outbound = Attribute("C{bool}: whether our C{connect} opened it.")
    credentials = Attribute(
        "L{Credentials<rserpool.core.identity.Credentials>}: what the peer has proved to be; None in the clear."
    )
    established = Attribute("C{bool}: whether it is up.")
    buffered = Attribute("C{int}: bytes accepted by C{send} and not yet taken by the stack.")
    smoothed_round_trip = Attribute(
        "C{float} or C{None}: the smoothed round trip time of the primary path in seconds (RFC 9260 section 6.3.1), as"
        " precise as the stack knows it; None while the association is not up, and where it was not measured yet."
    )

    def send(data: bytes, ppid: int = 0, stream: int = 0, unordered: bool = False) -> None:
        """Send one message (1 to 65,536 bytes; before the association is up it waits here).

        What the stack does not take now is kept here; past a high-water mark the handler's C{associationPaused} is
        called, and C{associationResumed} once it has drained. Past L{rserpool.sctp.base.SEND_LIMIT} bytes the
        association is aborted: a peer that reads nothing must not fill our memory. On an association that is lost or
        closing it does nothing.

        @raise ValueError: if C{data} is empty or too long, or if there is no such stream.
        """

    def sendAll(several: Sequence[bytes], ppid: int = 0) -> None:
        """Send messages on stream 0, as C{send} does, in as few packets as the stack can make of them (RFC 9260
        section 6.10).
        """

    def early(data: bytes, ppid: int) -> bool:
        """Before it is up: have one message ride with the set-up's last packet, on stream 0 (RFC 9260 section 5.1).

        @return: whether it does; C{False} where the stack cannot do that: then it is not sent.
        """

    def after(call: Callable[[], object]) -> None:
        """From within the handler: call this once it has been told of all that came in with what it was told of now; at
        once, where the stack cannot know that.
        """

    def bundle() -> None:
        """Several messages are about to be sent, from within the handler: they may go out in one packet (RFC 9260
        section 6.10), once the stack has told all that has come in. Where the stack cannot do that, they go at once.
        """

    def probe() -> None:
        """Ask the peer now for a sign of life (RFC 9260 section 8.3), where the transport can.

        If the process there has ended, its host says so, and the association is lost without waiting for SCTP's next
        retransmission.
        """

    def close() -> None:
        """Deliver what was sent, then shut down gracefully; C{associationLost} follows with C{ConnectionDone}."""

    def abort() -> None:
        """Abort (ABORT chunk); C{associationLost} follows soon with C{ConnectionAborted}."""


class ISctpHandler(Interface):
    """Who uses a one-to-many endpoint. An exception from a handler is logged and disturbs no other association."""

    def associationUp(association: ISctpAssociation) -> None:
        """An association is established, accepted or opened."""

    def messageReceived(association: ISctpAssociation, data: bytes, ppid: int, stream: int, unordered: bool) -> None:
        """One whole message arrived; C{data} is C{bytes}, C{ppid} in host order."""

    def sendFailed(association: ISctpAssociation, data: bytes, ppid: int) -> None:
        """A message was perhaps not delivered (SCTP SEND FAILED); C{associationLost} usually follows."""

    def associationPaused(association: ISctpAssociation) -> None:
        """More is buffered than the high-water mark: send less."""

    def associationResumed(association: ISctpAssociation) -> None:
        """The buffer has drained."""

    def addressChanged(association: ISctpAssociation, host: str, reachable: bool) -> None:
        """A path of the association became (un)reachable; one that was verified for the first time is reachable."""

    def peerAddressesChanged(association: ISctpAssociation) -> None:
        """The peer has gained or lost an address (RFC 5061); C{peer_addresses} are those that it has now."""

    def associationLost(association: ISctpAssociation, reason: Failure) -> None:
        """The association is gone, or could not be set up; called once.

        @param reason: a C{Failure}: C{ConnectionDone} (graceful),
            C{ConnectionAborted} (we aborted), C{ConnectionLost} (the peer aborted, or is unreachable),
            C{ConnectionRefusedError} (nobody listens), C{TimeoutError} (no answer to the set-up), another
            C{ConnectError} (any other failure of the set-up).
        """


class ISctpProtocol(Interface):
    """The one-to-one style: a protocol for one association, built by a factory's C{buildProtocol(peer)}."""

    def makeConnection(transport: ISctpAssociation) -> None:
        """The association is up; C{transport} is its L{ISctpAssociation}."""

    def messageReceived(data: bytes, ppid: int, stream: int, unordered: bool) -> None:
        """One whole message arrived."""

    def sendFailed(data: bytes, ppid: int) -> None:
        """A message could not be delivered."""

    def connectionLost(reason: Failure) -> None:
        """The association is gone; C{reason} as for L{ISctpHandler.associationLost}."""
