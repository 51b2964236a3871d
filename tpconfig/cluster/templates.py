"""The pod template that an agent is built from, whatever the workload's kind (pure).

It is the workload's own as it was before we stopped it: what stops a DaemonSet is not in it. A
StatefulSet's has what its controller gives to the first Pod: claims, host name and labels.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from tpconfig import names
from tpconfig.model import kinds
from tpconfig.model.observed import Manifest

POD_NAME_LABEL = "statefulset.kubernetes.io/pod-name"
POD_INDEX_LABEL = "apps.kubernetes.io/pod-index"
SINGLE_WRITER = frozenset({"ReadWriteOnce", "ReadWriteOncePod"})

_RUN_ONCE = ("activeDeadlineSeconds",)
"""What ends a Pod by itself; an agent lives as long as its session."""


def original(kind: str, manifest: Manifest) -> dict[str, Any]:
    """Return a workload's pod template as its owner wrote it."""
    found: Any = manifest
    for key in kinds.template_path(kind):
        found = found[key]
    template: dict[str, Any] = copy.deepcopy(dict(found))
    selector = template["spec"].get("nodeSelector")
    if kind == "daemonset" and selector is not None:
        selector.pop(names.LABEL_STOPPED, None)
        if not selector:
            del template["spec"]["nodeSelector"]
    return template


def for_agent(kind: str, manifest: Manifest) -> dict[str, Any]:
    """Return the template that the agent's Pod is built from."""
    template = original(kind, manifest)
    for key in _RUN_ONCE:
        template["spec"].pop(key, None)
    if kind == "statefulset":
        _dress_as_first(template, manifest)
    return template


def labels(kind: str, manifest: Manifest) -> Mapping[str, str]:
    """Return the labels that Services find the workload's Pods by."""
    return (for_agent(kind, manifest).get("metadata") or {}).get("labels") or {}


def exclusive(
    kind: str, template: Mapping[str, Any], claims: Sequence[Manifest] | None
) -> tuple[str, ...]:
    """Say why no second Pod of a template may run beside the first.

    Args:
        kind: the workload's.
        template: what an agent is built from.
        claims: the namespace's PersistentVolumeClaims; None where they may not be read.
    """
    found: list[str] = []
    if kind == "statefulset":
        found.append("a StatefulSet's Pod has a name and claims of its own")
    found += [] if found else _single_writer(template["spec"], claims)
    found += [
        f"port {number} of the node is taken by the original"
        for number in _host_ports(template["spec"])
    ]
    if _keeps_off_itself(template):
        found.append("its required anti-affinity keeps its Pods apart")
    return tuple(found)


def claim_names(spec: Mapping[str, Any]) -> list[str]:
    """Return the names of the PersistentVolumeClaims that a Pod mounts."""
    return [
        volume["persistentVolumeClaim"]["claimName"]
        for volume in spec.get("volumes") or ()
        if "persistentVolumeClaim" in volume
    ]


def _dress_as_first(template: dict[str, Any], manifest: Manifest) -> None:
    """Give a template what the StatefulSet's controller gives to its first Pod, but the name."""
    spec, name = manifest["spec"], manifest["metadata"]["name"]
    ordinal = (spec.get("ordinals") or {}).get("start", 0)
    meta = template.setdefault("metadata", {})
    meta["labels"] = {
        **(meta.get("labels") or {}),
        POD_NAME_LABEL: f"{name}-{ordinal}",
        POD_INDEX_LABEL: str(ordinal),
    }
    pod = template["spec"]
    pod["hostname"] = f"{name}-{ordinal}"
    if spec.get("serviceName"):
        pod["subdomain"] = spec["serviceName"]
    claimed = {one["metadata"]["name"] for one in spec.get("volumeClaimTemplates") or ()}
    kept = [one for one in pod.get("volumes") or () if one["name"] not in claimed]
    pod["volumes"] = kept + [
        {
            "name": volume,
            "persistentVolumeClaim": {"claimName": f"{volume}-{name}-{ordinal}"},
        }
        for volume in sorted(claimed)
    ]
    if not pod["volumes"]:
        del pod["volumes"]


def _host_ports(spec: Mapping[str, Any]) -> list[int]:
    """Return the ports of its node that a Pod asks for; in the node's network each one is."""
    ports = [
        port.get("hostPort") or (port["containerPort"] if spec.get("hostNetwork") else 0)
        for container in spec["containers"]
        for port in container.get("ports") or ()
    ]
    return [number for number in ports if number]


def _single_writer(spec: Mapping[str, Any], claims: Sequence[Manifest] | None) -> list[str]:
    wanted = claim_names(spec)
    if claims is None:
        return [f"claim {name} may be ReadWriteOnce: you may not read it" for name in wanted]
    modes = {one["metadata"]["name"]: (one["spec"].get("accessModes") or ()) for one in claims}
    return [
        f"claim {name} is {', '.join(modes[name])}"
        for name in wanted
        if name in modes and set(modes[name]) <= SINGLE_WRITER
    ]


def _keeps_off_itself(template: Mapping[str, Any]) -> bool:
    """Tell whether a required anti-affinity selects the template's own labels."""
    affinity = (template["spec"].get("affinity") or {}).get("podAntiAffinity") or {}
    own = (template.get("metadata") or {}).get("labels") or {}
    return any(
        term.get("labelSelector") is not None and selects(term["labelSelector"], own)
        for term in affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or ()
    )


def selects(selector: Mapping[str, Any], own: Mapping[str, str]) -> bool:
    """Tell whether a LabelSelector matches labels; an empty one matches all."""
    if any(own.get(k) != v for k, v in (selector.get("matchLabels") or {}).items()):
        return False
    return all(_meets(one, own) for one in selector.get("matchExpressions") or ())


def _meets(expression: Mapping[str, Any], own: Mapping[str, str]) -> bool:
    key, values = expression["key"], expression.get("values") or ()
    match expression["operator"]:
        case "In":
            return own.get(key) in values
        case "NotIn":
            return own.get(key) not in values
        case "Exists":
            return key in own
        case _:  # DoesNotExist
            return key not in own
