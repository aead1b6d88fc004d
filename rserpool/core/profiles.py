"""Profiles: every timer and threshold of the protocols, and of SCTP beneath them, under one name.

All times are seconds. C{RFC} holds the values that RFC 5352 section 7, RFC 5353 section 4.2 and RFC 9260
section 16 name; C{DEFAULT} notices a silent host within 1 s; C{FAST} is for one host or one data centre.
"""

from __future__ import annotations

from dataclasses import replace

from rserpool.core.errors import ConfigurationError
from rserpool.core.frozen import frozen


@frozen
class Profile:
    """A set of timers and thresholds; each field names its source, and the module of the core that obeys it."""

    name: str
    # SCTP (RFC 9260 section 16)
    rto_initial: float
    rto_min: float
    rto_max: float
    heartbeat_interval: float
    association_max_retransmissions: int
    max_init_retransmissions: int
    sack_delay: float
    icmp: bool
    """Whether ICMP port unreachable ends an association (it can be forged: loopback and trusted networks only)."""
    mtu: int
    """Bytes of the largest IP packet in which usrsctp sends SCTP over UDP, where a path is not of this host alone
    (RFC 9260 section 7.3); every path of IPv6 takes 1,280."""
    # RFC 5352 section 3.4, 3.5: supervision of elements
    keep_alive_interval: float
    """Mean time between two keep-alives to one element (section 3.5)."""
    keep_alive_spread: float
    """By this part of it each is moved at most, to and fro."""
    keep_alive_answer: float
    """How long an element with which we speak may take to acknowledge a keep-alive, if it is not far away, and others
    are heard meanwhile (C{registrar.company})."""
    keep_alive_timeout: float
    """How long an element may take at most, or one that has to be dialled."""
    max_bad_pe_reports: int
    """Reports from as many machines are answered by a keep-alive, one more removes the element
    (C{registrar.supervision})."""
    # RFC 5352 section 7
    t1_enrp_request: float
    """How long a registrar may take to answer a resolution before another is asked, but see L{patience}
    (C{user.resolution}); also how long an element may take to accept, where nothing else is said (C{user.trying})."""
    t2_registration: float
    """How long a registrar may take to answer a registration (C{element.registration})."""
    t3_deregistration: float
    """The same for a deregistration."""
    t4_reregistration: float
    """An element registers again after this (C{element.membership}), or sooner where its life is short."""
    t5_server_hunt: float
    """How long one hunt for a home registrar lasts (C{server_hunt})."""
    t6_server_announce: float
    """Time between two announcements of all registrars together (C{registrar.announcing})."""
    t7_enrp_outdate: float
    """For how long an announced registrar counts as one (C{server_hunt}, C{registrar.announcing})."""
    stale_cache_value: float
    """For how long an answer is fresh (C{user.cache})."""
    max_request_retransmit: int
    """So many times a question is put to another registrar (C{user.resolution})."""
    retran_max: float
    """T5 doubles with each hunt that finds nobody, up to this (C{server_hunt})."""
    registration_life: int
    """3,000 times T4: who reads it as milliseconds, as rsplib does, still has three registrations within one life."""
    # RFC 5353 section 4.2
    peer_heartbeat_cycle: float
    """Time between two presences (C{peering.peering})."""
    max_time_last_heard: float
    """After so much silence a peer is asked whether it lives (C{peering.peers})."""
    max_time_no_response: float
    """How long it may take to answer that, a list or table request (C{peering.initialization}, C{audit}), or a claim
    (C{peering.takeover})."""

    @property
    def patience(self) -> float:
        """Seconds that a user waits for its registrar's answer before it asks another: T1, but at most 4."""
        return min(self.t1_enrp_request, 4.0)

    @property
    def idle(self) -> float:
        """Seconds without a word of its registrar after which a user that watches pools asks whether it is there:
        silence is noticed within one and a half times T1, and 5 at most."""
        return min(self.t1_enrp_request / 2, 1.0)

    @property
    def idle_with_heartbeats(self) -> float:
        """The same where heartbeats tell soon of a host that is gone. They tell nothing of a process that stands still
        while its kernel answers them: that is noticed within five times T1, and 5 s at most."""
        return min(4 * self.t1_enrp_request, 5.0 - self.patience)

    @property
    def resolution(self) -> float:
        """Seconds that a resolution may take where nothing else is said: as long as all the requests that RFC 5352
        section 3.7.2 allows, 5 at least."""
        return max(5.0, (self.max_request_retransmit + 1) * self.t1_enrp_request)


RFC = Profile(
    name="rfc",
    rto_initial=1.0,
    rto_min=1.0,
    rto_max=60.0,
    heartbeat_interval=30.0,
    association_max_retransmissions=10,
    max_init_retransmissions=8,
    sack_delay=0.2,
    icmp=False,
    mtu=1280,
    keep_alive_interval=30.0,
    keep_alive_spread=0.5,
    keep_alive_answer=30.0,
    keep_alive_timeout=30.0,
    max_bad_pe_reports=3,
    t1_enrp_request=15.0,
    t2_registration=30.0,
    t3_deregistration=30.0,
    t4_reregistration=600.0,
    t5_server_hunt=10.0,
    t6_server_announce=1.0,
    t7_enrp_outdate=5.0,
    stale_cache_value=30.0,
    max_request_retransmit=2,
    retran_max=60.0,
    registration_life=1_800_000,
    peer_heartbeat_cycle=30.0,
    max_time_last_heard=61.0,
    max_time_no_response=5.0,
)

DEFAULT = replace(
    RFC,
    name="default",
    rto_initial=0.1,
    rto_min=0.05,
    rto_max=0.35,
    heartbeat_interval=0.5,
    association_max_retransmissions=4,
    max_init_retransmissions=3,
    sack_delay=0.02,
    icmp=True,
    keep_alive_interval=0.5,
    keep_alive_spread=0.04,
    keep_alive_answer=0.45,
    keep_alive_timeout=1.1,
    t1_enrp_request=1.0,
    t2_registration=2.0,
    t3_deregistration=2.0,
    t4_reregistration=20.0,
    stale_cache_value=5.0,
    registration_life=60_000,
    peer_heartbeat_cycle=1.0,
    max_time_last_heard=2.0,
    max_time_no_response=0.5,
)

FAST = replace(
    DEFAULT,
    name="fast",
    rto_initial=0.1,
    rto_min=0.1,
    rto_max=0.15,
    association_max_retransmissions=3,
    max_init_retransmissions=3,
    heartbeat_interval=0.25,
    sack_delay=0.01,
    keep_alive_interval=0.2,
    keep_alive_spread=0.5,
    keep_alive_answer=0.4,
    keep_alive_timeout=0.4,
    t1_enrp_request=0.3,
    t2_registration=0.6,
    t3_deregistration=0.6,
    t4_reregistration=10.0,
    stale_cache_value=1.0,
    registration_life=30_000,
    peer_heartbeat_cycle=0.4,
    max_time_last_heard=0.9,
    max_time_no_response=0.3,
)

LEAST_MTU, MOST_MTU = 576, 65535
"""What a path of IPv4 takes at least (RFC 791), and at most."""

PROFILES = {profile.name: profile for profile in (FAST, DEFAULT, RFC)}


def profile(text: str) -> Profile:
    """The profile that a person asks for: C{fast}, or C{fast,mtu=1500} where all paths take packets as large.

    @raise ConfigurationError: if there is none, or the MTU is none.
    """
    name, *more = text.split(",")
    if name not in PROFILES:
        raise ConfigurationError(f"there is no profile {name!r}; choose one of {', '.join(PROFILES)}")
    chosen = PROFILES[name]
    for setting in more:
        key, _, value = setting.partition("=")
        if key != "mtu":
            raise ConfigurationError(f"a profile has no setting {setting!r}, but mtu=BYTES")
        if not (value.isascii() and value.isdigit() and LEAST_MTU <= int(value) <= MOST_MTU):
            raise ConfigurationError(f"mtu={value}: {LEAST_MTU} to {MOST_MTU} bytes")
        chosen = replace(chosen, mtu=int(value))
    return chosen
