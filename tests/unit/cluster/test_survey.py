"""What ``tp doctor`` makes of a cluster's answers."""

from __future__ import annotations

from typing import Any

import pytest

from tpconfig.cluster import survey

PODS = {"operations": ["CREATE"], "apiGroups": [""], "resources": ["pods"]}
SHOP = {"metadata": {"name": "shop", "labels": {"team": "a", "stage": "test"}}}


def namespace(*, labels: dict[str, str] | None = None, **annotations: str) -> dict[str, Any]:
    """Return a namespace."""
    return {"metadata": {"name": "shop", "labels": labels or {}, "annotations": annotations}}


def hook(rule: dict[str, Any], **selector: Any) -> list[dict[str, Any]]:
    """Return the configurations of one webhook."""
    webhook = {"rules": [rule], "failurePolicy": "Fail"}
    if selector:
        webhook["namespaceSelector"] = selector
    return [{"metadata": {"name": "guard"}, "webhooks": [webhook]}]


def expression(key: str, operator: str, *values: str) -> dict[str, Any]:
    """Return a requirement of a label selector."""
    return {"key": key, "operator": operator, "values": list(values)}


@pytest.mark.parametrize(
    ("major", "minor", "verdict"),
    [("1", "36", "ok"), ("1", "25+", "ok"), ("1", "24", "warning"), ("", "", "ok")],
)
def test_versions(major: str, minor: str, verdict: str) -> None:
    """Old ones are named; a vendor's plus sign is none of the number."""
    found = survey.of_version({"major": major, "minor": minor, "gitVersion": "v1"}, "https://a")
    assert found.verdict == verdict


@pytest.mark.parametrize(
    ("ahead_s", "verdict", "word"),
    [(2, "ok", "agree"), (600, "warning", "600 s ahead"), (-600, "warning", "600 s behind")],
)
def test_clocks(ahead_s: float, verdict: str, word: str) -> None:
    """Which clock is ahead, and by how much."""
    found = survey.of_clock(ahead_s)
    assert (found.verdict, word in found.text) == (verdict, True)


def test_latency() -> None:
    """A far server is named, since each new connection waits for it."""
    assert [survey.of_latency(s).verdict for s in (0.02, 0.5)] == ["ok", "warning"]


def test_the_level_of_a_namespace() -> None:
    """Without a label it is Kubernetes's own default."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    assert "restricted" in survey.of_level(namespace(labels=labels)).text
    assert "privileged" in survey.of_level(namespace()).text


@pytest.mark.parametrize(
    ("found", "meshes"),
    [
        (namespace(), []),
        (namespace(labels={"istio-injection": "enabled"}), ["Istio"]),
        (namespace(labels={"istio-injection": "disabled"}), []),
        (namespace(labels={"istio.io/rev": "1-20", "istio-injection": "enabled"}), ["Istio"]),
        (namespace(labels={"istio.io/dataplane-mode": "ambient"}), ["Istio's ambient mode"]),
        (namespace(**{"linkerd.io/inject": "enabled"}), ["Linkerd"]),
    ],
)
def test_meshes(found: dict[str, Any], meshes: list[str]) -> None:
    """Each is said once."""
    assert [one.text.split(" takes ")[0] for one in survey.of_meshes(found)] == meshes


@pytest.mark.parametrize(
    ("configurations", "seen"),
    [
        ([], False),
        (hook(PODS), True),
        (hook({**PODS, "resources": ["*"], "apiGroups": ["*"]}), True),
        (hook({**PODS, "resources": ["services"]}), False),
        (hook({**PODS, "operations": ["DELETE"]}), False),
        (hook({**PODS, "apiGroups": ["apps"]}), False),
        (hook(PODS, matchLabels={"team": "a"}), True),
        (hook(PODS, matchLabels={"team": "b"}), False),
        (hook(PODS, matchExpressions=[expression("stage", "In", "test")]), True),
        (hook(PODS, matchExpressions=[expression("stage", "NotIn", "test")]), False),
        (hook(PODS, matchExpressions=[expression("stage", "Exists")]), True),
        (hook(PODS, matchExpressions=[expression("stage", "DoesNotExist")]), False),
    ],
)
def test_webhooks(configurations: list[dict[str, Any]], seen: bool) -> None:
    """Only what sees new Pods of this very namespace is named."""
    (found,) = survey.of_webhooks(configurations, SHOP)
    assert ("guard (Fail)" in found.text) is seen


@pytest.mark.parametrize(
    ("hard", "used", "verdict"),
    [
        ({"pods": "3"}, {"pods": "3"}, "failure"),
        ({"count/pods": "3"}, {"count/pods": "2"}, "ok"),
        ({"services": "1"}, {"services": "1"}, "ok"),
    ],
)
def test_quotas(hard: dict[str, str], used: dict[str, str], verdict: str) -> None:
    """A swap needs one more Pod."""
    quota = {"metadata": {"name": "small"}, "status": {"hard": hard, "used": used}}
    (found,) = survey.of_quotas([quota])
    assert found.verdict == verdict


def test_images() -> None:
    """A node says a public image's whole name; the others will pull it."""
    nodes = [images("docker.io/library/python:3.13-slim"), images("pause:1")]
    found = survey.of_image(nodes, "python:3.13-slim")
    assert "on 1 of 2 nodes; the others pull it" in found.text


def images(*known: str) -> dict[str, Any]:
    """Return a node that has images."""
    return {"status": {"images": [{"names": list(known)}]}}
