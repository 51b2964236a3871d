"""What makes a connection doubtful: news of the network, and sleep."""

from __future__ import annotations

import asyncio

import pytest

from tpconfig.tunnel import nudges
from tpconfig.tunnel.nudges import Sleep


@pytest.mark.parametrize(
    ("before_s", "after_s", "slept"), [(10.0, 10.2, False), (10.0, 40.0, True), (40.0, 10.0, False)]
)
def test_sleep_is_what_one_clock_gains_on_the_other(
    before_s: float, after_s: float, slept: bool
) -> None:
    """A clock that goes on during sleep is ahead by as much afterwards, and only once."""
    ahead_s = iter([before_s, after_s, after_s])
    sleep = Sleep(lambda: next(ahead_s))
    assert sleep.has_been() is slept
    assert not sleep.has_been()


async def test_sleep_nudges(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first look after it tells."""
    monkeypatch.setattr(nudges, "LOOK_S", 0.01)
    ahead_s = iter([0.0, 60.0])
    told: asyncio.Queue[str] = asyncio.Queue()
    async with nudges.open_nudges(told.put_nowait, sleep=Sleep(lambda: next(ahead_s, 60.0))):
        async with asyncio.timeout(5):
            assert await told.get() == nudges.SLEPT
