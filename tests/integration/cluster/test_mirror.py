"""One watch for everybody who waits for the same collection."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from tests.fakes.fake_apiserver import FakeApiServer
from tpconfig.cluster import failures
from tpconfig.cluster.api import Api
from tpconfig.cluster.mirror import open_mirrors


def has(*names: str) -> Any:
    """Return a question: are exactly these there?"""

    def satisfied(known: Mapping[str, Any]) -> set[str] | None:
        return set(known) if set(known) == set(names) else None

    return satisfied


def put(fake: FakeApiServer, name: str, **labels: str) -> None:
    """Create a ConfigMap."""
    fake.store.create("configmap", "default", {"metadata": {"name": name, "labels": labels}})


async def test_many_who_wait_cost_one_watch(fake: FakeApiServer, api: Api) -> None:
    """Each is told of what was there and of what comes and goes."""
    put(fake, "a")
    async with open_mirrors(api) as mirrors, asyncio.timeout(20):
        mirror = mirrors.of("configmap", "default")
        assert mirrors.of("configmap", "default") is mirror
        assert await mirror.until(has("a")) == {"a"}
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(mirror.until(has("a", "b"))) for _ in range(20)]
            put(fake, "b")
        assert [task.result() for task in tasks] == [{"a", "b"}] * 20
        fake.store.remove("configmap", "default", "a")
        await mirror.until(has("b"))
    assert fake.watches.opened == 1


async def test_a_selector_has_a_mirror_of_its_own(fake: FakeApiServer, api: Api) -> None:
    """What it does not choose is not there."""
    put(fake, "a")
    put(fake, "b", app="x")
    async with open_mirrors(api) as mirrors, asyncio.timeout(20):
        await mirrors.of("configmap", "default", "app=x").until(has("b"))
        await mirrors.of("configmap", "default").until(has("a", "b"))


async def test_an_empty_collection_is_an_answer(fake: FakeApiServer, api: Api) -> None:
    """Nobody waits for a first object that never comes."""
    async with open_mirrors(api) as mirrors, asyncio.timeout(20):
        assert await mirrors.of("configmap", "default").until(has()) == set()


async def test_who_waits_is_told_of_a_refusal(fake: FakeApiServer, api: Api) -> None:
    """Each of them, also who comes later; the block goes on."""
    async with open_mirrors(api) as mirrors, asyncio.timeout(20):
        mirror = mirrors.of("lease", "default")
        fake.access.anonymous = None
        fake.access.tokens.clear()
        for _ in range(2):
            with pytest.raises(failures.UnauthorizedError):
                await mirror.until(has())


async def test_what_the_block_raises_comes_out_as_it_is(fake: FakeApiServer, api: Api) -> None:
    """Not inside of a group: callers tell errors by their type."""

    async def fail() -> None:
        async with open_mirrors(api) as mirrors:
            mirrors.of("configmap", "default")
            raise KeyError

    with pytest.raises(KeyError):
        await fail()
