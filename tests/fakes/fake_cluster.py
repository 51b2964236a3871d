"""What happens in a cluster by itself: controllers, a scheduler, a kubelet with one node.

Each round looks at everything and does what is due; a change of the store starts a round. Garbage
collection and the end of namespaces always run, the rest only where a test wants it.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.fakes import fake_selecting
from tests.fakes.fake_store import Change, Store, copied

Object = dict[str, Any]


def _always(_: Object) -> bool:
    return True


@dataclass
class Cluster:
    """The simulation; a test turns ``probe`` and calls ``look_again`` when its answer changes.

    Attributes:
        probe: whether a Pod that has a readiness probe is ready; Pods without one always are.
        starts: whether a Pod starts at all.
        tick_s: the pause before each round.
        termination_s: how long a Pod takes to end, at most its own grace period.
    """

    store: Store
    simulate: bool = True
    probe: Callable[[Object], bool] = _always
    starts: Callable[[Object], bool] = _always
    tick_s: float = 0.0
    termination_s: float = 0.0
    node: str = "node-1"

    def __post_init__(self) -> None:
        self._due = asyncio.Event()
        self._due.set()
        self._dying: dict[str, float] = {}
        self._addresses = 1
        self.store.listeners.append(self._changed)

    def _changed(self, _: Change) -> None:
        self._due.set()

    def look_again(self) -> None:
        """Start a round, because something outside of the store changed."""
        self._due.set()

    async def run(self) -> None:
        """Act until cancelled."""
        while True:
            await self._due.wait()
            await asyncio.sleep(self.tick_s)
            self._due.clear()
            self._collect_garbage()
            self._end_namespaces()
            if self.simulate:
                self._deployments()
                self._replica_sets()
                self._pods()
                self._endpoints()

    def _collect_garbage(self) -> None:
        alive = {item["metadata"]["uid"] for item in self.store.objects.values()}
        for item in [copied(one) for one in self.store.objects.values()]:
            metadata = item["metadata"]
            owners = metadata.get("ownerReferences") or []
            kind, namespace, name = item["kind"], metadata.get("namespace", ""), metadata["name"]
            if owners and not any(owner["uid"] in alive for owner in owners):
                if not metadata.get("deletionTimestamp"):
                    self.store.delete(kind, namespace, name, {})
            elif "foregroundDeletion" in (metadata.get("finalizers") or ()):
                self._delete_dependents(item)

    def _delete_dependents(self, owner: Object) -> None:
        uid, metadata = owner["metadata"]["uid"], owner["metadata"]
        dependents = [
            item["metadata"] | {"kind": item["kind"]}
            for item in self.store.objects.values()
            if any(one["uid"] == uid for one in item["metadata"].get("ownerReferences") or ())
        ]
        for one in dependents:
            if not one.get("deletionTimestamp"):
                self.store.delete(one["kind"], one.get("namespace", ""), one["name"], {})
        if not dependents:
            self.store.remove(owner["kind"], metadata.get("namespace", ""), metadata["name"])

    def _end_namespaces(self) -> None:
        for namespace in self.store.list("namespace"):
            name = namespace["metadata"]["name"]
            if not namespace["metadata"].get("deletionTimestamp"):
                continue
            inside = [
                copied(item) for (_, where, _), item in self.store.objects.items() if where == name
            ]
            for item in inside:
                self.store.remove(item["kind"], name, item["metadata"]["name"])
            self.store.remove("namespace", "", name)

    def _deployments(self) -> None:
        for deployment in self.store.list("deployment"):
            metadata, spec = deployment["metadata"], deployment["spec"]
            namespace = metadata["namespace"]
            digest = hashlib.sha256(json.dumps(spec["template"], sort_keys=True).encode())
            current = f"{metadata['name']}-{digest.hexdigest()[:9]}"
            owned = [
                one for one in self.store.list("replicaset", namespace) if _owns(metadata, one)
            ]
            if current not in [one["metadata"]["name"] for one in owned]:
                made = _replica_set(deployment, current, digest.hexdigest()[:9])
                owned.append(self.store.create("replicaset", namespace, made, manager="kcm"))
            for one in owned:
                wanted = spec["replicas"] if one["metadata"]["name"] == current else 0
                if one["spec"]["replicas"] != wanted:
                    self._set(one, "spec", {**one["spec"], "replicas": wanted})
            self._deployment_status(deployment, owned)

    def _deployment_status(self, deployment: Object, owned: list[Object]) -> None:
        spec = deployment["spec"]
        pods = [pod for one in owned for pod in self._pods_of(one)]
        ready = sum(_is_ready(pod) for pod in pods)
        counts = {
            "replicas": len(pods),
            "updatedReplicas": len(pods),
            "readyReplicas": ready,
            "availableReplicas": ready,
            "unavailableReplicas": max(0, spec["replicas"] - ready),
        }
        status: Object = {key: value for key, value in counts.items() if value}
        status["observedGeneration"] = deployment["metadata"]["generation"]
        enough = "True" if ready >= spec["replicas"] else "False"
        status["conditions"] = [{"type": "Available", "status": enough}]
        self._set(deployment, "status", status)

    def _replica_sets(self) -> None:
        for one in self.store.list("replicaset"):
            metadata, wanted = one["metadata"], one["spec"]["replicas"]
            pods = [pod for pod in self._pods_of(one) if not _is_dying(pod)]
            for _ in range(wanted - len(pods)):
                self.store.create("pod", metadata["namespace"], _pod(one), manager="kcm")
            for pod in pods[wanted:]:
                self.store.delete("pod", metadata["namespace"], pod["metadata"]["name"], {})
            status = {"replicas": wanted, "readyReplicas": sum(_is_ready(pod) for pod in pods)}
            self._set(one, "status", status)

    def _pods_of(self, owner: Object) -> list[Object]:
        pods = self.store.list("pod", owner["metadata"]["namespace"])
        return [pod for pod in pods if _owns(owner["metadata"], pod)]

    def _pods(self) -> None:
        for pod in self.store.list("pod"):
            if _is_dying(pod):
                self._end(pod)
            elif pod["status"].get("phase") in ("Pending", "Running") and self.starts(pod):
                if not pod["spec"].get("nodeName"):
                    pod = self._set(pod, "spec", {**pod["spec"], "nodeName": self.node})
                self._set(pod, "status", self._running(pod))

    def _end(self, pod: Object) -> None:
        metadata = pod["metadata"]
        loop, uid = asyncio.get_running_loop(), metadata["uid"]
        grace_s = min(self.termination_s, float(metadata.get("deletionGracePeriodSeconds") or 0))
        ends_s = self._dying.setdefault(uid, loop.time() + grace_s)
        if loop.time() >= ends_s:
            self.store.remove("pod", metadata["namespace"], metadata["name"])
            del self._dying[uid]
        else:
            loop.call_at(ends_s + 0.001, self.look_again)

    def _running(self, pod: Object) -> Object:
        containers = pod["spec"]["containers"]
        ready = not any("readinessProbe" in one for one in containers) or self.probe(pod)
        address = pod["status"].get("podIP")
        if address is None:
            self._addresses += 1
            address = f"10.244.{self._addresses // 250}.{self._addresses % 250 + 1}"
        word = "True" if ready else "False"
        kinds = ("PodScheduled", "Initialized", "ContainersReady", "Ready")
        return {
            **pod["status"],
            "phase": "Running",
            "podIP": address,
            "podIPs": [{"ip": address}],
            "conditions": [
                {"type": kind, "status": word if "Ready" in kind else "True"} for kind in kinds
            ],
            "containerStatuses": [
                {
                    "name": one["name"],
                    "image": one.get("image", ""),
                    "ready": ready,
                    "started": True,
                    "restartCount": 0,
                    "state": {"running": {"startedAt": pod["metadata"]["creationTimestamp"]}},
                }
                for one in containers
            ],
        }

    def _endpoints(self) -> None:
        for service in self.store.list("service"):
            if not service["spec"].get("selector"):
                continue
            namespace = service["metadata"]["namespace"]
            wanted = self._slice(service)
            found = self.store.find("endpointslice", namespace, wanted["metadata"]["name"])
            if found is None:
                self.store.create("endpointslice", namespace, wanted, manager="kcm")
            elif (found["endpoints"], found["ports"]) != (wanted["endpoints"], wanted["ports"]):
                self.store.update(
                    "endpointslice",
                    namespace,
                    wanted["metadata"]["name"],
                    lambda old, new=wanted: {  # type: ignore[misc]
                        **old,
                        "endpoints": new["endpoints"],
                        "ports": new["ports"],
                    },
                    manager="kcm",
                )

    def _slice(self, service: Object) -> Object:
        metadata, spec = service["metadata"], service["spec"]
        matches = fake_selecting.by_label_selector({"matchLabels": spec["selector"]})
        pods = self.store.list("pod", metadata["namespace"], matches)
        unready = bool(spec.get("publishNotReadyAddresses"))
        return {
            "addressType": "IPv4",
            "metadata": {
                "name": f"{metadata['name']}-fake1",
                "labels": {"kubernetes.io/service-name": metadata["name"]},
                "ownerReferences": [_owner(service)],
            },
            "endpoints": [_endpoint(pod, unready) for pod in pods if pod["status"].get("podIP")],
            "ports": [
                {
                    "name": port.get("name", ""),
                    "port": _number(port, pods),
                    "protocol": port.get("protocol", "TCP"),
                }
                for port in spec.get("ports") or ()
            ],
        }

    def _set(self, item: Object, part: str, value: Object) -> Object:
        metadata = item["metadata"]
        if item.get(part) == value:
            return item
        return self.store.update(
            item["kind"],
            metadata.get("namespace", ""),
            metadata["name"],
            lambda old: {**old, part: value},
            manager="kcm",
            subresource="status" if part == "status" else None,
        )


def _owns(metadata: Object, item: Object) -> bool:
    owners = item["metadata"].get("ownerReferences") or ()
    return any(one["uid"] == metadata["uid"] and one.get("controller") for one in owners)


def _owner(item: Object) -> Object:
    return {
        "apiVersion": item["apiVersion"],
        "kind": item["kind"],
        "name": item["metadata"]["name"],
        "uid": item["metadata"]["uid"],
        "controller": True,
    }


def _replica_set(deployment: Object, name: str, digest: str) -> Object:
    template = copied(deployment["spec"]["template"])
    labels = {**(template.setdefault("metadata", {}).get("labels") or {})}
    labels["pod-template-hash"] = digest
    template["metadata"]["labels"] = labels
    return {
        "metadata": {"name": name, "labels": labels, "ownerReferences": [_owner(deployment)]},
        "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": template},
    }


def _pod(replica_set: Object) -> Object:
    template = copied(replica_set["spec"]["template"])
    metadata = template.get("metadata") or {}
    metadata["generateName"] = f"{replica_set['metadata']['name']}-"
    metadata["ownerReferences"] = [_owner(replica_set)]
    return {"metadata": metadata, "spec": template["spec"]}


def _is_dying(pod: Object) -> bool:
    return bool(pod["metadata"].get("deletionTimestamp"))


def _is_ready(pod: Object) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def _endpoint(pod: Object, publishes_unready: bool) -> Object:
    serving, dying = _is_ready(pod), _is_dying(pod)
    return {
        "addresses": [pod["status"]["podIP"]],
        "conditions": {
            "ready": publishes_unready or (serving and not dying),
            "serving": publishes_unready or serving,
            "terminating": dying,
        },
        "nodeName": pod["spec"].get("nodeName"),
        "targetRef": {
            "kind": "Pod",
            "name": pod["metadata"]["name"],
            "namespace": pod["metadata"]["namespace"],
            "uid": pod["metadata"]["uid"],
        },
    }


def _number(port: Object, pods: list[Object]) -> int:
    target = port.get("targetPort", port["port"])
    if isinstance(target, int):
        return target
    for pod in pods:
        for container in pod["spec"]["containers"]:
            for one in container.get("ports") or ():
                if one.get("name") == target:
                    return int(one["containerPort"])
    return int(port["port"])
