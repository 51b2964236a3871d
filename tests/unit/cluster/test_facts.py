"""Manifests, as the API server gives them, read into the planner's facts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tpconfig import names
from tpconfig.cluster import facts, patches
from tpconfig.model import kinds
from tpconfig.model.observed import Claim, NamedPort, ServicePort, What, WorkloadFacts
from tpconfig.model.target import Target

WEB = Target("shop", "deployment", "web")
OURS = {names.LABEL_SESSION: "ab"}


def deployment(**more: Any) -> dict[str, Any]:
    """Return the smallest Deployment that there is; ``more`` goes into its metadata."""
    return {
        "metadata": {"name": "web", "namespace": "shop", "resourceVersion": "1", **more},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web", "tier": "front"}},
                "spec": {"containers": [{"name": "main"}]},
            },
        },
    }


def service(name: str = "web", **spec: Any) -> dict[str, Any]:
    """Return a Service that selects the Deployment's Pods."""
    return {"metadata": {"name": name}, "spec": {"selector": {"app": "web"}, **spec}}


def read(
    manifest: dict[str, Any] | None = None,
    *,
    services: tuple[dict[str, Any], ...] = (),
    pods: tuple[dict[str, Any], ...] = (),
) -> WorkloadFacts:
    """Read a Deployment."""
    return facts.workload(WEB, manifest or deployment(), services, pods)


def test_a_deployment_without_a_status_has_nothing_ready() -> None:
    """The API server leaves zeros out."""
    found = read()
    assert (found.replicas, found.ready_replicas) == (2, 0)


def test_ready_pods_are_the_statuss() -> None:
    """Of the Deployment's own Pods."""
    assert read({**deployment(), "status": {"readyReplicas": 2}}).ready_replicas == 2


def test_replicas_left_out_are_one() -> None:
    """The API's default."""
    manifest = deployment()
    del manifest["spec"]["replicas"]
    assert read(manifest).replicas == 1


def test_a_declared_port_is_tcp_unless_it_says_so() -> None:
    """Protocols are lower-case here."""
    manifest = deployment()
    ports = [{"containerPort": 8080, "name": "http"}, {"containerPort": 53, "protocol": "UDP"}]
    manifest["spec"]["template"]["spec"]["containers"] = [{"name": "main", "ports": ports}]
    assert read(manifest).containers[0].ports == (
        NamedPort(8080, "http"),
        NamedPort(53, None, "udp"),
    )


def test_the_template_names_its_main_container() -> None:
    """By the annotation that kubectl reads as well."""
    manifest = deployment()
    annotations = {"kubectl.kubernetes.io/default-container": "main"}
    manifest["spec"]["template"]["metadata"]["annotations"] = annotations
    assert read(manifest).default_container == "main"


def test_a_template_without_metadata_is_read() -> None:
    """No labels, no Services, no default container."""
    manifest = deployment()
    del manifest["spec"]["template"]["metadata"]
    found = read(manifest, services=(service(),))
    assert (found.services, found.default_container) == ((), None)


def test_a_template_has_a_hash_of_its_own() -> None:
    """An edit shows, a new count does not."""
    edited, scaled = deployment(), deployment()
    edited["spec"]["template"]["spec"]["containers"][0]["image"] = "other"
    scaled["spec"]["replicas"] = 7
    assert read(edited).template_hash != read().template_hash == read(scaled).template_hash


def test_an_owner_that_controls_it_is_named() -> None:
    """An owner that only collects garbage is none."""
    owner = {"kind": "Rollout", "name": "web", "controller": True}
    lease = {"kind": "Lease", "name": "x"}
    assert read(deployment(ownerReferences=[lease, owner])).controller == "Rollout/web"
    assert read(deployment(ownerReferences=[lease])).controller is None


@pytest.mark.parametrize(
    ("selector", "selected"),
    [
        ({"app": "web"}, True),
        ({"app": "web", "tier": "front"}, True),
        ({"app": "web", "tier": "back"}, False),
        ({"app": "web", "release": "blue"}, False),
        ({}, False),
        (None, False),
    ],
)
def test_a_service_selects_by_all_of_its_labels(
    selector: dict[str, str] | None, selected: bool
) -> None:
    """By the template's labels; a Service without a selector selects nothing."""
    assert bool(read(services=(service(selector=selector),)).services) is selected


def test_an_external_name_has_no_endpoints() -> None:
    """Its selector, if it has one, means nothing: nobody can wait for them."""
    assert read(services=(service(type="ExternalName"),)).services == ()


def test_a_services_ports_say_where_they_go() -> None:
    """To a number, to a name, or to the same number."""
    ports = [
        {"port": 80, "targetPort": "http"},
        {"port": 81, "targetPort": 8081, "protocol": "TCP"},
        {"port": 53, "protocol": "UDP"},
    ]
    assert read(services=(service(ports=ports),)).services[0].ports == (
        ServicePort(80, "http"),
        ServicePort(81, 8081),
        ServicePort(53, 53, "udp"),
    )


def test_a_service_without_ports_is_one() -> None:
    """A headless one may have none."""
    assert read(services=(service(clusterIP="None"),)).services[0].ports == ()


@pytest.mark.parametrize("policy", ["internalTrafficPolicy", "externalTrafficPolicy"])
def test_a_service_that_keeps_to_its_node_is_known(policy: str) -> None:
    """Either policy does."""
    assert read(services=(service(**{policy: "Local"}),)).services[0].local_traffic_only
    assert not read(services=(service(**{policy: "Cluster"}),)).services[0].local_traffic_only


def test_a_service_that_publishes_unready_pods_is_known() -> None:
    """Readiness does not steer its traffic."""
    assert read(services=(service(publishNotReadyAddresses=True),)).services[0].publishes_unready


def test_a_claim_is_read_as_it_was_written() -> None:
    """Session, way back, count and how many were ready."""
    before = {**deployment(), "status": {"readyReplicas": 1}}
    recorded = kinds.stopping(WEB, 2, session="ab")
    patch = patches.claim(before, session="ab", held_by="anna", recorded=recorded)
    metadata = patch["metadata"]
    restore = metadata["annotations"][names.ANNOTATION_RESTORE]
    claimed = deployment(labels=metadata["labels"], annotations=metadata["annotations"])
    assert read(claimed).claim == Claim("ab", restore, replicas=2, ready=1)


@pytest.mark.parametrize(
    ("labels", "annotations"),
    [(None, None), (OURS, None), (OURS, {"x": "y"}), (None, {names.ANNOTATION_RESTORE: "{}"})],
)
def test_half_a_journal_is_no_claim(
    labels: dict[str, str] | None, annotations: dict[str, str] | None
) -> None:
    """It takes the label and the way back."""
    assert read(deployment(labels=labels, annotations=annotations)).claim is None


def pod(uid: int | None, **labels: str) -> dict[str, Any]:
    """Return a Pod whose container runs as ``uid``."""
    user = {"user": {"linux": {"uid": uid}}} if uid is not None else {}
    return {
        "metadata": {"name": "p", "labels": labels},
        "status": {"containerStatuses": [{"name": "main", **user}]},
    }


@pytest.mark.parametrize(
    ("pods", "uid"),
    [
        ((), None),
        ((pod(1000, app="web"),), 1000),
        ((pod(None, app="web"), pod(1001, app="web")), 1001),
        ((pod(1000, app="other"),), None),
        ((pod(1000, app="web", **OURS),), None),
        ((pod(0, app="web"),), None),
        (({"metadata": {"name": "p", "labels": {"app": "web"}}},), None),
    ],
    ids=["no Pods", "one", "an old kubelet's", "another's", "our agent's", "root's", "pending"],
)
def test_the_uid_is_that_of_the_originals_pods(
    pods: tuple[dict[str, Any], ...], uid: int | None
) -> None:
    """An agent must not learn from an agent, and nobody should become root by it."""
    assert read(pods=pods).running_uid == uid


def test_without_labels_to_match_no_pod_is_the_originals() -> None:
    """A selector of expressions alone is not understood here, and says so by not knowing."""
    manifest = deployment()
    manifest["spec"]["selector"] = {"matchExpressions": [{"key": "app", "operator": "Exists"}]}
    assert read(manifest, pods=(pod(1000, app="anything"),)).running_uid is None


def agent(**status: Any) -> dict[str, Any]:
    """Return an agent's Pod."""
    return {
        "metadata": {
            "name": "tp-ab-web-0",
            "namespace": "shop",
            "labels": {**OURS, names.LABEL_ROLE: "agent", "app": "web"},
            "annotations": {
                names.ANNOTATION_TEMPLATE: "f00",
                names.ANNOTATION_WORKLOAD: "front",
                names.ANNOTATION_TARGET: "deployment/web",
            },
        },
        "status": status,
    }


def test_an_agent_says_what_it_is_for() -> None:
    """Session, workload, target, and what it was built from."""
    found = facts.agent(agent())
    assert (found.name, found.session, found.workload) == ("tp-ab-web-0", "ab", "front")
    assert (found.target, found.built_from) == (WEB, "f00")
    assert not found.ready
    assert not found.terminating


def test_an_agent_is_ready_when_its_pod_is() -> None:
    """By the condition, not by its containers."""
    conditions = [{"type": "Initialized", "status": "True"}, {"type": "Ready", "status": "True"}]
    assert facts.agent(agent(conditions=conditions)).ready
    assert not facts.agent(agent(conditions=conditions[:1])).ready


@pytest.mark.parametrize("phase", ["Failed", "Succeeded"])
def test_an_agent_that_ended_is_built_from_nothing(phase: str) -> None:
    """So no wish is content with it."""
    assert facts.agent(agent(phase=phase)).built_from == ""


def test_an_agent_that_is_being_deleted_is_terminating() -> None:
    """Though its containers still run."""
    manifest = agent(phase="Running")
    manifest["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert facts.agent(manifest).terminating


def test_an_agent_without_notes_is_still_ours() -> None:
    """Whoever took its annotations off, it can be deleted."""
    manifest = agent()
    del manifest["metadata"]["annotations"]
    found = facts.agent(manifest)
    assert (found.session, found.workload, found.target) == ("ab", "", None)


@pytest.mark.parametrize(
    ("labels", "role"),
    [
        ({**OURS, names.LABEL_ROLE: "lease"}, "lease"),
        ({names.LABEL_ROLE: "lease"}, None),
        (OURS, None),
        (None, None),
    ],
)
def test_a_role_is_only_that_of_a_sessions_object(
    labels: dict[str, str] | None, role: str | None
) -> None:
    """A Pod that copied one label of ours is none of ours."""
    assert facts.role({"metadata": {"labels": labels}}) == role


NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def lease(**spec: Any) -> dict[str, Any]:
    """Return a Lease that was made a minute before noon."""
    return {
        "metadata": {
            "name": "tp-ab",
            "namespace": "shop",
            "uid": "u",
            "labels": {**OURS, names.LABEL_ROLE: "lease"},
            "creationTimestamp": "2026-01-01T11:59:00Z",
        },
        "spec": spec,
    }


def test_a_leases_age_is_the_time_since_it_was_renewed() -> None:
    """By the moment that is given, which is the server's."""
    found = facts.lease(lease(renewTime="2026-01-01T11:59:48.500000Z"), NOON)
    assert found.age_s == 11.5


def test_a_lease_that_was_never_renewed_is_as_old_as_itself() -> None:
    """Since it was created."""
    assert facts.lease(lease(), NOON).age_s == 60.0


@pytest.mark.parametrize(("ttl_s", "expired"), [(10, True), (11, True), (12, False)])
def test_a_lease_expires_after_its_duration(ttl_s: int, expired: bool) -> None:
    """Not before."""
    given = lease(renewTime="2026-01-01T11:59:48.500000Z", leaseDurationSeconds=ttl_s)
    assert facts.lease(given, NOON).expired is expired


def test_a_lease_says_whose_it_is() -> None:
    """Holder, API user, the file's name and path, and the note of its end."""
    given = lease(holderIdentity="anna@thinkpad", acquireTime="2026-01-01T11:00:00.000000Z")
    given["metadata"]["annotations"] = {
        names.ANNOTATION_USER: "anna",
        names.ANNOTATION_NAME: "shop",
        names.ANNOTATION_FILE: "/src/telepresence.yaml",
        names.ANNOTATION_ENDED: '{"by":"ben@desk","why":"tp down"}',
    }
    found = facts.lease(given, NOON)
    assert (found.session, found.uid, found.namespace) == ("ab", "u", "shop")
    assert (found.holder, found.user, found.file_name) == ("anna@thinkpad", "anna", "shop")
    assert found.file == "/src/telepresence.yaml"
    assert found.since == "2026-01-01T11:00:00.000000Z"
    assert found.ended == '{"by":"ben@desk","why":"tp down"}'
    assert facts.lease(lease(), NOON).ended is None


@pytest.mark.parametrize(
    ("pod_security", "security", "pods", "known"),
    [
        ({"runAsNonRoot": True}, {}, (), False),
        ({"runAsNonRoot": True}, {"runAsUser": 7}, (), True),
        ({"runAsNonRoot": True, "runAsUser": 7}, {}, (), True),
        ({"runAsNonRoot": True}, {"runAsNonRoot": False}, (), True),
        ({"runAsNonRoot": True}, {}, (pod(1000, app="web"),), True),
        ({}, {}, (), True),
    ],
)
def test_a_user_that_only_the_image_knows(
    pod_security: dict[str, Any],
    security: dict[str, Any],
    pods: tuple[dict[str, Any], ...],
    known: bool,
) -> None:
    """It is a circumstance, unless the template names it or a running Pod tells it."""
    manifest = deployment()
    manifest["spec"]["template"]["spec"]["securityContext"] = pod_security
    manifest["spec"]["template"]["spec"]["containers"][0]["securityContext"] = security
    said = [one.what for one in read(manifest, pods=pods).circumstances]
    assert (What.UNKNOWN_USER not in said) is known
