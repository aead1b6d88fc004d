"""The registrar as a Twisted service: what C{twistd rserpool-ns} runs, and what applications embed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from operator import attrgetter
from random import Random, SystemRandom
from typing import Any, cast

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.internet.error import CannotListenError
from twisted.logger import Logger

from rserpool.core.addresses import (
    ASAP_PORT,
    ENRP_PORT,
    REGISTRAR_ENCAPSULATION_PORTS,
    TransportAddress,
    only_this_host,
)
from rserpool.core.errors import ConfigurationError
from rserpool.core.profiles import DEFAULT, Profile
from rserpool.core.registrar import Limits, Registrar
from rserpool.core.registrar.events import SupervisionStretched
from rserpool.core.wire import enrp as enrp_messages
from rserpool.core.wire.parameters import DATA_ONLY, DATA_PLUS_CONTROL, SctpTransport, ServerInformation, TcpTransport
from rserpool.core.wire.refusing import refuse
from rserpool.node.candidates import local_hosts_towards
from rserpool.node.lifetime import Lifetime
from rserpool.node.multicast import ENRP_GROUP, default_group
from rserpool.node.node import Node
from rserpool.node.securing import SecurityOption, secured_from
from rserpool.node.shutdown import Ending
from rserpool.plugins import add_policies
from rserpool.registrar.acting import Acting
from rserpool.registrar.changing import changed
from rserpool.registrar.collector import Garbage
from rserpool.registrar.costs import Costs, LookingAfter
from rserpool.registrar.heartbeats import Heartbeats
from rserpool.registrar.log import OperatorLog
from rserpool.registrar.neighbours import look_around
from rserpool.registrar.securing import RegistrarSecurity
from rserpool.registrar.telling import EnrpChannel
from rserpool.sctp.base import PPID_ENRP
from rserpool.sctp.guests import Guests
from rserpool.sctp.interfaces import ISctpEndpoint, ISctpStack
from rserpool.sctp.stack import open_stack

LOOPBACK = TransportAddress(("127.0.0.1",), ASAP_PORT)


def _alone(enrp: TransportAddress | None, peers: Sequence[TransportAddress], discover: bool) -> bool:
    if enrp or peers or discover:
        raise ConfigurationError("a registrar that speaks no ENRP has no address for it, no peers, and finds none")
    return False


class RegistrarService(Acting, Service):
    """A registrar on one reactor.

    @param asap: where elements and users reach it over SCTP.
    @param asap_tcp: where users reach it over TCP; None for the first address and the port of C{asap}, or any free
        port if that is taken.
    @param tcp: whether to serve users over TCP at all.
    @param enrp: where other registrars reach it, and nowhere else; None for port 9901 of the same addresses.
    @param peering: whether to speak with other registrars at all.
    @param peers: where other registrars speak ENRP; they are dialled for ever, and the first that answers is the
        mentor. Without peers the registrar is ready at once.
    @param encapsulation: the UDP port of SCTP over UDP; None for the first free one of 9899, 9898 ... 9892.
    @param encapsulation_hosts: at which local addresses SCTP over UDP is received; those of C{asap} by default.
    @param identifier: its ENRP server identifier; drawn at random if None.
    @param announce: whether to announce itself by multicast.
    @param announce_group: the multicast group and UDP port; None for those of RFC 5352.
    @param discover: whether to find other registrars by multicast, as rsplib does.
    @param suggest_takeover: whether to suggest to less busy peers that they take elements of ours over.
    @param security: what secures it: TLS at port 3864 instead of 3863, and at 9902 instead of 9901, by keys and
        certificates; see L{SecurityOption<rserpool.node.securing.SecurityOption>}.
    @param tame_garbage: whether the garbage collector of this process is made to look at what is new alone; what else
        runs in it is affected too.
    @param stack: an SCTP stack that the caller opened and will close; None to open one.
    """

    _log = Logger()
    _looking: Deferred[None] | None = None

    def __init__(
        self,
        reactor: Any,
        *,
        asap: TransportAddress = LOOPBACK,
        asap_tcp: TransportAddress | None = None,
        tcp: bool = True,
        enrp: TransportAddress | None = None,
        peering: bool = True,
        peers: Sequence[TransportAddress] = (),
        encapsulation: int | None = None,
        encapsulation_hosts: tuple[str, ...] = (),
        identifier: int | None = None,
        profile: Profile = DEFAULT,
        backend: str = "auto",
        announce: bool = False,
        announce_group: TransportAddress | None = None,
        discover: bool = False,
        discover_group: TransportAddress = ENRP_GROUP,
        suggest_takeover: bool = False,
        keep_alives: bool = True,
        limits: Limits | None = None,
        security: SecurityOption = None,
        tame_garbage: bool = True,
        random: Random | None = None,
        stack: ISctpStack | None = None,
    ) -> None:
        super().__init__()
        self._reactor = reactor
        self.secured = secured_from(security, reactor, user=False)
        self._security = secure = RegistrarSecurity(self.secured)
        self._asap, self._tcp, self._asap_tcp = secure.place(asap), tcp, asap_tcp and secure.place(asap_tcp)
        self._enrp = secure.place(enrp or TransportAddress(asap.hosts, ENRP_PORT))
        self._enrp_hosts = self._enrp.hosts if enrp else encapsulation_hosts or asap.hosts  # where it was asked to be
        self._peering = peering or _alone(enrp, peers, discover)
        self._peers = tuple(map(secure.peer, peers))
        self._encapsulation, self._hosts = encapsulation, encapsulation_hosts or asap.hosts
        self._profile, self._backend = profile, backend
        self._announce, self._announce_group, self._discover = announce, announce_group, discover
        self._discover_group, self._suggest = discover_group, suggest_takeover
        self._given_stack, self._tcp_port = stack, cast(Any, None)
        random = random or Random(SystemRandom().getrandbits(128))
        identifier = identifier or random.randrange(1, 2**32)
        self._role = partial(
            Registrar,
            identifier,
            profile=profile,
            random=random,
            limits=limits,
            keep_alives=keep_alives,
            round_trip=attrgetter("smoothed_round_trip"),
            encapsulated=attrgetter("encapsulated"),
            unconfirmed=attrgetter("unconfirmed_addresses"),
        )
        self._begin()
        self._life = Lifetime("the registrar", self._begin)
        self._ending = Ending(reactor, lambda: self._life.end(self._stop()), self.stopService)
        self._operator = OperatorLog(reactor, self._log, identifier)
        self._tame_garbage, self._garbage = tame_garbage, Garbage(lambda: len(self.registrar.handlespace))
        self._looking_after = LookingAfter(reactor, self._garbage)

    def _begin(self) -> None:
        """A registrar that knows nothing yet."""
        self.registrar = self._role(access=self._security.access)
        self._heartbeats = Heartbeats(self._reactor, self._profile, self.registrar.supervision.shares)
        self.node = Node(self._reactor, self.registrar, self._notified, server=self.registrar.identifier)
        self.registrar.peering.suggest = self._suggest
        self.node.asap.addresses_changed, self.node.asap.refuse = self.registrar.addresses_changed, refuse
        self.node.asap.guests = self._guests()
        self._security.secure(self.node.asap, "registrar")

    def _guests(self) -> Guests:
        """Those who may speak one of the two protocols with it."""
        limits = self.registrar.limits
        return Guests(self._reactor, "associations", limits.associations, limits.associations_per_machine)

    def startService(self) -> None:
        """Listen; by now the policies of plugins are known.

        @raise twisted.internet.error.CannotListenError: if a port is taken or an address is not of this host.
        @raise rserpool.core.errors.SctpUnavailable: if there is no SCTP on this machine.
        @raise rserpool.core.errors.ConfigurationError: if two plugins bring one policy.
        @raise RuntimeError: if it was stopped, and has not ended yet.
        """
        self._life.begin()
        add_policies()
        try:
            self._start()
        except Exception:
            self.node.abandon()
            raise
        self._security.follow(self.registrar, self.node)
        super().startService()
        self._ending.arm()

    def change(self, **settings: Any) -> None:
        """Go by other settings from now on; see L{rserpool.registrar.changing.changed}."""
        changed(self.registrar, self.node, self._security, **settings)

    def stopService(self) -> Deferred[None]:
        """Close every association, and free the ports.

        It is called before the reactor shuts down, unless it was before: elements find another registrar at once.
        """
        super().stopService()
        return self._ending.begin()

    @property
    def encapsulation_port(self) -> int:
        """The UDP port of SCTP over UDP; 0 where none is used, or before the service runs."""
        return 0 if self.node.stack is None else self.node.stack.encapsulation_port

    @property
    def asap_places(self) -> list[str]:
        """Where elements and users reach it: C{HOST:PORT}, one for each address."""
        address: TransportAddress | ISctpEndpoint = self.node.asap.sctp or self._asap
        return [str(TransportAddress((host,), address.port)) for host in address.hosts]

    @property
    def address(self) -> TransportAddress:
        """Where elements and users reach it over SCTP, with its UDP port where there is one."""
        address: TransportAddress | ISctpEndpoint = self.node.asap.sctp or self._asap
        return TransportAddress(address.hosts, address.port, self.encapsulation_port)

    @property
    def tcp_address(self) -> TransportAddress | None:
        """Where users reach it over TCP."""
        if self._tcp_port is None:
            return None
        host = self._tcp_port.getHost()
        return TransportAddress((host.host,), host.port, protocol="tcp")

    def _start(self) -> None:
        hosts = self._hosts
        stack = self._given_stack or open_stack(
            self._reactor,
            backend=self._backend,
            profile=self._profile,
            hosts=hosts,
            encapsulation=self._encapsulation,
            registrar=True,
        )
        self.node.take(stack, own=self._given_stack is None)
        endpoint = self.node.asap.open(self._asap.port, hosts)
        enrp = self._start_enrp() if self._peering else None
        if self._tcp:
            self._tcp_port = self._listen_tcp()
        self._security.open_in_the_clear(self.node, self.registrar, self.tcp_address)
        if self._announce:
            self._start_announcing(endpoint)
        if self._tame_garbage:
            self._garbage.start()
        self._looking_after.start(Costs(self.registrar, lambda: stack.heartbeats))
        where = str(TransportAddress(endpoint.hosts, endpoint.port, self.encapsulation_port))
        self._log.info(
            "registrar 0x{identifier:08x} serves ASAP at {where} ({tls}SCTP{over}){tcp}, profile {profile}",
            event="serves",
            identifier=self.registrar.identifier,
            where=where,
            tls="" if self.secured is None else "TLS over ",
            over=f" over UDP {self.encapsulation_port}" if self.encapsulation_port else "",
            tcp=f" and {self.tcp_address}" if self._tcp_port is not None else "",
            profile=self._profile.name,
        )
        if self._given_stack is None and enrp is not None:
            self._looking = ensureDeferred(self._look_around(stack, enrp))
        self._security.tell(where, only_this_host(hosts))

    def _start_enrp(self) -> TransportAddress:
        registrar, node = self.registrar, self.node
        channel = node.open_channel("enrp", registrar.enrp, enrp_messages, PPID_ENRP, EnrpChannel)
        channel.guests = self._guests()
        channel.addresses_changed = registrar.peering.peers.moved
        self._security.secure(channel, "peer", self._peers)
        endpoint = channel.open(self._enrp.port, self._enrp_hosts)
        hosts = endpoint.hosts
        if self._peers and any(host in ("0.0.0.0", "::") for host in hosts):  # noqa: S104
            hosts = local_hosts_towards(self._peers)
        transport = SctpTransport(self._security.told(endpoint.port), DATA_ONLY, hosts)
        information = ServerInformation(registrar.identifier, transport, self.encapsulation_port)
        if self._discover:
            channel.join(self._discover_group, hosts[0])
        node.perform(registrar.enrp.join(information, self._peers, node.now(), discover=self._discover))
        place = TransportAddress(endpoint.hosts, endpoint.port, self.encapsulation_port)
        self._log.info("speaks ENRP, with other registrars, at {place}", event="speaks-enrp", place=str(place))
        return place

    def _listen_tcp(self) -> Any:
        most = self.registrar.limits.connections_per_machine
        if self._asap_tcp is not None:
            return self.node.asap.listen_tcp(self._asap_tcp.hosts[0], self._asap_tcp.port, most)
        host, wanted = self._asap.hosts[0], self._asap.port or self._security.place(LOOPBACK).port
        try:
            return self.node.asap.listen_tcp(host, wanted, most)
        except CannotListenError:
            port: Any = self.node.asap.listen_tcp(host, 0, most)
            self._log.info(
                "TCP port {taken} is taken: users reach this registrar over TCP at port {port}",
                event="port-taken",
                taken=wanted,
                port=port.getHost().port,
            )
            return port

    def _check_announced(self) -> None:
        port = self.encapsulation_port
        if (self._announce or self._discover) and port and port not in REGISTRAR_ENCAPSULATION_PORTS:
            self._log.warn(
                "announcements name no UDP port: who hears them tries {first} to {last}, and this registrar has {port}",
                first=REGISTRAR_ENCAPSULATION_PORTS[0],
                last=REGISTRAR_ENCAPSULATION_PORTS[-1],
                port=port,
            )

    def _start_announcing(self, endpoint: ISctpEndpoint) -> None:
        interface = self._asap.hosts[0]
        self.node.asap.join(self._announce_group or default_group(interface), interface)
        transports: list[SctpTransport | TcpTransport] = [
            SctpTransport(self._security.told(endpoint.port), DATA_PLUS_CONTROL, endpoint.hosts)
        ]
        tcp = self.tcp_address
        if tcp is not None:
            transports.append(TcpTransport(self._security.told(tcp.port), tcp.hosts[0]))
        # A UDP port is a private parameter, which those who hear this may not know.
        self.node.perform(self.registrar.announce(tuple(transports), 0, self.node.now()))

    async def _look_around(self, stack: ISctpStack, enrp: TransportAddress) -> None:
        try:
            identifier, peers = self.registrar.identifier, self.registrar.peering.peers
            stack, places = self._security.looking(self._reactor, stack, enrp)
            await look_around(self._reactor, stack, places, identifier, peers, self._log, enrp.hosts)
        except CancelledError:
            pass
        except Exception:
            self._log.failure("cannot look for other registrars of this host")

    async def _stop(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
        self._looking_after.stop()
        self._garbage.stop()
        self._heartbeats.stop()
        self._security.stop()
        self._operator.stop()
        self._act_no_more()
        await self.node.close()
        self._tcp_port = None

    def _notified(self, event: Any) -> None:
        endpoint = self.node.asap.sctp
        if isinstance(event, SupervisionStretched) and endpoint is not None:
            # SCTP's own heartbeats cost something too, for each association.
            self._heartbeats.look(endpoint)
            self._looking_after.soon()
        self._acted(event)
        self._operator.tell(event)
