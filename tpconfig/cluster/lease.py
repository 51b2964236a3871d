"""The session's Lease: who it is, that it lives, and that its end was meant."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tpconfig import log, names
from tpconfig.cluster import manifests, paths, serverclock
from tpconfig.cluster.api import Api
from tpconfig.cluster.failures import ApiError
from tpconfig.cluster.watch import watch

ASKED = "tp down"
FORCED = "tp down --force"
TAKEN = "taken over with tp up --on-conflict takeover"
"""Why a session ended; its owner exits with a conflict where somebody else has forced it."""

RETIRED_S = 3600.0
"""How long a Lease stays for its owner to see that somebody else has ended the session."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Who a session belongs to; what a Lease says about it."""

    session: str
    user: str
    holder: str
    name: str
    file: str
    ttl_s: float
    reconnect_s: float = 0.0


async def open_lease(
    api: Api, namespace: str, owner: Owner, *, waits_for: Mapping[str, Any] | None = None
) -> str:
    """Create the Lease, or go on with the one that is there; return its uid."""
    common = manifests.SessionObjects(owner.session, namespace)
    now = serverclock.to_micro_time(api.server_time())
    notes = {
        names.ANNOTATION_NAME: owner.name,
        names.ANNOTATION_USER: owner.user,
        names.ANNOTATION_FILE: owner.file,
        names.ANNOTATION_RECONNECT: f"{owner.reconnect_s:g}",
        **({names.ANNOTATION_WAITS_FOR: json.dumps(waits_for)} if waits_for else {}),
    }
    body = manifests.lease(common, holder=owner.holder, ttl_s=owner.ttl_s, now=now, notes=notes)
    try:
        created = await api.create(paths.path_of("lease", namespace), body)
    except ApiError as error:
        if error.status != 409:
            raise
        created = await _take_over(api, common, body)
    return str(created["metadata"]["uid"])


async def renew(api: Api, namespace: str, session: str, ttl_s: float) -> Mapping[str, Any] | None:
    """Renew the Lease and return it; None where it is gone."""
    patch = {
        "spec": {
            "renewTime": serverclock.to_micro_time(api.server_time()),
            "leaseDurationSeconds": max(1, round(ttl_s)),
        }
    }
    try:
        return await api.patch(_path(namespace, session), patch)
    except ApiError as error:
        if error.status == 404:
            return None
        raise


def was_given_back(found: Mapping[str, Any]) -> bool:
    """Tell whether the janitor has given the traffic of a session back."""
    return names.ANNOTATION_GIVEN_BACK in (found["metadata"].get("annotations") or {})


async def take_back(api: Api, namespace: str, session: str) -> None:
    """Take the janitor's note off: the session lives and plans again."""
    note = {names.ANNOTATION_GIVEN_BACK: None}
    await api.patch(_path(namespace, session), {"metadata": {"annotations": note}})


async def mark_ended(api: Api, namespace: str, session: str, *, by: str, why: str) -> None:
    """Write the end of a session before it is carried out; its owner stops when it sees that."""
    note = {names.ANNOTATION_ENDED: _note(by, why)}
    try:
        await api.patch(_path(namespace, session), {"metadata": {"annotations": note}})
    except ApiError as error:
        if error.status != 404:
            raise


async def close_lease(api: Api, namespace: str, session: str) -> None:
    """Delete the session's Secret and Lease; what the Lease owns goes with it."""
    for kind in ("secret", "lease"):
        await _delete(api, kind, manifests.SessionObjects(session, namespace))


async def retire(api: Api, namespace: str, session: str, *, by: str, why: str) -> None:
    """Delete Secret and Lease, and leave a Lease that owns nothing and only tells of the end.

    An owner whose machine slept all the while would take a Lease that is gone for an accident, and
    write it again.
    """
    common = manifests.SessionObjects(session, namespace)
    await _delete(api, "secret", common)
    if not await _delete(api, "lease", common):
        return
    now = serverclock.to_micro_time(api.server_time())
    notes = {names.ANNOTATION_ENDED: _note(by, why)}
    body = manifests.lease(common, holder=by, ttl_s=RETIRED_S, now=now, notes=notes)
    body["metadata"]["labels"] = {names.LABEL_ROLE: names.ROLE_ENDED}
    try:
        await api.create(paths.path_of("lease", namespace), body)
    except ApiError as error:
        if error.status != 409:  # its owner was quicker, or has begun anew
            raise


async def forget(api: Api, namespace: str, session: str) -> None:
    """Delete a Lease whose end its owner has seen."""
    try:
        found = await api.get(_path(namespace, session))
        metadata = found["metadata"]
        if names.ANNOTATION_ENDED in (metadata.get("annotations") or {}):
            await api.delete(_path(namespace, session), uid=metadata["uid"])
    except ApiError as error:
        if error.status not in (404, 409):
            raise


async def queue_up(
    api: Api, namespace: str, owner: Owner, targets: Sequence[str], *, turn: int
) -> None:
    """Write a Lease that holds nothing and says what the session waits for."""
    await open_lease(api, namespace, owner, waits_for={"turn": turn, "for": targets})


async def leave_queue(api: Api, namespace: str, session: str) -> None:
    """Say that the session waits for nothing any more."""
    note = {names.ANNOTATION_WAITS_FOR: None}
    await api.patch(_path(namespace, session), {"metadata": {"annotations": note}})


def _note(by: str, why: str) -> str:
    return json.dumps({"by": by, "why": why}, separators=(",", ":"))


async def ends(api: Api, namespace: str, session: str) -> AsyncIterator[Mapping[str, Any] | None]:
    """Yield the note of an end when somebody writes one, ``None`` when the Lease vanishes."""
    selector = f"metadata.name={names.PREFIX}-{session}"
    path = paths.path_of("lease", namespace)
    async for event in watch(api, path, field_selector=selector):
        if event.type == "DELETED":
            yield None
        elif event.type in ("ADDED", "MODIFIED"):
            notes = event.object["metadata"].get("annotations") or {}
            if note := notes.get(names.ANNOTATION_ENDED):
                yield _read_note(note)


async def session_secret(api: Api, common: manifests.SessionObjects) -> str:
    """Return the session's secret in a namespace; create it where there is none."""
    path = paths.path_of("secret", common.namespace)
    value = secrets.token_hex(32)
    try:
        await api.create(path, manifests.secret(common, value))
    except ApiError as error:
        if error.status != 409:
            raise
        found = await api.get(paths.path_of("secret", common.namespace, common.name))
        if found["metadata"].get("ownerReferences") == [common.owner()]:
            value = base64.b64decode(found["data"]["secret"]).decode()
        else:  # of an earlier Lease of this session: it is about to be collected
            await _delete(api, "secret", common)
            await api.create(path, manifests.secret(common, value))
    log.hide(value)
    return value


async def _delete(api: Api, kind: str, common: manifests.SessionObjects) -> bool:
    """Delete one of a session's objects; return whether it was there."""
    try:
        await api.delete(paths.path_of(kind, common.namespace, common.name))
    except ApiError as error:
        if error.status != 404:
            raise
        return False
    return True


async def _take_over(
    api: Api, common: manifests.SessionObjects, body: dict[str, Any]
) -> dict[str, Any]:
    """Make a Lease that an earlier ``tp up`` of this very session left our own again."""
    annotations = body["metadata"]["annotations"]
    for note in (
        names.ANNOTATION_ENDED,
        names.ANNOTATION_GIVEN_BACK,
        names.ANNOTATION_JANITOR,
        names.ANNOTATION_WAITS_FOR,
    ):
        annotations.setdefault(note, None)
    patch = {"metadata": body["metadata"], "spec": body["spec"]}
    return await api.patch(paths.path_of("lease", common.namespace, common.name), patch)


def _path(namespace: str, session: str) -> str:
    return paths.path_of("lease", namespace, f"{names.PREFIX}-{session}")


def _read_note(text: str) -> Mapping[str, Any]:
    try:
        note = json.loads(text)
    except ValueError:
        return {"by": "somebody", "why": text}
    return note if isinstance(note, dict) else {"by": "somebody", "why": text}
