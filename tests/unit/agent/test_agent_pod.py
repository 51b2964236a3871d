"""How long a Pod stays ready without its peer."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable

import pytest

from tpconfig.agent import resolve
from tpconfig.agent.log import Log
from tpconfig.agent.pod import Pod
from tpconfig.agent.settings import Settings

GRACE_S = 60.0


@pytest.fixture
async def planned(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The delays after which something is to happen."""
    delays: list[float] = []
    loop = asyncio.get_running_loop()
    later = loop.call_later

    def note(delay_s: float, call: Callable[..., object], *args: object) -> asyncio.TimerHandle:
        delays.append(delay_s)
        return later(delay_s, call, *args)

    monkeypatch.setattr(loop, "call_later", note)
    return delays


@pytest.fixture
def pod(planned: list[float]) -> Pod:
    """A Pod that gets traffic."""
    settings = Settings(session="a", version="1", secret=b"s", link_port=1, probe_port=2)
    found = Pod(settings, Log(io.StringIO()), resolve.Forwarder((), port=53), grace_s=GRACE_S)
    found.attended(ready=True)
    return found


@pytest.mark.parametrize(
    ("gone_s", "left"), [(0.0, [GRACE_S]), (5.0, [GRACE_S - 5]), (GRACE_S, []), (GRACE_S + 1, [])]
)
async def test_the_grace_counts_from_when_the_peer_was_gone(
    pod: Pod, planned: list[float], gone_s: float, left: list[float]
) -> None:
    """What it took to notice is part of it; none is left where that took as long."""
    pod.unattended(gone_s=gone_s)
    assert planned == left
    assert pod.readiness.value is bool(left)


async def test_a_grace_that_has_begun_goes_on(pod: Pod, planned: list[float]) -> None:
    """The end of the link's streams is no new beginning of it."""
    pod.unattended()
    pod.unattended()
    assert planned == [GRACE_S]


async def test_a_peer_that_comes_back_ends_the_grace(pod: Pod, planned: list[float]) -> None:
    """The next time it is gone it has all of it again."""
    pod.unattended()
    pod.attended(ready=True)
    pod.unattended()
    assert planned == [GRACE_S, GRACE_S]
    assert pod.readiness.value
