"""The controllers of the fake cluster: what keeps the Pods of each kind of workload.

Like the real ones they take a Pod that has their labels and no controller for theirs, and delete
what is too many.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from tests.fakes import fake_selecting
from tests.fakes.fake_store import Store, copied

Object = dict[str, Any]
REVISION = "controller-revision-hash"


class Controllers:
    """Deployments, ReplicaSets, StatefulSets and DaemonSets, one round at a time."""

    def __init__(self, store: Store, node_labels: Mapping[str, str]) -> None:
        self._store = store
        self._node_labels = node_labels

    def step(self) -> None:
        """Do what is due now."""
        for one in self._store.peek("deployment"):
            self._deployment(one)
        for one in self._store.peek("replicaset"):
            self._replica_set(one)
        for one in self._store.peek("statefulset"):
            self._stateful_set(one)
        for one in self._store.peek("daemonset"):
            self._daemon_set(one)

    def set(self, item: Object, part: str, value: Object) -> Object:
        """Write ``spec`` or ``status`` of an object, where it is another."""
        metadata = item["metadata"]
        if item.get(part) == value:
            return item
        return self._store.update(
            item["kind"],
            metadata.get("namespace", ""),
            metadata["name"],
            lambda old: {**old, part: value},
            manager="kcm",
            subresource="status" if part == "status" else None,
        )

    def _deployment(self, deployment: Object) -> None:
        metadata, spec = deployment["metadata"], deployment["spec"]
        namespace = metadata["namespace"]
        digest = _digest(spec["template"])
        current = f"{metadata['name']}-{digest}"
        owned = [one for one in self._store.peek("replicaset", namespace) if _owns(metadata, one)]
        if current not in [one["metadata"]["name"] for one in owned]:
            made = _replica_set(deployment, current, digest)
            owned.append(self._store.create("replicaset", namespace, made, manager="kcm"))
        for one in owned:
            wanted = spec["replicas"] if one["metadata"]["name"] == current else 0
            self.set(one, "spec", {**one["spec"], "replicas": wanted})
        pods = [pod for one in owned for pod in self._pods_of(one)]
        ready = sum(map(is_ready, pods))
        counts = {
            "replicas": len(pods),
            "updatedReplicas": len(pods),
            "readyReplicas": ready,
            "availableReplicas": ready,
            "unavailableReplicas": max(0, spec["replicas"] - ready),
        }
        status: Object = {key: value for key, value in counts.items() if value}
        status["observedGeneration"] = metadata["generation"]
        enough = "True" if ready >= spec["replicas"] else "False"
        status["conditions"] = [{"type": "Available", "status": enough}]
        self.set(deployment, "status", status)

    def _replica_set(self, one: Object) -> None:
        metadata, wanted = one["metadata"], one["spec"]["replicas"]
        self._adopt(one)
        pods = [pod for pod in self._pods_of(one) if not is_dying(pod)]
        for _ in range(wanted - len(pods)):
            made = _pod(one, generateName=f"{metadata['name']}-")
            self._store.create("pod", metadata["namespace"], made, manager="kcm")
        self._delete(pods[wanted:])
        status: Object = {"replicas": wanted, "observedGeneration": metadata["generation"]}
        ready = sum(map(is_ready, pods))
        self.set(one, "status", status | ({"readyReplicas": ready} if ready else {}))

    def _stateful_set(self, one: Object) -> None:
        """One Pod after the other, each when those before are ready; back in reverse."""
        metadata, wanted = one["metadata"], one["spec"]["replicas"]
        self._adopt(one)
        pods = {pod["metadata"]["name"]: pod for pod in self._pods_of(one)}
        for number in range(wanted):
            name = f"{metadata['name']}-{number}"
            if name not in pods:
                made = _pod(one, name=name)
                made["metadata"].setdefault("labels", {}).update(
                    {
                        "statefulset.kubernetes.io/pod-name": name,
                        "apps.kubernetes.io/pod-index": str(number),
                    }
                )
                made["spec"] |= {"hostname": name, "subdomain": one["spec"].get("serviceName", "")}
                self._store.create("pod", metadata["namespace"], made, manager="kcm")
            if name not in pods or is_dying(pods[name]) or not is_ready(pods[name]):
                break
        else:
            condemned = [pod for pod in pods.values() if _ordinal(pod) >= wanted]
            last = max(condemned, key=_ordinal, default=None)
            self._delete([last] if last is not None and not is_dying(last) else [])
        ready = sum(map(is_ready, pods.values()))
        status: Object = {"replicas": len(pods), "observedGeneration": metadata["generation"]}
        self.set(one, "status", status | ({"readyReplicas": ready} if ready else {}))

    def _daemon_set(self, one: Object) -> None:
        metadata, pod_spec = one["metadata"], one["spec"]["template"]["spec"]
        self._adopt(one)
        wanted = (pod_spec.get("nodeSelector") or {}).items() <= self._node_labels.items()
        pods = [pod for pod in self._pods_of(one) if not is_dying(pod)]
        digest = _digest(one["spec"]["template"])
        fits = [p for p in pods if p["metadata"]["labels"].get(REVISION) == digest]
        if wanted and not pods:
            made = _pod(one, generateName=f"{metadata['name']}-")
            made["metadata"].setdefault("labels", {})[REVISION] = digest
            self._store.create("pod", metadata["namespace"], made, manager="kcm")
        kept = fits[:1] if wanted else []
        self._delete([pod for pod in pods if pod not in kept])
        ready = sum(map(is_ready, kept))
        status = {
            "currentNumberScheduled": len(kept),
            "desiredNumberScheduled": int(wanted),
            "numberMisscheduled": 0,
            "numberReady": ready,
            "observedGeneration": metadata["generation"],
        }
        self.set(one, "status", status)

    def _adopt(self, owner: Object) -> None:
        """Take the Pods that have the labels and nobody who controls them."""
        chosen = fake_selecting.by_label_selector(owner["spec"]["selector"])
        for pod in self._store.peek("pod", owner["metadata"]["namespace"]):
            metadata = pod["metadata"]
            owners = metadata.get("ownerReferences") or ()
            if is_dying(pod) or any(one.get("controller") for one in owners) or not chosen(pod):
                continue
            if owner["kind"] == "StatefulSet" and not _is_member(owner, pod):
                continue
            adopted = {**metadata, "ownerReferences": [*owners, owner_of(owner)]}
            self._store.update(
                "pod",
                metadata["namespace"],
                metadata["name"],
                lambda old, new=adopted: {**old, "metadata": new},  # type: ignore[misc]
                manager="kcm",
            )

    def _pods_of(self, owner: Object) -> list[Object]:
        pods = self._store.peek("pod", owner["metadata"]["namespace"])
        return [pod for pod in pods if _owns(owner["metadata"], pod)]

    def _delete(self, pods: list[Object]) -> None:
        for pod in pods:
            metadata = pod["metadata"]
            self._store.delete("pod", metadata["namespace"], metadata["name"], {})


def owner_of(item: Object) -> Object:
    """Return a reference to the object that controls another."""
    return {
        "apiVersion": item["apiVersion"],
        "kind": item["kind"],
        "name": item["metadata"]["name"],
        "uid": item["metadata"]["uid"],
        "controller": True,
    }


def is_dying(pod: Object) -> bool:
    """Tell whether a Pod has been told to end."""
    return bool(pod["metadata"].get("deletionTimestamp"))


def is_ready(pod: Object) -> bool:
    """Tell whether a Pod's condition says that it is ready."""
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def _digest(template: Object) -> str:
    return hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()[:9]


def _owns(metadata: Object, item: Object) -> bool:
    owners = item["metadata"].get("ownerReferences") or ()
    return any(one["uid"] == metadata["uid"] and one.get("controller") for one in owners)


def _is_member(stateful_set: Object, pod: Object) -> bool:
    """Tell whether a Pod's name is one that a StatefulSet gives."""
    parent, _, number = pod["metadata"]["name"].rpartition("-")
    return bool(parent == stateful_set["metadata"]["name"] and number.isdecimal())


def _ordinal(pod: Object) -> int:
    return int(pod["metadata"]["name"].rpartition("-")[2])


def _replica_set(deployment: Object, name: str, digest: str) -> Object:
    template = copied(deployment["spec"]["template"])
    labels = {**(template.setdefault("metadata", {}).get("labels") or {})}
    labels["pod-template-hash"] = digest
    template["metadata"]["labels"] = labels
    return {
        "metadata": {"name": name, "labels": labels, "ownerReferences": [owner_of(deployment)]},
        "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": template},
    }


def _pod(owner: Object, **name: str) -> Object:
    template = copied(owner["spec"]["template"])
    metadata = {**(template.get("metadata") or {}), **name, "ownerReferences": [owner_of(owner)]}
    return {"metadata": metadata, "spec": template["spec"]}
