"""What is refused for its content, and what the API server makes of what it takes."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.contract.contract_place import Place
from tpconfig.cluster import failures

Object = dict[str, Any]

POD: Object = {"metadata": {"name": "a"}, "spec": {"containers": [{"name": "c", "image": "x"}]}}
DEPLOYMENT: Object = {
    "metadata": {"name": "a"},
    "spec": {
        "replicas": 0,
        "selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": POD["spec"]},
    },
}
OWNER = {"apiVersion": "v1", "kind": "Pod", "name": "x", "uid": "u"}


def named(**metadata: Any) -> Object:
    return {"metadata": {"name": "a", **metadata}}


def lease(**spec: Any) -> Object:
    return {"metadata": {"name": "a"}, "spec": spec}


def with_spec(body: Object, **spec: Any) -> Object:
    return {**copy.deepcopy(body), "spec": {**copy.deepcopy(body["spec"]), **spec}}


REFUSED = {
    "label with an at sign": ("configmap", named(labels={"k": "a@b"}), 422, "metadata.labels"),
    "label of 64": ("configmap", named(labels={"k": "a" * 64}), 422, "metadata.labels"),
    "label key": ("configmap", named(labels={"x y": "a"}), 422, "metadata.labels"),
    "label that is no text": ("configmap", named(labels={"k": 1}), 400, None),
    "annotation key": ("configmap", named(annotations={"x y": "a"}), 422, "metadata.annotations"),
    "annotations too long": (
        *("configmap", named(annotations={"k": "a" * 262144}), 422),
        "metadata.annotations",
    ),
    "capital letters": ("configmap", {"metadata": {"name": "A"}}, 422, "metadata.name"),
    "no name": ("configmap", {"metadata": {}}, 422, "metadata.name"),
    "version of a new object": ("configmap", named(resourceVersion="5"), 500, None),
    "other namespace": ("configmap", named(namespace="default"), 400, None),
    "other kind": ("configmap", {"apiVersion": "v1", "kind": "Secret", **named()}, 400, None),
    "owner without a version": (
        *("configmap", named(ownerReferences=[{**OWNER, "apiVersion": ""}]), 422),
        "metadata.ownerReferences.apiVersion",
    ),
    "two controllers": (
        "configmap",
        named(
            ownerReferences=[
                {**OWNER, "controller": True},
                {**OWNER, "uid": "v", "controller": True},
            ]
        ),
        *(422, "metadata.ownerReferences"),
    ),
    "lease of no time": (
        *("lease", lease(leaseDurationSeconds=0), 422),
        "spec.leaseDurationSeconds",
    ),
    "lease of half a second": ("lease", lease(leaseDurationSeconds=1.5), 400, None),
    "time of whole seconds": ("lease", lease(renewTime="2026-11-01T00:00:00Z"), 400, None),
    "time of milliseconds": ("lease", lease(renewTime="2026-11-01T00:00:00.123Z"), 400, None),
    "secret that is not coded": ("secret", {**named(), "data": {"k": "!!"}}, 400, None),
    "negative replicas": ("deployment", with_spec(DEPLOYMENT, replicas=-1), 422, "spec.replicas"),
    "pod without containers": ("pod", with_spec(POD, containers=[]), 422, "spec.containers"),
    "container without an image": (
        *("pod", with_spec(POD, containers=[{"name": "c"}]), 422),
        "spec.containers[0].image",
    ),
    "two containers of one name": (
        *("pod", with_spec(POD, containers=POD["spec"]["containers"] * 2), 422),
        "spec.containers[1].name",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_refused(place: Place, case: str) -> None:
    """Each is refused with its status, and the field that is wrong."""
    kind, body, status, field = REFUSED[case]
    with pytest.raises(failures.ApiError) as caught:
        await place.api.create(place.path(kind), body)
    assert caught.value.status == status
    if field is not None:
        assert field in [cause.field for cause in caught.value.causes]


async def test_time_with_microseconds_is_taken(place: Place) -> None:
    """A Lease's times have six digits behind the point."""
    made = await place.api.create(
        place.path("lease"), lease(renewTime="2026-11-01T00:00:00.123456Z")
    )
    assert made["spec"]["renewTime"] == "2026-11-01T00:00:00.123456Z"


async def test_plain_text_of_a_secret_is_coded(place: Place) -> None:
    """stringData becomes data."""
    made = await place.api.create(place.path("secret"), {**named(), "stringData": {"k": "!!"}})
    assert made["data"] == {"k": "ISE="}
    assert "stringData" not in made


async def test_last_label_takes_the_map_with_it(place: Place) -> None:
    """An object that lost its last label and annotation looks as if it had never had any."""
    await place.api.create(place.path("configmap"), named())
    path = place.path("configmap", "a")
    marks = {"labels": {"k": "v"}, "annotations": {"k": "v"}}
    await place.api.patch(path, {"metadata": marks})
    gone = {"labels": {"k": None}, "annotations": {"k": None}}
    changed = await place.api.patch(path, {"metadata": gone})
    assert not {"labels", "annotations"} & changed["metadata"].keys()


async def test_replicas_taken_away_become_one(place: Place) -> None:
    """A Deployment without a number of replicas has one."""
    await place.api.create(place.path("deployment"), DEPLOYMENT)
    changed = await place.api.patch(place.path("deployment", "a"), {"spec": {"replicas": None}})
    assert changed["spec"]["replicas"] == 1


async def test_object_cannot_be_renamed(place: Place) -> None:
    """Name and namespace of an object are what they were."""
    await place.api.create(place.path("configmap"), named())
    for metadata in ({"name": "b"}, {"namespace": "default"}):
        with pytest.raises(failures.InvalidError) as caught:
            await place.api.patch(place.path("configmap", "a"), {"metadata": metadata})
        assert caught.value.status == 400


@pytest.mark.parametrize("kind", ["configmap", "secret", "lease", "deployment"])
async def test_deletion_is_answered_with_a_status(place: Place, kind: str) -> None:
    """What is removed at once is answered with a Status that names it."""
    body = DEPLOYMENT if kind == "deployment" else named()
    made = await place.api.create(
        place.path(kind), {**body} | ({"spec": {}} if kind == "lease" else {})
    )
    answer = await place.api.delete(place.path(kind, "a"))
    assert (answer["kind"], answer["status"]) == ("Status", "Success")
    assert answer["details"]["uid"] == made["metadata"]["uid"]


async def test_deletion_of_a_service_returns_it(place: Place) -> None:
    """A Service comes back as it was."""
    body = {**named(), "spec": {"ports": [{"port": 80}]}}
    await place.api.create(place.path("service"), body)
    assert (await place.api.delete(place.path("service", "a")))["kind"] == "Service"
