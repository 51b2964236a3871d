"""Who else acts on a workload, and how it stands: what a person should know before a swap (pure).

Everything here is read from what is there anyway, or from kinds that a user may list; a kind that
the cluster does not serve, or that may not be read, says nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tpconfig.cluster import templates
from tpconfig.model.observed import Circumstance, Manifest, What
from tpconfig.model.target import Target

ARGO_TRACKING = "argocd.argoproj.io/tracking-id"
FLUX_LABEL = "kustomize.toolkit.fluxcd.io/name"
FLUX_RECONCILE = "kustomize.toolkit.fluxcd.io/reconcile"
FLUX_HELM_LABEL = "helm.toolkit.fluxcd.io/name"
HELM_RELEASE = "meta.helm.sh/release-name"
KEDA_PAUSED = ("autoscaling.keda.sh/paused", "autoscaling.keda.sh/paused-replicas")

Items = tuple[Manifest, ...]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What of a namespace bears on its workloads; ``claims`` of None: they may not be read."""

    autoscalers: Items = ()
    budgets: Items = ()
    claims: Items | None = ()
    scaled_objects: Items = ()
    applications: Items = ()


def circumstances(
    target: Target, manifest: Manifest, around: Surroundings
) -> tuple[Circumstance, ...]:
    """Return all that a person should know of a workload, in a fixed order."""
    template = templates.original(target.kind, manifest)
    return (
        *_state(target.kind, manifest, template["spec"]),
        *_scalers(target, around),
        *_budgets(template, around),
        *_owners(manifest, around),
    )


def argo_application(manifest: Manifest) -> str | None:
    """Return the Argo CD application that tracks an object by annotation."""
    annotations = manifest["metadata"].get("annotations") or {}
    tracked = str(annotations.get(ARGO_TRACKING, "")).partition(":")[0]
    return tracked or None


def scaled_by(target: Target, autoscaler: Manifest) -> bool:
    """Tell whether a HorizontalPodAutoscaler is about a workload."""
    ref = autoscaler["spec"]["scaleTargetRef"]
    return (str(ref["kind"]).lower(), ref["name"]) == (target.kind, target.name)


def keda_owner(autoscaler: Manifest) -> str | None:
    """Return the ScaledObject that an autoscaler belongs to."""
    owners = autoscaler["metadata"].get("ownerReferences") or ()
    return next((str(one["name"]) for one in owners if one["kind"] == "ScaledObject"), None)


def _state(kind: str, manifest: Manifest, pod: Mapping[str, Any]) -> Iterator[Circumstance]:
    spec, status = manifest["spec"], manifest.get("status") or {}
    if spec.get("paused"):
        yield Circumstance(What.PAUSED)
    wanted, updated = spec.get("replicas", 1), status.get("updatedReplicas", 0)
    if kind == "deployment" and not spec.get("paused") and _is_rolling(manifest):
        yield Circumstance(What.ROLLING_OUT, detail=f"{updated} of {wanted}")
    if kind == "cronjob":
        for job in status.get("active") or ():
            yield Circumstance(What.RUNNING_JOB, f"job/{job['name']}")
    for volume in pod.get("volumes") or ():
        if "ephemeral" in volume:
            yield Circumstance(What.FRESH_VOLUME, volume["name"])
    if pod.get("hostNetwork"):
        yield Circumstance(What.HOST_NETWORK)
    system = (pod.get("os") or {}).get("name") or (pod.get("nodeSelector") or {}).get(
        "kubernetes.io/os"
    )
    if system == "windows":
        yield Circumstance(What.WINDOWS)


def _is_rolling(manifest: Manifest) -> bool:
    """Tell whether Pods of an older template are still being replaced."""
    spec, status = manifest["spec"], manifest.get("status") or {}
    if not status:
        return False
    seen = status.get("observedGeneration", 0) >= manifest["metadata"].get("generation", 0)
    old = status.get("replicas", 0) > status.get("updatedReplicas", 0)
    return bool(spec.get("replicas", 1)) and (not seen or old)


def _scalers(target: Target, around: Surroundings) -> Iterator[Circumstance]:
    objects = {one["metadata"]["name"]: one for one in around.scaled_objects}
    for one in around.autoscalers:
        if not scaled_by(target, one):
            continue
        owner, name = keda_owner(one), f"horizontalpodautoscaler/{one['metadata']['name']}"
        if owner is None:
            low, high = one["spec"].get("minReplicas", 1), one["spec"]["maxReplicas"]
            yield Circumstance(What.HPA, name, f"{low} to {high}")
            continue
        notes = (objects.get(owner) or {"metadata": {}})["metadata"].get("annotations") or {}
        paused = any(notes.get(key) not in (None, "false") for key in KEDA_PAUSED)
        yield Circumstance(What.KEDA_PAUSED if paused else What.KEDA, owner)


def _budgets(template: Mapping[str, Any], around: Surroundings) -> Iterator[Circumstance]:
    own = (template.get("metadata") or {}).get("labels") or {}
    for one in around.budgets:
        selector = one["spec"].get("selector")
        if selector is not None and templates.selects(selector, own):
            yield Circumstance(What.PDB, f"poddisruptionbudget/{one['metadata']['name']}")


def _owners(manifest: Manifest, around: Surroundings) -> Iterator[Circumstance]:
    metadata = manifest["metadata"]
    labels, notes = metadata.get("labels") or {}, metadata.get("annotations") or {}
    if application := argo_application(manifest):
        heals = any(
            one["metadata"]["name"] == application and _heals_itself(one)
            for one in around.applications
        )
        yield Circumstance(What.ARGO_CD_HEALS if heals else What.ARGO_CD, application)
    if FLUX_LABEL in labels:
        paused = str(notes.get(FLUX_RECONCILE, ""))
        yield Circumstance(What.FLUX, str(labels[FLUX_LABEL]), paused)
    elif FLUX_HELM_LABEL in labels:
        yield Circumstance(What.FLUX_HELM, str(labels[FLUX_HELM_LABEL]))
    elif HELM_RELEASE in notes:
        yield Circumstance(What.HELM, str(notes[HELM_RELEASE]))


def _heals_itself(application: Manifest) -> bool:
    policy = (application.get("spec") or {}).get("syncPolicy") or {}
    return bool((policy.get("automated") or {}).get("selfHeal"))
