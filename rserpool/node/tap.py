"""Every message that a role on a loop sends and gets, for whoever looks on; without anybody it costs nothing."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

from rserpool.core.effects import Effect, Send

Tell: TypeAlias = Callable[[bool, Any, int, bytes], object]
"""Called with whether it comes in, whom it comes from or goes to, its payload protocol identifier, and its bytes."""


def tap(node: Any, tell: Tell) -> Callable[[], None]:
    """Have this called with each message from now on, in the clear also where TLS secures it.

    @param node: a L{Driver<rserpool.node.driver.Driver>}.
    @return: a function that ends it.
    """
    listeners: list[Tell] = node.__dict__.setdefault("_listeners", [])
    if not listeners:
        _begin(node, listeners)
    listeners.append(tell)

    def end() -> None:
        if tell in listeners:
            listeners.remove(tell)
            if not listeners:
                _end(node)

    return end


def _begin(node: Any, listeners: list[Tell]) -> None:
    for channel in node.channels.values():
        channel.received = partial(_received, channel, type(channel).received, listeners)
    node.perform = partial(_performed, node, type(node).perform, listeners)


def _end(node: Any) -> None:
    for thing, name in [*((channel, "received") for channel in node.channels.values()), (node, "perform")]:
        thing.__dict__.pop(name, None)


def _received(channel: Any, received: Callable[..., None], listeners: list[Tell], carrier: Any, data: bytes) -> None:
    for tell in list(listeners):
        tell(True, getattr(carrier, "peer", None), channel.ppid, data)
    received(channel, carrier, data)


def _performed(node: Any, perform: Callable[..., None], listeners: list[Tell], effects: list[Effect]) -> None:
    for effect in effects:
        if type(effect) is Send:
            _sent(node, listeners, effect)
    perform(node, effects)


def _sent(node: Any, listeners: list[Tell], effect: Send) -> None:
    carrier: Any = effect.association
    channel = node._channel_of.get(carrier, node.channels["asap"])
    try:
        data = effect.message if isinstance(effect.message, bytes) else channel.codec.encode(effect.message)
    except ValueError:
        return  # nor is it sent
    for tell in list(listeners):
        tell(False, getattr(carrier, "peer", None), channel.ppid, data)
