"""Who may do what to an element: every rule answers its question, and docs/authority.md shows them."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core.errors import ImpossibleEvent, Rejected
from rserpool.core.handlespace.changes import Why
from rserpool.core.rules import RULES
from rserpool.core.ruling import Ruling, What, Who
from tests.authority import PAGE, QUESTIONS, page


class AuthorityTests(SynchronousTestCase):
    def test_documented(self) -> None:
        """After a change of a rule, C{python -m tests.authority} writes the page anew; read what has changed."""
        self.assertEqual(PAGE.read_text(encoding="utf-8"), page(), "docs/authority.md is out of date")

    def test_every_rule_answers_its_question(self) -> None:
        asked = {(what, who) for what, who, _, _, _ in QUESTIONS}
        self.assertEqual(asked, {(what, who) for what, rules in RULES.items() for who in rules})
        self.assertEqual((set(RULES), {who for _, who in asked}), (set(What), set(Who)))
        for what, who, function, arguments, options in QUESTIONS:
            rule = RULES[what][who]
            try:
                answer = function(*arguments, **options)
            except Rejected as error:
                answer = error.cause
            self.assertIn(answer, (rule, rule.allowed, rule.cause, rule.removes), (what, who))

    def test_every_removal_has_a_rule(self) -> None:
        """And whoever is refused hears why."""
        rules = [rule for rules in RULES.values() for rule in rules.values()]
        self.assertEqual({rule.removes for rule in rules} - {None}, set(Why))
        for rule in rules:
            self.assertEqual(rule.cause is not None, rule.ruling is Ruling.REFUSED)
            if rule.cause is not None:
                self.assertRaises(Rejected, rule.demand)
            if rule.removes is None:
                self.assertRaises(ImpossibleEvent, getattr, rule, "why")
