"""Every case of ``tests/cases/planner`` is planned as it is written there."""

from __future__ import annotations

import pytest
from planner_cases import Case, cases

from tpconfig.model import codes
from tpconfig.planner.diff import diff

CASES = cases()


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.file}: {case.fact}")
def test_case(case: Case) -> None:
    """These actions in this order, these notices, and this in the way; nothing else."""
    assert case.outcome() == case.expected()


def test_no_fact_is_told_twice() -> None:
    """Every case has a fact of its own."""
    facts = [case.fact for case in CASES]
    assert len(facts) == len(set(facts))


def test_every_action_says_why() -> None:
    """A person can read what each one is for."""
    for case in CASES:
        for action in diff(case.wish, case.world()).actions:
            assert action.reason.text, (case.fact, action)


@pytest.mark.parametrize("code", sorted(set(codes.MEANINGS) - {codes.SERVICE_WITHOUT_WORKLOAD}))
def test_every_code_has_a_case(code: str) -> None:
    """Every code that the planner gives is given in some case."""
    said = [line for case in CASES for line in case.given.get("blocked", [])]
    assert any(f" {code}: " in line for line in said)
