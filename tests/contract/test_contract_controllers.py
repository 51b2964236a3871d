"""What the controllers of ReplicaSets, StatefulSets and DaemonSets do with Pods by themselves."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.contract.contract_place import Place
from tpconfig.cluster import facts, patches
from tpconfig.cluster.api import JSON_PATCH
from tpconfig.cluster.watch import wait_for
from tpconfig.model import kinds
from tpconfig.model.target import Target

Object = dict[str, Any]

LABELS = {"app": "web"}
COUNT = {"replicaset": 2, "statefulset": 2, "daemonset": 1}
SLEEP = "import signal; signal.signal(15, lambda *_: exit()); signal.pause()"


def pod_spec(place: Place) -> Object:
    """Return the spec of a Pod that ends when it is told to."""
    command = ["python3", "-c", SLEEP]
    one = {"name": "main", "image": place.image, "imagePullPolicy": "IfNotPresent"}
    return {"terminationGracePeriodSeconds": 1, "containers": [{**one, "command": command}]}


async def create(place: Place, kind: str) -> Object:
    """Create a workload and wait until all of its Pods are ready."""
    template = {"metadata": {"labels": LABELS}, "spec": pod_spec(place)}
    spec: Object = {"selector": {"matchLabels": LABELS}, "template": template}
    if kind != "daemonset":
        spec["replicas"] = COUNT[kind]
    if kind == "statefulset":
        spec["serviceName"] = "web"
    await place.api.create(place.path(kind), {"metadata": {"name": "web"}, "spec": spec})
    return await until_ready(place, kind, COUNT[kind])


async def until_ready(place: Place, kind: str, count: int) -> Object:
    """Wait until a workload calls so many Pods ready."""

    def enough(found: Object | None) -> bool:
        return found is not None and patches.ready_pods(found) == count

    found = await wait_for(place.api, place.path(kind, "web"), enough, 60.0)
    assert found is not None
    return found


async def pods(place: Place) -> dict[str, Object]:
    """Return the Pods with the workload's labels that are there to stay."""
    found = await place.api.list(place.path("pod"), label_selector="app=web")
    return {
        pod["metadata"]["name"]: pod for pod in found if "deletionTimestamp" not in pod["metadata"]
    }


@pytest.mark.parametrize("kind", COUNT)
async def test_every_kind_stops_and_comes_back(place: Place, kind: str) -> None:
    """Our patches end all of its Pods, and bring as many back, with the names they had."""
    found = await create(place, kind)
    before = await pods(place)
    if kind == "statefulset":
        assert {pod["spec"]["hostname"] for pod in before.values()} == {"web-0", "web-1"}
    target = Target(place.namespace, kind, "web")
    changes = kinds.stopping(target, facts.running(kind, found), session="ab")
    path, claimed = place.path(kind, "web"), found
    claim = patches.claim(claimed, session="ab", held_by="anna", recorded=changes)
    claim["metadata"].pop("resourceVersion")  # the controllers may be at its status
    claimed = await place.api.patch(path, claim)
    stop = patches.stop(claimed, "ab", changes)
    stopped = await place.api.patch(path, stop, content_type=JSON_PATCH)
    async with asyncio.timeout(60):
        while await place.api.list(place.path("pod"), label_selector="app=web"):
            await asyncio.sleep(0.05)
    await until_ready(place, kind, 0)
    restore = stopped["metadata"]["annotations"]["tpconfig.dev/restore"]
    start = patches.start(stopped, "ab", restore)
    await place.api.patch(path, start, content_type=JSON_PATCH)
    await until_ready(place, kind, COUNT[kind])
    after = await pods(place)
    assert len(after) == len(before)
    assert (after.keys() == before.keys()) == (kind == "statefulset")


@pytest.mark.parametrize("kind", COUNT)
async def test_who_takes_a_pod_that_has_its_labels(place: Place, kind: str) -> None:
    """Those that adopt take one without a controller, and leave one that has another's."""
    await create(place, kind)
    lease = {"metadata": {"name": "mine"}, "spec": {}}
    uid = (await place.api.create(place.path("lease"), lease))["metadata"]["uid"]
    owner = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "name": "mine", "uid": uid}
    for name, controls in (("orphan", False), ("mine", True)):
        references = [{**owner, "controller": controls}]
        metadata = {"name": name, "labels": LABELS, "ownerReferences": references}
        await place.api.create(place.path("pod"), {"metadata": metadata, "spec": pod_spec(place)})
    if kind in kinds.ADOPTING:
        async with asyncio.timeout(60):
            while "orphan" in (found := await pods(place)):
                if len(found["orphan"]["metadata"]["ownerReferences"]) == 2:
                    break
                await asyncio.sleep(0.05)
    await wait_for(place.api, place.path("pod", "mine"), _runs, 60.0)
    found = await pods(place)
    assert found["mine"]["metadata"]["ownerReferences"] == [{**owner, "controller": True}]
    assert kind in kinds.ADOPTING or len(found["orphan"]["metadata"]["ownerReferences"]) == 1


def _runs(pod: Object | None) -> bool:
    return pod is not None and pod["status"].get("phase") == "Running"
