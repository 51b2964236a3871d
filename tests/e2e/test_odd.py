"""Workloads that are not like the others, and those on which others act."""

from __future__ import annotations

import sys
from typing import Any

from tests.e2e import objects
from tests.e2e.namespace import OURS
from tests.e2e.place import Place

Manifest = dict[str, Any]
LONG = "w" * 63


def local(target: str, **more: Any) -> Manifest:
    """Return a workload that swaps a target for the demo application here."""
    return {
        "target": target,
        "expose": ["3000:http"],
        "env": {"set": {"PORT": "3000", "SERVED_BY": "here", "DRAIN": "0"}},
        "run": {"command": [sys.executable, str(objects.HERE)]},
        **more,
    }


def test_everything_odd_at_once(place: Place) -> None:
    """Paused, of 63 characters, with a finalizer, init containers, a sidecar, no service links."""
    manifest = objects.deployment("web", replicas=2)
    manifest["metadata"] = {"name": LONG, "finalizers": ["example.com/kept"]}
    pod = manifest["spec"]["template"]["spec"]
    sleep = ["sh", "-c", "trap exit TERM; while :; do sleep 0.2; done"]
    common = {"image": objects.BASE}
    pod |= {
        "enableServiceLinks": False,
        "automountServiceAccountToken": False,
        "initContainers": [
            {"name": "prepare", **common, "command": ["true"]},
            {"name": "mesh", **common, "command": sleep, "restartPolicy": "Always"},
        ],
    }
    pod["containers"].append({"name": "side", **common, "command": sleep})
    source = {"serviceAccountToken": {"path": "token", "audience": "shop"}}
    pod["volumes"] = [{"name": "token", "projected": {"sources": [source]}}]
    pod["containers"][0]["volumeMounts"] = [{"name": "token", "mountPath": "/var/run/shop"}]
    place.apply(manifest, objects.service("web"), objects.client())
    place.kubectl("rollout", "pause", f"deployment/{LONG}")
    try:
        before = place.exact(LONG)
        place.write({"web": local(f"deployment/{LONG}", init="skip")})
        assert "is paused" in place.ok("plan")
        place.ok("up", "-d")
        place.settled("web")
        (agent,) = place.agents()
        assert [one["name"] for one in agent["spec"]["initContainers"]] == ["mesh"]
        assert "finalizers" not in agent["metadata"]
        assert place.load("http://web", seconds=1)["served_by"] == {"here": 50}
        name = agent["metadata"]["name"]
        read = ["exec", name, "-c", "web", "--", "cat", "/var/run/shop/token"]
        assert place.kubectl(*read).count(".") == 2
        assert "WEB_SERVICE_HOST" not in place.ok("env", "web", "--format", "dotenv")
        place.ok("down")
        assert place.exact(LONG) == before
        place.nothing_left()
    finally:
        patch = '{"metadata":{"finalizers":null}}'
        place.kubectl("patch", f"deployment/{LONG}", "--type=merge", "-p", patch)


def test_the_nodes_network(place: Place) -> None:
    """Two agents in it do not meet: their own ports differ, and each serves its callers."""
    found = []
    for number, name in enumerate(("web", "api")):
        port = 19000 + 2 * (int(place.namespace[-3:], 16) % 500) + number
        manifest = objects.deployment(name, env=[{"name": "PORT", "value": str(port)}])
        pod = manifest["spec"]["template"]["spec"]
        pod |= {"hostNetwork": True, "terminationGracePeriodSeconds": 2}
        pod["containers"][0]["ports"] = [{"name": "http", "containerPort": port}]
        probe = {"httpGet": {"path": "/healthz", "port": port}, "periodSeconds": 1}
        pod["containers"][0]["readinessProbe"] = probe
        found += [manifest, objects.service(name)]
    place.apply(*found, objects.client())
    before = [place.exact(name) for name in ("web", "api")]
    here = {name: local(f"deployment/{name}") for name in ("web", "api")}
    here["api"]["expose"] = ["3001:http"]
    here["api"]["env"] = {"set": {"PORT": "3001", "SERVED_BY": "api here", "DRAIN": "0"}}
    place.write(here)
    assert "its node's network" in place.ok("plan")
    place.ok("up", "-d")
    assert place.load("http://web", seconds=1)["served_by"] == {"here": 50}
    assert place.load("http://api", seconds=1)["served_by"] == {"api here": 50}
    place.ok("down")
    assert [place.exact(name) for name in ("web", "api")] == before
    place.nothing_left()


def test_those_who_act_on_it_are_named_and_flux_is_paused(place: Place) -> None:
    """An autoscaler does not start it meanwhile; Flux's annotation goes with the claim."""
    manifest = objects.deployment("web", replicas=2)
    manifest["metadata"]["labels"] = {"kustomize.toolkit.fluxcd.io/name": "shop"}
    scaler = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
            "minReplicas": 2,
            "maxReplicas": 4,
            "metrics": [
                {
                    "type": "Resource",
                    "resource": {
                        "name": "cpu",
                        "target": {"type": "Utilization", "averageUtilization": 50},
                    },
                }
            ],
        },
    }
    budget = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "web"},
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "web"}}},
    }
    place.apply(manifest, objects.service("web"), scaler, budget)
    before = place.exact("web")
    place.write({"web": local("deployment/web")})
    plan = place.ok("plan")
    for said in ("horizontalpodautoscaler/web scales it (2 to 4)", "poddisruptionbudget/web"):
        assert said in plan
    key = "kustomize.toolkit.fluxcd.io/reconcile"
    assert f"metadata.annotations[{key}]: (none) -> disabled" in plan
    place.ok("up", "-d")
    place.settled("web")
    swapped = place.get("deployment", "web")
    assert swapped["metadata"]["annotations"][key] == "disabled"
    assert swapped["spec"]["replicas"] == 0
    assert OURS in swapped["metadata"]["labels"]
    place.ok("down")
    assert place.exact("web") == before


def test_argo_cd_that_heals_itself_is_not_there_and_said(place: Place) -> None:
    """Its kind is not served here: the tracking is named, and nothing is refused."""
    manifest = objects.deployment("web")
    tracking = "shop:apps/Deployment:dev/web"
    manifest["metadata"]["annotations"] = {"argocd.argoproj.io/tracking-id": tracking}
    place.apply(manifest, objects.service("web"))
    place.write({"web": local("deployment/web")})
    assert "Argo CD's application shop" in place.ok("plan")
