"""The patches of a swap: the way back travels with the change."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tpconfig import names
from tpconfig.cluster import patches


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


def test_a_claim_carries_the_way_back() -> None:
    """The restore annotation is a merge patch that undoes label, annotations and count."""
    patch = patches.claim(deployment(), session="ab", held_by="anna")
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
    notes = patches.claim(deployment(), session="ab", held_by="")["metadata"]["annotations"]
    assert patches.recorded_replicas(notes[names.ANNOTATION_RESTORE]) == 3
    assert patches.read_was(notes[names.ANNOTATION_WAS]) == 2


@pytest.mark.parametrize("text", ["", "{", "[]", "7", '{"spec": 1}', '{"spec": {}}', "null"])
def test_a_damaged_journal_is_unknown_not_a_crash(text: str) -> None:
    """Somebody may have edited it by hand."""
    assert patches.recorded_replicas(text) == 1
    assert patches.read_was(text) == 0
    with pytest.raises(ValueError, match=r".*"):
        patches.start("ab", text)


def test_start_and_stop_touch_only_what_is_ours() -> None:
    """Both begin with a test of the session's label."""
    for patch in (patches.stop("ab"), patches.start("ab", '{"spec": {"replicas": 3}}')):
        test, change = patch
        assert (test["op"], test["value"]) == ("test", "ab")
        assert test["path"] == "/metadata/labels/tpconfig.dev~1session"
        assert change["path"] == "/spec/replicas"


def test_the_owner_gets_its_field_back() -> None:
    """Our entries go; the recorded owner owns ``replicas`` again, as it did."""
    before = deployment()
    notes = patches.claim(before, session="ab", held_by="")["metadata"]["annotations"]
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
    notes = patches.claim(before, session="ab", held_by="")["metadata"]["annotations"]
    after = deployment()
    after["metadata"] |= {"annotations": notes, "managedFields": []}
    (entry,) = patches.release(after)["metadata"]["managedFields"]
    assert (entry["manager"], entry["operation"]) == ("team", "Apply")
    assert entry["fieldsV1"] == {"f:spec": {"f:replicas": {}}}
