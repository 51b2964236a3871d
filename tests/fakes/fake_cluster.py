"""What happens in a cluster by itself: controllers, a scheduler, a kubelet with one node.

Each round looks at everything and does what is due; a change of the store starts a round. Garbage
collection and the end of namespaces always run, the rest only where a test wants it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.fakes import fake_selecting
from tests.fakes.fake_store import Change, Store
from tests.fakes.fake_workloads import Controllers, is_dying, is_ready, owner_of

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
        self._controllers = Controllers(self.store, {"kubernetes.io/hostname": self.node})
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
                self._controllers.step()
                self._pods()
                self._endpoints()

    def _collect_garbage(self) -> None:
        alive = {item["metadata"]["uid"] for item in self.store.objects.values()}
        for item in list(self.store.objects.values()):
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
        for namespace in self.store.peek("namespace"):
            name = namespace["metadata"]["name"]
            if not namespace["metadata"].get("deletionTimestamp"):
                continue
            inside = [item for (_, where, _), item in self.store.objects.items() if where == name]
            for item in inside:
                self.store.remove(item["kind"], name, item["metadata"]["name"])
            self.store.remove("namespace", "", name)

    def _pods(self) -> None:
        for pod in self.store.peek("pod"):
            if is_dying(pod):
                self._end(pod)
            elif pod["status"].get("phase") in ("Pending", "Running") and self.starts(pod):
                if not pod["spec"].get("nodeName"):
                    pod = self._controllers.set(pod, "spec", {**pod["spec"], "nodeName": self.node})
                self._controllers.set(pod, "status", self._running(pod))

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
        for service in self.store.peek("service"):
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
        pods = [pod for pod in self.store.peek("pod", metadata["namespace"]) if matches(pod)]
        unready = bool(spec.get("publishNotReadyAddresses"))
        return {
            "addressType": "IPv4",
            "metadata": {
                "name": f"{metadata['name']}-fake1",
                "labels": {"kubernetes.io/service-name": metadata["name"]},
                "ownerReferences": [owner_of(service)],
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


def _endpoint(pod: Object, publishes_unready: bool) -> Object:
    serving, dying = is_ready(pod), is_dying(pod)
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
