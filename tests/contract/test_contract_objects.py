"""Creating, reading, changing and deleting objects, on the fake and on a real API server."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.contract.contract_place import Place
from tpconfig.cluster import failures
from tpconfig.cluster.api import JSON_PATCH, STRATEGIC_PATCH
from tpconfig.cluster.paths import path_of

Object = dict[str, Any]

OTHER_UID = "00000000-0000-4000-8000-000000000000"


def config_map(name: str = "a", **data: str) -> Object:
    return {"metadata": {"name": name, "labels": {"app": "x"}}, "data": data}


def deployment(image: str, replicas: int = 0) -> Object:
    pod = {"containers": [{"name": "main", "image": image}, {"name": "side", "image": image}]}
    return {
        "metadata": {"name": "web"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": pod},
        },
    }


async def test_created_object_comes_back_with_identity(place: Place) -> None:
    """A created object has a uid, a version, its namespace, its kind and our field manager."""
    made = await place.api.create(place.path("configmap"), config_map(k="v"))
    assert made["kind"] == "ConfigMap"
    assert made["metadata"]["uid"]
    assert made["metadata"]["resourceVersion"].isdigit()
    assert made["metadata"]["namespace"] == place.namespace
    assert [one["manager"] for one in made["metadata"]["managedFields"]] == ["tp"]
    assert await place.api.get(place.path("configmap", "a")) == made


async def test_generate_name_makes_distinct_names(place: Place) -> None:
    """generateName gives every object a name of its own with that prefix."""
    body = {"metadata": {"generateName": "a-"}}
    made = [await place.api.create(place.path("configmap"), body) for _ in range(3)]
    names = {one["metadata"]["name"] for one in made}
    assert len(names) == 3
    assert all(name.startswith("a-") and len(name) == 7 for name in names)


async def test_second_creation_is_already_exists(place: Place) -> None:
    """Creating a name that is taken is AlreadyExistsError, not StaleError."""
    await place.api.create(place.path("configmap"), config_map())
    with pytest.raises(failures.AlreadyExistsError) as caught:
        await place.api.create(place.path("configmap"), config_map())
    assert (caught.value.status, caught.value.reason) == (409, "AlreadyExists")


async def test_missing_object_is_not_found(place: Place) -> None:
    """Reading what does not exist names it."""
    with pytest.raises(failures.NotFoundError) as caught:
        await place.api.get(place.path("deployment", "nope"))
    assert caught.value.message == 'deployments.apps "nope" not found'
    assert caught.value.status_details["name"] == "nope"


async def test_missing_namespace_is_not_found(place: Place) -> None:
    """Creating in a namespace that does not exist is refused by the namespace's name."""
    with pytest.raises(failures.NotFoundError) as caught:
        await place.api.create(path_of("configmap", "tp-no-such-ns"), config_map())
    assert caught.value.message == 'namespaces "tp-no-such-ns" not found'


async def test_unknown_api_is_not_found_with_a_hint(place: Place) -> None:
    """An API group that the server does not serve is a 404 without a Status object."""
    with pytest.raises(failures.NotFoundError) as caught:
        await place.api.get("/apis/no.such.group/v1/things")
    assert caught.value.message == "404 page not found"
    assert caught.value.hint == "this API server does not serve that kind of object"


async def test_merge_patch_sets_and_removes(place: Place) -> None:
    """A merge patch sets what it names, removes what it names as null, and leaves the rest."""
    await place.api.create(place.path("configmap"), config_map(a="1", b="2", c="3"))
    changed = await place.api.patch(place.path("configmap", "a"), {"data": {"a": "new", "b": None}})
    assert changed["data"] == {"a": "new", "c": "3"}


async def test_merge_patch_with_old_version_is_stale(place: Place) -> None:
    """A resourceVersion inside a merge patch is a condition: the second writer loses."""
    made = await place.api.create(place.path("configmap"), config_map())
    version = made["metadata"]["resourceVersion"]
    patch: Object = {"metadata": {"resourceVersion": version}, "data": {"who": "first"}}
    await place.api.patch(place.path("configmap", "a"), patch)
    with pytest.raises(failures.StaleError) as caught:
        await place.api.patch(place.path("configmap", "a"), patch | {"data": {"who": "second"}})
    assert (caught.value.status, caught.value.reason) == (409, "Conflict")
    assert (await place.api.get(place.path("configmap", "a")))["data"] == {"who": "first"}


async def test_merge_patch_with_other_uid_is_invalid(place: Place) -> None:
    """A uid inside a merge patch is a condition: a namesake is not touched, with a 422."""
    await place.api.create(place.path("configmap"), config_map())
    patch = {"metadata": {"uid": OTHER_UID}, "data": {"k": "v"}}
    with pytest.raises(failures.InvalidError) as caught:
        await place.api.patch(place.path("configmap", "a"), patch)
    assert {cause.field for cause in caught.value.causes} == {"metadata.uid"}


async def test_replace_with_other_uid_is_stale(place: Place) -> None:
    """A uid inside a replacement is a condition: a namesake is not touched, with a 409."""
    made = await place.api.create(place.path("configmap"), config_map())
    made["metadata"]["uid"] = OTHER_UID
    with pytest.raises(failures.StaleError):
        await place.api.replace(place.path("configmap", "a"), made)


async def test_patch_that_changes_nothing_keeps_the_version(place: Place) -> None:
    """A patch without effect is no write."""
    made = await place.api.create(place.path("configmap"), config_map(k="v"))
    again = await place.api.patch(place.path("configmap", "a"), {"data": {"k": "v"}})
    assert again["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


async def test_strategic_patch_merges_containers_by_name(place: Place) -> None:
    """A strategic merge patch changes one container and leaves the other."""
    await place.api.create(place.path("deployment"), deployment(place.image))
    patch = {
        "spec": {
            "template": {
                "spec": {"containers": [{"name": "side", "env": [{"name": "A", "value": "1"}]}]}
            }
        }
    }
    changed = await place.api.patch(
        place.path("deployment", "web"), patch, content_type=STRATEGIC_PATCH
    )
    containers = {one["name"]: one for one in changed["spec"]["template"]["spec"]["containers"]}
    assert list(containers) == ["main", "side"]
    assert containers["side"]["env"] == [{"name": "A", "value": "1"}]
    assert containers["main"]["image"] == place.image


async def test_json_patch_tests_before_it_changes(place: Place) -> None:
    """A JSON patch whose test fails is InvalidError and changes nothing."""
    await place.api.create(place.path("configmap"), config_map(k="v"))
    path = place.path("configmap", "a")
    right = [
        {"op": "test", "path": "/data/k", "value": "v"},
        {"op": "replace", "path": "/data/k", "value": "w"},
    ]
    changed = await place.api.patch(path, right, content_type=JSON_PATCH)
    assert changed["data"] == {"k": "w"}
    with pytest.raises(failures.InvalidError) as caught:
        await place.api.patch(path, right, content_type=JSON_PATCH)
    assert caught.value.status == 422
    assert (await place.api.get(path))["data"] == {"k": "w"}


async def test_generation_counts_changes_of_the_spec(place: Place) -> None:
    """generation grows with the spec, not with labels."""
    made = await place.api.create(place.path("deployment"), deployment(place.image))
    path = place.path("deployment", "web")
    labelled = await place.api.patch(path, {"metadata": {"labels": {"a": "b"}}})
    paused = await place.api.patch(path, {"spec": {"paused": True}})
    assert made["metadata"]["generation"] == 1
    assert labelled["metadata"]["generation"] == 1
    assert paused["metadata"]["generation"] == 2


async def test_replace_with_old_version_is_stale(place: Place) -> None:
    """A replacement of a version that is no longer there is refused."""
    made = await place.api.create(place.path("configmap"), config_map(k="1"))
    path = place.path("configmap", "a")
    changed = await place.api.replace(path, {**made, "data": {"k": "2"}})
    assert changed["data"] == {"k": "2"}
    with pytest.raises(failures.StaleError):
        await place.api.replace(path, {**made, "data": {"k": "3"}})


async def test_lease_is_replaced_only_by_version(place: Place) -> None:
    """A Lease does not take a replacement that does not say what it replaces."""
    body = {"metadata": {"name": "l"}, "spec": {"holderIdentity": "me"}}
    await place.api.create(place.path("lease"), body)
    with pytest.raises(failures.InvalidError) as caught:
        await place.api.replace(place.path("lease", "l"), body)
    assert [cause.field for cause in caught.value.causes] == ["metadata.resourceVersion"]


async def test_invalid_object_names_the_field(place: Place) -> None:
    """422 carries its causes: which field, and why."""
    body = deployment(place.image)
    del body["spec"]["selector"]
    with pytest.raises(failures.InvalidError) as caught:
        await place.api.create(place.path("deployment"), body)
    assert caught.value.status == 422
    assert ("spec.selector", "FieldValueRequired") in [
        (cause.field, cause.reason) for cause in caught.value.causes
    ]


async def test_selector_of_a_deployment_is_immutable(place: Place) -> None:
    """A Deployment's selector cannot be changed."""
    await place.api.create(place.path("deployment"), deployment(place.image))
    patch = {"spec": {"selector": {"matchLabels": {"app": "other"}}}}
    with pytest.raises(failures.InvalidError) as caught:
        await place.api.patch(place.path("deployment", "web"), patch)
    assert "spec.selector" in [cause.field for cause in caught.value.causes]


async def test_delete_with_other_uid_is_stale(place: Place) -> None:
    """A uid makes sure that a namesake is not deleted."""
    made = await place.api.create(place.path("configmap"), config_map())
    path = place.path("configmap", "a")
    with pytest.raises(failures.StaleError):
        await place.api.delete(path, uid=OTHER_UID)
    await place.api.delete(path, uid=made["metadata"]["uid"])
    with pytest.raises(failures.NotFoundError):
        await place.api.get(path)


async def test_delete_with_old_version_is_stale(place: Place) -> None:
    """A resourceVersion makes sure that a changed object is not deleted."""
    made = await place.api.create(place.path("configmap"), config_map())
    path = place.path("configmap", "a")
    await place.api.patch(path, {"data": {"k": "v"}})
    with pytest.raises(failures.StaleError):
        await place.api.delete(path, resource_version=made["metadata"]["resourceVersion"])


async def test_owned_objects_go_with_their_owner(place: Place) -> None:
    """What carries an ownerReference to a Lease is removed when the Lease is deleted."""
    lease = await place.api.create(place.path("lease"), {"metadata": {"name": "l"}, "spec": {}})
    owner = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "name": "l",
        "uid": lease["metadata"]["uid"],
        "controller": False,
    }
    body = config_map()
    body["metadata"]["ownerReferences"] = [owner]
    await place.api.create(place.path("configmap"), body)
    await place.api.create(place.path("configmap"), config_map("free"))
    await place.api.delete(place.path("lease", "l"))
    async with asyncio.timeout(60):
        while "a" in (left := await _names(place, "configmap")):
            await asyncio.sleep(0.05)
    assert "free" in left


async def test_orphans_stay(place: Place) -> None:
    """With propagationPolicy Orphan the dependents stay and lose the reference."""
    lease = await place.api.create(place.path("lease"), {"metadata": {"name": "l"}, "spec": {}})
    body = config_map()
    body["metadata"]["ownerReferences"] = [
        {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "name": "l",
            "uid": lease["metadata"]["uid"],
        }
    ]
    await place.api.create(place.path("configmap"), body)
    await place.api.delete(place.path("lease", "l"), propagation="Orphan")
    async with asyncio.timeout(60):
        while (
            "ownerReferences"
            in (left := await place.api.get(place.path("configmap", "a")))["metadata"]
        ):
            await asyncio.sleep(0.05)
    assert left["metadata"]["name"] == "a"


async def test_finalizer_keeps_a_deleted_object(place: Place) -> None:
    """A deleted object with a finalizer is there, marked, until the finalizer is taken off."""
    body = config_map()
    body["metadata"]["finalizers"] = ["tpconfig.dev/test"]
    await place.api.create(place.path("configmap"), body)
    path = place.path("configmap", "a")
    await place.api.delete(path)
    assert (await place.api.get(path))["metadata"]["deletionTimestamp"]
    await place.api.patch(path, {"metadata": {"finalizers": None}})
    with pytest.raises(failures.NotFoundError):
        await place.api.get(path)


async def test_list_chooses_by_labels(place: Place) -> None:
    """Label selectors: equality, inequality, sets, existence."""
    for name, labels in {"a": {"k": "1"}, "b": {"k": "2", "m": ""}, "c": {"n": "1"}}.items():
        await place.api.create(
            place.path("configmap"), {"metadata": {"name": name, "labels": labels}}
        )
    expected = {
        "k=1": ["a"],
        "k!=1,k": ["b"],
        "k in (1,2)": ["a", "b"],
        "!k,n": ["c"],
        "k notin (1),k": ["b"],
        "m=": ["b"],
        "k=1,m": [],
    }
    for selector, names in expected.items():
        found = await place.api.list(place.path("configmap"), label_selector=selector)
        assert [one["metadata"]["name"] for one in found] == names, selector


async def test_list_chooses_by_name(place: Place) -> None:
    """A field selector on metadata.name finds one object."""
    for name in ("a", "b"):
        await place.api.create(place.path("configmap"), config_map(name))
    found = await place.api.list(place.path("configmap"), field_selector="metadata.name=b")
    assert [(one["kind"], one["metadata"]["name"]) for one in found] == [("ConfigMap", "b")]


async def test_list_refuses_unknown_fields(place: Place) -> None:
    """A field that is not indexed is refused, not ignored."""
    with pytest.raises(failures.InvalidError) as caught:
        await place.api.list(place.path("configmap"), field_selector="data.k=v")
    assert caught.value.status == 400


async def test_events_are_chosen_by_their_object(place: Place) -> None:
    """Events are found by what they are about, and by their type."""
    for name, kind in (("e1", "Warning"), ("e2", "Normal")):
        about = {"kind": "Pod", "name": "p", "namespace": place.namespace}
        body = {"metadata": {"name": name}, "involvedObject": about, "type": kind, "reason": "R"}
        await place.api.create(place.path("event"), body)
    found = await place.api.list(
        place.path("event"), field_selector="involvedObject.name=p,type=Warning"
    )
    assert [one["metadata"]["name"] for one in found] == ["e1"]


async def test_list_turns_pages(place: Place) -> None:
    """A collection that is larger than a page comes back whole, in order, each object once."""
    names = [f"c{number:03}" for number in range(7)]
    for name in names:
        await place.api.create(place.path("configmap"), config_map(name))
    page = await place.api.get(place.path("configmap"), {"limit": "3"})
    seen = [one["metadata"]["name"] for one in page["items"]]
    while token := page["metadata"].get("continue"):
        page = await place.api.get(place.path("configmap"), {"limit": "3", "continue": token})
        seen += [one["metadata"]["name"] for one in page["items"]]
    # A real namespace gets `kube-root-ca.crt` from its controllers, at any moment.
    assert [name for name in seen if name != "kube-root-ca.crt"] == names
    assert "kind" not in page["items"][0]


async def test_managers_are_remembered(place: Place) -> None:
    """managedFields tells who changed an object."""
    await place.api.create(place.path("configmap"), config_map())
    changed = await place.api.patch(
        place.path("configmap", "a"), {"data": {"k": "v"}}, field_manager="somebody"
    )
    managers = {one["manager"] for one in changed["metadata"]["managedFields"]}
    assert managers == {"tp", "somebody"}


async def test_server_time_is_about_now(place: Place) -> None:
    """The server's clock is read from its answers."""
    await place.api.get("/version")
    assert abs((place.api.server_time() - datetime.now(UTC)).total_seconds()) < 60


async def test_deleted_namespace_takes_everything(place: Place) -> None:
    """A deleted namespace, and what was in it, are gone in the end."""
    made = await place.api.create(
        path_of("namespace"), {"metadata": {"generateName": "tp-contract-gone-"}}
    )
    name = made["metadata"]["name"]
    await place.api.create(path_of("configmap", name), config_map())
    await place.api.delete(path_of("namespace", None, name))
    async with asyncio.timeout(120):
        while name in [
            one["metadata"]["name"] for one in await place.api.list(path_of("namespace"))
        ]:
            await asyncio.sleep(0.05)
    with pytest.raises(failures.NotFoundError):
        await place.api.get(path_of("configmap", name, "a"))


async def _names(place: Place, kind: str) -> list[str]:
    return [one["metadata"]["name"] for one in await place.api.list(place.path(kind))]
