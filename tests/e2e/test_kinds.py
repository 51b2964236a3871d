"""Every kind of workload: swapped for a local process, and put back exactly."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e import objects
from tests.e2e.namespace import OURS, eventually
from tests.e2e.place import Place

Manifest = dict[str, Any]


def local(target: str, port: int = 3000, **more: Any) -> dict[str, Any]:
    """Return a workload that swaps a target for the demo application here."""
    return {
        "target": target,
        "expose": [f"{port}:http"],
        "env": {"set": {"PORT": str(port), "SERVED_BY": "here", "DRAIN": "0"}},
        "run": {"command": [sys.executable, str(objects.HERE)]},
        **more,
    }


def of_kind(kind: str, **spec: Any) -> Manifest:
    """Return the demo application as another kind than a Deployment."""
    found = objects.deployment("web")
    if kind == "DaemonSet":
        del found["spec"]["replicas"]
    return {**found, "kind": kind, "spec": {**found["spec"], **spec}}


def pod_of(manifest: Manifest) -> Manifest:
    """Return the pod spec of a workload, to be changed."""
    found: Manifest = manifest["spec"]["template"]["spec"]
    return found


def swap_and_back(place: Place, kind: str, **more: Any) -> None:
    """Expect that all requests come here while it is swapped, and none afterwards."""
    before = place.exact("web", kind)
    place.write({"web": local(f"{kind}/web", **more)})
    place.ok("up", "-d")
    place.settled("web")
    assert place.load("http://web", seconds=1)["served_by"] == {"here": 50}
    assert place.tp("plan", "--exit-code").returncode == 0
    place.ok("down")
    counted = place.load("http://web", seconds=1)
    assert (counted["failed"], counted["served_by"]) == (0, {"web": 50})
    assert place.exact("web", kind) == before
    place.nothing_left()


@pytest.fixture
def volume(place: Place) -> Iterator[str]:
    """A storage class of this test's own with two volumes on the node; nothing provisions there."""
    name = place.namespace
    volumes = [
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": f"{name}-{number}", "labels": {"of": name}},
            "spec": {
                "capacity": {"storage": "1Mi"},
                "accessModes": ["ReadWriteOnce"],
                "storageClassName": name,
                "persistentVolumeReclaimPolicy": "Retain",
                "hostPath": {"path": f"/tmp/{name}-{number}", "type": "DirectoryOrCreate"},
            },
        }
        for number in range(2)
    ]
    place.apply(*volumes)
    try:
        yield name
    finally:
        place.kubectl("delete", "pv", "-l", f"of={name}", "--wait=false")


def claim(name: str, storage_class: str) -> Manifest:
    """Return a claim that one node at a time may mount."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": storage_class,
            "resources": {"requests": {"storage": "1Mi"}},
        },
    }


def test_a_bare_replica_set(place: Place) -> None:
    """The agent has its labels, and is neither adopted nor deleted by it."""
    place.apply(of_kind("ReplicaSet", replicas=2), objects.service("web"), objects.client())
    eventually(lambda: ready(place, "replicaset") == 2, "not ready")
    swap_and_back(place, "replicaset")


def test_a_daemon_set(place: Place) -> None:
    """It is kept off all nodes by a selector of ours that goes as it came."""
    place.apply(of_kind("DaemonSet"), objects.service("web"), objects.client())
    swap_and_back(place, "daemonset")


def test_a_stateful_set_with_data_that_scaling_would_delete(place: Place, volume: str) -> None:
    """The agent mounts the first Pod's claim, and its data is there afterwards."""
    manifest = of_kind(
        "StatefulSet",
        replicas=2,
        serviceName="web",
        persistentVolumeClaimRetentionPolicy={"whenScaled": "Delete", "whenDeleted": "Retain"},
        volumeClaimTemplates=[claim("data", volume)],
    )
    container = pod_of(manifest)["containers"][0]
    container["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    pod_of(manifest)["terminationGracePeriodSeconds"] = 2
    place.apply(manifest, objects.service("web"), objects.client())
    place.kubectl("exec", "web-0", "--", "sh", "-c", "echo kept > /data/file")
    claims = {one["metadata"]["uid"] for one in place.get_list("pvc", selector="")}
    before = place.exact("web", "statefulset")
    place.write({"web": local("sts/web")})
    place.ok("up", "-d")
    (agent,) = place.get_list("pods")
    name = agent["metadata"]["name"]
    assert agent["spec"]["hostname"] == "web-0"
    assert place.kubectl("exec", name, "--", "cat", "/data/file").strip() == "kept"
    address = place.kubectl("exec", "deploy/client", "--", "getent", "hosts", "web-0.web")
    assert address.split()[0] == agent["status"]["podIP"]
    assert place.load("http://web", seconds=1)["served_by"] == {"here": 50}
    place.ok("down")
    assert place.exact("web", "statefulset") == before
    assert {one["metadata"]["uid"] for one in place.get_list("pvc", selector="")} == claims
    assert place.kubectl("exec", "web-0", "--", "cat", "/data/file").strip() == "kept"
    place.nothing_left()


def test_a_deployment_with_a_claim_for_one(place: Place, volume: str) -> None:
    """Its Pod ends before the agent starts, without being told to."""
    manifest = objects.deployment("web")
    pod_of(manifest)["terminationGracePeriodSeconds"] = 2
    source = {"persistentVolumeClaim": {"claimName": "data"}}
    pod_of(manifest)["volumes"] = [{"name": "data", **source}]
    place.apply(claim("data", volume), manifest, objects.service("web"), objects.client())
    place.write({"web": local("deployment/web")})
    assert "claim data is ReadWriteOnce" in place.ok("plan")
    swap_and_back(place, "deployment")


@pytest.mark.parametrize("kind", ["Deployment", "DaemonSet"])
def test_a_port_of_the_node(place: Place, kind: str) -> None:
    """The agent gets it when the original has let it go, and gives it back."""
    manifest = of_kind(kind)
    number = 18000 + int(place.namespace[-3:], 16)
    pod_of(manifest)["containers"][0]["ports"][0]["hostPort"] = number
    pod_of(manifest)["terminationGracePeriodSeconds"] = 2
    place.apply(manifest, objects.service("web"), objects.client())
    swap_and_back(place, kind.lower())


def test_a_queue_consumer(place: Place) -> None:
    """With `strategy: recreate` never both: no original is left when the process starts."""
    place.apply(objects.deployment("web", replicas=2))
    before = place.exact("web")
    here = local("deployment/web", strategy="recreate", expose=[])
    count = [*place.kubectl_command(), "get", "pods", "-l", f"app=web,!{OURS}", "-o", "name"]
    here["run"]["command"] = ["sh", "-c", f"{' '.join(count)} > left; exec sleep 600"]
    place.write({"web": here})
    place.ok("up", "-d")
    eventually(lambda: (place.folder / "left").exists(), "not started")
    assert (place.folder / "left").read_text() == ""
    place.ok("down")
    assert place.exact("web") == before


@pytest.mark.parametrize("suspended", [False, True])
def test_a_cron_job(place: Place, suspended: bool) -> None:
    """Suspended meanwhile; its command runs here once, in its environment."""
    template = {
        "spec": {
            "restartPolicy": "Never",
            "activeDeadlineSeconds": 20,
            "containers": [
                {
                    "name": "main",
                    "image": objects.BASE,
                    "command": ["true"],
                    "env": [{"name": "WHO", "value": "the cron job"}],
                }
            ],
        }
    }
    spec = {
        "schedule": "0 0 1 1 *",
        "suspend": suspended,
        "jobTemplate": {"spec": {"template": template}},
    }
    place.apply(
        {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "web"}, "spec": spec}
    )
    before = place.exact("web", "cronjob")
    command = "echo $WHO > who; sleep 600"
    place.write({"web": {"target": "cronjob/web", "run": {"command": command}}})
    place.ok("up", "-d")
    assert place.get("cronjob", "web")["spec"]["suspend"] is True
    eventually(lambda: (place.folder / "who").exists(), "not run")
    assert (place.folder / "who").read_text() == "the cron job\n"
    place.ok("down")
    assert place.exact("web", "cronjob") == before
    place.nothing_left()


def test_what_cannot_be_swapped_is_refused_with_what_can(place: Place) -> None:
    """A Pod of a Deployment, a bare one, a Job; nothing is touched, exit 2."""
    bare = {"restartPolicy": "Never", "containers": [{"name": "main", "image": objects.BASE}]}
    bare["containers"][0]["command"] = ["sleep", "600"]  # type: ignore[index]
    place.apply(
        objects.deployment("web"),
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "bare"}, "spec": bare},
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": "once"},
            "spec": {"template": {"spec": bare}},
        },
    )
    (pod,) = place.get_list("pods", selector="app=web")
    hints = {
        f"pod/{pod['metadata']['name']}": "write deployment/web",
        "pod/bare": "put its template into a Deployment",
        "job/once": "name the CronJob",
        "replicaset/" + pod["metadata"]["ownerReferences"][0]["name"]: "write deployment/web",
        "pod/nobody": "there is no pod `nobody`",
    }
    for target, hint in hints.items():
        place.write({"web": {"target": target, "run": {"command": "sleep 1"}}})
        done = place.tp("plan")
        assert done.returncode == 2, done.stderr
        assert hint in done.stderr


def test_a_service_stands_for_its_workload(place: Place) -> None:
    """`service/web` is the Deployment behind it; of two, none is guessed."""
    place.apply(objects.deployment("app", replicas=1), objects.client())
    place.apply(objects.service("web", selector={"app": "app"}))
    before = place.exact("app")
    place.write({"web": local("service/web")})
    place.ok("up", "-d")
    place.settled("app")
    assert place.load("http://web", seconds=1)["served_by"] == {"here": 50}
    assert json.loads(place.ok("status", "--json"))["workloads"][0]["target"] == "deployment/app"
    place.ok("down")
    assert place.exact("app") == before
    canary = objects.deployment("canary")
    canary["spec"]["selector"]["matchLabels"] = {"app": "app", "track": "canary"}
    canary["spec"]["template"]["metadata"]["labels"] = {"app": "app", "track": "canary"}
    place.apply(canary)
    done = place.tp("plan")
    assert done.returncode == 2, done.stderr
    assert "deployment/app" in done.stderr
    assert "deployment/canary" in done.stderr


def ready(place: Place, kind: str) -> int:
    """Return how many Pods of ``web`` are ready."""
    found: int = place.get(kind, "web")["status"].get("readyReplicas", 0)
    return found
