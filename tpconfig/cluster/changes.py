"""What is told of a change by the object itself: who made it, and what it means (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tpconfig import names
from tpconfig.cluster import facts, manifests, templates
from tpconfig.model import kinds

Manifest = Mapping[str, Any]

_STARTS: Final = {"cronjob": kinds.SUSPEND, "daemonset": kinds.NOWHERE[:-1]}


def notes(manifest: Manifest) -> Mapping[str, str]:
    """Return an object's annotations."""
    return manifest["metadata"].get("annotations") or {}


def role(manifest: Manifest) -> str | None:
    """Return what an object of ours is for; None for a target."""
    return (manifest["metadata"].get("labels") or {}).get(names.LABEL_ROLE)


def template_digest(kind: str, manifest: Manifest) -> str:
    """Return what changes with a workload's pod template, but not when we stop it."""
    return manifests.template_hash(templates.for_agent(kind, manifest))


def scale(kind: str, manifest: Manifest) -> int:
    """Return how many Pods a workload is asked to have; 1 for a kind that only runs or does not."""
    return facts.running(kind, manifest)


def starter(kind: str, manifest: Manifest) -> str:
    """Return who has made a workload run again."""
    field = _STARTS.get(kind, kinds.REPLICAS)
    return last_owner(manifest, tuple(f"f:{key}" for key in field))


def last_owner(manifest: Manifest, path: tuple[str, ...]) -> str:
    """Return the manager that owns a field, who wrote last if several do; people know its name."""
    found: list[tuple[str, str]] = []
    for entry in manifest["metadata"].get("managedFields") or ():
        there: Any = entry.get("fieldsV1") or {}
        for key in path:
            there = there.get(key) if isinstance(there, Mapping) else None
        if there is not None and entry.get("subresource") != "status":
            found.append((str(entry.get("time", "")), str(entry.get("manager", ""))))
    others = [one for one in found if one[1] != names.FIELD_MANAGER]
    return max(others or found, default=("", "somebody"))[1]


def has_pod(endpoint_slice: Manifest, pods: frozenset[str]) -> bool:
    """Tell whether an EndpointSlice names one of these Pods, ready or not."""
    return any(
        (endpoint.get("targetRef") or {}).get("name") in pods
        for endpoint in endpoint_slice.get("endpoints") or ()
    )


def selects(selector: Mapping[str, str], pod: Manifest) -> bool:
    """Tell whether a Service's selector matches a Pod."""
    labels = pod["metadata"].get("labels") or {}
    return bool(selector) and all(labels.get(key) == value for key, value in selector.items())
