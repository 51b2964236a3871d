"""What a Pod's status says about the agent in it, in the cluster's own words."""

from __future__ import annotations

from typing import Any

import pytest

from tpconfig.cluster.ready import State, endpoint_ready, ready_endpoints, verdict


def pod(*, init: dict[str, Any] | None = None, **status: Any) -> dict[str, Any]:
    """Return a Pod; ``init`` is the status of its init container."""
    found: dict[str, Any] = {"metadata": {"name": "p"}, "spec": {}, "status": status}
    if init is not None:
        status["initContainerStatuses"] = [{"name": "prepare", **init}]
    return found


def container(**state: Any) -> dict[str, Any]:
    """Return a Pod whose agent is in a state."""
    return pod(containerStatuses=[{"name": "web", "state": state}])


UNPLACED = {"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available"}

CASES = [
    ("not there", None, State.GONE, "deleted"),
    ("just created", pod(), State.WAITING, ""),
    ("running", container(running={}), State.RUNNING, ""),
    ("starts", container(waiting={"reason": "ContainerCreating"}), State.WAITING, "Creating"),
    (
        "no image",
        container(waiting={"reason": "ErrImagePull", "message": "not found"}),
        State.FAILED,
        "cannot be pulled: not found",
    ),
    (
        "no python",
        container(waiting={"reason": "RunContainerError", "message": "no such file"}),
        State.FAILED,
        "no such file",
    ),
    (
        "ended",
        container(terminated={"exitCode": 1, "message": "port taken"}),
        State.FAILED,
        "exit code 1: port taken",
    ),
    (
        "no node",
        pod(conditions=[UNPLACED]),
        State.FAILED,
        "cannot be scheduled: 0/1 nodes are available",
    ),
    ("init runs", pod(init={"state": {"running": {}}}), State.WAITING, "prepare runs"),
    (
        "init failed",
        pod(init={"state": {"terminated": {"exitCode": 3}}}),
        State.FAILED,
        "prepare failed with exit code 3",
    ),
    (
        "init fails again and again",
        pod(
            init={
                "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                "lastState": {"terminated": {"exitCode": 3}},
                "restartCount": 2,
            }
        ),
        State.FAILED,
        "prepare failed with exit code 3",
    ),
    ("evicted", pod(phase="Failed", reason="Evicted"), State.FAILED, "Evicted"),
]


@pytest.mark.parametrize(("name", "given", "state", "says"), CASES, ids=[one[0] for one in CASES])
def test_the_verdict(name: str, given: dict[str, Any] | None, state: State, says: str) -> None:
    """State and words."""
    found = verdict(given, "web")
    assert found.state is state
    assert says in found.message


def test_a_service_sends_to_whoever_is_ready() -> None:
    """``ready`` left out means ready, as the API says."""
    slices = [
        {
            "endpoints": [
                {"targetRef": {"name": "a"}, "conditions": {"ready": False}},
                {"targetRef": {"name": "b"}, "conditions": {}},
            ]
        },
        {"endpoints": [{"targetRef": {"name": "agent"}, "conditions": {"ready": True}}]},
        {"endpoints": None},
    ]
    assert not endpoint_ready(slices, "a")
    assert endpoint_ready(slices, "b")
    assert ready_endpoints(slices, frozenset({"agent"})) == 1
