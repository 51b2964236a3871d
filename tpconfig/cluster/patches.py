"""The patches of a swap: each change carries its own way back (pure).

A claim is one JSON merge patch, conditioned on ``resourceVersion``; the restore patch that it
leaves on the object needs nothing but ``kubectl patch --type merge``.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

from tpconfig import names

_OWN_ANNOTATIONS = (names.ANNOTATION_RESTORE, names.ANNOTATION_WAS, names.ANNOTATION_HELD_BY)
_REPLICAS = ("f:spec", "f:replicas")


def claim(manifest: Mapping[str, Any], *, session: str, held_by: str) -> dict[str, Any]:
    """Build the patch that marks a scalable workload as ours."""
    replicas = manifest["spec"].get("replicas", 1)
    restore = {"metadata": _nothing_of_ours(), "spec": {"replicas": replicas}}
    was = {
        "ready": (manifest.get("status") or {}).get("readyReplicas", 0),
        "owner": _owner_of_replicas(manifest),
    }
    return {
        "metadata": {
            "resourceVersion": manifest["metadata"]["resourceVersion"],
            "labels": {names.LABEL_SESSION: session},
            "annotations": {
                names.ANNOTATION_RESTORE: _compact(restore),
                names.ANNOTATION_WAS: _compact(was),
                names.ANNOTATION_HELD_BY: held_by,
            },
        }
    }


def stop(session: str) -> list[dict[str, Any]]:
    """Build the JSON patch that scales a workload to nothing, if it is still claimed by us."""
    return [_still_ours(session), {"op": "replace", "path": "/spec/replicas", "value": 0}]


def start(session: str, restore: str) -> list[dict[str, Any]]:
    """Build the JSON patch that brings a workload back, the journal left on it.

    It does nothing (422) where somebody else has taken the journal off already.

    Raises:
        ValueError: the restore annotation is not what a claim writes.
    """
    recorded = json.loads(restore)
    spec = recorded.get("spec") if isinstance(recorded, dict) else None
    if not isinstance(spec, dict) or not spec:
        raise ValueError("the restore annotation is not a patch of a spec")
    changes = [{"op": "add", "path": f"/spec/{key}", "value": value} for key, value in spec.items()]
    return [_still_ours(session), *changes]


def release(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Build the patch that takes the journal off and gives the ownership of fields back.

    No value changes in it, so the API server books nothing on our name, and the list that is sent
    stands: without our entries, the recorded owner of ``replicas`` in possession again. A team
    that applies a new ``replicas`` server-side then meets no conflict.
    """
    metadata = manifest["metadata"]
    return {
        "metadata": {
            "resourceVersion": metadata["resourceVersion"],
            **_nothing_of_ours(),
            "managedFields": _given_back(manifest),
        }
    }


def recorded_replicas(restore: str) -> int:
    """Return the replicas that a restore annotation brings back; 1 where it is not readable."""
    try:
        return int(json.loads(restore)["spec"]["replicas"])
    except (ValueError, KeyError, TypeError, OverflowError):
        return 1


def read_was(was: str) -> int:
    """Return how many Pods were ready when the target was claimed; 0 where nobody knows."""
    try:
        return int(json.loads(was).get("ready", 0))
    except (ValueError, AttributeError, TypeError, OverflowError):
        return 0


def _still_ours(session: str) -> dict[str, Any]:
    path = "/metadata/labels/" + names.LABEL_SESSION.replace("/", "~1")
    return {"op": "test", "path": path, "value": session}


def _nothing_of_ours() -> dict[str, Any]:
    return {
        "labels": {names.LABEL_SESSION: None},
        "annotations": dict.fromkeys(_OWN_ANNOTATIONS),
    }


def _owner_of_replicas(manifest: Mapping[str, Any]) -> dict[str, str] | None:
    for entry in manifest["metadata"].get("managedFields") or ():
        spec = (entry.get("fieldsV1") or {}).get(_REPLICAS[0]) or {}
        if _REPLICAS[1] in spec:
            keys = ("manager", "operation", "apiVersion", "subresource", "time")
            return {key: entry[key] for key in keys if entry.get(key)}
    return None


def _given_back(manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    metadata = manifest["metadata"]
    entries = [
        copy.deepcopy(dict(entry))
        for entry in metadata.get("managedFields") or ()
        if entry.get("manager") != names.FIELD_MANAGER
    ]
    try:
        owner = json.loads((metadata.get("annotations") or {})[names.ANNOTATION_WAS])["owner"]
    except (KeyError, ValueError, TypeError):
        owner = None
    if not isinstance(owner, dict) or "manager" not in owner:
        return entries
    for entry in entries:
        if all(entry.get(key) == owner.get(key) for key in ("manager", "operation", "subresource")):
            _add_replicas(entry)
            return entries
    entry = {"fieldsType": "FieldsV1", "fieldsV1": {}, **owner}
    _add_replicas(entry)
    return [*entries, entry]


def _add_replicas(entry: dict[str, Any]) -> None:
    fields = entry.setdefault("fieldsV1", {})
    fields.setdefault(_REPLICAS[0], {})[_REPLICAS[1]] = {}


def _compact(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
