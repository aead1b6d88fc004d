"""Two registrars that hear the same: one that knows messages by their bytes, and one that decodes each."""

from __future__ import annotations

from typing import Any

from rserpool.core import Notify, Send
from rserpool.core.wire import asap
from tests.core.registrar.stage import RegistrarStage

USERS = {"far": "10.0.0.9", "near": "127.0.0.1", "link": "fe80::9"}


class OneByOne(RegistrarStage):
    """Each answer is made anew."""

    at_once = False


def twins(**options: Any) -> tuple[RegistrarStage, OneByOne]:
    """One that keeps answers, and one that does not."""
    stages = RegistrarStage(**options), OneByOne(**options)
    for stage in stages:
        stage.up("a", host="127.0.0.1")
        for name, host in USERS.items():
            stage.up(name, host=host)
    return stages


def both(stages: tuple[RegistrarStage, OneByOne], name: str, message: Any) -> bytes | list[Any] | None:
    """Tell both the same; they answer the same.

    @return: the answer, if it was kept.
    """
    keeps, makes = stages
    data = asap.encode(message)
    counts = keeps.registrar.counts.resolved
    answer = keeps.registrar.at_once(name, data, keeps.now)
    decoded = asap.decode(data).message
    wanted = [encoded(each) for each in makes.registrar.receive(name, decoded, makes.now)]
    found: list[Any]
    if answer is None:
        found = keeps.registrar.receive(name, decoded, keeps.now)
    elif isinstance(answer, bytes):
        assert keeps.registrar.counts.resolved == counts + 1
        found = [Send(name, answer)]
    else:
        found = answer
    found = [encoded(each) for each in found]
    assert found == wanted, (found, wanted)
    assert keeps.registrar.next_deadline() == makes.registrar.next_deadline()
    return answer


def encoded(effect: Any) -> Any:
    """An effect to compare: elements are other objects in each registrar."""
    if isinstance(effect, Notify):
        return Notify(type(effect.event))
    if isinstance(effect, Send) and not isinstance(effect.message, bytes):
        return Send(effect.association, asap.encode(effect.message))
    return effect


def known(stage: RegistrarStage) -> Any:
    """All that a registrar knows of elements, to compare."""
    registrar = stage.registrar
    space, clients = registrar.handlespace, list(registrar._clients)
    elements = [
        (
            each,
            pool.scopes,
            each.scopes,
            each.wire,
            each.values,
            each.life,
            each.since,
            each.association,
            each.counted,
            each.wake,
        )
        for pool in space.pools.values()
        for each in pool.peek()
    ]
    watches = [each.watch and (each.watch.alive_until, each.watch.over, each.watch.group) for each, *_ in elements]
    counts = registrar.counts
    return (
        [(repr(each), *about) for each, *about in elements],
        watches,
        [(len(space), space.bytes, space.checksum_of(home)) for home in space.homes],
        [(each.bytes, list(map(repr, each.elements)), each.requests.take(stage.now)) for each in clients],
        (counts.registered, counts.renewed, counts.refused, counts.removed, registrar.supervision.watched),
    )
