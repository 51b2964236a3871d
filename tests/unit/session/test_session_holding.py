"""What a session that is up watches."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tpconfig.model.desired import Desired, Workload
from tpconfig.model.target import Target
from tpconfig.session import holding
from tpconfig.session.holding import Holding


class Watched:
    """Stands for the drift of a session, and remembers what it was asked to watch."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def targets(self, namespace: str, kind: str) -> None:
        """Watch for ever."""
        self.asked.append(f"{namespace} {kind}")
        await asyncio.Event().wait()

    async def services(self, namespace: str) -> None:
        """The same."""
        await self.targets(namespace, "services")


def workload(kind: str) -> Workload:
    """Return a workload of a kind."""
    return Workload("one", Target("shop", kind, "one"))


async def test_what_a_later_file_adds_is_watched_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another namespace and another kind, each once."""
    monkeypatch.setattr(holding, "RETRY_S", 0)
    session = SimpleNamespace(namespaces=["shop"], desired=Desired((workload("deployment"),)))
    drift = Watched()
    one = Holding(cast("Any", session))
    for name in ("_marks", "_agents", "_janitors"):
        monkeypatch.setattr(Holding, name, lambda self, namespace: asyncio.Event().wait())
    watching = asyncio.create_task(one._watch_places(cast("Any", drift)))
    await until(lambda: len(drift.asked) == 2)
    session.namespaces = ["far", "shop"]
    session.desired = Desired((workload("deployment"), workload("cronjob")))
    await until(lambda: len(drift.asked) == 6)
    assert sorted(drift.asked) == [
        "far cronjob",
        "far deployment",
        "far services",
        "shop cronjob",
        "shop deployment",
        "shop services",
    ]
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching


async def until(true: Any) -> None:
    """Let the loop turn until something is so."""
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0)
