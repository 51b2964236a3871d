"""When an agent that is still starting is asked again."""

from __future__ import annotations

from itertools import accumulate, takewhile

from tpconfig.tunnel.timing import PATIENT


def attempts(within_s: float) -> int:
    """Count the attempts at one agent's first connection, each failing at once."""
    moments = accumulate(PATIENT.first_waits_s(), initial=0.0)
    return len(list(takewhile(lambda moment_s: moment_s < within_s, moments)))


def test_an_agent_that_starts_at_once_is_found_at_once() -> None:
    """There are at least five attempts in the first second."""
    assert min(attempts(1.0) for _ in range(100)) >= 5


def test_agents_that_take_long_are_not_asked_often() -> None:
    """Twenty that take ten seconds are asked 11 times each at most, not 14 and more."""
    assert max(attempts(10.0) for _ in range(500)) <= 11


def test_agents_that_start_together_are_not_asked_together() -> None:
    """No two wait equally long."""
    assert len({next(PATIENT.first_waits_s()) for _ in range(20)}) == 20
