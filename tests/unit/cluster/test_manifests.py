"""The agent's Pod: the workload's own template, one container changed."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tpconfig import names
from tpconfig.cluster import manifests
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


def pod_of(template: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """Build the Pod of a template whose only container is ``web``."""
    given = {
        "pod": "tp-ab-web-0",
        "workload": "web",
        "target": "deployment/web",
        "container": "web",
        "built_from": "f",
        "image": AgentImage(),
        "version": "1",
        "code": ("boot", "packed"),
    }
    return manifests.agent_pod(template, COMMON, manifests.AgentSpec(**{**given, **spec}))


def template_of(container: dict[str, Any] | None = None, **pod_spec: Any) -> dict[str, Any]:
    """Return a template with one container."""
    one = {"name": "web", "image": "w", **(container or {})}
    return {"spec": {"containers": [one], **pod_spec}}


def test_the_originals_resources_come_without_devices_and_claims() -> None:
    """Where the namespace's rules refuse the small ones; one that states none has none."""
    stated = {
        "requests": {"cpu": "1", "memory": "1Gi"},
        "limits": {"memory": "1Gi", "example.com/gpu": "1"},
        "claims": [{"name": "gpu"}],
    }
    for resources, wanted in (
        (stated, {"requests": stated["requests"], "limits": {"memory": "1Gi"}}),
        ({}, {}),
    ):
        (agent,) = pod_of(template_of({"resources": resources}), own_resources=True)["spec"][
            "containers"
        ]
        assert agent["resources"] == wanted


def test_the_smallest_template_makes_a_pod() -> None:
    """No metadata, no environment, no ports, no security context."""
    pod = pod_of(template_of())
    (agent,) = pod["spec"]["containers"]
    assert [one["name"] for one in agent["env"]] == [names.ENV_AGENT, names.ENV_SECRET]
    assert pod["metadata"]["labels"] == COMMON.labels("agent")
    assert "securityContext" not in agent
    assert "imagePullSecrets" not in pod["spec"]


def test_a_template_of_many_fields_keeps_them() -> None:
    """Whatever the API gets next year as well: what is not ours to change is copied."""
    kept = {
        "hostAliases": [{"ip": "10.0.0.1", "hostnames": ["x"]}],
        "tolerations": [{"operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "runtimeClassName": "kata",
        "dnsConfig": {"options": []},
        "terminationGracePeriodSeconds": 7,
        "volumes": [{"name": "v", "emptyDir": {}}],
        "somethingNew": {"deep": [1]},
    }
    pod = pod_of(template_of({"volumeDevices": [1], "somethingNew": 2}, **kept))
    assert {key: pod["spec"][key] for key in kept} == kept
    (agent,) = pod["spec"]["containers"]
    assert (agent["volumeDevices"], agent["somethingNew"]) == ([1], 2)


def test_what_the_template_says_about_running_is_left_out() -> None:
    """Its probes, hooks, terminal and folder are the workload's, not the agent's."""
    given = dict.fromkeys(
        ("livenessProbe", "startupProbe", "lifecycle", "workingDir", "stdin", "stdinOnce", "tty"), 1
    )
    (agent,) = pod_of(template_of({**given, "readinessProbe": {"exec": {}}}))["spec"]["containers"]
    assert not given.keys() & agent.keys()
    assert "exec" not in agent["readinessProbe"]


def test_the_kubelet_may_hold_the_probe() -> None:
    """Longer than the agent does, so the answer comes when the state changes."""
    (agent,) = pod_of(template_of())["spec"]["containers"]
    probe = agent["readinessProbe"]
    assert probe["timeoutSeconds"] > names.PROBE_HOLD_S
    assert (probe["periodSeconds"], probe["failureThreshold"], probe["successThreshold"]) == (
        1,
        1,
        1,
    )


def test_a_pod_says_what_it_is_for() -> None:
    """Next to the template's own annotations."""
    template = {**template_of(), "metadata": {"annotations": {"note": "x"}}}
    assert pod_of(template)["metadata"]["annotations"] == {
        "note": "x",
        names.ANNOTATION_TEMPLATE: "f",
        names.ANNOTATION_WORKLOAD: "web",
        names.ANNOTATION_TARGET: "deployment/web",
    }


def test_no_setting_is_expanded_by_the_kubelet() -> None:
    """``$(NAME)`` in an environment value is replaced by another's value."""
    (agent,) = pod_of(template_of())["spec"]["containers"]
    values = [one.get("value", "") for one in agent["env"]]
    assert not any("$(" in value for value in values)


@pytest.mark.parametrize(
    ("pod", "own", "expected"),
    [
        ({"runAsNonRoot": True}, {}, {"runAsUser": 1000}),
        ({}, {"runAsNonRoot": True}, {"runAsNonRoot": True, "runAsUser": 1000}),
        ({"runAsNonRoot": True, "runAsUser": 7}, {}, {}),
        ({"runAsNonRoot": True}, {"runAsUser": 8}, {"runAsUser": 8}),
        ({"runAsNonRoot": True}, {"runAsNonRoot": False}, {"runAsNonRoot": False}),
        ({}, {"readOnlyRootFilesystem": True}, {"readOnlyRootFilesystem": True}),
    ],
)
def test_a_uid_is_added_only_where_it_is_missing(
    pod: dict[str, Any], own: dict[str, Any], expected: dict[str, Any]
) -> None:
    """The container's word comes before the Pod's, as for the kubelet."""
    template = template_of({"securityContext": own}, securityContext=pod)
    made = pod_of(template, running_uid=1000)
    (agent,) = made["spec"]["containers"]
    assert agent["securityContext"] == expected
    assert made["spec"]["securityContext"] == pod


def test_low_ports_keep_the_pods_own_settings() -> None:
    """Other sysctls stay, and a value for this one is the team's."""
    other = {"name": "net.core.somaxconn", "value": "1"}
    made = pod_of(template_of(securityContext={"fsGroup": 1, "sysctls": [other]}), low_ports=True)
    expected = {"fsGroup": 1, "sysctls": [other, manifests.UNPRIVILEGED_PORT_SYSCTL]}
    assert made["spec"]["securityContext"] == expected
    own = {"name": "net.ipv4.ip_unprivileged_port_start", "value": "80"}
    made = pod_of(template_of(securityContext={"sysctls": [own]}), low_ports=True)
    assert made["spec"]["securityContext"] == {"sysctls": [own]}


def test_a_pod_on_the_nodes_network_gets_no_sysctl() -> None:
    """It would be refused there."""
    made = pod_of(template_of(hostNetwork=True), low_ports=True)
    assert "securityContext" not in made["spec"]


@given(
    st.lists(st.sets(st.integers(names.LINK_PORT - 2, names.LINK_PORT + 6)), max_size=3),
    st.sets(st.integers(names.LINK_PORT, names.LINK_PORT + 3)),
)
def test_the_agents_ports_are_never_the_pods(containers: list[set[int]], init: set[int]) -> None:
    """Neither a container's nor an init container's, and they differ."""
    spec = {
        "containers": [{"ports": [{"containerPort": n} for n in one]} for one in containers],
        "initContainers": [{"ports": [{"containerPort": n} for n in init]}],
    }
    link, probe = manifests.agent_ports(spec, "tp-ab-web-0")
    assert link != probe
    assert not {link, probe} & init.union(*containers)


def test_a_template_hash_is_of_its_content() -> None:
    """Not of the order in which it was written."""
    one = {"spec": {"a": 1, "b": [1, 2]}}
    assert manifests.template_hash(one) == manifests.template_hash({"spec": {"b": [1, 2], "a": 1}})
    assert manifests.template_hash(one) != manifests.template_hash({"spec": {"a": 1, "b": [2, 1]}})


def test_a_lease_says_who_and_how_long() -> None:
    """Holder, duration in whole seconds, and the same moment twice."""
    now = "2026-01-01T00:00:00.000000Z"
    body = manifests.lease(COMMON, holder="anna@thinkpad", ttl_s=0.4, now=now, notes={"k": "v"})
    assert body["spec"] == {
        "holderIdentity": "anna@thinkpad",
        "leaseDurationSeconds": 1,
        "acquireTime": now,
        "renewTime": now,
    }
    assert body["metadata"] == {
        "name": "tp-ab",
        "namespace": "shop",
        "labels": COMMON.labels("lease"),
        "annotations": {"k": "v"},
    }


def test_a_secret_goes_with_its_lease() -> None:
    """It is owned by it."""
    body = manifests.secret(COMMON, "abcd")
    assert body["stringData"] == {"secret": "abcd"}
    assert body["metadata"]["ownerReferences"] == [COMMON.owner()]
    assert body["metadata"]["labels"] == COMMON.labels("secret")


def special(pod: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """Build the Pod of a template with one container."""
    template = {"spec": {"containers": [{"name": "web"}], **pod}}
    wanted = {
        "pod": "tp-ab-web-0",
        "workload": "web",
        "target": "deployment/web",
        "container": "web",
        "built_from": "f",
        "image": AgentImage(),
        "version": "1",
        "code": ("boot", "packed"),
    }
    return manifests.agent_pod(template, COMMON, manifests.AgentSpec(**{**wanted, **spec}))


def test_init_containers_are_left_out_but_not_native_sidecars() -> None:
    """These run on beside the others."""
    sidecar = {"name": "mesh", "restartPolicy": "Always"}
    both = {"initContainers": [{"name": "prepare"}, sidecar]}
    assert special(both, init=False)["spec"]["initContainers"] == [sidecar]
    assert special(both)["spec"]["initContainers"] == both["initContainers"]
    one = {"initContainers": [{"name": "prepare"}]}
    assert "initContainers" not in special(one, init=False)["spec"]


def test_beside_the_original_host_ports_are_its() -> None:
    """A Pod that asks for them would never be scheduled."""
    ports = [{"containerPort": 80, "hostPort": 80}]
    pod = {"containers": [{"name": "web", "ports": ports}, {"name": "side", "ports": ports}]}
    kept, left = special(pod), special(pod, beside=True)
    assert [one["ports"] for one in kept["spec"]["containers"]] == [ports, ports]
    network = special({**pod, "hostNetwork": True}, beside=True)
    assert not any("ports" in one for one in network["spec"]["containers"])
    bare = [{"containerPort": 80}]
    assert [one["ports"] for one in left["spec"]["containers"]] == [bare, bare]


@pytest.mark.parametrize("controlled", [True, False])
def test_the_lease_is_the_controller_only_where_it_has_to_be(controlled: bool) -> None:
    """So that nobody adopts the Pod, and disruption budgets are not disturbed otherwise."""
    (owner,) = special({}, controlled=controlled)["metadata"]["ownerReferences"]
    assert owner["controller"] is controlled
    assert owner["blockOwnerDeletion"] is False


def test_in_the_nodes_network_agents_have_ports_of_their_own() -> None:
    """Two names seldom meet; elsewhere all have the same."""
    spec = {"hostNetwork": True}
    pods = [f"tp-ab-{name}-0" for name in ("web", "api", "ui")]
    assert len({manifests.agent_ports(spec, pod) for pod in pods}) == len(pods)
    assert len({manifests.agent_ports({}, pod) for pod in pods}) == 1
    assert all(port < 20000 for pod in pods for port in manifests.agent_ports(spec, pod))
