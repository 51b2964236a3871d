"""What else lives in a namespace: quotas, budgets, autoscalers, reconcilers."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.e2e import objects
from tests.e2e.namespace import OURS, eventually
from tests.e2e.place import Place

Manifest = dict[str, Any]
RESOURCES = {
    "requests": {"cpu": "50m", "memory": "32Mi"},
    "limits": {"cpu": "500m", "memory": "128Mi"},
}


def made(kind: str, api: str = "v1", **spec: Any) -> Manifest:
    """Return an object named ``here``."""
    return {"apiVersion": api, "kind": kind, "metadata": {"name": "here"}, "spec": spec}


@pytest.fixture
def shop(place: Place) -> Place:
    """Two replicas of ``web`` behind a Service, with requests and limits, and a client."""
    place.apply(
        objects.service("web"),
        objects.deployment("web", replicas=2, resources=RESOURCES),
        objects.client(),
    )
    place.write({"web": objects.swap(3000)}, session={"janitor": "off"})
    return place


def goes_up_and_down(place: Place) -> None:
    """Expect that callers come here while it is up, and that it is put back exactly."""
    before = place.exact("web")
    place.ok("up", "-d")
    place.settled("web")
    assert place.load("http://web", seconds=0.4)["served_by"] == {"here": 20}
    place.ok("down")
    assert place.exact("web") == before
    place.nothing_left()


@pytest.mark.parametrize(
    "rule",
    [
        made("ResourceQuota", hard={"limits.cpu": "8", "limits.memory": "8Gi"}),
        made("LimitRange", limits=[{"type": "Container", "min": {"cpu": "20m"}}]),
    ],
    ids=lambda rule: rule["kind"],
)
def test_a_rule_that_wants_more_than_the_agent_asks_for(shop: Place, rule: Manifest) -> None:
    """It gets what the original has, which passed the rule."""
    shop.apply(rule)
    shop.ok("up", "-d")
    assert shop.agents()[0]["spec"]["containers"][0]["resources"] == RESOURCES
    shop.ok("down")
    goes_up_and_down(shop)


def test_a_quota_without_room(shop: Place) -> None:
    """The server's words, what to do, exit 1, and nothing has changed."""
    shop.apply(made("ResourceQuota", hard={"pods": "3"}))
    before, contents = shop.exact("web"), shop.contents()
    done = shop.tp("up")
    assert done.returncode == 1, done.stderr
    for words in ("refuses the agent's Pod", "exceeded quota: here", "tp doctor"):
        assert words in done.stderr, done.stderr
    assert shop.exact("web") == before
    shop.nothing_left()
    assert shop.contents().keys() == contents.keys()


def test_what_a_pod_is_pulled_and_reached_by_is_kept(shop: Place) -> None:
    """Pull secrets of the template stay; a default-deny policy is left as it is."""
    policy = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    shop.apply(made("NetworkPolicy", "networking.k8s.io/v1", **policy))
    patch = {"spec": {"template": {"spec": {"imagePullSecrets": [{"name": "registry"}]}}}}
    shop.kubectl("patch", "deployment", "web", "-p", json.dumps(patch))
    shop.kubectl("rollout", "status", "deployment/web", "--timeout=120s")
    contents = shop.contents()
    shop.ok("up", "-d")
    assert shop.agents()[0]["spec"]["imagePullSecrets"] == [{"name": "registry"}]
    assert "here: they hold for local processes" in shop.ok("doctor", "-n", shop.namespace)
    shop.ok("down")
    after = shop.contents()
    assert after["Deployment/web"] == contents["Deployment/web"]
    assert shop.get("networkpolicy", "here")["spec"] == policy


def test_a_drain_that_a_budget_allows(shop: Place) -> None:
    """The agent's Pod is evicted through the API: another takes its place, callers come here."""
    shop.apply(
        made(
            "PodDisruptionBudget",
            "policy/v1",
            selector={"matchLabels": {"app": "web"}},
            minAvailable=0,
        )
    )
    before = shop.exact("web")
    shop.start_up()
    (agent,) = shop.agents()
    name = agent["metadata"]["name"]
    eviction = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": name, "namespace": shop.namespace},
    }
    path = f"/api/v1/namespaces/{shop.namespace}/pods/{name}/eviction"
    shop.kubectl("create", "--raw", path, "-f", "-", given=json.dumps(eviction))
    eventually(lambda: f"pod {name} is gone" in shop.log(), shop.log)
    eventually(lambda: serves_here(shop), shop.log)
    assert [one["metadata"]["name"] for one in shop.agents()] != [name]
    shop.ok("down")
    assert shop.exact("web") == before


def test_an_autoscaler_does_nothing_at_0(shop: Place) -> None:
    """The plan says so, the original stays stopped, and afterwards all is as before."""
    scale = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    shop.apply(
        made(
            "HorizontalPodAutoscaler",
            "autoscaling/v2",
            scaleTargetRef=scale,
            minReplicas=2,
            maxReplicas=4,
        )
    )
    assert "does nothing at 0 replicas" in shop.ok("plan")
    shop.ok("up", "-d")

    def disabled() -> bool:
        conditions = shop.get("hpa", "here").get("status", {}).get("conditions", ())
        return any(one["reason"] == "ScalingDisabled" for one in conditions)

    eventually(disabled, "the autoscaler has not looked")
    assert shop.get("deployment", "web")["spec"]["replicas"] == 0
    shop.ok("down")
    assert shop.get("deployment", "web")["spec"]["replicas"] == 2
    shop.nothing_left()


@contextmanager
def reconciled(every_s: float, once: Callable[[], object]) -> Iterator[None]:
    """Do something again and again, as a controller does, until the block ends."""
    stop = threading.Event()

    def run() -> None:
        while not stop.wait(every_s):
            once()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_a_reconciler_that_heals_itself_is_not_fought(shop: Place) -> None:
    """Like Argo CD with self-heal: stopped again once, then left alone, and named."""
    manifest = json.dumps(objects.deployment("web", replicas=2, resources=RESOURCES))
    words = ["apply", "--server-side", "--force-conflicts", "--field-manager=argocd-controller"]

    def heal() -> None:
        if shop.get("deployment", "web")["spec"]["replicas"] != 2:
            shop.kubectl(*words, "-f", "-", given=manifest)

    shop.kubectl(*words, "-f", "-", given=manifest)
    shop.start_up()
    with reconciled(1, heal):
        eventually(lambda: "by argocd-controller again: left alone" in shop.log(), shop.log)
        assert shop.log().count("stopped again") == 1
        shop.ok("down")
        assert shop.get("deployment", "web")["spec"]["replicas"] == 2
    shop.nothing_left()


def test_a_reconciler_that_can_be_paused_is_paused(shop: Place) -> None:
    """Like Flux: it heeds the annotation that comes with the claim and goes with it."""
    kustomize = "kustomize.toolkit.fluxcd.io"
    web = objects.deployment("web", replicas=2, resources=RESOURCES)
    web["metadata"]["labels"] = {f"{kustomize}/name": "shop", f"{kustomize}/namespace": "flux"}
    words = ["apply", "--server-side", "--force-conflicts", "--field-manager=kustomize-controller"]

    def reconcile() -> None:
        notes = shop.get("deployment", "web")["metadata"].get("annotations", {})
        if notes.get(f"{kustomize}/reconcile") != "disabled":
            shop.kubectl(*words, "-f", "-", given=json.dumps(web))

    reconcile()
    before = shop.exact("web")
    with reconciled(0.5, reconcile):
        shop.start_up()
        shop.settled("web")
        assert shop.load("http://web", seconds=1)["served_by"] == {"here": 50}
        assert "stopped again" not in shop.log()
        shop.ok("down")
        eventually(lambda: not shop.get_list("deployments", selector=OURS), "still claimed")
    reconcile()
    assert shop.exact("web") == before
    shop.nothing_left()


def serves_here(place: Place) -> bool:
    """Say whether every answer comes from this machine."""
    return bool(place.load("http://web", seconds=0.2)["served_by"] == {"here": 10})
