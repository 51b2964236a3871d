"""The patches of a swap: the way back travels with the change."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.fake_patching import json_patch, merge
from tests.fakes.fake_status import StatusError
from tpconfig import names
from tpconfig.cluster import facts, patches
from tpconfig.model import kinds
from tpconfig.model.target import Change, Target


def deployment(**spec: Any) -> dict[str, Any]:
    """Return a Deployment whose ``replicas`` a team applied server-side."""
    team = {
        "manager": "team",
        "operation": "Apply",
        "apiVersion": "apps/v1",
        "fieldsV1": {"f:spec": {"f:replicas": {}, "f:paused": {}}},
    }
    return {
        "metadata": {"name": "web", "resourceVersion": "7", "managedFields": [team]},
        "spec": {"replicas": 3, **spec},
        "status": {"readyReplicas": 2},
    }


KINDS = {
    "deployment": {"spec": {"replicas": 3}},
    "statefulset": {
        "spec": {
            "replicas": 2,
            "persistentVolumeClaimRetentionPolicy": {
                "whenDeleted": "Retain",
                "whenScaled": "Delete",
            },
        }
    },
    "daemonset": {"spec": {"template": {"spec": {"containers": []}}}},
    "daemonset of some nodes": {
        "spec": {"template": {"spec": {"nodeSelector": {"disk": "ssd"}}}},
    },
    "cronjob": {"spec": {"schedule": "* * * * *", "suspend": False}},
    "cronjob without suspend": {"spec": {"schedule": "* * * * *"}},
}


def changes(manifest: dict[str, Any], kind: str = "deployment") -> tuple[Change, ...]:
    """Return what stopping a workload changes."""
    policy = manifest["spec"].get("persistentVolumeClaimRetentionPolicy") or {}
    return kinds.stopping(
        Target("shop", kind, "web"),
        facts.running(kind, manifest),
        session="ab",
        deletes_claims=policy.get("whenScaled") == "Delete",
    )


def claim(manifest: dict[str, Any], kind: str = "deployment", held_by: str = "") -> dict[str, Any]:
    """Return the patch that claims a workload."""
    recorded = changes(manifest, kind)
    return patches.claim(manifest, session="ab", held_by=held_by, recorded=recorded)


def stop(manifest: dict[str, Any], session: str = "ab") -> list[dict[str, Any]]:
    """Return the patch that stops a Deployment."""
    return patches.stop(manifest, session, changes(manifest))


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_comes_back_as_it_was(name: str) -> None:
    """Claimed, stopped, started and released; and by the annotation alone."""
    kind = name.split()[0]
    before: dict[str, Any] = {"metadata": {"name": "web", "resourceVersion": "7"}, **KINDS[name]}
    stopped = json_patch(
        merge(before, claim(before, kind)), patches.stop(before, "ab", changes(before, kind))
    )
    assert facts.running(kind, stopped) == 0
    restore = stopped["metadata"]["annotations"][names.ANNOTATION_RESTORE]
    assert patches.read_recorded(restore).running == facts.running(kind, before)
    by_hand = merge(stopped, json.loads(restore))
    started = json_patch(stopped, patches.start(stopped, "ab", restore))
    again = json_patch(started, patches.start(started, "ab", restore))
    for after in (by_hand, merge(again, patches.release(again))):
        assert as_stored(after) == as_stored(before)


def as_stored(value: Any) -> Any:
    """Return an object as the API server keeps it: no empty maps, no default of ``suspend``."""
    if not isinstance(value, dict):
        return value
    kept = {key: as_stored(one) for key, one in value.items() if key != "managedFields"}
    return {k: v for k, v in kept.items() if v != {} and (k, v) != ("suspend", False)}


def test_a_stopped_daemon_set_keeps_what_others_select() -> None:
    """Only our key is added, and only it is taken away: an edit in between stays."""
    before: dict[str, Any] = {
        "metadata": {"name": "web", "resourceVersion": "7"},
        **KINDS["daemonset of some nodes"],
    }
    stopped = json_patch(
        merge(before, claim(before, "daemonset")),
        patches.stop(before, "ab", changes(before, "daemonset")),
    )
    selector = stopped["spec"]["template"]["spec"]["nodeSelector"]
    assert selector == {"disk": "ssd", names.LABEL_STOPPED: "ab"}
    selector["zone"] = "a"
    restore = stopped["metadata"]["annotations"][names.ANNOTATION_RESTORE]
    started = json_patch(stopped, patches.start(stopped, "ab", restore))
    assert started["spec"]["template"]["spec"]["nodeSelector"] == {"disk": "ssd", "zone": "a"}


def test_what_pauses_a_reconciler_travels_with_the_claim_and_back() -> None:
    """Written in the claim's request; gone, or its old value, after the release."""
    for old in (None, "enabled"):
        notes = {"paused": old} if old else {}
        before = deployment()
        before["metadata"]["annotations"] = {"note": "x", **notes}
        also = (Change(("metadata", "annotations", "paused"), old, "yes"),)
        patch = patches.claim(before, session="ab", held_by="", recorded=changes(before), also=also)
        after = merge(before, patch)
        assert after["metadata"]["annotations"]["paused"] == "yes"
        after = merge(after, patches.release(after))
        assert after["metadata"]["annotations"] == before["metadata"]["annotations"]


def test_a_claim_notes_that_both_may_not_run_side_by_side() -> None:
    """So that whoever restores it makes room first."""
    for recreate in (True, False):
        patch = patches.claim(
            deployment(),
            session="ab",
            held_by="",
            recorded=changes(deployment()),
            recreate=recreate,
        )
        was = patch["metadata"]["annotations"][names.ANNOTATION_WAS]
        assert patches.read_recreate(was) is recreate


def test_a_claim_carries_the_way_back() -> None:
    """The restore annotation is a merge patch that undoes label, annotations and count."""
    patch = claim(deployment(), held_by="anna")
    metadata = patch["metadata"]
    assert metadata["resourceVersion"] == "7"
    assert metadata["labels"] == {names.LABEL_SESSION: "ab"}
    restore = json.loads(metadata["annotations"][names.ANNOTATION_RESTORE])
    assert restore["spec"] == {"replicas": 3}
    assert restore["metadata"]["labels"] == {names.LABEL_SESSION: None}
    assert set(restore["metadata"]["annotations"].values()) == {None}
    assert set(restore["metadata"]["annotations"]) == set(metadata["annotations"])
    assert "spec" not in patch


def test_what_was_is_read_back() -> None:
    """How many Pods were ready, and how many there were to be."""
    notes = claim(deployment())["metadata"]["annotations"]
    assert patches.read_recorded(notes[names.ANNOTATION_RESTORE]).running == 3
    assert patches.read_was(notes[names.ANNOTATION_WAS]) == 2


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "7", '{"spec": 1}', '{"spec": {}}', "null", '{"ready": Infinity}']
)
def test_a_damaged_journal_is_unknown_not_a_crash(text: str) -> None:
    """Somebody may have edited it by hand."""
    assert patches.read_recorded(text).running == 1
    assert patches.read_was(text) == 0
    with pytest.raises(ValueError, match=r".*"):
        patches.start(deployment(), "ab", text)


def test_no_number_of_replicas_is_too_much() -> None:
    """JSON in Python knows infinity."""
    assert patches.read_recorded('{"spec": {"replicas": Infinity}}').running == 1


def test_start_and_stop_touch_only_what_is_ours() -> None:
    """Both begin with a test of the session's label."""
    start = patches.start(deployment(), "ab", '{"spec": {"replicas": 3}}')
    for patch in (stop(deployment()), start):
        test, change = patch
        assert (test["op"], test["value"]) == ("test", "ab")
        assert test["path"] == "/metadata/labels/tpconfig.dev~1session"
        assert change["path"] == "/spec/replicas"


def test_the_owner_gets_its_field_back() -> None:
    """Our entries go; the recorded owner owns ``replicas`` again, as it did."""
    before = deployment()
    notes = claim(before)["metadata"]["annotations"]
    after = deployment()
    after["metadata"]["annotations"] = notes
    after["metadata"]["managedFields"] = [
        {**before["metadata"]["managedFields"][0], "fieldsV1": {"f:spec": {"f:paused": {}}}},
        {"manager": "tp", "operation": "Update", "fieldsV1": {"f:spec": {"f:replicas": {}}}},
    ]
    fields = patches.release(after)["metadata"]["managedFields"]
    assert fields == before["metadata"]["managedFields"]


def test_an_owner_that_owned_nothing_else_is_made_again() -> None:
    """Its entry vanished with its last field."""
    before = deployment()
    owner = before["metadata"]["managedFields"][0]
    owner["fieldsV1"] = {"f:spec": {"f:replicas": {}}}
    notes = claim(before)["metadata"]["annotations"]
    after = deployment()
    after["metadata"] |= {"annotations": notes, "managedFields": []}
    (entry,) = patches.release(after)["metadata"]["managedFields"]
    assert (entry["manager"], entry["operation"]) == ("team", "Apply")
    assert entry["fieldsV1"] == {"f:spec": {"f:replicas": {}}}


NAMES_OF = st.dictionaries(st.sampled_from(["app", "team", "note"]), st.sampled_from(["", "x"]))


@st.composite
def manifests(draw: st.DrawFn) -> dict[str, Any]:
    """A Deployment of anybody's, with some labels and annotations and any count."""
    metadata: dict[str, Any] = {"name": "web", "resourceVersion": "7"}
    for key in ("labels", "annotations"):
        if found := draw(NAMES_OF):
            metadata[key] = found
    managers = draw(st.lists(st.sampled_from(["team", "kubectl", "argo"]), unique=True))
    metadata["managedFields"] = [
        {"manager": one, "operation": "Update", "fieldsV1": {"f:spec": {"f:paused": {}}}}
        for one in managers
    ]
    spec = {"replicas": draw(st.integers(0, 5)), "paused": draw(st.booleans())}
    return {"metadata": metadata, "spec": spec, "status": {"readyReplicas": 1}}


def without_our_write(manifest: dict[str, Any]) -> dict[str, Any]:
    """Return what a merge of nulls leaves, as the API server stores it: no empty maps."""
    metadata = {key: value for key, value in manifest["metadata"].items() if value != {}}
    return {**manifest, "metadata": {**metadata, "resourceVersion": "7"}}


def claimed(before: dict[str, Any]) -> dict[str, Any]:
    """Return a Deployment claimed by session ab."""
    patched: dict[str, Any] = merge(before, claim(before, held_by="anna"))
    return patched


@given(manifests())
def test_claim_stop_start_and_release_change_nothing(before: dict[str, Any]) -> None:
    """All four, sent one after the other, leave the object as it was."""
    after = json_patch(claimed(before), stop(before))
    assert after["spec"]["replicas"] == 0
    restore = after["metadata"]["annotations"][names.ANNOTATION_RESTORE]
    after = json_patch(after, patches.start(after, "ab", restore))
    after = merge(after, patches.release(after))
    assert without_our_write(after) == before


@given(manifests())
def test_the_annotation_alone_puts_it_back(before: dict[str, Any]) -> None:
    """``kubectl patch --type merge`` with its text, by anybody, without tp."""
    after = json_patch(claimed(before), stop(before))
    restore = after["metadata"]["annotations"][names.ANNOTATION_RESTORE]
    assert without_our_write(merge(after, json.loads(restore))) == before


@given(manifests())
def test_nothing_that_is_given_is_changed(before: dict[str, Any]) -> None:
    """Manifests are what was observed; plans are made from them."""
    kept = copy.deepcopy(before)
    claim(before, held_by="anna")
    patches.release(before)
    assert before == kept


def test_only_the_session_that_claimed_it_may_stop_or_start_it() -> None:
    """Its label is tested in the same request."""
    target = claimed(deployment())
    restore = target["metadata"]["annotations"][names.ANNOTATION_RESTORE]
    for patch in (stop(target, "cd"), patches.start(target, "cd", restore)):
        with pytest.raises(StatusError):
            json_patch(target, patch)


def test_what_was_released_is_not_started_again() -> None:
    """A late restore of an earlier session changes nothing."""
    target = claimed(deployment())
    restore = target["metadata"]["annotations"][names.ANNOTATION_RESTORE]
    with pytest.raises(StatusError):
        json_patch(merge(target, patches.release(target)), patches.start(target, "ab", restore))


def test_a_claim_is_for_one_state_of_the_object() -> None:
    """And so is a release: who comes second gets a 409."""
    for patch in (
        claim(deployment()),
        patches.release(claimed(deployment())),
    ):
        assert patch["metadata"]["resourceVersion"] == "7"


def test_a_claim_tells_colleagues_who_holds_it() -> None:
    """In words, on the object itself."""
    target = claimed(deployment())
    assert target["metadata"]["annotations"][names.ANNOTATION_HELD_BY] == "anna"


def test_replicas_left_out_are_recorded_as_one() -> None:
    """The API's default."""
    bare = deployment()
    del bare["spec"]["replicas"]
    notes = claim(bare)["metadata"]["annotations"]
    assert patches.read_recorded(notes[names.ANNOTATION_RESTORE]).running == 1


def test_an_owner_by_kubectl_scale_gets_its_field_back_as_such() -> None:
    """Its entry is told from others of the same manager by the subresource."""
    before = deployment()
    scale = {
        "manager": "kubectl",
        "operation": "Update",
        "subresource": "scale",
        "apiVersion": "apps/v1",
        "time": "2026-01-01T00:00:00Z",
        "fieldsV1": {"f:spec": {"f:replicas": {}}},
    }
    other = {"manager": "kubectl", "operation": "Update", "fieldsV1": {"f:metadata": {}}}
    before["metadata"]["managedFields"] = [other, scale]
    after = claimed(before)
    after["metadata"]["managedFields"] = [other]
    fields = patches.release(after)["metadata"]["managedFields"]
    assert fields == [other, {"fieldsType": "FieldsV1", **scale}]


def test_a_field_that_nobody_owned_is_owned_by_nobody_again() -> None:
    """The default of the API server has no owner."""
    before = deployment()
    before["metadata"]["managedFields"] = []
    after = claimed(before)
    ours = {"manager": "tp", "operation": "Update", "fieldsV1": {"f:spec": {"f:replicas": {}}}}
    after["metadata"]["managedFields"] = [ours]
    assert patches.release(after)["metadata"]["managedFields"] == []


@pytest.mark.parametrize(
    "was",
    [
        "",
        "[]",
        "{}",
        '{"owners": 7}',
        '{"owners": [{}, 7]}',
        '{"owners": null}',
        '{"owners": [{"manager": "x", "field": [7]}]}',
    ],
)
def test_a_damaged_note_of_the_owner_gives_the_field_to_nobody(was: str) -> None:
    """The release goes on; a team's next apply takes the field."""
    target = claimed(deployment())
    target["metadata"]["annotations"][names.ANNOTATION_WAS] = was
    entries = patches.release(target)["metadata"]["managedFields"]
    assert entries == deployment()["metadata"]["managedFields"]


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=3),
        lambda inner: (
            st.lists(inner, max_size=2)
            | st.dictionaries(st.sampled_from(["spec", "replicas", "ready", "owners"]), inner)
        ),
        max_leaves=5,
    )
)
def test_no_json_in_a_journal_stops_a_look(journal: Any) -> None:
    """Anybody who may edit the object may have written it."""
    assert isinstance(patches.read_recorded(json.dumps(journal)).running, int)
    assert isinstance(patches.read_was(json.dumps(journal)), int)
