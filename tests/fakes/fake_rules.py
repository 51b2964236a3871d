"""What the API server demands of objects and fills in by itself, as far as ``tp`` meets it."""

from __future__ import annotations

import copy
import re
from typing import Any

from tests.fakes import fake_status
from tpconfig.cluster.paths import Resource

Object = dict[str, Any]

_NAME = re.compile(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
_PATH_NAMES = ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")
_NEEDS_VERSION = ("Lease",)
_RETURNED = ("Pod", "Service", "ServiceAccount", "Namespace")


def check_new(resource: Resource, namespace: str, item: Object) -> None:
    """Refuse an object that the API server would refuse."""
    metadata = item["metadata"]
    name = metadata.get("name")
    if not name:
        raise fake_status.invalid(
            resource.kind,
            "",
            "metadata.name",
            "Required value: name or generateName is required",
            "FieldValueRequired",
        )
    if metadata.get("resourceVersion"):
        raise fake_status.StatusError(
            500, "", "resourceVersion should not be set on objects to be created"
        )
    if resource.kind not in _PATH_NAMES and not (_NAME.match(name) and len(name) <= 253):
        raise fake_status.invalid(
            resource.kind,
            name,
            "metadata.name",
            f'Invalid value: "{name}": a lowercase RFC 1123 subdomain must consist of lower case '
            "alphanumeric characters, '-' or '.'",
            "FieldValueInvalid",
        )
    if metadata.get("namespace", namespace) != namespace and resource.namespaced:
        raise fake_status.bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    if item.get("kind", resource.kind) != resource.kind:
        raise fake_status.bad_request(
            f"{item['kind']} in version {item.get('apiVersion')} cannot be handled as a "
            f"{resource.kind}"
        )
    if resource.kind in ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet"):
        _check_selector(resource, item)


def _check_selector(resource: Resource, item: Object) -> None:
    spec, name = item.get("spec") or {}, item["metadata"]["name"]
    wanted = (spec.get("selector") or {}).get("matchLabels")
    if not wanted:
        raise fake_status.invalid(
            resource.kind, name, "spec.selector", "Required value", "FieldValueRequired"
        )
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels") or {}
    if not wanted.items() <= labels.items():
        raise fake_status.invalid(
            resource.kind,
            name,
            "spec.template.metadata.labels",
            f"Invalid value: {labels}: `selector` does not match template `labels`",
            "FieldValueInvalid",
        )


def check_change(resource: Resource, before: Object, after: Object) -> None:
    """Refuse a change that the API server would refuse."""
    _check_identity(resource, before["metadata"], after["metadata"])
    name = before["metadata"]["name"]
    if resource.kind == "Pod" and _frozen(before) != _frozen(after):
        raise fake_status.invalid(
            "Pod",
            name,
            "spec",
            "Forbidden: pod updates may not change fields other than `spec.containers[*].image`,"
            "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` "
            "(only additions to existing tolerations)",
            "FieldValueForbidden",
        )
    if resource.kind == "Deployment":
        if before["spec"].get("selector") != after["spec"].get("selector"):
            raise fake_status.invalid(
                "Deployment",
                name,
                "spec.selector",
                f"Invalid value: {after['spec'].get('selector')}: field is immutable",
                "FieldValueInvalid",
            )
        _check_selector(resource, after)


def _check_identity(resource: Resource, before: Object, after: Object) -> None:
    name = before["name"]
    if after.get("name", name) != name:
        raise fake_status.bad_request(
            f"the name of the object ({after['name']}) does not match the name on the URL ({name})"
        )
    if after.get("namespace") != before.get("namespace"):
        raise fake_status.bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    if after.get("uid", before["uid"]) != before["uid"]:
        why = f'Invalid value: "{after["uid"]}": field is immutable'
        raise fake_status.invalid(resource.kind, name, "metadata.uid", why, "FieldValueInvalid")


def _frozen(pod: Object) -> Object:
    spec = copy.deepcopy(pod.get("spec") or {})
    for one in (*(spec.get("containers") or ()), *(spec.get("initContainers") or ())):
        one.pop("image", None)
    for key in ("activeDeadlineSeconds", "tolerations", "nodeName"):
        spec.pop(key, None)
    return spec


def fill_in(resource: Resource, item: Object) -> None:
    """Set what the API server sets on a new object."""
    spec = item.get("spec")
    match resource.kind:
        case "Namespace":
            item["status"] = {"phase": "Active"}
            item.setdefault("spec", {"finalizers": ["kubernetes"]})
            item["metadata"].setdefault("labels", {}).setdefault(
                "kubernetes.io/metadata.name", item["metadata"]["name"]
            )
        case "Pod":
            item["status"] = {"phase": "Pending", "qosClass": "BestEffort"}
            item["spec"] = {
                "restartPolicy": "Always",
                "terminationGracePeriodSeconds": 30,
                "dnsPolicy": "ClusterFirst",
                **(spec or {}),
            }
        case "Deployment" | "ReplicaSet" | "StatefulSet":
            item["spec"] = {"replicas": 1, **(spec or {})}
            item["status"] = {}
        case "CronJob":
            item["spec"] = {"suspend": False, **(spec or {})}
            item["status"] = {}
        case "Service":
            item["spec"] = {"type": "ClusterIP", "clusterIP": "10.96.0.1", **(spec or {})}
            item["status"] = {"loadBalancer": {}}
        case "Secret":
            item.setdefault("type", "Opaque")


def fill_in_again(resource: Resource, item: Object) -> None:
    """Set what the API server sets where a change took it away."""
    if resource.kind in ("Deployment", "ReplicaSet", "StatefulSet"):
        item["spec"].setdefault("replicas", 1)


def deleted(resource: Resource, item: Object) -> Object:
    """Return the answer to the removal of ``item``: a few kinds come back, the rest is a Status."""
    if resource.kind in _RETURNED:
        return item
    metadata = item["metadata"]
    details = {"name": metadata["name"], "kind": resource.plural, "uid": metadata["uid"]}
    if resource.group:
        details["group"] = resource.group
    head = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
    return {**head, "details": details}


def grace_of(resource: Resource, item: Object, asked_s: int | None) -> int:
    """Return the seconds that a deleted object has left."""
    if resource.kind != "Pod" or not (item.get("spec") or {}).get("nodeName"):
        return 0
    own_s = int(item["spec"].get("terminationGracePeriodSeconds") or 0)
    return own_s if asked_s is None else max(0, asked_s)


def needs_version(resource: Resource) -> bool:
    """Tell whether a replacement has to say which version it replaces."""
    return resource.kind in _NEEDS_VERSION


def terminating(resource: Resource, namespace: str, name: str) -> fake_status.StatusError:
    """Nothing is created in a namespace that is being deleted."""
    why = f"unable to create new content in namespace {namespace} because it is being terminated"
    return fake_status.StatusError(
        403,
        "Forbidden",
        f'{resource.qualified} "{name}" is forbidden: {why}',
        details={
            "name": name,
            "kind": resource.plural,
            "causes": [
                {
                    "reason": "NamespaceTerminating",
                    "message": f"namespace {namespace} is being terminated",
                    "field": "metadata.namespace",
                }
            ],
        },
    )
