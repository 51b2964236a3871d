"""The patches that stop each kind and bring it back, on the fake and on a real API server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.contract.contract_place import Place
from tpconfig import names
from tpconfig.cluster import facts, failures, patches
from tpconfig.cluster.api import JSON_PATCH
from tpconfig.model import kinds
from tpconfig.model.target import Target

Object = dict[str, Any]
VOLATILE = ("resourceVersion", "generation", "managedFields")
CONTROLLERS = {"deprecated.daemonset.template.generation", "deployment.kubernetes.io/revision"}


def workload(kind: str, image: str) -> Object:
    """Return a workload of a kind that needs nothing; Pods of it are never made."""
    pod = {
        "containers": [{"name": "main", "image": image}],
        "nodeSelector": {"no": "such-node"},
        "restartPolicy": "Always",
    }
    template = {"metadata": {"labels": {"app": "web"}}, "spec": pod}
    spec: Object = {"selector": {"matchLabels": {"app": "web"}}, "template": template}
    match kind:
        case "cronjob":
            pod["restartPolicy"] = "Never"
            spec = {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": {"template": template}}}
        case "statefulset":
            policy = {"whenScaled": "Delete", "whenDeleted": "Retain"}
            spec |= {"replicas": 2, "serviceName": "web"}
            spec["persistentVolumeClaimRetentionPolicy"] = policy
        case "deployment" | "replicaset":
            spec["replicas"] = 2
    return {"metadata": {"name": "web"}, "spec": spec}


def exact(manifest: Object) -> Object:
    """Return what has to come back."""
    metadata = {key: one for key, one in manifest["metadata"].items() if key not in VOLATILE}
    notes = {k: v for k, v in metadata.pop("annotations", {}).items() if k not in CONTROLLERS}
    return {"metadata": {**metadata, "annotations": notes}, "spec": manifest["spec"]}


def owners(manifest: Object) -> set[tuple[str, str]]:
    """Return who has applied or updated anything but a status."""
    fields = manifest["metadata"]["managedFields"]
    return {(one["manager"], one["operation"]) for one in fields if "subresource" not in one}


async def patch_latest(place: Place, path: str, make: Callable[[Object], Object]) -> Object:
    """Send a patch of the object as it is now; again where a controller was faster."""
    while True:
        try:
            return await place.api.patch(path, make(await place.api.get(path)))
        except failures.StaleError:
            continue


@pytest.mark.parametrize("kind", kinds.SWAPPABLE)
async def test_every_kind_is_claimed_stopped_started_and_released(place: Place, kind: str) -> None:
    """Stopped by one request, and afterwards equal in every field and in who owns it."""
    path = place.path(kind, "web")
    body = workload(kind, place.image)
    made = await place.api.create(place.path(kind), body, {"fieldManager": "team"})
    running = facts.running(kind, made)
    policy = made["spec"].get("persistentVolumeClaimRetentionPolicy") or {}
    changes = kinds.stopping(
        Target(place.namespace, kind, "web"),
        running,
        session="ab",
        deletes_claims=policy.get("whenScaled") == "Delete",
    )
    claimed = await patch_latest(
        place,
        path,
        lambda now: patches.claim(now, session="ab", held_by="anna", recorded=changes),
    )
    stop = patches.stop(claimed, "ab", changes)
    stopped = await place.api.patch(path, stop, content_type=JSON_PATCH)
    assert facts.running(kind, stopped) == 0
    restore = stopped["metadata"]["annotations"][names.ANNOTATION_RESTORE]
    start = patches.start(stopped, "ab", restore)
    started = await place.api.patch(path, start, content_type=JSON_PATCH)
    assert facts.running(kind, started) == running
    released = await patch_latest(place, path, patches.release)
    assert exact(released) == exact(made)
    if place.fake is None:  # which does not know whose each field is
        assert owners(released) == owners(made)


async def test_a_daemon_sets_stop_of_somebody_elses_is_refused(place: Place) -> None:
    """The label is tested in the same request: 422, and nothing changes."""
    await place.api.create(place.path("daemonset"), workload("daemonset", place.image))
    now = await place.api.get(place.path("daemonset", "web"))
    changes = kinds.stopping(Target(place.namespace, "daemonset", "web"), 1, session="ab")
    with pytest.raises(failures.InvalidError):
        await place.api.patch(
            place.path("daemonset", "web"),
            patches.stop(now, "ab", changes),
            content_type=JSON_PATCH,
        )
