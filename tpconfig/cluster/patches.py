"""The patches of a swap: each change carries its own way back (pure).

A claim is one JSON merge patch, conditioned on ``resourceVersion``; the restore patch that it
leaves on the object needs nothing but ``kubectl patch --type merge``.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tpconfig import names
from tpconfig.model import kinds
from tpconfig.model.target import Change

_OWN_ANNOTATIONS = (names.ANNOTATION_RESTORE, names.ANNOTATION_WAS, names.ANNOTATION_HELD_BY)
_ATOMIC = frozenset({"nodeSelector"})
"""Maps that have one owner as a whole."""

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a restore annotation brings back; ``running`` as in WorkloadFacts ``replicas``."""

    running: int = 1
    deletes_claims: bool = False


def claim(
    manifest: Mapping[str, Any],
    *,
    session: str,
    held_by: str,
    recorded: Iterable[Change],
    also: Iterable[Change] = (),
    recreate: bool = False,
) -> dict[str, Any]:
    """Build the patch that marks a workload as ours.

    ``recorded`` is what stopping it will change, ``also`` labels and annotations that change in
    this very request, ``recreate`` that its Pods and ours may not run side by side.
    """
    restore: dict[str, Any] = {"metadata": _nothing_of_ours()}
    patch: dict[str, Any] = {}
    fields = [change.field for change in recorded]
    for change in (*recorded, *also):
        _put(restore, change.field, change.before)
    for change in also:
        _put(patch, change.field, change.after)
    was = {
        "ready": ready_pods(manifest),
        "owners": _owners(manifest, fields),
        **({"recreate": True} if recreate else {}),
    }
    metadata = patch.setdefault("metadata", {})
    metadata["resourceVersion"] = manifest["metadata"]["resourceVersion"]
    metadata["labels"] = {**metadata.get("labels", {}), names.LABEL_SESSION: session}
    metadata["annotations"] = {
        **metadata.get("annotations", {}),
        names.ANNOTATION_RESTORE: _compact(restore),
        names.ANNOTATION_WAS: _compact(was),
        names.ANNOTATION_HELD_BY: held_by,
    }
    return patch


def stop(
    manifest: Mapping[str, Any], session: str, changes: Iterable[Change]
) -> list[dict[str, Any]]:
    """Build the JSON patch that stops a workload, if it is still claimed by us."""
    wanted = [(change.field, change.after) for change in changes]
    return [_still_ours(session), *_operations(manifest, wanted)]


def start(manifest: Mapping[str, Any], session: str, restore: str) -> list[dict[str, Any]]:
    """Build the JSON patch that brings a workload back, the journal left on it.

    It does nothing (422) where somebody else has taken the journal off already.

    Raises:
        ValueError: the restore annotation is not what a claim writes.
    """
    recorded = json.loads(restore)
    spec = recorded.get("spec") if isinstance(recorded, dict) else None
    if not isinstance(spec, dict) or not spec:
        raise ValueError("the restore annotation is not a patch of a spec")
    wanted = list(_leaves({"spec": spec}, ()))
    return [_still_ours(session), *_operations(manifest, wanted)]


def release(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Build the patch that takes the journal off and gives the ownership of fields back.

    No value changes in it, so the API server books nothing on our name, and the list that is sent
    stands: without our entries, the recorded owners in possession again. A team that applies a new
    ``replicas`` server-side then meets no conflict.
    """
    metadata = manifest["metadata"]
    return {
        "metadata": {
            "resourceVersion": metadata["resourceVersion"],
            **_metadata_back(metadata),
            "managedFields": _given_back(manifest),
        }
    }


def ready_pods(manifest: Mapping[str, Any]) -> int:
    """Return how many Pods of a workload its controller calls ready."""
    status = manifest.get("status") or {}
    return int(status.get("readyReplicas") or status.get("numberReady") or 0)


def read_recorded(restore: str) -> Recorded:
    """Return what a restore annotation brings back; 1 running where it is not readable."""
    try:
        leaves = dict(_leaves({"spec": json.loads(restore)["spec"]}, ()))
        deletes = leaves.get(kinds.WHEN_SCALED) == "Delete"
        if kinds.SUSPEND in leaves:
            return Recorded(int(not leaves[kinds.SUSPEND]))
        if kinds.NOWHERE in leaves:
            return Recorded(int(leaves[kinds.NOWHERE] is None))
        return Recorded(int(leaves[kinds.REPLICAS]), deletes)
    except (ValueError, KeyError, TypeError, OverflowError, AttributeError):
        return Recorded()


def read_was(was: str) -> int:
    """Return how many Pods were ready when the target was claimed; 0 where nobody knows."""
    try:
        return int(json.loads(was).get("ready", 0))
    except (ValueError, AttributeError, TypeError, OverflowError):
        return 0


def read_recreate(was: str) -> bool:
    """Tell whether the target was claimed for a swap in which both may not run side by side."""
    try:
        return bool(json.loads(was).get("recreate", False))
    except (ValueError, AttributeError):
        return False


def _put(patch: dict[str, Any], path: Path, value: object) -> None:
    *parents, last = path
    for key in parents:
        patch = patch.setdefault(key, {})
    patch[last] = value


def _leaves(value: object, path: Path) -> Iterator[tuple[Path, Any]]:
    """Yield the fields that a merge patch sets, and those that it removes with ``None``."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield from _leaves(one, (*path, str(key)))
    else:
        yield path, value


def _operations(
    manifest: Mapping[str, Any], wanted: Iterable[tuple[Path, Any]]
) -> list[dict[str, Any]]:
    """Return the JSON patch operations for fields; maps that are missing are made."""
    found: list[dict[str, Any]] = []
    made: set[Path] = set()
    for path, value in wanted:
        there: Any = manifest
        for depth, key in enumerate(path[:-1], start=1):
            there = there.get(key) if isinstance(there, Mapping) else None
            if there is None and value is not None and path[:depth] not in made:
                made.add(path[:depth])
                found.append({"op": "add", "path": _pointer(path[:depth]), "value": {}})
        if value is not None:
            found.append({"op": "add", "path": _pointer(path), "value": value})
        elif isinstance(there, Mapping) and path[-1] in there:
            found.append({"op": "remove", "path": _pointer(path)})
    return found


def _pointer(path: Path) -> str:
    return "".join("/" + key.replace("~", "~0").replace("/", "~1") for key in path)


def _still_ours(session: str) -> dict[str, Any]:
    path = _pointer(("metadata", "labels", names.LABEL_SESSION))
    return {"op": "test", "path": path, "value": session}


def _nothing_of_ours() -> dict[str, Any]:
    return {
        "labels": {names.LABEL_SESSION: None},
        "annotations": dict.fromkeys(_OWN_ANNOTATIONS),
    }


def _metadata_back(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return the labels and annotations of the way back; ours alone where it is not readable."""
    back = _nothing_of_ours()
    try:
        recorded = json.loads((metadata.get("annotations") or {})[names.ANNOTATION_RESTORE])
        for part in back:
            back[part] |= recorded["metadata"][part]
    except (KeyError, ValueError, TypeError):
        return _nothing_of_ours()
    return back


def _owners(manifest: Mapping[str, Any], paths: Iterable[Path]) -> list[dict[str, Any]]:
    """Return who owns each of the fields, if anybody does."""
    found = []
    for path in paths:
        where = _owned_path(path)
        for entry in manifest["metadata"].get("managedFields") or ():
            if _owns(entry.get("fieldsV1") or {}, where):
                keys = ("manager", "operation", "apiVersion", "subresource", "time")
                owner = {key: entry[key] for key in keys if entry.get(key)}
                found.append({"field": list(where), **owner})
                break
    return found


def _owned_path(path: Path) -> Path:
    """Return a field as ``managedFields`` writes it."""
    for index, key in enumerate(path):
        if key in _ATOMIC:
            path = path[: index + 1]
            break
    return tuple(f"f:{key}" for key in path)


def _owns(fields: Mapping[str, Any], path: Path) -> bool:
    found: Any = fields
    for key in path:
        if not isinstance(found, Mapping) or key not in found:
            return False
        found = found[key]
    return True


def _given_back(manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    metadata = manifest["metadata"]
    entries = [
        copy.deepcopy(dict(entry))
        for entry in metadata.get("managedFields") or ()
        if entry.get("manager") != names.FIELD_MANAGER
    ]
    for owner in _recorded_owners(metadata.get("annotations") or {}):
        _give(entries, owner)
    return entries


def _recorded_owners(annotations: Mapping[str, str]) -> list[dict[str, Any]]:
    """Read the owners that a claim noted; none where somebody has damaged the note."""
    try:
        owners = json.loads(annotations[names.ANNOTATION_WAS])["owners"]
    except (KeyError, ValueError, TypeError):
        return []
    return [
        one
        for one in (owners if isinstance(owners, list) else ())
        if isinstance(one, dict)
        and "manager" in one
        and isinstance(one.get("field"), list)
        and all(isinstance(key, str) for key in one["field"])
    ]


def _give(entries: list[dict[str, Any]], owner: Mapping[str, Any]) -> None:
    who = {key: value for key, value in owner.items() if key != "field"}
    for entry in entries:
        if all(entry.get(key) == who.get(key) for key in ("manager", "operation", "subresource")):
            break
    else:
        entry = {"fieldsType": "FieldsV1", "fieldsV1": {}, **who}
        entries.append(entry)
    fields = entry.setdefault("fieldsV1", {})
    for key in owner["field"]:
        fields = fields.setdefault(key, {})


def _compact(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
