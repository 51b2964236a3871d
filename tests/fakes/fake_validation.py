"""Which objects the API server refuses for their content: what ``tp`` writes must pass this too."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

from tests.fakes import fake_status
from tpconfig.cluster.paths import Resource

Object = dict[str, Any]

_LABEL_VALUE = re.compile(r"^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$")
_KEY = re.compile(r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$")
_MICRO_TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(Z|[+-]\d\d:\d\d)$")
_ANNOTATIONS_LIMIT = 262144


def check(resource: Resource, item: Object) -> None:
    """Refuse an object, new or changed, with the status that the API server would give."""
    _check_metadata(resource, item)
    match resource.kind:
        case "Lease":
            _check_lease(item)
        case "Secret":
            _check_secret(item)
        case "Pod":
            _check_pod(item["metadata"]["name"], "Pod", "spec", item.get("spec") or {})
        case "Deployment" | "ReplicaSet" | "StatefulSet":
            _check_replicas(resource, item)


def tidy(item: Object) -> None:
    """Drop what is empty, as fields of Go that are omitted when empty are."""
    metadata = item["metadata"]
    for key in ("labels", "annotations", "ownerReferences", "finalizers"):
        if not metadata.get(key, True):
            del metadata[key]
    if item.get("kind") == "Secret" and "stringData" in item:
        plain = item.pop("stringData")
        coded = {key: base64.b64encode(text.encode()).decode() for key, text in plain.items()}
        item["data"] = {**(item.get("data") or {}), **coded}


def _check_metadata(resource: Resource, item: Object) -> None:
    metadata, kind = item["metadata"], _kind(resource)
    name = metadata["name"]
    for field in ("labels", "annotations"):
        for key, value in (metadata.get(field) or {}).items():
            if not isinstance(value, str):
                raise _undecodable(resource, f"cannot unmarshal metadata.{field} of type string")
            bare = key.rpartition("/")[2]
            if not _KEY.match(key) or len(bare) > 63:
                why = f'Invalid value: "{key}": name part must consist of alphanumeric characters'
                raise fake_status.invalid(kind, name, f"metadata.{field}", why, "FieldValueInvalid")
    for value in (metadata.get("labels") or {}).values():
        if not _LABEL_VALUE.match(value) or len(value) > 63:
            why = f'Invalid value: "{value}": a valid label must be an empty string or consist of'
            raise fake_status.invalid(kind, name, "metadata.labels", why, "FieldValueInvalid")
    notes = metadata.get("annotations") or {}
    if sum(len(key) + len(value) for key, value in notes.items()) > _ANNOTATIONS_LIMIT:
        why = f"Too long: may not be more than {_ANNOTATIONS_LIMIT} bytes"
        raise fake_status.invalid(kind, name, "metadata.annotations", why, "FieldValueTooLong")
    _check_owners(kind, name, metadata.get("ownerReferences") or [])


def _check_owners(kind: str, name: str, owners: list[Object]) -> None:
    for owner in owners:
        for field in ("apiVersion", "kind", "name", "uid"):
            if not owner.get(field):
                where = f"metadata.ownerReferences.{field}"
                why = f'Invalid value: "": {field} must not be empty'
                raise fake_status.invalid(kind, name, where, why, "FieldValueInvalid")
    if sum(bool(owner.get("controller")) for owner in owners) > 1:
        why = "Invalid value: Only one reference can have Controller set to true"
        raise fake_status.invalid(kind, name, "metadata.ownerReferences", why, "FieldValueInvalid")


def _check_lease(item: Object) -> None:
    spec, name = item.get("spec") or {}, item["metadata"]["name"]
    for field in ("renewTime", "acquireTime"):
        if spec.get(field) is not None and not _MICRO_TIME.match(str(spec[field])):
            words = f'parsing time "{spec[field]}" as "2006-01-02T15:04:05.000000Z07:00"'
            raise fake_status.bad_request(f'Lease in version "v1" cannot be handled: {words}')
    seconds = spec.get("leaseDurationSeconds")
    if seconds is not None and not isinstance(seconds, int):
        raise fake_status.bad_request("cannot unmarshal number into LeaseSpec of type int32")
    if seconds is not None and seconds <= 0:
        raise fake_status.invalid(
            "Lease.coordination.k8s.io",
            name,
            "spec.leaseDurationSeconds",
            f"Invalid value: {seconds}: must be greater than 0",
            "FieldValueInvalid",
        )


def _check_secret(item: Object) -> None:
    for text in (item.get("data") or {}).values():
        try:
            base64.b64decode(text, validate=True)
        except binascii.Error:
            raise fake_status.bad_request(
                'Secret in version "v1" cannot be handled as a Secret: illegal base64 data'
            ) from None


def _check_replicas(resource: Resource, item: Object) -> None:
    spec, name, kind = item.get("spec") or {}, item["metadata"]["name"], _kind(resource)
    replicas = spec.get("replicas")
    if replicas is not None and not isinstance(replicas, int):
        raise _undecodable(resource, "cannot unmarshal string into spec.replicas of type int32")
    if replicas is not None and replicas < 0:
        why = f"Invalid value: {replicas}: must be greater than or equal to 0"
        raise fake_status.invalid(kind, name, "spec.replicas", why, "FieldValueInvalid")
    pod = (spec.get("template") or {}).get("spec") or {}
    _check_pod(name, kind, "spec.template.spec", pod)


def _check_pod(name: str, kind: str, where: str, spec: Object) -> None:
    containers = spec.get("containers")
    if not containers:
        raise fake_status.invalid(
            kind, name, f"{where}.containers", "Required value", "FieldValueRequired"
        )
    seen = set()
    for at, one in enumerate(containers):
        field = f"{where}.containers[{at}]"
        for part in ("name", "image"):
            if not one.get(part):
                raise fake_status.invalid(
                    kind, name, f"{field}.{part}", "Required value", "FieldValueRequired"
                )
        if one["name"] in seen:
            why = f'Duplicate value: "{one["name"]}"'
            raise fake_status.invalid(kind, name, f"{field}.name", why, "FieldValueDuplicate")
        seen.add(one["name"])


def _kind(resource: Resource) -> str:
    return f"{resource.kind}.{resource.group}" if resource.group else resource.kind


def _undecodable(resource: Resource, why: str) -> fake_status.StatusError:
    return fake_status.bad_request(
        f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}: '
        f"json: {why}"
    )
