"""Gives one object back: first its values, at the very end its journal (docs/adr/0002-claim.md).

Each write is conditioned on the version that was read, so nothing is done to an object that
somebody else has changed, claimed or released meanwhile.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

from tpconfig import names
from tpconfig.cluster import patches, paths
from tpconfig.janitor.api import Api, Object, RefusedError

ATTEMPTS: Final = 5

Build = Callable[[Object], Object | None]


def give_back(api: Api, namespace: str, target: str, session: str) -> None:
    """Send an object's recorded values, if it is still the session's; the journal stays on it."""
    _change(api, namespace, target, session, _values)


def release(api: Api, namespace: str, target: str, session: str) -> None:
    """Take the journal off an object, and give the ownership of its fields back.

    Raises:
        RefusedError: its values are not back; a session that came to life has changed them again.
    """
    _change(api, namespace, target, session, _journal_off)


def needs_its_place(api: Api, namespace: str, target: str, session: str) -> bool:
    """Tell whether the original cannot start while the agent is there."""
    found = _ours(api, namespace, target, session)
    notes = found["metadata"].get("annotations") or {} if found else {}
    try:
        return bool(json.loads(notes.get(names.ANNOTATION_WAS, "{}")).get("recreate"))
    except (ValueError, AttributeError):
        return False


def _change(api: Api, namespace: str, target: str, session: str, build: Build) -> None:
    for attempt in range(ATTEMPTS):
        found = _ours(api, namespace, target, session)
        patch = build(found) if found is not None else None
        if found is None or patch is None:
            return
        metadata = {
            **(patch.get("metadata") or {}),
            "resourceVersion": found["metadata"]["resourceVersion"],
        }
        try:
            api.patch(_path(namespace, target), {**patch, "metadata": metadata})
        except RefusedError as error:
            if error.status != 409 or attempt == ATTEMPTS - 1:
                raise
        else:
            return


def _ours(api: Api, namespace: str, target: str, session: str) -> Object | None:
    found = api.get(_path(namespace, target))
    labels = (found["metadata"].get("labels") or {}) if found else {}
    return found if labels.get(names.LABEL_SESSION) == session else None


def _values(found: Object) -> Object | None:
    """Return what of the recorded values is not so yet; labels and annotations go at the end."""
    notes = found["metadata"].get("annotations") or {}
    try:
        recorded = json.loads(notes[names.ANNOTATION_RESTORE])
    except (KeyError, ValueError):
        return None  # nobody can tell the way back; the label alone changes nothing
    values = recorded.get("spec") if isinstance(recorded, dict) else None
    if not isinstance(values, dict) or not _differs(found.get("spec"), values):
        return None
    return {"spec": values}


def _journal_off(found: Object) -> Object:
    if _values(found) is not None:
        raise RefusedError(409, "its values are not what was recorded")
    return patches.release(found)


def _differs(there: Any, patch: Any) -> bool:
    """Tell whether a merge patch would change anything."""
    if not isinstance(patch, dict):
        return bool(there != patch)
    if not isinstance(there, dict):
        there = {}
    return any(
        key in there if value is None else _differs(there.get(key), value)
        for key, value in patch.items()
    )


def _path(namespace: str, target: str) -> str:
    kind, _, name = target.partition("/")
    return paths.path_of(kind, namespace, name)
