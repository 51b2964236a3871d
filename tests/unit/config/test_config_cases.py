"""Every case of ``tests/cases/config`` comes out as it is written there."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

import pytest
from config_cases import Case, cases, outcome

from tpconfig.config import codes

CASES = cases()


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.file}: {case.fact}")
def test_case(case: Case, tmp_path: Path) -> None:
    """The loader says about a document what its case expects, word for word."""
    case.write(tmp_path)
    assert outcome(case, tmp_path) == case.expected


def test_no_fact_is_told_twice() -> None:
    """Every case has a fact of its own."""
    facts = [case.fact for case in CASES]
    assert len(facts) == len(set(facts))


@pytest.mark.parametrize("module", [codes, codes.plan_codes])
def test_codes_are_unique_and_have_a_meaning(module: ModuleType) -> None:
    """Every code stands for one thing and is explained."""
    constants = [v for k, v in vars(module).items() if re.fullmatch("TP[0-9]{3}", str(v))]
    assert sorted(constants) == sorted(module.MEANINGS)


@pytest.mark.parametrize("code", sorted(codes.MEANINGS))
def test_every_code_has_a_case(code: str) -> None:
    """Every code is caused by some case."""
    assert any(line.startswith(code) for case in CASES for line in case.expected)
