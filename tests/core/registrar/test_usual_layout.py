"""Elements that come and go as nearly all do: what one that reads their layout does is what one does that decodes."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from random import Random
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import PolicyParameter, PoolElementParameter, SctpTransport, TcpTransport, UdpTransport
from rserpool.core.access import State, access_by_keys
from rserpool.core.identity import Identity
from rserpool.core.registrar import Limits
from rserpool.core.wire import asap
from tests.core.registrar.stage import RegistrarStage
from tests.core.registrar.twins import both, known, twins
from tests.core.stage import element
from tests.work import calls

POOL = b"pool"
HERE = "127.0.0.1"


class LayoutTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.stages = twins()
        self.tell(asap.Registration(POOL, element(1, host=HERE)))

    def tell(self, message: Any, name: str = "a") -> bool:
        """Tell both; whether it was known by its layout."""
        found = both(self.stages, name, message) is not None
        self.assertEqual(*map(known, self.stages))
        return found

    def comes(self, **attributes: Any) -> bool:
        """An element comes and goes; whether it was known when it came, and when it went."""
        parameter = replace(element(7, host=HERE), **attributes)
        came = self.tell(asap.Registration(POOL, parameter))
        self.tell(asap.Deregistration(POOL, parameter.identifier))
        return came

    def test_comes_and_goes(self) -> None:
        for number in range(2, 5):
            self.assertTrue(self.tell(asap.Registration(POOL, element(number, host=HERE))))
        self.assertTrue(self.tell(asap.Deregistration(POOL, 3)))
        self.assertFalse(self.tell(asap.Deregistration(POOL, 3)))
        for stage in self.stages:
            stage.pass_time(100.0)
        self.assertEqual(*map(known, self.stages))

    def test_attributes(self) -> None:
        """Any life, a session framing, a handle whose length is no multiple of 4."""
        for life in (1, 600, -1, 2**31 - 1):
            self.assertTrue(self.comes(life=life))
        self.assertTrue(self.comes(framing=1))
        self.assertTrue(self.comes(home=0x77))
        for handle in (b"x", b"xy", b"xyz", b"x" * 1024):
            self.assertFalse(self.tell(asap.Registration(handle, element(1, host=HERE))))
            self.assertTrue(self.tell(asap.Registration(handle, element(2, host=HERE))))
            self.assertTrue(self.tell(asap.Deregistration(handle, 2)))
            self.assertTrue(self.tell(asap.Deregistration(handle, 1)))

    def test_unusual(self) -> None:
        """What is refused, or of another layout, is decoded."""
        for attributes in (
            {"identifier": 0},
            {"life": 0},
            {"life": -2},
            {"user_transport": TcpTransport(0, HERE)},
            {"user_transport": TcpTransport(80, "10.0.0.9")},
            {"user_transport": TcpTransport(80, "::1")},
            {"user_transport": UdpTransport(80, HERE)},
            {"user_transport": SctpTransport(80, 0, (HERE,))},
            {"policy": PolicyParameter(2, bytes(4))},
            {"policy": PolicyParameter(1, b"odd")},
            {"encapsulation": 9899},
            {"asap_transport": SctpTransport(80, 0, (HERE,))},
            {"framing": 77},
        ):
            self.assertFalse(self.comes(**attributes), attributes)

    def test_transports_and_policies(self) -> None:
        """Of each kind; those that count with distances are measured."""
        cases: list[tuple[Any, str, bool]] = [
            (SctpTransport(80, 0, (HERE,)), "least-used:load=0.5", True),
            (SctpTransport(80, 1, (HERE,)), "weighted-random:weight=7", True),
            (SctpTransport(80, 2, (HERE,)), "weighted-random:weight=7", False),
            (SctpTransport(80, 0, (HERE, HERE)), "round-robin", False),
            (UdpTransport(80, HERE), "priority-least-used:load=0.5,degradation=0.1", True),
            (TcpTransport(80, HERE), "least-used-dpf:load=0.1,load-dpf=0.1", False),
        ]
        for number, (transport, policy, found) in enumerate(cases):
            handle = b"pool %d" % number
            for identifier, expected in ((1, False), (2, found)):
                parameter = replace(element(identifier, policy, host=HERE), user_transport=transport)
                self.assertEqual(expected, self.tell(asap.Registration(handle, parameter)), handle)

    def test_values_cut_short(self) -> None:
        self.tell(asap.Registration(b"other", element(1, "least-used:load=0.5", host=HERE)))
        short = replace(element(2, host=HERE), policy=PolicyParameter(0x40000001, b""))
        self.assertFalse(self.tell(asap.Registration(b"other", short)))

    def test_not_padded(self) -> None:
        """The last parameter of a message may come without its padding (RFC 5354 section 4); kept is it with that."""
        for odd in (1, 2, 3):
            parameter = replace(element(2, host=HERE), policy=PolicyParameter(1, bytes(odd)))
            data = asap.encode(asap.Registration(POOL, parameter))[: odd - 4]
            self.assertIsNone(self.stages[0].registrar.at_once("a", data, self.stages[0].now))

    def test_again(self) -> None:
        """Who is there registers again, with other values or the same; a stranger does not."""
        for name in ("a", "a", "near"):
            for port in (81, 82):
                self.assertFalse(self.tell(asap.Registration(POOL, element(1, host=HERE, port=port)), name))
        self.assertFalse(self.tell(asap.Deregistration(POOL, 1), "far"))

    def test_over_tcp(self) -> None:
        """Only who comes over SCTP registers (RFC 5352 section 2.1)."""
        for stage in self.stages:
            stage.up("tcp", host=HERE, protocol="tcp")
        self.assertFalse(self.tell(asap.Registration(POOL, element(2, host=HERE)), "tcp"))
        self.assertFalse(self.tell(asap.Deregistration(POOL, 1), "tcp"))

    def test_of_another_registrar(self) -> None:
        """An element whose home is another is insisted on before it is removed."""
        for stage in self.stages:
            [present] = stage.registrar.handlespace.pools[POOL].elements.values()
            stage.registrar.handlespace.adopt(present, 0x77)
        self.assertFalse(self.tell(asap.Deregistration(POOL, 1)))

    def test_limits(self) -> None:
        """Where there is no room it is refused."""
        self.tell(asap.Registration(b"long", element(1, host=HERE)))
        for limits in (
            Limits(elements=2),
            Limits(elements_per_pool=1),
            Limits(elements_per_association=2),
            Limits(bytes_per_association=32_768),
            Limits(bytes=150),
            Limits(handle_length=3),
        ):
            for stage in self.stages:
                stage.registrar.change_limits(limits)
            self.assertFalse(self.tell(asap.Registration(POOL, element(2, host=HERE))), limits)
            self.tell(asap.Deregistration(POOL, 2))

    def test_too_many_requests(self) -> None:
        self.stages = twins(limits=Limits(requests_per_second=3.0))
        handles = [asap.Registration(POOL, element(number, host=HERE)) for number in range(1, 7)]
        found = [both(self.stages, "a", each) is not None for each in handles]
        self.assertEqual(found, [False, True, True, False, False, False])
        self.assertFalse(both(self.stages, "a", asap.Deregistration(POOL, 1)))

    def test_evicted(self) -> None:
        """While anybody is refused, each is looked at."""
        for stage in self.stages:
            stage.registrar.evictions.evict(POOL, element(2, host=HERE), 60, stage.now)
        self.assertFalse(self.tell(asap.Registration(POOL, element(2, host=HERE))))
        self.assertFalse(self.tell(asap.Registration(POOL, element(3, host=HERE, port=81))))

    def test_encapsulated_or_not(self) -> None:
        """Where the element is reached for ASAP is in what users are told, as it is now."""
        for stage in self.stages:
            stage.up("plain", host=HERE, encapsulation=0)
        self.assertTrue(self.tell(asap.Registration(POOL, element(2, host=HERE)), "plain"))
        self.assertTrue(self.tell(asap.Registration(POOL, element(3, host=HERE))))
        for stage in self.stages:
            stage.note(stage.registrar.addresses_changed("plain", (HERE, "127.0.0.2"), stage.now))
        self.assertTrue(self.tell(asap.Registration(POOL, element(4, host="127.0.0.2")), "plain"))

    def test_secured(self) -> None:
        """Where TLS is offered, what registers and leaves is in the trail."""
        for state in (State.OFFERED, State.REQUIRED):
            self.stages = twins(access=access_by_keys(elements=["e"], state=state))
            for stage in self.stages:
                stage.up("e", host=HERE, credentials=(Identity("psk", "e"),))
            for name in ("e", "a"):
                for number in (1, 2):
                    self.assertFalse(self.tell(asap.Registration(POOL, element(number, host=HERE)), name))
                self.assertFalse(self.tell(asap.Deregistration(POOL, 2), name))

    def test_draining(self) -> None:
        """Who leaves to drain is looked after."""
        self.assertTrue(self.tell(asap.Registration(POOL, element(2, host=HERE))))
        self.assertFalse(self.tell(asap.Deregistration(POOL, 1, True)))
        self.assertTrue(self.tell(asap.Registration(POOL, element(3, host=HERE))))
        self.assertFalse(self.tell(asap.Deregistration(POOL, 3)))

    def test_strange_bytes(self) -> None:
        """Cut short, padded, with nonsense in any byte: what is not decoded is not taken either."""
        stage, decodes = self.stages
        comes, leaves = asap.Registration(POOL, element(2, host=HERE, framing=1)), asap.Deregistration(POOL, 1)
        for data in (asap.encode(comes), asap.encode(leaves)):
            strange = [data[:end] for end in range(1, len(data))] + [data + bytes(more) for more in range(1, 9)]
            strange += [
                data[:place] + bytes([value]) + data[place + 1 :]
                for place in range(1, len(data))
                for value in (0, 1, 2, 4, 7, 8, 9, 10, 12, 14, 16, 40, 0x80, 0xC0, 0xFF)
            ]
            for each in strange:
                self.stages = stage, decodes = twins()
                self.tell(asap.Registration(POOL, element(1, host=HERE)))
                effects = stage.registrar.at_once("a", each, stage.now)
                if effects is not None:
                    assert isinstance(effects, list)
                    wanted = decodes.registrar.receive("a", asap.decode(each).message, decodes.now)
                    told = [RegistrarStage.sent("a", some) for some in (effects, wanted)]
                    self.assertEqual(*told)
                    self.assertEqual(*map(known, self.stages))

    def test_whatever_happens(self) -> None:
        """Elements come, change and go, one after the other, while time passes and users look on."""
        for seed in range(8):
            dice, self.stages, found = Random(seed), twins(), 0
            for name in ("b", "c"):
                for stage in self.stages:
                    stage.up(name, host=HERE, encapsulation=0, port=5001)
            for _ in range(300):
                found += self.tell(*self.something(dice))
                if dice.random() < 0.1:
                    told = [list(map(repr, stage.pass_time(0.3))) for stage in self.stages]
                    self.assertEqual(*told)
                if dice.random() < 0.01:
                    for stage in self.stages:
                        stage.lost("c")
                        stage.up("c", host=HERE, port=5001)
            self.assertGreater(found, 50)

    def something(self, dice: Random) -> tuple[Any, str]:
        """What comes next, and from whom."""
        name, handle, number = dice.choice("abc"), dice.choice((POOL, b"other")), dice.randint(1, 9)
        kind = dice.random()
        if kind < 0.5:
            return asap.Registration(handle, self.parameter(dice, number)), name
        if kind < 0.8:
            return asap.Deregistration(handle, number, dice.random() < 0.01), name
        if kind < 0.9:
            return asap.EndpointKeepAliveAck(handle, number), name
        return asap.HandleResolution(handle, dice.random() < 0.3), "near"

    def parameter(self, dice: Random, number: int) -> PoolElementParameter:
        policy = "least-used:load=0.5" if dice.random() < 0.1 else "round-robin"
        life, framing = dice.choice((1, 60, 600)), dice.choice((0, 1))
        return element(number, policy, host=HERE, life=life, port=80 + number, framing=framing)


class WorkTests(SynchronousTestCase):
    def test_fewer_calls(self) -> None:
        """To read the layout takes less than three quarters of the work."""
        work = []
        for stage in twins(keep_alives=False):
            stage.register("a", POOL, element(1, host=HERE))
            messages = [
                asap.encode(each)
                for number in range(2, 52)
                for each in (asap.Registration(POOL, element(number, host=HERE)), asap.Deregistration(POOL, number))
            ]
            work.append(calls(partial(self.hear, stage, messages)))
        self.assertLess(work[0], work[1] * 3 / 4)

    def hear(self, stage: RegistrarStage, messages: list[bytes]) -> None:
        """As a driver does."""
        for data in messages:
            if not stage.at_once or stage.registrar.at_once("a", data, stage.now) is None:
                stage.registrar.receive("a", asap.decode(data).message, stage.now)
