"""When a process that ended is started again."""

from __future__ import annotations

import pytest

from tpconfig.local.backoff import CALM_S, LONGEST_S, Backoff

HISTORIES: list[tuple[str, list[tuple[int, float]], list[float | None]]] = [
    ("no", [(1, 0.0)], [None]),
    ("no", [(0, 0.0)], [None]),
    ("on-failure", [(0, 100.0)], [None]),
    ("on-failure", [(1, 0.0), (-9, 0.0), (0, 0.0)], [0.5, 1.0, None]),
    ("always", [(0, 0.0), (0, 0.0), (1, 0.0)], [0.5, 1.0, 2.0]),
    ("always", [(1, 0.0), (1, 0.0), (1, CALM_S), (1, 0.1)], [0.5, 1.0, 0.5, 1.0]),
    ("always", [(1, 0.0)] * 9, [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, LONGEST_S, LONGEST_S, LONGEST_S]),
]
"""The policy, each end (exit code, seconds it ran), and the delay that follows it."""


@pytest.mark.parametrize(("policy", "ends", "delays"), HISTORIES)
def test_delays(policy: str, ends: list[tuple[int, float]], delays: list[float | None]) -> None:
    """They double up to the longest; who ran for a while begins anew."""
    backoff = Backoff(policy)
    assert [backoff.after(code, ran_s) for code, ran_s in ends] == delays
