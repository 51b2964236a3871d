"""What a Pod's status says about the agent in it, in the cluster's own words."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tpconfig.cluster.ready import (
    CONFIG_PATIENCE_S,
    IMAGE_REASONS,
    UNSCHEDULABLE_PATIENCE_S,
    State,
    endpoint_ready,
    pod_ready,
    ready_endpoints,
    verdict,
)


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


def test_a_pod_that_is_being_deleted_is_gone() -> None:
    """Though its agent still runs."""
    leaving = container(running={})
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert verdict(leaving, "web").state is State.GONE


def test_another_container_is_not_the_agent() -> None:
    """Its failures are the workload's own affair; the agent is still waited for."""
    sidecar = {"name": "side", "state": {"waiting": {"reason": "ImagePullBackOff"}}}
    agent = {"name": "web", "state": {"running": {}}}
    assert verdict(pod(containerStatuses=[sidecar, agent]), "web").state is State.RUNNING
    assert verdict(pod(containerStatuses=[sidecar]), "web").state is State.WAITING


@pytest.mark.parametrize(
    ("given", "patience_s"),
    [
        (pod(conditions=[UNPLACED]), UNSCHEDULABLE_PATIENCE_S),
        (container(waiting={"reason": "CreateContainerConfigError"}), CONFIG_PATIENCE_S),
        (container(waiting={"reason": "CreateContainerError"}), None),
        (container(waiting={"reason": "ImagePullBackOff"}), None),
        (container(terminated={"exitCode": 1}), None),
    ],
    ids=["no node yet", "no Secret yet", "cannot be created", "no image", "ended"],
)
def test_only_what_may_still_change_is_waited_for(
    given: dict[str, Any], patience_s: float | None
) -> None:
    """A node may be added and a Secret may arrive; the rest is final."""
    found = verdict(given, "web")
    assert (found.state, found.patience_s) == (State.FAILED, patience_s)


@pytest.mark.parametrize("reason", sorted(IMAGE_REASONS))
def test_an_image_that_cannot_be_pulled_is_said_of_init_containers_too(reason: str) -> None:
    """With the container's name, and the kubelet's words or at least its reason."""
    said = verdict(pod(init={"state": {"waiting": {"reason": reason}}}), "web")
    assert (said.state, said.message) == (
        State.FAILED,
        f"the image of container prepare cannot be pulled: {reason}",
    )
    assert said.hint


def test_the_log_that_tells_more_is_named() -> None:
    """The one of the run that failed: the last, or the one before a restart."""
    ended = verdict(container(terminated={"exitCode": 1}), "web")
    assert (ended.log_of, ended.previous_log) == ("web", False)
    again = container(waiting={"reason": "CrashLoopBackOff"})
    status = again["status"]["containerStatuses"][0]
    status["lastState"] = {"terminated": {"exitCode": 2, "reason": "Error"}}
    found = verdict(again, "web")
    assert (found.log_of, found.previous_log) == ("web", True)
    assert found.message == "the agent ended with exit code 2: Error"


def test_an_init_container_that_is_done_stands_in_nobodys_way() -> None:
    """The agent is waited for."""
    done = pod(init={"state": {"terminated": {"exitCode": 0}}, "ready": True})
    assert verdict(done, "web").message == "the kubelet starts the Pod"


def test_a_sidecar_among_the_init_containers_runs_on() -> None:
    """It is no step that the agent waits for."""
    given = pod(init={"state": {"running": {}}})
    given["spec"] = {"initContainers": [{"name": "prepare", "restartPolicy": "Always"}]}
    assert verdict(given, "web").message == "the kubelet starts the Pod"


def test_an_init_container_that_once_failed_and_then_did_it_is_done() -> None:
    """Its earlier end is history."""
    given = pod(
        init={
            "state": {"terminated": {"exitCode": 0}},
            "lastState": {"terminated": {"exitCode": 1}},
            "restartCount": 1,
            "ready": True,
        }
    )
    assert verdict(given, "web").state is State.WAITING


STATES = st.fixed_dictionaries(
    {},
    optional={
        "waiting": st.fixed_dictionaries({}, optional={"reason": st.text(), "message": st.text()}),
        "running": st.just({}),
        "terminated": st.fixed_dictionaries(
            {}, optional={"exitCode": st.integers(0, 255), "reason": st.text()}
        ),
    },
)


@given(STATES, STATES, st.integers(0, 2))
def test_any_state_gets_a_verdict(state: Any, last: Any, restarts: int) -> None:
    """The kubelet leaves fields out; none of them is needed to say something."""
    one = {"state": state, "lastState": last, "restartCount": restarts}
    for pod_ in (pod(init=one), pod(containerStatuses=[{"name": "web", **one}])):
        found = verdict(pod_, "web")
        assert found.message or found.state is State.RUNNING


@pytest.mark.parametrize(
    ("conditions", "is_ready"),
    [
        ([], False),
        ([{"type": "Ready", "status": "True"}], True),
        ([{"type": "Ready", "status": "False"}], False),
        ([{"type": "ContainersReady", "status": "True"}], False),
    ],
)
def test_a_pod_is_ready_by_its_condition(conditions: list[dict[str, str]], is_ready: bool) -> None:
    """Readiness gates are in it, containers alone are not."""
    assert pod_ready(pod(conditions=conditions)) is is_ready


def test_endpoints_without_a_pod_are_nobodys() -> None:
    """Somebody may write EndpointSlices by hand."""
    by_hand = [{"endpoints": [{"addresses": ["10.0.0.1"]}]}]
    assert not endpoint_ready(by_hand, "a")
    assert ready_endpoints(by_hand, frozenset()) == 0


def test_a_pod_in_two_slices_is_one_pod() -> None:
    """A dual-stack Service has a slice for each family."""
    both = [{"endpoints": [{"targetRef": {"name": "a"}}]} for _ in ("IPv4", "IPv6")]
    assert ready_endpoints(both, frozenset()) == 1
