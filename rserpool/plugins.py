"""What others add without touching this package: policies and load probes, as Twisted plugins.

A plugin is an object in a module of C{twisted/plugins}, as C{twistd}'s own are; C{examples/sticky-policy} is a package
that brings both kinds. Services and commands look for them once in a process. What does not look for plugins (the roles
of L{rserpool.core}) knows them too where L{add_policies} was called before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from twisted.logger import Logger
from twisted.plugin import IPlugin, getCache
from zope.interface import Attribute, Interface, implementer

from rserpool.core.errors import ConfigurationError
from rserpool.core.policies import POLICIES, Policy
from twisted import plugins as directories

__all__ = ["ILoadProbe", "IPolicyPlugin", "LoadProbe", "PolicyPlugin", "add_policies", "load_probes"]

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
    probes: dict[str, Callable[[], Callable[[], float]]] = {}
    origins = dict.fromkeys(own, "rserpool")
    for origin, plugin in _found(ILoadProbe):
        if origins.setdefault(plugin.name, origin) != origin:
            raise ConfigurationError(f"two load probes are named {plugin.name}: of {origins[plugin.name]}, of {origin}")
        probes[plugin.name] = plugin.start
    return probes


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
