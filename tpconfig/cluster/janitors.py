"""The janitor's objects, and how they come into a namespace.

Everything is owned by the Lease. Each is created, and where it is there already made what it should
be, the owner included: what an earlier Lease of this session owned would be collected otherwise.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from typing import Any

from tpconfig import names
from tpconfig.cluster import agentcode, manifests, paths
from tpconfig.cluster.api import Api
from tpconfig.cluster.failures import ApiError
from tpconfig.cluster.watch import NotYetError, wait_for
from tpconfig.errors import TpError
from tpconfig.model import actions as a
from tpconfig.model.desired import AgentImage
from tpconfig.model.target import Target

RBAC = "rbac.authorization.k8s.io"
UID = 65532
REPORT_TIMEOUT_S = 60.0
RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
}

TOLERATIONS = [
    {
        "key": f"node.kubernetes.io/{trouble}",
        "operator": "Exists",
        "effect": "NoExecute",
        "tolerationSeconds": 15,
    }
    for trouble in ("not-ready", "unreachable")
]
"""A janitor on a node that is gone is replaced soon."""

Manifest = dict[str, Any]


async def guard(api: Api, common: manifests.SessionObjects, action: a.GuardTargets) -> None:
    """Allow the janitor to restore the targets, then name them on the Lease."""
    if action.role:
        await _put(api, common, "Role", rules=session_rules(common, action.targets))
    named = json.dumps([str(target) for target in action.targets], separators=(",", ":"))
    note = {"metadata": {"annotations": {names.ANNOTATION_TOUCHED: named}}}
    await api.patch(paths.path_of("lease", common.namespace, common.name), note)


async def start(
    api: Api, common: manifests.SessionObjects, action: a.StartJanitor, image: AgentImage
) -> None:
    """Have the janitor's Deployment, last: where it is, the rest is.

    Raises:
        TpError: it is required and has not reported.
    """
    own = action.account != names.JANITOR_ACCOUNT
    if own:
        async with asyncio.TaskGroup() as group:
            group.create_task(_put(api, common, "ServiceAccount"))
            group.create_task(_put(api, common, "RoleBinding", **_binding(common)))
    spec = deployment_spec(common, action.account, image)
    notes = {names.ANNOTATION_TEMPLATE: action.built_from}
    await _put(api, common, "Deployment", annotations=notes, spec=spec)
    if action.required:
        await wait_for_report(api, common)


async def wait_for_report(api: Api, common: manifests.SessionObjects) -> None:
    """Wait until the janitor has written on the Lease that it reads it.

    Raises:
        TpError: it has not, in a minute.
    """

    def reported(lease: Mapping[str, Any] | None) -> bool:
        notes = (lease["metadata"].get("annotations") or {}) if lease else {}
        return names.ANNOTATION_JANITOR in notes

    path = paths.path_of("lease", common.namespace, common.name)
    try:
        await wait_for(api, path, reported, REPORT_TIMEOUT_S)
    except NotYetError:
        raise TpError(
            f"the janitor in namespace {common.namespace} has not reported for "
            f"{REPORT_TIMEOUT_S:.0f} s",
            hint=f"kubectl logs -n {common.namespace} deployment/{name(common)} tells why: a "
            "NetworkPolicy between it and the API server, an image that cannot be pulled, a quota?",
        ) from None


async def started(api: Api, common: manifests.SessionObjects) -> bool:
    """Tell whether a session has a janitor, or is about to have one."""
    try:
        found = await api.get(paths.path_of("lease", common.namespace, common.name))
    except ApiError as error:
        if error.status != 404:
            raise
        return False
    return names.ANNOTATION_TOUCHED in (found["metadata"].get("annotations") or {})


def name(common: manifests.SessionObjects) -> str:
    """Return the one name of the janitor's objects."""
    return f"{common.name}-janitor"


def session_rules(common: manifests.SessionObjects, targets: Iterable[Target]) -> list[Manifest]:
    """Return what one session's janitor may do, object by object."""
    by_kind: dict[str, list[str]] = {}
    for target in targets:
        by_kind.setdefault(target.kind, []).append(target.name)
    lease = {"resources": ["leases"], "resourceNames": [common.name]}
    return [
        {"apiGroups": ["coordination.k8s.io"], **lease, "verbs": lease_verbs()},
        *(
            {
                "apiGroups": [paths.resource_of(kind).group],
                "resources": [paths.resource_of(kind).plural],
                "resourceNames": sorted(found),
                "verbs": ["get", "patch"],
            }
            for kind, found in sorted(by_kind.items())
        ),
    ]


def lease_verbs() -> list[str]:
    """Return what a janitor does with its Lease."""
    return ["get", "watch", "patch", "delete"]


def deployment_spec(common: manifests.SessionObjects, account: str, image: AgentImage) -> Manifest:
    """Build the janitor's Deployment: it runs under ``restricted``, and needs next to nothing."""
    labels = {names.LABEL_JANITOR: common.session}
    settings = {"session": common.session, "namespace": common.namespace}
    container = {
        "name": "janitor",
        "image": image.name,
        "imagePullPolicy": "IfNotPresent",
        "command": [image.python, "-I", "-c", agentcode.JANITOR_BOOTSTRAP],
        "args": [agentcode.packed_janitor()],
        "env": [{"name": names.ENV_JANITOR, "value": json.dumps(settings, separators=(",", ":"))}],
        "resources": {"requests": {"cpu": "5m", "memory": "32Mi"}},
        "securityContext": RESTRICTED,
    }
    pod: Manifest = {
        "serviceAccountName": account,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 1,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": UID,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "tolerations": TOLERATIONS,
        "containers": [container],
    }
    if image.pull_secrets:
        pod["imagePullSecrets"] = [{"name": one} for one in image.pull_secrets]
    return {
        "replicas": 1,
        "revisionHistoryLimit": 0,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": pod},
    }


def _binding(common: manifests.SessionObjects) -> Manifest:
    me = name(common)
    return {
        "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": me},
        "subjects": [{"kind": "ServiceAccount", "name": me, "namespace": common.namespace}],
    }


async def _put(
    api: Api,
    common: manifests.SessionObjects,
    kind: str,
    *,
    annotations: Mapping[str, str] | None = None,
    **parts: Any,
) -> None:
    """Create an object of ours, or make the one that is there what it should be."""
    metadata: Manifest = {
        "name": name(common),
        "labels": common.labels("janitor"),
        "ownerReferences": [common.owner()],
        **({"annotations": dict(annotations)} if annotations else {}),
    }
    body = {
        "apiVersion": paths.resource_of(kind).api_version,
        "kind": kind,
        "metadata": metadata,
        **parts,
    }
    try:
        await api.create(paths.path_of(kind, common.namespace), body)
    except ApiError as error:
        if error.status != 409:
            raise
        await api.patch(paths.path_of(kind, common.namespace, name(common)), body)
