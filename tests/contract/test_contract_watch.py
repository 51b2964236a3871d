"""Watching, on the fake and on a real API server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from tests.contract.contract_place import Place
from tpconfig.cluster import failures
from tpconfig.cluster.watch import Event, NotYetError, wait_for, watch


def config_map(name: str, **labels: str) -> dict[str, object]:
    return {"metadata": {"name": name, "labels": labels}, "data": {"n": "0"}}


def short(event: Event) -> tuple[str, str]:
    return event.type.value, event.object.get("metadata", {}).get("name", "")


async def take(events: AsyncGenerator[Event, None], count: int) -> list[tuple[str, str]]:
    """Return the next events, but for the root certificates that every namespace is given."""
    taken: list[tuple[str, str]] = []
    async with asyncio.timeout(30):
        while len(taken) < count:
            event = short(await anext(events))
            if event[1] != "kube-root-ca.crt":
                taken.append(event)
    return taken


async def test_watch_starts_with_what_is_there(place: Place) -> None:
    """First everything there is as ADDED, then SYNCED, then each change."""
    path = place.path("configmap")
    await place.api.create(path, config_map("a"))
    async with aclosing(watch(place.api, path)) as events:
        assert await take(events, 2) == [("ADDED", "a"), ("SYNCED", "")]
        await place.api.create(path, config_map("b"))
        await place.api.patch(place.path("configmap", "a"), {"data": {"n": "1"}})
        await place.api.delete(place.path("configmap", "b"))
        expected = [("ADDED", "b"), ("MODIFIED", "a"), ("DELETED", "b")]
        assert await take(events, 3) == expected


async def test_watch_follows_a_label(place: Place) -> None:
    """An object that starts to match is ADDED, one that stops is DELETED."""
    path = place.path("configmap")
    await place.api.create(path, config_map("a"))
    async with aclosing(watch(place.api, path, label_selector="app=x")) as events:
        assert await take(events, 1) == [("SYNCED", "")]
        await place.api.patch(place.path("configmap", "a"), {"metadata": {"labels": {"app": "x"}}})
        await place.api.patch(place.path("configmap", "a"), {"metadata": {"labels": {"app": None}}})
        assert await take(events, 2) == [("ADDED", "a"), ("DELETED", "a")]


async def test_watch_follows_a_name(place: Place) -> None:
    """A field selector on the name shows one object only."""
    path = place.path("configmap")
    async with aclosing(watch(place.api, path, field_selector="metadata.name=b")) as events:
        assert await take(events, 1) == [("SYNCED", "")]
        await place.api.create(path, config_map("a"))
        await place.api.create(path, config_map("b"))
        assert await take(events, 1) == [("ADDED", "b")]


async def test_recreated_object_is_told_as_two_events(place: Place) -> None:
    """An object and its later namesake are two objects."""
    path = place.path("configmap")
    await place.api.create(path, config_map("a"))
    async with aclosing(watch(place.api, path, field_selector="metadata.name=a")) as events:
        assert await take(events, 2) == [("ADDED", "a"), ("SYNCED", "")]
        await place.api.delete(place.path("configmap", "a"))
        await place.api.create(path, config_map("a"))
        assert await take(events, 2) == [("DELETED", "a"), ("ADDED", "a")]


async def test_deleted_event_is_newer_than_the_object(place: Place) -> None:
    """A DELETED event carries a version of its own, from which a watch can go on."""
    path = place.path("configmap")
    made = await place.api.create(path, config_map("a"))
    async with aclosing(watch(place.api, path, field_selector="metadata.name=a")) as events:
        await take(events, 2)
        await place.api.delete(place.path("configmap", "a"))
        async with asyncio.timeout(30):
            gone = await anext(events)
    before, after = made["metadata"], gone.object["metadata"]
    assert before["uid"] == after["uid"]
    assert int(before["resourceVersion"]) < int(after["resourceVersion"])


async def test_watch_of_an_unknown_kind_is_refused(place: Place) -> None:
    """A refusal is raised, not repeated."""
    events = watch(place.api, "/apis/no.such.group/v1/things")
    with pytest.raises(failures.NotFoundError):
        await anext(events)


async def test_wait_for_sees_a_change(place: Place) -> None:
    """wait_for returns the object that satisfies the predicate."""
    path = place.path("configmap", "a")
    await place.api.create(place.path("configmap"), config_map("a"))
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(
            wait_for(place.api, path, lambda one: one and one["data"]["n"] == "1", 30.0)
        )
        await asyncio.sleep(0.05)
        await place.api.patch(path, {"data": {"n": "1"}})
    found = waiting.result()
    assert found is not None
    assert found["data"] == {"n": "1"}


async def test_wait_for_sees_an_absence(place: Place) -> None:
    """wait_for can wait for an object to be gone."""
    path = place.path("configmap", "a")
    await place.api.create(place.path("configmap"), config_map("a"))
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(wait_for(place.api, path, lambda one: one is None, 30.0))
        await asyncio.sleep(0.05)
        await place.api.delete(path)
    assert waiting.result() is None


async def test_wait_for_gives_up(place: Place) -> None:
    """wait_for says in time that it did not happen, and how the object looked."""
    path = place.path("configmap", "a")
    await place.api.create(place.path("configmap"), config_map("a"))
    with pytest.raises(NotYetError) as caught:
        await wait_for(place.api, path, lambda one: one is None, 0.2)
    assert caught.value.last is not None
    assert caught.value.last["metadata"]["name"] == "a"
