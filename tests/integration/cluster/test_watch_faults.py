"""A watch through everything that can happen to it: no event is lost, none comes twice."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

import pytest

from tests.fakes.fake_access import User
from tests.fakes.fake_apiserver import FakeApiServer
from tpconfig.cluster import failures
from tpconfig.cluster.api import Api, open_api
from tpconfig.cluster.paths import path_of
from tpconfig.cluster.watch import Event, watch

MAPS = path_of("configmap", "default")


def put(fake: FakeApiServer, name: str, value: str = "") -> None:
    """Create or change a ConfigMap."""
    if fake.store.find("configmap", "default", name) is None:
        fake.store.create("configmap", "default", {"metadata": {"name": name}})
    if value:
        fake.store.update("configmap", "default", name, lambda old: {**old, "data": {"v": value}})


def short(event: Event) -> str:
    name = event.object.get("metadata", {}).get("name", "")
    value = (event.object.get("data") or {}).get("v", "")
    return " ".join(word for word in (event.type.value, name, value) if word)


async def take(events: AsyncGenerator[Event, None], count: int) -> list[str]:
    async with asyncio.timeout(20):
        return [short(await anext(events)) for _ in range(count)]


async def watched(fake: FakeApiServer, times: int) -> None:
    """Wait until that many watches have been opened."""
    async with asyncio.timeout(20):
        while fake.watches.opened < times or not fake.watches.open:
            await asyncio.sleep(0.001)


@pytest.mark.parametrize("inside", range(0, 1000, 37))
async def test_watch_goes_on_after_a_cut_at_any_byte(
    fake: FakeApiServer, api: Api, inside: int
) -> None:
    """A connection that breaks anywhere, also in the middle of a line, loses nothing."""
    put(fake, "a")
    async with aclosing(watch(api, MAPS)) as events:
        assert await take(events, 2) == ["ADDED a", "SYNCED"]
        coming = asyncio.ensure_future(take(events, 3))
        await watched(fake, 1)
        fake.watches.cut(inside)
        for value in ("1", "2", "3"):
            put(fake, "a", value)
        assert await coming == ["MODIFIED a 1", "MODIFIED a 2", "MODIFIED a 3"]


async def test_watch_goes_on_after_an_ordinary_end(fake: FakeApiServer, api: Api) -> None:
    """The server ends every watch after a while; the next one starts where it ended."""
    async with aclosing(watch(api, MAPS)) as events:
        assert await take(events, 1) == ["SYNCED"]
        coming = asyncio.ensure_future(take(events, 1))
        await watched(fake, 1)
        fake.watches.cut()
        await watched(fake, 2)
        put(fake, "a")
        assert await coming == ["ADDED a"]
    lists = [path for method, path in fake.requests if "watch" not in path]
    assert len(lists) == 1


@pytest.mark.parametrize("by_status", [False, True])
async def test_expired_version_lists_again(fake: FakeApiServer, api: Api, by_status: bool) -> None:
    """After a 410, as an event or as the answer, what changed meanwhile comes as events."""
    fake.watches.expire_by_status = by_status
    for name in ("stays", "changes", "goes"):
        put(fake, name)
    async with aclosing(watch(api, MAPS)) as events:
        await take(events, 4)
        coming = asyncio.ensure_future(take(events, 4))
        await watched(fake, 1)
        fake.watches.open[0].queue.put_nowait(None)
        fake.watches.open[0].bytes_left = 0
        fake.store.listeners.remove(fake.watches._changed)
        put(fake, "changes", "1")
        put(fake, "new")
        fake.store.delete("configmap", "default", "goes")
        fake.store.forget()
        fake.store.listeners.append(fake.watches._changed)
        assert await coming == ["DELETED goes", "MODIFIED changes 1", "ADDED new", "SYNCED"]


async def test_recreated_namesake_after_a_gap_is_two_events(fake: FakeApiServer, api: Api) -> None:
    """A namesake that was made in the gap is another object: DELETED, then ADDED."""
    put(fake, "a", "old")
    async with aclosing(watch(api, MAPS)) as events:
        await take(events, 2)
        coming = asyncio.ensure_future(take(events, 3))
        await watched(fake, 1)
        fake.watches.fail(410, "Expired")
        fake.store.listeners.remove(fake.watches._changed)
        fake.store.delete("configmap", "default", "a")
        put(fake, "a", "new")
        fake.store.listeners.append(fake.watches._changed)
        assert await coming == ["DELETED a old", "ADDED a new", "SYNCED"]


async def test_error_event_of_the_server_is_survived(fake: FakeApiServer, api: Api) -> None:
    """An ERROR event other than 410 (the server restarts) makes the watch go on."""
    async with aclosing(watch(api, MAPS)) as events:
        await take(events, 1)
        coming = asyncio.ensure_future(take(events, 1))
        await watched(fake, 1)
        fake.watches.fail(500, "InternalError")
        await watched(fake, 2)
        put(fake, "a")
        assert await coming == ["ADDED a"]


async def test_bookmarks_move_the_version_on(fake: FakeApiServer, api: Api) -> None:
    """A bookmark saves the next watch from a version that has been forgotten."""
    async with aclosing(watch(api, MAPS)) as events:
        await take(events, 1)
        coming = asyncio.ensure_future(take(events, 1))
        await watched(fake, 1)
        fake.store.create("secret", "default", {"metadata": {"name": "elsewhere"}})
        fake.store.forget()
        fake.watches.bookmark()
        await asyncio.sleep(0.05)
        fake.watches.cut()
        await watched(fake, 2)
        put(fake, "a")
        assert await coming == ["ADDED a"]
    lists = [path for method, path in fake.requests if "watch" not in path]
    assert len(lists) == 1


async def test_throttled_watch_is_opened_again(fake: FakeApiServer, api: Api) -> None:
    """429 in answer to a watch request is waited for."""
    async with aclosing(watch(api, MAPS)) as events:
        await take(events, 1)
        fake.throttle(2)
        coming = asyncio.ensure_future(take(events, 1))
        await watched(fake, 1)
        put(fake, "a")
        assert await coming == ["ADDED a"]


async def test_permission_lost_is_raised(fake: FakeApiServer, tmp_path: Path) -> None:
    """Who loses the permission in the middle is told so."""
    fake.access.tokens["t"] = User("anna")
    file = fake.write_kubeconfig(tmp_path, token="t")
    async with open_api(context=None, kubeconfig=file) as api:
        events = watch(api, MAPS)
        await take(events, 1)
        coming = asyncio.ensure_future(take(events, 1))
        await watched(fake, 1)
        fake.access.tokens["t"] = User("anna", (), ())
        fake.watches.cut()
        with pytest.raises(failures.ForbiddenError) as caught:
            await coming
    assert caught.value.message == "no permission to watch configmaps in namespace default"


async def test_large_objects_pass(fake: FakeApiServer, api: Api) -> None:
    """A line of a megabyte is one event."""
    async with aclosing(watch(api, MAPS)) as events:
        await take(events, 1)
        coming = asyncio.ensure_future(anext(events))
        await watched(fake, 1)
        body = {"metadata": {"name": "big"}, "data": {"v": "x" * 1_000_000}}
        fake.store.create("configmap", "default", body)
        async with asyncio.timeout(20):
            event = await coming
    assert len(json.dumps(event.object)) > 1_000_000


async def test_closed_watch_leaves_no_request_open(fake: FakeApiServer, api: Api) -> None:
    """Whoever stops watching ends the request."""
    async with aclosing(watch(api, MAPS)) as events:
        await take(events, 1)
        waiting = asyncio.ensure_future(anext(events))
        await watched(fake, 1)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    async with asyncio.timeout(20):
        while fake.watches.open:
            put(fake, f"x{len(fake.store.objects)}")
            await asyncio.sleep(0.01)
