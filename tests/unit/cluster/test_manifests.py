"""The agent's Pod: the workload's own template, one container changed."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from tpconfig import names
from tpconfig.cluster import agentcode, manifests
from tpconfig.model.desired import AgentImage

COMMON = manifests.SessionObjects("ab", "shop", "uid-1")
TEMPLATE: dict[str, Any] = {
    "metadata": {"labels": {"app": "web"}, "annotations": {"note": "x"}},
    "spec": {
        "initContainers": [{"name": "prepare", "image": "i"}],
        "containers": [
            {"name": "side", "image": "s"},
            {
                "name": "web",
                "image": "w",
                "command": ["serve"],
                "workingDir": "/src",
                "env": [{"name": "A", "value": "1"}, {"name": names.ENV_SECRET, "value": "no"}],
                "envFrom": [{"configMapRef": {"name": "c"}}],
                "volumeMounts": [{"name": "v", "mountPath": "/data"}],
                "ports": [{"containerPort": names.LINK_PORT}],
                "livenessProbe": {"httpGet": {"port": 1}},
                "lifecycle": {"preStop": {}},
                "resources": {"limits": {"nvidia.com/gpu": 1}},
                "securityContext": {"runAsNonRoot": True},
            },
        ],
        "serviceAccountName": "web",
        "imagePullSecrets": [{"name": "own"}],
    },
}


def build(*, low_ports: bool = False, uid: int | None = None) -> dict[str, Any]:
    """Build the Pod of the template."""
    spec = manifests.AgentSpec(
        pod="tp-ab-web-0",
        workload="web",
        target="deployment/web",
        container="web",
        built_from="f",
        image=AgentImage("python:3", "/python", ("more", "own")),
        version="1",
        code=("boot", "packed"),
        low_ports=low_ports,
        running_uid=uid,
    )
    return manifests.agent_pod(TEMPLATE, COMMON, spec)


def test_everything_else_stays() -> None:
    """Sidecars, init containers, volumes, environment, service account, labels."""
    before = copy.deepcopy(TEMPLATE)
    pod = build()
    assert before == TEMPLATE
    assert pod["spec"]["initContainers"] == TEMPLATE["spec"]["initContainers"]
    assert pod["spec"]["containers"][0] == TEMPLATE["spec"]["containers"][0]
    assert pod["spec"]["serviceAccountName"] == "web"
    agent = pod["spec"]["containers"][1]
    for key in ("envFrom", "volumeMounts", "ports"):
        assert agent[key] == TEMPLATE["spec"]["containers"][1][key]
    assert pod["metadata"]["labels"] == {"app": "web", **COMMON.labels("agent")}


def test_the_container_is_the_agents() -> None:
    """Image, command, our probe alone, no hooks, small requests."""
    agent = build()["spec"]["containers"][1]
    assert (agent["image"], agent["command"], agent["args"]) == (
        "python:3",
        ["/python", "-I", "-c", "boot"],
        ["packed"],
    )
    assert not {"livenessProbe", "lifecycle", "workingDir", "startupProbe"} & set(agent)
    assert agent["readinessProbe"]["httpGet"]["path"] == names.PROBE_PATH
    assert agent["resources"] == {"requests": {"cpu": "10m", "memory": "64Mi"}}


def test_the_agents_ports_give_way_to_the_pods() -> None:
    """The template declares the usual one, so both move up."""
    env = {one["name"]: one for one in build()["spec"]["containers"][1]["env"]}
    settings = json.loads(env[names.ENV_AGENT]["value"])
    assert settings["link_port"] == names.LINK_PORT + 2
    assert settings["probe_port"] == names.PROBE_PORT + 2
    assert env[names.ENV_SECRET]["valueFrom"]["secretKeyRef"]["name"] == "tp-ab"
    assert env["A"] == {"name": "A", "value": "1"}


@pytest.mark.parametrize(("uid", "expected"), [(None, manifests.FALLBACK_UID), (1000, 1000)])
def test_non_root_without_a_uid_gets_one(uid: int | None, expected: int) -> None:
    """The running original's, else one that nobody has."""
    agent = build(uid=uid)["spec"]["containers"][1]
    assert agent["securityContext"] == {"runAsNonRoot": True, "runAsUser": expected}


def test_low_ports_take_a_safe_sysctl() -> None:
    """Only where they are asked for."""
    assert "securityContext" not in build()["spec"]
    sysctls = build(low_ports=True)["spec"]["securityContext"]["sysctls"]
    assert sysctls == [manifests.UNPRIVILEGED_PORT_SYSCTL]


def test_pull_secrets_are_added_once() -> None:
    """The Pod's own stay first."""
    found = [one["name"] for one in build()["spec"]["imagePullSecrets"]]
    assert found == ["own", "more"]


def test_the_lease_owns_the_pod_without_controlling_it() -> None:
    """A Lease as controller would break PodDisruptionBudgets."""
    (owner,) = build()["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"], owner["controller"]) == ("Lease", "uid-1", False)
    assert owner["blockOwnerDeletion"] is False


def test_the_code_fits_an_argument_and_is_the_same_each_time() -> None:
    """The kernel takes 128 KiB in one argument."""
    assert len(agentcode.packed()) < agentcode.LIMIT_BYTES
    agentcode.packed.cache_clear()
    first = agentcode.packed()
    agentcode.packed.cache_clear()
    assert agentcode.packed() == first
    assert "$(" not in agentcode.BOOTSTRAP  # Kubernetes would expand it
