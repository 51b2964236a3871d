"""What an object itself tells of who has changed it, and how."""

from __future__ import annotations

from typing import Any

import pytest

from tpconfig import names
from tpconfig.cluster import changes


def owned(manager: str, fields: dict[str, Any], time: str, **more: str) -> dict[str, Any]:
    """Return an entry of managedFields."""
    return {"manager": manager, "time": time, "fieldsV1": fields, **more}


REPLICAS = {"f:spec": {"f:replicas": {}}}
STATUS = {"f:status": {}}


@pytest.mark.parametrize(
    ("entries", "who"),
    [
        ([], "somebody"),
        ([owned("tp", REPLICAS, "2026-01-02")], "tp"),
        ([owned("helm", REPLICAS, "2026-01-02"), owned("tp", REPLICAS, "2026-01-03")], "helm"),
        ([owned("helm", REPLICAS, "2026-01-02"), owned("hpa", REPLICAS, "2026-01-03")], "hpa"),
        ([owned("kcm", REPLICAS, "2026-01-03", subresource="status")], "somebody"),
        ([owned("kcm", STATUS, "2026-01-03"), owned("me", REPLICAS, "2026-01-01")], "me"),
    ],
)
def test_who_has_started_it_again(entries: list[dict[str, Any]], who: str) -> None:
    """The owner of the field: another than us before us, the latest of several."""
    manifest = {"metadata": {"managedFields": entries}, "spec": {"replicas": 1}}
    assert changes.starter("deployment", manifest) == who


def test_stopping_a_daemonset_is_no_edit_of_its_template() -> None:
    """Our impossible node selector is not somebody's change."""

    def daemonset(**pod: Any) -> dict[str, Any]:
        spec = {"containers": [{"name": "c", "image": "x"}], **pod}
        return {"metadata": {}, "spec": {"template": {"spec": spec}}}

    stopped = daemonset(nodeSelector={names.LABEL_STOPPED: "ours"})
    plain = changes.template_digest("daemonset", daemonset())
    assert changes.template_digest("daemonset", stopped) == plain
    assert changes.template_digest("daemonset", daemonset(hostNetwork=True)) != plain
    assert (changes.scale("daemonset", daemonset()), changes.scale("daemonset", stopped)) == (1, 0)


def test_a_slice_that_names_a_pod() -> None:
    """Ready or not; a slice without endpoints names nobody."""
    endpoints = [{"targetRef": {"name": "tp-0"}, "conditions": {"ready": False}}, {}]
    assert changes.has_pod({"endpoints": endpoints}, frozenset({"tp-0"}))
    assert not changes.has_pod({"endpoints": None}, frozenset({"tp-0"}))


def test_an_empty_selector_selects_nobody() -> None:
    """Kubernetes' own reading of a Service without a selector."""
    pod = {"metadata": {"labels": {"a": "b"}}}
    assert changes.selects({"a": "b"}, pod)
    assert not changes.selects({}, pod)
    assert not changes.selects({"a": "c"}, pod)
