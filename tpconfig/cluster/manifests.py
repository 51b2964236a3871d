"""What a session creates: Lease, Secret and agent Pod, as plain dictionaries.

The agent's Pod is the workload's own pod template with only the chosen container changed.
"""

from __future__ import annotations

import copy
import hashlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tpconfig import names
from tpconfig.cluster import resourcefields
from tpconfig.model.desired import AgentImage

UNPRIVILEGED_PORT_SYSCTL = {"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}
FALLBACK_UID = 65532

_NODE_PAIRS = 1000
"""How many pairs of ports agents in a node's network share."""

AGENT_NEEDS = {"requests": {"cpu": "10m", "memory": "64Mi"}}
_COMMON_RESOURCES = ("cpu", "memory", "ephemeral-storage")

_LEFT_OUT = (
    "livenessProbe",
    "startupProbe",
    "readinessProbe",
    "lifecycle",
    "workingDir",
    "stdin",
    "stdinOnce",
    "tty",
    "resizePolicy",
    "terminationMessagePath",
)


@dataclass(frozen=True, slots=True)
class SessionObjects:
    """What the objects of one session in one namespace have in common."""

    session: str
    namespace: str
    lease_uid: str = ""

    @property
    def name(self) -> str:
        """The name of the session's Lease and Secret."""
        return f"{names.PREFIX}-{self.session}"

    def owner(self, *, controller: bool = False) -> dict[str, Any]:
        """Return the reference that makes an object go when the Lease goes.

        Not a controller where one can do without: a Lease as controller breaks
        PodDisruptionBudgets, which look for a scale subresource there. But a Pod without any is
        adopted, and then deleted, by a ReplicaSet or DaemonSet that selects its labels.
        """
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "name": self.name,
            "uid": self.lease_uid,
            "controller": controller,
            "blockOwnerDeletion": False,
        }

    def labels(self, role: str) -> dict[str, str]:
        """Return the labels that everything of ours carries."""
        return {names.LABEL_SESSION: self.session, names.LABEL_ROLE: role}


@dataclass(frozen=True, slots=True)
class AgentSpec:
    """What an agent Pod is built from, beside the workload's template.

    ``init``: with the template's init containers; native sidecars always stay. ``beside``: the
    original goes on, and keeps its ports of the node. ``controlled``: the Lease is its controller.
    ``own_resources``: what the original asks for and may have, not the little that the agent needs.
    """

    pod: str
    workload: str
    target: str
    container: str
    built_from: str
    image: AgentImage
    version: str
    code: tuple[str, str]
    low_ports: bool = False
    running_uid: int | None = None
    init: bool = True
    beside: bool = False
    controlled: bool = False
    own_resources: bool = False


def lease(
    common: SessionObjects, *, holder: str, ttl_s: float, now: str, notes: Mapping[str, str]
) -> dict[str, Any]:
    """Build the Lease; ``now`` is the server's time in RFC 3339 with microseconds."""
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            "name": common.name,
            "namespace": common.namespace,
            "labels": common.labels("lease"),
            "annotations": dict(notes),
        },
        "spec": {
            "holderIdentity": holder,
            "leaseDurationSeconds": max(1, round(ttl_s)),
            "acquireTime": now,
            "renewTime": now,
        },
    }


def secret(common: SessionObjects, value: str) -> dict[str, Any]:
    """Build the Secret that both ends of every link of the session prove."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
        "metadata": {
            "name": common.name,
            "namespace": common.namespace,
            "labels": common.labels("secret"),
            "ownerReferences": [common.owner()],
        },
        "stringData": {"secret": value},
    }


def agent_pod(
    template: Mapping[str, Any], common: SessionObjects, spec: AgentSpec
) -> dict[str, Any]:
    """Build the agent's Pod from a workload's ``spec.template``."""
    pod_spec = copy.deepcopy(dict(template["spec"]))
    if not spec.init:
        _skip_init(pod_spec)
    if spec.beside:
        _leave_host_ports(pod_spec)
    containers = pod_spec["containers"]
    index = next(i for i, one in enumerate(containers) if one["name"] == spec.container)
    ports = agent_ports(pod_spec, spec.pod)
    _state_resources(pod_spec, containers[index])
    containers[index] = _agent_container(containers[index], common, spec, ports)
    _adapt_security(pod_spec, containers[index], spec)
    if spec.image.pull_secrets:
        known = pod_spec.setdefault("imagePullSecrets", [])
        have = {one["name"] for one in known}
        known += [{"name": name} for name in spec.image.pull_secrets if name not in have]
    meta = template.get("metadata") or {}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": spec.pod,
            "namespace": common.namespace,
            "labels": {**(meta.get("labels") or {}), **common.labels("agent")},
            "annotations": {
                **(meta.get("annotations") or {}),
                names.ANNOTATION_TEMPLATE: spec.built_from,
                names.ANNOTATION_WORKLOAD: spec.workload,
                names.ANNOTATION_TARGET: spec.target,
            },
            "ownerReferences": [common.owner(controller=spec.controlled)],
        },
        "spec": pod_spec,
    }


def agent_ports(pod_spec: Mapping[str, Any], pod: str) -> tuple[int, int]:
    """Choose the agent's link and probe ports past what the Pod declares for itself.

    In the node's network two agents must not meet, so there the Pod's name spreads them.
    """
    taken = {
        port.get("containerPort")
        for one in [*pod_spec.get("containers", ()), *pod_spec.get("initContainers", ())]
        for port in one.get("ports") or ()
    }
    link = names.LINK_PORT
    if pod_spec.get("hostNetwork"):
        link += 2 * (zlib.crc32(pod.encode()) % _NODE_PAIRS)
    while {link, link + 1} & taken:
        link += 2
    return link, link + names.PROBE_PORT - names.LINK_PORT


def template_hash(template: Mapping[str, Any]) -> str:
    """Return a digest of a pod template; it changes when the agent must be cloned anew."""
    text = json.dumps(template, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _skip_init(pod_spec: dict[str, Any]) -> None:
    """Leave out the init containers, but not those that run on beside the others."""
    kept = [
        one for one in pod_spec.get("initContainers") or () if one.get("restartPolicy") == "Always"
    ]
    pod_spec.pop("initContainers", None)
    if kept:
        pod_spec["initContainers"] = kept


def _leave_host_ports(pod_spec: dict[str, Any]) -> None:
    for one in pod_spec["containers"]:
        if pod_spec.get("hostNetwork"):  # there the API server makes every port one of the node
            one.pop("ports", None)
        for port in one.get("ports") or ():
            port.pop("hostPort", None)


def _agent_container(
    original: Mapping[str, Any], common: SessionObjects, spec: AgentSpec, ports: tuple[int, int]
) -> dict[str, Any]:
    link_port, probe_port = ports
    bootstrap, packed = spec.code
    settings = {
        "session": common.session,
        "version": spec.version,
        "link_port": link_port,
        "probe_port": probe_port,
    }
    ours = {names.ENV_AGENT, names.ENV_SECRET}
    container = {key: value for key, value in original.items() if key not in _LEFT_OUT}
    container |= {
        "image": spec.image.name,
        "imagePullPolicy": "IfNotPresent",
        "command": [spec.image.python, "-I", "-c", bootstrap],
        "args": [packed],
        "env": [
            *(entry for entry in original.get("env") or () if entry["name"] not in ours),
            {"name": names.ENV_AGENT, "value": json.dumps(settings, separators=(",", ":"))},
            {
                "name": names.ENV_SECRET,
                "valueFrom": {"secretKeyRef": {"name": common.name, "key": "secret"}},
            },
        ],
        "resources": _own_resources(original) if spec.own_resources else AGENT_NEEDS,
        "readinessProbe": {
            "httpGet": {"path": names.PROBE_PATH, "port": probe_port},
            "periodSeconds": 1,
            "timeoutSeconds": 30,
            "successThreshold": 1,
            "failureThreshold": 1,
        },
    }
    return container


def _own_resources(original: Mapping[str, Any]) -> dict[str, Any]:
    """Return a container's requests and limits, without devices and claims."""
    resources = original.get("resources") or {}
    return {
        part: {key: value for key, value in resources[part].items() if key in _COMMON_RESOURCES}
        for part in ("requests", "limits")
        if part in resources
    }


def _state_resources(pod_spec: Mapping[str, Any], chosen: Mapping[str, Any]) -> None:
    """Have every container hear of the chosen one's resources what the template says of them."""
    resources = chosen.get("resources") or {}
    for one in (*pod_spec["containers"], *(pod_spec.get("initContainers") or ())):
        if one.get("env"):
            one["env"] = [
                resourcefields.stated(
                    entry, within=one["name"], chosen=chosen["name"], resources=resources
                )
                for entry in one["env"]
            ]


def wants_user(pod_spec: Mapping[str, Any], container: Mapping[str, Any]) -> bool:
    """Tell whether a container may not be root and leaves to its image who it is."""
    pod_security = pod_spec.get("securityContext") or {}
    own = container.get("securityContext") or {}
    non_root = own.get("runAsNonRoot", pod_security.get("runAsNonRoot"))
    return bool(non_root) and own.get("runAsUser", pod_security.get("runAsUser")) is None


def _adapt_security(pod_spec: dict[str, Any], container: dict[str, Any], spec: AgentSpec) -> None:
    """Keep the Pod's security settings; add only what the agent cannot run without.

    ``runAsNonRoot`` without a uid relies on the image's own ``USER``, which ours does not have.
    Ports below 1024 need a sysctl that Kubernetes counts as safe, also under ``restricted``.
    """
    pod_security = pod_spec.get("securityContext") or {}
    own = container.get("securityContext") or {}
    if wants_user(pod_spec, container):
        container["securityContext"] = {**own, "runAsUser": spec.running_uid or FALLBACK_UID}
    if spec.low_ports and not pod_spec.get("hostNetwork"):
        sysctls = list(pod_security.get("sysctls") or ())
        if all(one["name"] != UNPRIVILEGED_PORT_SYSCTL["name"] for one in sysctls):
            sysctls.append(UNPRIVILEGED_PORT_SYSCTL)
        pod_spec["securityContext"] = {**pod_security, "sysctls": sysctls}
