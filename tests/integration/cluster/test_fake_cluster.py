"""The switches of the fake cluster that other tests turn."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.fake_apiserver import FakeApiServer, Write, fake_api_server
from tpconfig.cluster.api import open_api
from tpconfig.cluster.paths import path_of

Object = dict[str, Any]


@pytest.fixture
async def busy() -> AsyncIterator[FakeApiServer]:
    """A fake whose kubelet and controllers act."""
    async with fake_api_server() as server:
        yield server


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.001)


def probed(name: str) -> Object:
    container = {"name": "c", "image": "x", "readinessProbe": {"httpGet": {"port": 1}}}
    metadata = {"name": name, "labels": {"app": "s"}}
    return {"metadata": metadata, "spec": {"containers": [container]}}


def ready(fake: FakeApiServer) -> list[bool]:
    found = fake.store.find("endpointslice", "default", "s-fake1")
    return [one["conditions"]["ready"] for one in (found or {}).get("endpoints") or ()]


async def test_probe_decides_readiness(busy: FakeApiServer) -> None:
    """A Pod with a readiness probe is ready when the test says so, and Services follow."""
    answer = False
    busy.cluster.probe = lambda pod: answer
    spec = {"selector": {"app": "s"}, "ports": [{"port": 80}]}
    busy.store.create("service", "default", {"metadata": {"name": "s"}, "spec": spec})
    busy.store.create("pod", "default", probed("p"))
    await until(lambda: ready(busy) == [False])
    answer = True
    busy.cluster.look_again()
    await until(lambda: ready(busy) == [True])
    answer = False
    busy.cluster.look_again()
    await until(lambda: ready(busy) == [False])


async def test_pod_that_is_not_to_start_stays_pending(busy: FakeApiServer) -> None:
    """A Pod that cannot be scheduled waits, and is deleted at once."""
    busy.cluster.starts = lambda pod: pod["metadata"]["name"] != "stuck"
    busy.store.create("pod", "default", probed("stuck"))
    busy.store.create("pod", "default", probed("fine"))
    await until(lambda: busy.store.get("pod", "default", "fine")["status"].get("podIP"))
    assert busy.store.get("pod", "default", "stuck")["status"]["phase"] == "Pending"
    busy.store.delete("pod", "default", "stuck")
    assert busy.store.find("pod", "default", "stuck") is None


async def test_new_template_replaces_the_pods(busy: FakeApiServer) -> None:
    """A changed template makes a new ReplicaSet, and the old one's Pods go."""
    template = {"metadata": {"labels": {"a": "b"}}, "spec": probed("x")["spec"]}
    spec = {"replicas": 2, "selector": {"matchLabels": {"a": "b"}}, "template": template}
    busy.store.create("deployment", "default", {"metadata": {"name": "d"}, "spec": spec})
    await until(lambda: len(busy.store.list("pod", "default")) == 2)

    def relabel(old: Object) -> Object:
        old["spec"]["template"]["metadata"]["labels"]["new"] = "yes"
        return old

    busy.store.update("deployment", "default", "d", relabel)

    def settled() -> bool:
        pods = busy.store.list("pod", "default")
        return len(pods) == 2 and all("new" in pod["metadata"]["labels"] for pod in pods)

    await until(settled)


async def test_hooks_see_every_write_in_order(busy: FakeApiServer, tmp_path: Path) -> None:
    """before_write and after_write count writes, and see who wrote what where."""
    seen: list[tuple[str, int, str]] = []

    def note(when: str) -> Callable[[Write], None]:
        return lambda write: seen.append((when, write.number, write.method))

    busy.before_write, busy.after_write = note("before"), note("after")
    async with open_api(context=None, kubeconfig=busy.write_kubeconfig(tmp_path)) as api:
        path = path_of("configmap", "default")
        await api.create(path, {"metadata": {"name": "a"}})
        await api.create(path_of("selfsubjectreview"), {})
        await api.delete(f"{path}/a")
    assert seen == [
        ("before", 1, "POST"),
        ("after", 1, "POST"),
        ("before", 2, "DELETE"),
        ("after", 2, "DELETE"),
    ]
