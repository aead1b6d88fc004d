"""What others add without touching this package: policies, load probes and checks, as Twisted plugins.

A plugin is an object in a module of C{twisted/plugins}, as C{twistd}'s own are; C{examples/sticky-policy} is a package
that brings both kinds. Services and commands look for them once in a process. What does not look for plugins (the roles
of L{rserpool.core}) knows them too where L{add_policies} was called before.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from twisted.logger import Logger
from twisted.plugin import IPlugin, getCache
from zope.interface import Attribute, Interface, implementer

from rserpool.core.errors import ConfigurationError
from rserpool.core.policies import POLICIES, Policy
from twisted import plugins as directories

__all__ = [
    "Check",
    "ICheck",
    "ILoadProbe",
    "IPolicyPlugin",
    "LoadProbe",
    "PolicyPlugin",
    "add_policies",
    "checks",
    "load_probes",
]

_log = Logger()


class IPolicyPlugin(Interface):
    """A policy for pools. Registrars need it to choose, users to follow; elements, to be told its name."""

    policy: Policy = Attribute("The L{Policy<rserpool.core.policies.Policy>}: a row for the table.")


class ILoadProbe(Interface):
    """What measures a load: its name may stand for the number in C{--policy least-used:load=NAME}."""

    name: str = Attribute("Its name: a small letter, then small letters, digits, C{-} and C{_}.")

    def start() -> Callable[[], float]:
        """Begin to measure, for one element in one pool.

        @return: what is called each second, and tells the load since the last call, from 0.0 to 1.0.
        """


class ICheck(Interface):
    """What asks whether somebody who serves is well: its name may stand in C{--check NAME[:ARGUMENT]}."""

    name: str = Attribute("Its name: a small letter, then small letters, digits, C{-} and C{_}.")

    def read(argument: str) -> Callable[[Any, str, int], Callable[[], Awaitable[None]]]:
        """Read what stands behind the colon.

        @return: C{check(reactor, host, port)}: what makes an C{ask()} that asks there once, and raises
            L{Unwell<rserpool.element.Unwell>} where the answer is no.
        @raise ConfigurationError: with a sentence, if it is wrong.
        """


@implementer(IPlugin, IPolicyPlugin)
@dataclass(frozen=True)
class PolicyPlugin:
    """A plugin that brings a policy."""

    policy: Policy


@implementer(IPlugin, ILoadProbe)
@dataclass(frozen=True)
class LoadProbe:
    """A plugin that brings a load probe."""

    name: str
    start: Callable[[], Callable[[], float]]


@implementer(IPlugin, ICheck)
@dataclass(frozen=True)
class Check:
    """A plugin that brings a check."""

    name: str
    read: Callable[[str], Callable[[Any, str, int], Callable[[], Awaitable[None]]]]


@cache
def add_policies() -> None:
    """Put the policies of all plugins into the table L{POLICIES<rserpool.core.policies.POLICIES>}.

    @raise ConfigurationError: if two have one name or number; the text names both plugins.
    """
    for origin, plugin in _found(IPolicyPlugin):
        POLICIES.add(plugin.policy, origin)


@cache
def load_probes(own: tuple[str, ...] = ()) -> dict[str, Callable[[], Callable[[], float]]]:
    """What starts the load probes of all plugins, by their names.

    @param own: names that are taken.
    @raise ConfigurationError: if two have one name; the text names both plugins.
    """
    return {name: plugin.start for name, plugin in _by_name(ILoadProbe, "load probes", own).items()}


@cache
def checks(own: tuple[str, ...] = ()) -> dict[str, Callable[[str], Any]]:
    """What reads the checks of all plugins, by their names; as L{load_probes}."""
    return {name: plugin.read for name, plugin in _by_name(ICheck, "checks", own).items()}


def _by_name(interface: Any, what: str, own: tuple[str, ...]) -> dict[str, Any]:
    plugins: dict[str, Any] = {}
    origins = dict.fromkeys(own, "rserpool")
    for origin, plugin in _found(interface):
        if origins.setdefault(plugin.name, origin) != origin:
            raise ConfigurationError(f"two {what} are named {plugin.name}: of {origins[plugin.name]}, of {origin}")
        plugins[plugin.name] = plugin
    return plugins


def _found(interface: Any) -> Iterator[tuple[str, Any]]:
    """The plugins that C{twisted.plugin.getPlugins} finds, and where: it does not tell."""
    for dropin in getCache(directories).values():
        for cached in dropin.plugins:
            origin = f"{dropin.moduleName}.{cached.name}"
            try:
                plugin = interface(cached, None)
            except Exception:
                _log.failure("the plugin {origin} cannot be loaded", origin=origin)
            else:
                if plugin is not None:
                    yield origin, plugin
