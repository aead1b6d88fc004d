"""What must hold of a cluster: at any time, and once things are calm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rserpool.core.element import registration
from rserpool.core.errors import CauseCode
from rserpool.core.policies import parse
from rserpool.testing import ElementProcess
from tests.simulation.asking import Asker
from tests.simulation.cluster import Cluster


def wanted(cluster: Cluster) -> dict[tuple[bytes, int], ElementProcess]:
    """The elements that live and want to serve, without those that were refused for good, or do not fit their pool."""
    return {
        (handle, element.identifier(handle)): element
        for element in cluster.elements
        if element.alive and cluster.authorized(element)
        for handle in element.pools
        if not isinstance(element.role.state_of(handle), registration.Refused)
        and not _disagrees(element, handle)
        and not element.role.drains(handle)
    }


def _disagrees(element: ElementProcess, handle: bytes) -> bool:
    """Whether others made the pool one that it does not fit, as long as that is so."""
    membership: Any = element.role._memberships[handle]
    waits = isinstance(membership.state, registration.Postponed | registration.Registering)
    return waits and membership._refused.code == CauseCode.INCONSISTENT_POOLING_POLICY


def unsettled(cluster: Cluster) -> list[str]:
    """What is not as it must be once things are calm; empty if all is well."""
    faults = [*_registrars(cluster), *_evicted(cluster), *_handlespaces(cluster), *_elements(cluster)]
    return [*faults, *_drained(cluster), *_users(cluster)]


def _registrars(cluster: Cluster) -> list[str]:
    faults = []
    living = cluster.living
    identifiers = {registrar.identifier for registrar in living}
    for registrar in living:
        if not registrar.ready:
            faults.append(f"{registrar.name} is not ready")
        peering = registrar.role.peering
        peers = {peer.identifier for peer in peering.peers}
        if peers != identifiers - {registrar.identifier}:
            faults.append(f"{registrar.name} has the peers {_hex(peers)}, but there are {_hex(identifiers)}")
        if set(peering.peers.connected) != peers:
            faults.append(f"{registrar.name} is connected with {_hex(peering.peers.connected)} of {_hex(peers)}")
        unmonitored = [peer.identifier for peer in peering.peers if not peer.monitored]
        if unmonitored:
            faults.append(f"{registrar.name} does not monitor {_hex(unmonitored)}")
    return faults


def _evicted(cluster: Cluster) -> list[str]:
    """An operator wants so: things are not calm before the time is over, and who was evicted is back then.

    The home may not have heard of it yet, where another registrar was asked: so it is looked for at all of them.
    """
    return [
        f"{registrar.name} refuses 0x{evicted.element.identifier:x} of {evicted.handle!r} for {seconds} s yet"
        for registrar in cluster.living
        for evicted, seconds in registrar.role.evictions.left(registrar.service.node.now())
    ]


def _handlespaces(cluster: Cluster) -> list[str]:
    faults = []
    living = cluster.living
    identifiers = {registrar.identifier for registrar in living}
    expected = wanted(cluster)
    tables = {}
    for registrar in living:
        handlespace = registrar.role.handlespace
        table = tables[registrar.name] = {
            (handle, element.identifier): (element.home, element.wire)
            for handle, pool in handlespace.pools.items()
            for element in pool.elements.values()
        }
        for handle, identifier in table.keys() - expected.keys():
            faults.append(f"{registrar.name} has 0x{identifier:x} of {handle!r}, which is not there")
        for handle, identifier in expected.keys() - table.keys():
            faults.append(f"{registrar.name} does not have 0x{identifier:x} of {handle!r}")
        strangers = set(handlespace.homes) - identifiers
        if strangers:
            faults.append(f"{registrar.name} has elements of unknown homes {_hex(strangers)}")
        for pool in handlespace.pools.values():
            for element in pool.elements.values():
                ours = element.home == registrar.identifier
                if ours != (element.watch is not None):
                    faults.append(f"{registrar.name}: {element!r} is {'not ' if ours else ''}supervised")
                if not ours and element.association is not None:
                    faults.append(f"{registrar.name}: {element!r} is another's, and has an association with us")
    first = living[0].name
    for name, table in tables.items():
        if table != tables[first]:
            different = [
                f"0x{key[1]:x} of {key[0]!r}"
                for key in sorted(table.keys() | tables[first].keys())
                if table.get(key) != tables[first].get(key)
            ]
            faults.append(f"{first} and {name} differ in {', '.join(different)}")
    for home in sorted(identifiers):
        sums = {registrar.name: registrar.role.handlespace.checksum_of(home) for registrar in living}
        if len(set(sums.values())) > 1:
            faults.append(f"checksums of 0x{home:x} differ: {sums}")
    policies = {
        handle: {registrar.name: registrar.role.handlespace.pools[handle].policy.number for registrar in living}
        for handle in living[0].role.handlespace.pools
        if all(handle in registrar.role.handlespace.pools for registrar in living)
    }
    faults += [f"{handle!r} differs: {kinds}" for handle, kinds in policies.items() if len(set(kinds.values())) > 1]
    return faults


def _elements(cluster: Cluster) -> list[str]:
    faults = []
    for (handle, identifier), element in wanted(cluster).items():
        owners = [
            registrar
            for registrar in cluster.living
            if (found := registrar.role.handlespace.find(handle, identifier)) is not None
            and found.home == registrar.identifier
        ]
        if len(owners) != 1:
            faults.append(f"{element.name} has the homes {[owner.name for owner in owners]}")
            continue
        (owner,) = owners
        home = element.role.home
        if home is None or home.hosts != (owner.host,):
            faults.append(f"{element.name} believes that its home is {home}, not {owner.name}")
        if not isinstance(element.role.state_of(handle), registration.Member):
            faults.append(f"{element.name} is not sure to be registered: {element.role.state_of(handle)}")
        found = owner.role.handlespace.find(handle, identifier)
        assert found is not None
        parameter, policy = found.parameter(), parse(element.policies[handle])
        registered = (parameter.policy.type, parameter.policy.data, parameter.user_transport.addresses)
        if registered != (policy.policy.number, policy.data, (element.host,)):
            faults.append(f"{element.name} is registered as {parameter}")
    return faults


def _drained(cluster: Cluster) -> list[str]:
    """One registrar looks after each element that drains, and after nobody else so."""
    held = [
        (handle, identifier, registrar.name)
        for registrar in cluster.living
        for handle, identifier in registrar.role.draining.held
    ]
    there = {
        (handle, element.identifier(handle))
        for element in cluster.elements
        if element.alive and cluster.authorized(element)
        for handle in element.pools
        if element.role.drains(handle)
    }
    faults = [
        f"{name} holds 0x{number:x} of {handle!r}" for handle, number, name in held if (handle, number) not in there
    ]
    for handle, number in sorted(there):
        homes = [name for pool, identifier, name in held if (pool, identifier) == (handle, number)]
        if len(homes) != 1:
            faults.append(f"0x{number:x} of {handle!r} drains, and is held by {homes}")
    return faults


def _users(cluster: Cluster) -> list[str]:
    faults = []
    expected = wanted(cluster)
    for user in cluster.users:
        if user.alive and user.role.hunting:
            faults.append(f"{user.name} looks for a registrar")
        for handle, seen in user.seen.items() if user.alive else ():
            there = {identifier for pool, identifier in expected if pool == handle}
            if set(seen.elements) != there:
                faults.append(f"{user.name} was shown {_hex(seen.elements)} of {handle!r}, but there are {_hex(there)}")
    return faults


def resolutions(cluster: Cluster, askers: Sequence[Asker]) -> list[str]:
    """Let every user ask for every pool afresh: each must be answered, within its deadline, with what is there."""
    # A question that is under way may be answered with what was true when it was asked.
    cluster.advance(0.2)
    expected = wanted(cluster)
    handles = sorted({handle for handle, _ in expected})
    asked = [(asker.user, asker.ask(handle, fresh=True)) for asker in askers for handle in handles]
    deadline = cluster.now + max((user.service.default_timeout for user, _ in asked), default=0.0)
    while cluster.now < deadline and any(question.until is None for _, question in asked):
        cluster.advance(0.1)
    faults = []
    for user, question in asked:
        there = {identifier for pool, identifier in expected if pool == question.handle}
        if question.elements != there:
            faults.append(f"{user.name} asks, and that comes to {question}, but there are {_hex(there)}")
    return faults


def unserved(cluster: Cluster, asker: Asker, quiet_since: float) -> list[str]:
    """Failed calls of a user that knew elements, while one of them was there all the time.

    @param quiet_since: from when on everybody could reach everybody, for long enough.
    """
    faults = []
    for failed in asker.failures:
        known = asker.answers.get(failed.handle)
        # What it was told last may be that the pool is gone: whoever came later is not what it knew.
        if known is None or known.until is None or known.until > failed.since or failed.since < quiet_since:
            continue
        steady = [
            element.name
            for (handle, identifier), element in wanted(cluster).items()
            if handle == failed.handle
            and element.born < known.until
            and identifier in known.elements
            and (handle, identifier) not in cluster.operated
        ]
        if steady:
            faults.append(f"{asker.user.name} got {failed.error!r} at {failed.until:.3f}, while {steady} were there")
    return faults


def outlived(cluster: Cluster, detection: float) -> list[str]:
    """Elements that are dead, and were not removed when their lifetime was over and that could be noticed."""
    present = wanted(cluster)
    return [
        f"{death.name} died at {death.when:.3f}, and {registrar.name} has it still"
        for death in cluster.deaths
        if cluster.now >= death.when + death.life + detection and (death.handle, death.identifier) not in present
        for registrar in cluster.living
        if not registrar.reactor.stalled and registrar.role.handlespace.find(death.handle, death.identifier) is not None
    ]


def _hex(numbers: object) -> str:
    return "[" + ", ".join(f"0x{number:x}" for number in sorted(numbers)) + "]"  # type: ignore[call-overload]
