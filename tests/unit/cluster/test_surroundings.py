"""Who else acts on a workload, read from what the cluster holds."""

from __future__ import annotations

from typing import Any

import pytest

from tpconfig.cluster import surroundings
from tpconfig.cluster.surroundings import Surroundings
from tpconfig.model.observed import Circumstance, What
from tpconfig.model.target import Target

Manifest = dict[str, Any]
WEB = Target("shop", "deployment", "web")


def deployment(
    pod: Manifest | None = None, status: Manifest | None = None, **metadata: Any
) -> Manifest:
    """Return a Deployment of two."""
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [], **(pod or {})}}
    return {
        "metadata": {"name": "web", "generation": 3, **metadata},
        "spec": {"replicas": 2, "template": template},
        "status": status or {},
    }


def found(manifest: Manifest, **around: Any) -> tuple[Circumstance, ...]:
    """Return a Deployment's circumstances."""
    return surroundings.circumstances(WEB, manifest, Surroundings(**around))


def autoscaler(kind: str = "Deployment", name: str = "web", owner: str | None = None) -> Manifest:
    """Return a HorizontalPodAutoscaler."""
    metadata: Manifest = {"name": "scaler"}
    if owner:
        metadata["ownerReferences"] = [{"kind": "ScaledObject", "name": owner}]
    ref = {"kind": kind, "name": name}
    return {"metadata": metadata, "spec": {"scaleTargetRef": ref, "maxReplicas": 9}}


def scaled(**annotations: str) -> Manifest:
    """Return KEDA's object."""
    return {"metadata": {"name": "queue", "annotations": annotations}}


def application(heals: bool | None) -> Manifest:
    """Return Argo CD's object."""
    policy = {} if heals is None else {"automated": {"selfHeal": heals}}
    return {"metadata": {"name": "shop"}, "spec": {"syncPolicy": policy}}


UP_TO_DATE = {"observedGeneration": 3, "replicas": 2, "updatedReplicas": 2}
PAUSED, QUEUE = Circumstance(What.KEDA_PAUSED, "queue"), Circumstance(What.KEDA, "queue")


@pytest.mark.parametrize(
    ("status", "rolling"),
    [
        ({}, None),
        (UP_TO_DATE, None),
        ({**UP_TO_DATE, "observedGeneration": 2}, "2 of 2"),
        ({**UP_TO_DATE, "replicas": 3, "updatedReplicas": 1}, "1 of 2"),
    ],
)
def test_a_rollout_is_told_from_its_status(status: Manifest, rolling: str | None) -> None:
    """Older Pods are left, or the controller has not looked yet."""
    expected = (Circumstance(What.ROLLING_OUT, detail=rolling),) if rolling else ()
    assert found(deployment(status=status)) == expected


def test_a_paused_deployment_is_not_rolling_out() -> None:
    """It says that it is paused."""
    manifest = deployment(status={**UP_TO_DATE, "observedGeneration": 2})
    manifest["spec"]["paused"] = True
    assert found(manifest) == (Circumstance(What.PAUSED),)


@pytest.mark.parametrize(
    ("pod", "expected"),
    [
        ({"hostNetwork": True}, Circumstance(What.HOST_NETWORK)),
        ({"os": {"name": "windows"}}, Circumstance(What.WINDOWS)),
        ({"nodeSelector": {"kubernetes.io/os": "windows"}}, Circumstance(What.WINDOWS)),
        ({"volumes": [{"name": "v", "ephemeral": {}}]}, Circumstance(What.FRESH_VOLUME, "v")),
    ],
)
def test_the_template_tells(pod: Manifest, expected: Circumstance) -> None:
    """Nothing has to be asked for that."""
    assert found(deployment(pod)) == (expected,)


def test_a_cron_jobs_running_jobs_are_its_statuss() -> None:
    """By name."""
    template = {"spec": {"containers": []}}
    manifest = {
        "metadata": {"name": "nightly"},
        "spec": {"jobTemplate": {"spec": {"template": template}}},
        "status": {"active": [{"name": "nightly-1"}]},
    }
    target = Target("shop", "cronjob", "nightly")
    assert surroundings.circumstances(target, manifest, Surroundings()) == (
        Circumstance(What.RUNNING_JOB, "job/nightly-1"),
    )


@pytest.mark.parametrize(
    ("one", "objects", "expected"),
    [
        (autoscaler(), [], Circumstance(What.HPA, "horizontalpodautoscaler/scaler", "1 to 9")),
        (autoscaler(name="other"), [], None),
        (autoscaler(kind="StatefulSet"), [], None),
        (autoscaler(owner="queue"), [], QUEUE),
        (autoscaler(owner="queue"), [scaled()], QUEUE),
        (autoscaler(owner="queue"), [scaled(**{"autoscaling.keda.sh/paused": "true"})], PAUSED),
        (autoscaler(owner="queue"), [scaled(**{"autoscaling.keda.sh/paused": "false"})], QUEUE),
        (
            autoscaler(owner="queue"),
            [scaled(**{"autoscaling.keda.sh/paused-replicas": "0"})],
            PAUSED,
        ),
    ],
)
def test_who_scales_it(one: Manifest, objects: list[Manifest], expected: Any) -> None:
    """An autoscaler alone, or KEDA's, paused or not."""
    expected = (expected,) if expected else ()
    assert found(deployment(), autoscalers=(one,), scaled_objects=tuple(objects)) == expected


@pytest.mark.parametrize(
    ("selector", "guards"),
    [({"matchLabels": {"app": "web"}}, True), ({}, True), ({"matchLabels": {"a": "b"}}, False)],
)
def test_a_budget_guards_what_it_selects(selector: Manifest, guards: bool) -> None:
    """An empty selector selects every Pod."""
    budget = {"metadata": {"name": "b"}, "spec": {"selector": selector}}
    expected = (Circumstance(What.PDB, "poddisruptionbudget/b"),) if guards else ()
    assert found(deployment(), budgets=(budget,)) == expected


TRACKED = {"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:shop/web"}


@pytest.mark.parametrize(
    ("applications", "what"),
    [
        ((), What.ARGO_CD),
        ((application(None),), What.ARGO_CD),
        ((application(False),), What.ARGO_CD),
        ((application(True),), What.ARGO_CD_HEALS),
    ],
)
def test_argo_cd_heals_where_its_application_says_so(applications: Any, what: What) -> None:
    """An application that may not be read is taken not to."""
    manifest = deployment(annotations=TRACKED)
    assert found(manifest, applications=applications) == (Circumstance(what, "shop"),)


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({"labels": {surroundings.FLUX_LABEL: "shop"}}, Circumstance(What.FLUX, "shop")),
        (
            {
                "labels": {surroundings.FLUX_LABEL: "shop"},
                "annotations": {surroundings.FLUX_RECONCILE: "disabled"},
            },
            Circumstance(What.FLUX, "shop", "disabled"),
        ),
        ({"labels": {surroundings.FLUX_HELM_LABEL: "r"}}, Circumstance(What.FLUX_HELM, "r")),
        ({"annotations": {surroundings.HELM_RELEASE: "r"}}, Circumstance(What.HELM, "r")),
    ],
)
def test_whose_it_is(metadata: Manifest, expected: Circumstance) -> None:
    """By the labels and annotations that these tools write."""
    assert found(deployment(**metadata)) == (expected,)
