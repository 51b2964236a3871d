"""Manifests read into the planner's facts (pure)."""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Mapping
from datetime import datetime
from typing import Any

from tpconfig import names
from tpconfig.cluster import manifests, patches, ready, serverclock, surroundings, templates
from tpconfig.cluster.surroundings import Surroundings
from tpconfig.model.observed import (
    AgentFacts,
    Circumstance,
    Claim,
    ContainerFacts,
    JanitorFacts,
    LeaseFacts,
    Manifest,
    NamedPort,
    ServiceFacts,
    ServicePort,
    What,
    WorkloadFacts,
)
from tpconfig.model.target import Target

NOTHING_AROUND = Surroundings()
DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"


def workload(
    target: Target,
    manifest: Manifest,
    services: Iterable[Manifest],
    pods: Iterable[Manifest],
    around: Surroundings = NOTHING_AROUND,
) -> WorkloadFacts:
    """Read a workload, the Services that select its Pods, and who runs in them."""
    template = templates.for_agent(target.kind, manifest)
    meta = template.get("metadata") or {}
    labels = meta.get("labels") or {}
    annotations = meta.get("annotations") or {}
    running_uid = _running_uid(manifest, pods)
    known = surroundings.circumstances(target, manifest, around)
    return WorkloadFacts(
        target=target,
        replicas=running(target.kind, manifest),
        ready_replicas=patches.ready_pods(manifest),
        containers=tuple(_container(one) for one in template["spec"]["containers"]),
        services=tuple(_service(one) for one in services if selects(one, labels)),
        default_container=annotations.get(DEFAULT_CONTAINER),
        template_hash=manifests.template_hash(template),
        claim=claim(manifest),
        controller=controller(manifest),
        running_uid=running_uid,
        exclusive=templates.exclusive(target.kind, template, around.claims),
        deletes_claims=_deletes_claims(manifest),
        circumstances=(*known, *(_unknown_users(template) if running_uid is None else ())),
        manifest=manifest,
        template=template,
    )


def running(kind: str, manifest: Manifest) -> int:
    """Return a workload's ``replicas``; of a kind without, 1 where it runs and 0 where not."""
    spec = manifest["spec"]
    match kind:
        case "daemonset":
            selector = spec["template"]["spec"].get("nodeSelector") or {}
            return int(names.LABEL_STOPPED not in selector)
        case "cronjob":
            return int(not spec.get("suspend", False))
        case _:
            return int(spec.get("replicas", 1))


def controller(manifest: Manifest) -> str | None:
    """Return who controls an object (``Deployment/web``)."""
    for owner in manifest["metadata"].get("ownerReferences") or ():
        if owner.get("controller"):
            return f"{owner['kind']}/{owner['name']}"
    return None


def claim(manifest: Manifest) -> Claim | None:
    """Read the journal that a session left on an object."""
    metadata = manifest["metadata"]
    session = (metadata.get("labels") or {}).get(names.LABEL_SESSION)
    annotations = metadata.get("annotations") or {}
    restore = annotations.get(names.ANNOTATION_RESTORE)
    if session is None or restore is None:
        return None
    was = annotations.get(names.ANNOTATION_WAS, "{}")
    recorded = patches.read_recorded(restore)
    return Claim(
        session,
        restore,
        recorded.running,
        patches.read_was(was),
        recreate=patches.read_recreate(was),
        deletes_claims=recorded.deletes_claims,
    )


def role(manifest: Manifest) -> str | None:
    """Return what an object of ours is for."""
    labels = manifest["metadata"].get("labels") or {}
    return labels.get(names.LABEL_ROLE) if names.LABEL_SESSION in labels else None


def owned(manifest: Manifest, leases: Container[str]) -> bool:
    """Tell whether an object of ours belongs to a Lease that is there, by uid."""
    owners = manifest["metadata"].get("ownerReferences") or ()
    return any(one.get("kind") == "Lease" and one.get("uid") in leases for one in owners)


def agent(pod: Manifest) -> AgentFacts:
    """Read an agent's Pod."""
    metadata = pod["metadata"]
    annotations = metadata.get("annotations") or {}
    kind, _, name = annotations.get(names.ANNOTATION_TARGET, "").partition("/")
    ended = (pod.get("status") or {}).get("phase") in ("Failed", "Succeeded")
    return AgentFacts(
        name=metadata["name"],
        namespace=metadata["namespace"],
        session=metadata["labels"][names.LABEL_SESSION],
        workload=annotations.get(names.ANNOTATION_WORKLOAD, ""),
        built_from="" if ended else annotations.get(names.ANNOTATION_TEMPLATE, ""),
        target=Target(metadata["namespace"], kind, name) if name else None,
        ready=ready.pod_ready(pod),
        terminating="deletionTimestamp" in metadata,
    )


def lease(manifest: Manifest, now: datetime) -> LeaseFacts:
    """Read a session's Lease; ``now`` is the API server's time."""
    metadata, spec = manifest["metadata"], manifest.get("spec") or {}
    annotations = metadata.get("annotations") or {}
    queues = _json(annotations, names.ANNOTATION_WAITS_FOR)
    queues = queues if isinstance(queues, dict) else {}
    renewed = spec.get("renewTime") or metadata.get("creationTimestamp")
    age_s = (now - serverclock.parse(renewed)).total_seconds() if renewed else 0.0
    return LeaseFacts(
        namespace=metadata["namespace"],
        session=metadata["name"].removeprefix(f"{names.PREFIX}-"),
        uid=metadata["uid"],
        holder=spec.get("holderIdentity", ""),
        user=annotations.get(names.ANNOTATION_USER, ""),
        file_name=annotations.get(names.ANNOTATION_NAME, ""),
        ttl_s=float(spec.get("leaseDurationSeconds", 60)),
        age_s=age_s,
        since=spec.get("acquireTime") or "",
        file=annotations.get(names.ANNOTATION_FILE, ""),
        ended=annotations.get(names.ANNOTATION_ENDED),
        touched=_targets(metadata["namespace"], _json(annotations, names.ANNOTATION_TOUCHED)),
        waits_for=_targets(metadata["namespace"], queues.get("for")),
        turn=queues["turn"] if isinstance(queues.get("turn"), int) else 0,
        reconnect_s=_seconds(annotations.get(names.ANNOTATION_RECONNECT)),
        given_back=names.ANNOTATION_GIVEN_BACK in annotations,
        janitor=annotations.get(names.ANNOTATION_JANITOR),
    )


def janitor(deployment: Manifest) -> JanitorFacts:
    """Read a janitor's Deployment."""
    metadata = deployment["metadata"]
    annotations = metadata.get("annotations") or {}
    return JanitorFacts(
        namespace=metadata["namespace"],
        session=metadata["labels"][names.LABEL_SESSION],
        built_from=annotations.get(names.ANNOTATION_TEMPLATE, ""),
    )


def _targets(namespace: str, found: Any) -> tuple[Target, ...]:
    """Read a list of targets; what somebody has damaged names none."""
    words = [
        text.partition("/")
        for text in (found if isinstance(found, list) else ())
        if isinstance(text, str)
    ]
    return tuple(Target(namespace, kind, name) for kind, _, name in words)


def _json(annotations: Mapping[str, str], key: str) -> Any:
    try:
        return json.loads(annotations.get(key, "null"))
    except ValueError:
        return None


def _seconds(text: str | None) -> float:
    try:
        return float(text or 0)
    except ValueError:
        return 0.0


def _container(container: Mapping[str, Any]) -> ContainerFacts:
    return ContainerFacts(
        container["name"],
        tuple(
            NamedPort(port["containerPort"], port.get("name"), port.get("protocol", "TCP").lower())
            for port in container.get("ports") or ()
        ),
        container.get("image", ""),
    )


def _unknown_users(template: Mapping[str, Any]) -> list[Circumstance]:
    """Name the containers whose user only their image knows."""
    uid = str(manifests.FALLBACK_UID)
    return [
        Circumstance(What.UNKNOWN_USER, one["name"], uid)
        for one in template["spec"]["containers"]
        if manifests.wants_user(template["spec"], one)
    ]


def _deletes_claims(manifest: Manifest) -> bool:
    policy = manifest["spec"].get("persistentVolumeClaimRetentionPolicy") or {}
    return bool(policy.get("whenScaled") == "Delete")


def _service(service: Manifest) -> ServiceFacts:
    spec = service["spec"]
    return ServiceFacts(
        name=service["metadata"]["name"],
        ports=tuple(
            ServicePort(
                port["port"],
                port.get("targetPort", port["port"]),
                port.get("protocol", "TCP").lower(),
            )
            for port in spec.get("ports") or ()
        ),
        publishes_unready=bool(spec.get("publishNotReadyAddresses")),
        local_traffic_only="Local"
        in (spec.get("internalTrafficPolicy"), spec.get("externalTrafficPolicy")),
        addresses=tuple(one for one in spec.get("clusterIPs") or () if one != "None"),
    )


def selects(service: Manifest, labels: Mapping[str, str]) -> bool:
    """Tell whether a Service sends its callers to Pods with these labels."""
    selector = service["spec"].get("selector")
    if not selector or service["spec"].get("type") == "ExternalName":  # it has no endpoints
        return False
    return all(labels.get(key) == value for key, value in selector.items())


def _running_uid(manifest: Manifest, pods: Iterable[Manifest]) -> int | None:
    """Find the uid that the workload's own containers run as (Kubernetes 1.31 tells it)."""
    labels = ((manifest["spec"].get("selector") or {}).get("matchLabels")) or {}
    for pod in pods if labels else ():
        have = pod["metadata"].get("labels") or {}
        if names.LABEL_SESSION in have or any(have.get(k) != v for k, v in labels.items()):
            continue
        for status in (pod.get("status") or {}).get("containerStatuses") or ():
            uid = ((status.get("user") or {}).get("linux") or {}).get("uid")
            if uid:
                return int(uid)
    return None
