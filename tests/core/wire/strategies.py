"""Hypothesis strategies for every message of both protocols, and a profile without chance."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from rserpool.core import PolicyParameter, PoolElementParameter, SctpTransport, TcpTransport, UdpTransport
from rserpool.core.identity import Identity
from rserpool.core.wire import asap, enrp
from rserpool.core.wire.orders import Drainer, Order, OrderAnswer, Result
from rserpool.core.wire.parameters import (
    DccpTransport,
    ErrorCause,
    OpaqueTransport,
    ServerInformation,
    UdpLiteTransport,
)
from rserpool.core.wire.private import Draining

settings.register_profile(
    "deterministic",
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=100,
    suppress_health_check=[HealthCheck.too_slow],
)
DETERMINISTIC = settings.get_profile("deterministic")

u16 = st.integers(0, 0xFFFF)
u32 = st.integers(0, 0xFFFFFFFF)
ports = u16
life = st.integers(-(2**31), 2**31 - 1)
handles = st.binary(max_size=40)
addresses = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).map(str)

sctp_transports = st.builds(SctpTransport, ports, u16, st.lists(addresses, min_size=1, max_size=4).map(tuple))
tcp_transports = st.builds(TcpTransport, ports, addresses)
transports = st.one_of(
    sctp_transports,
    tcp_transports,
    st.builds(UdpTransport, ports, addresses),
    st.builds(UdpLiteTransport, ports, addresses),
    st.builds(DccpTransport, ports, u32, addresses),
    st.builds(OpaqueTransport, st.binary(max_size=20)),
)
policies = st.builds(PolicyParameter, u32, st.binary(max_size=40))
names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
owners = st.none() | st.builds(Identity, st.just("psk"), names) | st.just(Identity("ip", "2001:db8::1"))
elements = st.builds(
    PoolElementParameter,
    u32, u32, life, transports, policies, st.none() | sctp_transports, ports, owner=owners,
)  # fmt: skip
element_tuples = st.lists(elements, max_size=4).map(tuple)
servers = st.builds(ServerInformation, u32, sctp_transports, ports)
causes = st.builds(ErrorCause, u16, st.binary(max_size=20))
some_causes = st.lists(causes, min_size=1, max_size=3).map(tuple)
any_causes = st.lists(causes, max_size=3).map(tuple)
draining = st.none() | st.builds(Draining, st.booleans(), st.none() | st.integers(0, 2**32 - 2))
keep_alives = st.builds(asap.EndpointKeepAlive, u32, handles, st.booleans(), u32, draining)

ASAP = {
    asap.Registration: st.builds(asap.Registration, handles, elements),
    asap.Deregistration: st.builds(asap.Deregistration, handles, u32, st.booleans()),
    asap.RegistrationResponse: st.builds(asap.RegistrationResponse, handles, u32, st.booleans(), any_causes),
    asap.DeregistrationResponse: st.builds(asap.DeregistrationResponse, handles, u32, any_causes),
    asap.HandleResolution: st.builds(asap.HandleResolution, handles, st.booleans(), st.none() | u32),
    asap.HandleResolutionResponse: st.builds(
        asap.HandleResolutionResponse, handles, st.none() | policies, element_tuples, st.booleans(), any_causes
    ),
    asap.EndpointKeepAlive: keep_alives | st.builds(asap.EndpointKeepAlive, u32, handles),
    asap.EndpointKeepAliveAck: st.builds(asap.EndpointKeepAliveAck, handles, u32, st.booleans(), draining),
    asap.EndpointUnreachable: st.builds(asap.EndpointUnreachable, handles, u32),
    asap.ServerAnnounce: st.builds(
        asap.ServerAnnounce, u32, st.lists(sctp_transports | tcp_transports, max_size=4).map(tuple), ports
    ),
    asap.Cookie: st.builds(asap.Cookie, st.binary(max_size=60)),
    asap.CookieEcho: st.builds(asap.CookieEcho, st.binary(max_size=60)),
    asap.BusinessCard: st.builds(asap.BusinessCard, handles, element_tuples),
    asap.Error: st.builds(asap.Error, some_causes),
}
"""A strategy for each ASAP message class."""

actions = u16.map(lambda number: enrp.UpdateAction(number) if number < 2 else number)
entries = st.lists(st.builds(enrp.PoolEntry, handles, element_tuples), max_size=4).map(tuple)

words = st.text("abc \xe9", max_size=20)
orders = (
    st.none()
    | st.builds(Order, u32, st.booleans(), handles.filter(bool), u32, words)
    | st.builds(OrderAnswer, u32, st.sampled_from(Result), st.none() | st.integers(0, 2**32 - 2), words)
)

drainers = st.lists(st.builds(Drainer, handles, u32, st.none() | st.integers(0, 2**32 - 2)), max_size=3).map(tuple)

ENRP = {
    enrp.Presence: st.builds(
        enrp.Presence,
        u32,
        u32,
        st.none() | u16,
        st.none() | servers,
        st.booleans(),
        identity=owners,
        order=orders,
        drainers=drainers,
        leaving=st.booleans(),
    ),
    enrp.HandleTableRequest: st.builds(enrp.HandleTableRequest, u32, u32, st.booleans()),
    enrp.HandleTableResponse: st.builds(enrp.HandleTableResponse, u32, u32, entries, st.booleans(), st.booleans()),
    enrp.HandleUpdate: st.builds(
        enrp.HandleUpdate, u32, u32, actions, handles, elements, st.booleans(), u32, st.booleans()
    ),
    enrp.ListRequest: st.builds(enrp.ListRequest, u32, u32),
    enrp.ListResponse: st.builds(enrp.ListResponse, u32, u32, st.lists(servers, max_size=4).map(tuple), st.booleans()),
    enrp.InitTakeover: st.builds(enrp.InitTakeover, u32, u32, u32),
    enrp.InitTakeoverAck: st.builds(enrp.InitTakeoverAck, u32, u32, u32),
    enrp.TakeoverServer: st.builds(enrp.TakeoverServer, u32, u32, u32),
    enrp.Error: st.builds(enrp.Error, u32, u32, some_causes),
}
"""A strategy for each ENRP message class."""
