"""What an agent is built from, by kind, and what forbids a second Pod beside the first."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tpconfig import names
from tpconfig.cluster import facts, templates
from tpconfig.model import kinds
from tpconfig.model.target import Target

Manifest = dict[str, Any]


def workload(pod: Manifest | None = None, **spec: Any) -> Manifest:
    """Return a workload with one container; ``spec`` is its own."""
    containers = [{"name": "main", "image": "shop:1"}]
    template = {"metadata": {"labels": {"app": "db"}}, "spec": {"containers": containers}}
    template["spec"] |= pod or {}
    return {"metadata": {"name": "db"}, "spec": {"template": template, **spec}}


def test_a_stateful_sets_agent_is_dressed_as_its_first_pod() -> None:
    """Claims, host name, subdomain and labels, never the name; the ordinals may start late."""
    claims = [{"metadata": {"name": "data"}}, {"metadata": {"name": "log"}}]
    volumes = [{"name": "data", "emptyDir": {}}, {"name": "tmp", "emptyDir": {}}]
    manifest = workload(
        {"volumes": volumes},
        serviceName="peers",
        ordinals={"start": 3},
        volumeClaimTemplates=claims,
    )
    before = copy.deepcopy(manifest)
    found = templates.for_agent("statefulset", manifest)
    assert found["metadata"]["labels"] == {
        "app": "db",
        templates.POD_NAME_LABEL: "db-3",
        templates.POD_INDEX_LABEL: "3",
    }
    assert (found["spec"]["hostname"], found["spec"]["subdomain"]) == ("db-3", "peers")
    assert found["spec"]["volumes"] == [
        {"name": "tmp", "emptyDir": {}},
        {"name": "data", "persistentVolumeClaim": {"claimName": "data-db-3"}},
        {"name": "log", "persistentVolumeClaim": {"claimName": "log-db-3"}},
    ]
    assert manifest == before


def test_a_stateful_set_without_claims_and_service_has_neither() -> None:
    """No empty list, no empty name."""
    spec = templates.for_agent("statefulset", workload())["spec"]
    assert set(spec) == {"containers", "hostname"}


def test_a_service_of_one_pod_selects_the_agent_of_a_stateful_set() -> None:
    """By the label that the first Pod has."""
    service = {
        "metadata": {"name": "db-0"},
        "spec": {"selector": {templates.POD_NAME_LABEL: "db-0"}},
    }
    target = Target("shop", "statefulset", "db")
    found = facts.workload(target, workload(), [service], [])
    assert [one.name for one in found.services] == ["db-0"]


@pytest.mark.parametrize("own", [None, {"disk": "ssd"}])
def test_what_stops_a_daemon_set_is_not_in_its_agent(own: dict[str, str] | None) -> None:
    """Nor in the hash by which a changed template is told."""
    plain = workload({"nodeSelector": own} if own else {})
    stopped = workload({"nodeSelector": {**(own or {}), names.LABEL_STOPPED: "ab"}})
    assert templates.for_agent("daemonset", stopped) == templates.for_agent("daemonset", plain)
    target = Target("shop", "daemonset", "db")
    one, two = (facts.workload(target, given, [], []) for given in (plain, stopped))
    assert one.template_hash == two.template_hash
    assert (one.replicas, two.replicas) == (1, 0)


def test_a_cron_jobs_template_lies_deeper_and_its_agent_lives_on() -> None:
    """Without the deadline that would end the Pod."""
    pod = {"containers": [{"name": "main"}], "activeDeadlineSeconds": 5, "restartPolicy": "Never"}
    manifest = {
        "metadata": {"name": "db"},
        "spec": {"jobTemplate": {"spec": {"template": {"spec": pod}}}},
    }
    found = templates.for_agent("cronjob", manifest)
    assert found["spec"] == {"containers": [{"name": "main"}], "restartPolicy": "Never"}
    target = Target("shop", "cronjob", "db")
    assert facts.workload(target, manifest, [], []).replicas == 1
    manifest["spec"]["suspend"] = True  # type: ignore[index]
    assert facts.workload(target, manifest, [], []).replicas == 0


def claimed(*modes: str) -> Manifest:
    """Return the claim ``data``."""
    return {"metadata": {"name": "data"}, "spec": {"accessModes": list(modes)}}


MOUNTS = {"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}]}
PORT = {"containers": [{"name": "main", "ports": [{"containerPort": 80, "hostPort": 80}]}]}


def apart(selector: Manifest, how: str = "required") -> Manifest:
    """Return an anti-affinity."""
    key = f"{how}DuringSchedulingIgnoredDuringExecution"
    return {"affinity": {"podAntiAffinity": {key: [{"labelSelector": selector}]}}}


@pytest.mark.parametrize(
    ("pod", "claims", "said"),
    [
        ({}, (), None),
        (MOUNTS, (claimed("ReadWriteOnce"),), "claim data is ReadWriteOnce"),
        (MOUNTS, (claimed("ReadWriteOncePod"),), "claim data is ReadWriteOncePod"),
        (MOUNTS, (claimed("ReadWriteMany"),), None),
        (MOUNTS, (claimed("ReadWriteOnce", "ReadOnlyMany"),), None),
        (MOUNTS, (), None),
        (MOUNTS, None, "claim data may be ReadWriteOnce: you may not read it"),
        (PORT, (), "port 80 of the node is taken by the original"),
        (
            {
                "hostNetwork": True,
                "containers": [{"name": "main", "ports": [{"containerPort": 81}]}],
            },
            (),
            "port 81 of the node is taken by the original",
        ),
        (apart({"matchLabels": {"app": "db"}}), (), "its required anti-affinity"),
        (apart({"matchLabels": {"app": "web"}}), (), None),
        (apart({"matchLabels": {"app": "db"}}, "preferred"), (), None),
    ],
)
def test_what_forbids_a_second_pod(pod: Manifest, claims: Any, said: str | None) -> None:
    """A claim of one writer, a port of the node, an anti-affinity to itself; nothing else."""
    template = workload(pod)["spec"]["template"]
    found = templates.exclusive("deployment", template, claims)
    assert len(found) == (said is not None)
    assert all(one.startswith(said or "") for one in found)


def test_a_stateful_set_never_has_two() -> None:
    """Whatever its claims are."""
    (why,) = templates.exclusive("statefulset", workload(MOUNTS)["spec"]["template"], None)
    assert "of its own" in why


@pytest.mark.parametrize(
    ("operator", "values", "expected"),
    [
        ("In", ["db", "x"], True),
        ("In", ["x"], False),
        ("NotIn", ["x"], True),
        ("NotIn", ["db"], False),
        ("Exists", None, True),
        ("DoesNotExist", None, False),
    ],
)
def test_label_expressions(operator: str, values: list[str] | None, expected: bool) -> None:
    """As the API server reads them."""
    expression = {"key": "app", "operator": operator, **({"values": values} if values else {})}
    assert templates.selects({"matchExpressions": [expression]}, {"app": "db"}) is expected


def test_every_kind_has_a_template() -> None:
    """So that nobody reads the wrong place."""
    assert {kinds.template_path(kind) for kind in kinds.SWAPPABLE} == {
        ("spec", "template"),
        ("spec", "jobTemplate", "spec", "template"),
    }
