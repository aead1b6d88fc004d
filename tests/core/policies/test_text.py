"""Policies as people write them."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import ConfigurationError
from rserpool.core.policies import FULL_LOAD, POLICIES, parse


class ParseTests(SynchronousTestCase):
    def test_names(self) -> None:
        for policy in POLICIES.values():
            self.assertIs(parse(policy.name).policy, policy)
            self.assertIs(parse(policy.abbreviation).policy, policy)
            self.assertIs(parse(policy.abbreviation.lower()).policy, policy)

    def test_defaults(self) -> None:
        self.assertEqual(parse("round-robin").values, {})
        self.assertEqual(parse("weighted-random").values, {"weight": 1})
        self.assertEqual(parse("least-used-degradation").values, {"load": 0, "degradation": 0})
        self.assertEqual(parse("priority").values, {"priority": 0})

    def test_loads(self) -> None:
        for text, load in [
            ("0", 0),
            ("0.5", 0x80000000),
            ("0.3", 1288490188),
            (".25", 0x40000000),
            ("30%", 1288490188),
            ("100%", FULL_LOAD),
            ("1", FULL_LOAD),
            ("1.0", FULL_LOAD),
            ("65536", 65536),
            ("0x2", 2),
            ("0x1", 1),
            ("0xffffffff", FULL_LOAD),
            ("4294967295", FULL_LOAD),
        ]:
            self.assertEqual(parse(f"least-used:load={text}").values, {"load": load}, text)

    def test_several_values_in_wire_order(self) -> None:
        parsed = parse("least-used-degradation:degradation=0x10,load=0x20")
        self.assertEqual(parsed.values, {"load": 0x20, "degradation": 0x10})
        self.assertEqual(parsed.data, b"\0\0\0\x20\0\0\0\x10")

    def test_penalty_factors(self) -> None:
        """What a millisecond of distance adds to the load, or takes of the weight; a registrar sets the distance."""
        parsed = parse("least-used-dpf:load=0.5,load-dpf=0.1%")
        self.assertEqual(parsed.values, {"load": 0x80000000, "load-dpf": 4294967, "distance": 0})
        parsed = parse("WRAND-DPF:weight=20,weight-dpf=0x10")
        self.assertEqual(parsed.values, {"weight": 20, "weight-dpf": 16, "distance": 0})

    def test_weights_and_priorities_are_whole_numbers(self) -> None:
        self.assertEqual(parse("weighted-round-robin:weight=20").values, {"weight": 20})
        self.assertEqual(parse("priority:priority=0x10").values, {"priority": 16})
        self.assertEqual(parse("weighted-random:weight=0").values, {"weight": 0})

    def test_probe(self) -> None:
        parsed = parse("least-used-degradation:load=cpu,degradation=1%")
        self.assertEqual(parsed.probes, {"load": "cpu"})
        self.assertEqual(parsed.values, {"load": 0, "degradation": 42949673})

    def test_sentences(self) -> None:
        for text, part in [
            ("least-busy", "choose one of round-robin"),
            ("", "choose one of"),
            ("least-used:", "FIELD=VALUE"),
            ("least-used:load", "FIELD=VALUE"),
            ("least-used:load=", "FIELD=VALUE"),
            ("least-used:weight=3", "it has load"),
            ("round-robin:weight=3", "it has none"),
            ("least-used:load=-1", "must be a fraction"),
            ("least-used:load=120%", "must be a fraction"),
            ("least-used:load=1.5", "must be a fraction"),
            ("least-used:load=50", "a percentage (50%)"),
            ("least-used:load=010", "must be a fraction"),
            ("LUD:degradation=2", "must be a fraction"),
            ("LU-DPF:load-dpf=65535", "must be a fraction"),
            ("least-used:load=nan!", "must be a fraction"),
            ("least-used:load=4294967296", "must be a fraction"),
            ("least-used-degradation:degradation=cpu", "must be a fraction"),
            ("weighted-random:weight=0.5", "must be a whole number"),
            ("weighted-random:weight=cpu", "must be a whole number"),
            ("weighted-random:weight=4294967296", "must be a whole number"),
            ("weighted-random:weight=1,weight=2", "given twice"),
        ]:
            error = self.assertRaises(ConfigurationError, parse, text)
            self.assertIn(part, str(error), text)
