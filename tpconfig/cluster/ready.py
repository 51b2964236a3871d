"""Readiness as a verdict: what a Pod's status says about the agent in it (pure).

The words are the kubelet's and the scheduler's own; what they mean is decided here, by reason and
state, in one place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any


class State(Enum):
    """How far a Pod has come."""

    WAITING = "waiting"
    RUNNING = "running"
    FAILED = "failed"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Verdict:
    """``message`` says what is waited for or what has failed; ``log_of`` whose log tells more."""

    state: State
    message: str = ""
    hint: str | None = None
    log_of: str | None = None
    previous_log: bool = False
    patience_s: float | None = None


IMAGE_REASONS = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"}
)
CONFIG_REASONS = frozenset(
    {"CreateContainerConfigError", "CreateContainerError", "RunContainerError"}
)
UNSCHEDULABLE_PATIENCE_S = 10.0
"""A cluster may be adding a node; so long is waited before "does not fit" is final."""
CONFIG_PATIENCE_S = 3.0
"""A ConfigMap or Secret that was created a moment ago may not have reached the kubelet yet."""


def verdict(pod: Mapping[str, Any] | None, container: str) -> Verdict:
    """Judge an agent's Pod; ``RUNNING`` means that the agent's container runs."""
    if pod is None:
        return Verdict(State.GONE, "the Pod was deleted")
    status = pod.get("status") or {}
    if pod["metadata"].get("deletionTimestamp"):
        return Verdict(State.GONE, "the Pod is being deleted")
    if status.get("phase") in ("Failed", "Succeeded"):
        reason = status.get("reason") or "the Pod ended"
        return Verdict(State.FAILED, f"{reason}: {status.get('message', '')}".rstrip(": "))
    for one in status.get("initContainerStatuses") or ():
        if found := _init_verdict(one, pod):
            return found
    for one in status.get("containerStatuses") or ():
        if one["name"] == container:
            return _agent_verdict(one)
    return _unplaced(status)


def pod_ready(pod: Mapping[str, Any]) -> bool:
    """Tell whether the Pod's ``Ready`` condition is true."""
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def endpoint_ready(slices: Sequence[Mapping[str, Any]], pod: str) -> bool:
    """Tell whether any of a Service's EndpointSlices sends traffic to the Pod."""
    return any(
        (endpoint.get("targetRef") or {}).get("name") == pod
        and (endpoint.get("conditions") or {}).get("ready") is not False
        for one in slices
        for endpoint in one.get("endpoints") or ()
    )


def ready_endpoints(slices: Sequence[Mapping[str, Any]], without: frozenset[str]) -> int:
    """Count the distinct Pods that the slices send traffic to, our agents left out."""
    found = {
        (endpoint.get("targetRef") or {}).get("name")
        for one in slices
        for endpoint in one.get("endpoints") or ()
        if (endpoint.get("conditions") or {}).get("ready") is not False
    }
    return len(found - without - {None})


def _init_verdict(status: Mapping[str, Any], pod: Mapping[str, Any]) -> Verdict | None:
    """Judge one init container; ``None`` where it stands in nobody's way."""
    name = status["name"]
    state = status.get("state") or {}
    waiting = state.get("waiting") or {}
    if found := _waiting_verdict(waiting, name):
        return found
    ended = state.get("terminated") or (status.get("lastState") or {}).get("terminated") or {}
    failed = ended.get("exitCode", 0) != 0 and not status.get("ready")
    if failed and (status.get("restartCount", 0) >= 1 or state.get("terminated")):
        return Verdict(
            State.FAILED,
            f"init container {name} failed with exit code {ended['exitCode']}",
            hint="the agent's Pod runs the workload's own init containers; mend it there",
            log_of=name,
            previous_log=not state.get("terminated"),
        )
    sidecar = any(
        one["name"] == name and one.get("restartPolicy") == "Always"
        for one in pod["spec"].get("initContainers") or ()
    )
    if "running" in state and not sidecar:
        return Verdict(State.WAITING, f"init container {name} runs")
    return None


def _agent_verdict(status: Mapping[str, Any]) -> Verdict:
    state = status.get("state") or {}
    if "running" in state:
        return Verdict(State.RUNNING)
    waiting = state.get("waiting") or {}
    ended = state.get("terminated") or (status.get("lastState") or {}).get("terminated")
    if ended:
        said = (ended.get("message") or ended.get("reason") or "").strip()
        return Verdict(
            State.FAILED,
            f"the agent ended with exit code {ended.get('exitCode')}"
            + (f": {said}" if said else ""),
            hint="cluster.image needs Python 3.11 or newer at the path cluster.image.python",
            log_of=status["name"],
            previous_log=not state.get("terminated"),
        )
    if found := _waiting_verdict(waiting, status["name"]):
        return found
    return Verdict(State.WAITING, waiting.get("reason") or "the container to start")


def _waiting_verdict(waiting: Mapping[str, Any], container: str) -> Verdict | None:
    reason = waiting.get("reason", "")
    said = (waiting.get("message") or reason).strip()
    if reason in IMAGE_REASONS:
        return Verdict(
            State.FAILED,
            f"the image of container {container} cannot be pulled: {said}",
            hint="check its name, that the cluster reaches the registry, and the pull secrets",
        )
    if reason in CONFIG_REASONS:
        return Verdict(
            State.FAILED,
            f"container {container} cannot be created: {said}",
            hint="the cluster's own Pods of this workload have the same problem, or an image "
            "without Python stands in cluster.image",
            patience_s=CONFIG_PATIENCE_S if reason == "CreateContainerConfigError" else None,
        )
    return None


def _unplaced(status: Mapping[str, Any]) -> Verdict:
    for condition in status.get("conditions") or ():
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return Verdict(
                State.FAILED,
                f"the Pod cannot be scheduled: {condition.get('message', '')}",
                hint="the agent's Pod asks for 10m CPU and 64Mi, and for what the workload's other "
                "containers, volumes and node rules ask",
                patience_s=UNSCHEDULABLE_PATIENCE_S,
            )
    return Verdict(State.WAITING, "the kubelet starts the Pod")
