"""Looks a cluster over for what will be in the way of a session, and changes nothing.

Who may not look at something is told that it was not examined: no session needs it.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from tpconfig.cluster import paths
from tpconfig.cluster.api import Api, Object
from tpconfig.cluster.failures import ApiError
from tpconfig.model.finding import Finding, Verdict

OLDEST: Final = (1, 25)
"""The oldest Kubernetes for which nothing that a session needs is missing."""

_PINGS: Final = 5
_SLOW_S: Final = 0.3
_SKEW_S: Final = 60.0
_LEVEL: Final = "pod-security.kubernetes.io/enforce"
_MESHES: Final = (
    ("labels", "istio-injection", "enabled", "Istio"),
    ("labels", "istio.io/rev", None, "Istio"),
    ("labels", "istio.io/dataplane-mode", "ambient", "Istio's ambient mode"),
    ("annotations", "linkerd.io/inject", "enabled", "Linkerd"),
)
_WEBHOOKS: Final = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")


async def reach(api: Api) -> list[Finding]:
    """Say which Kubernetes answers, how fast, and whether its clock is ours.

    Raises:
        TpError: it does not answer.
    """
    version = await api.get("/version")
    took_s = []
    for _ in range(_PINGS):
        began_s = time.monotonic()
        await api.get("/version")
        took_s.append(time.monotonic() - began_s)
    return [
        of_version(version, api.server),
        of_latency(statistics.median(took_s)),
        of_clock(time.time() - api.server_time().timestamp()),
    ]


def of_version(version: Mapping[str, Any], server: str) -> Finding:
    """Judge the answer of ``/version``."""
    name = version.get("gitVersion", "of an unknown version")
    digits = ["".join(filter(str.isdigit, str(version.get(key, "")))) for key in ("major", "minor")]
    old = all(digits) and (int(digits[0]), int(digits[1])) < OLDEST
    text = f"Kubernetes {name} at {server}"
    if old:
        oldest = ".".join(map(str, OLDEST))
        return Finding("server", Verdict.WARNING, text, f"tp is not tried below {oldest}")
    return Finding("server", Verdict.OK, text)


def of_latency(median_s: float) -> Finding:
    """Judge how long a request takes."""
    text = f"a request takes {median_s * 1000:.0f} ms"
    if median_s > _SLOW_S:
        cure = "every new connection takes about as long: is there a nearer way to it?"
        return Finding("latency", Verdict.WARNING, text, cure)
    return Finding("latency", Verdict.OK, text)


def of_clock(ahead_s: float) -> Finding:
    """Judge how far this machine's clock is from the server's, which tells whole seconds."""
    if abs(ahead_s) < _SKEW_S:
        return Finding("clock", Verdict.OK, "this machine and the API server agree on the time")
    word = "ahead of" if ahead_s > 0 else "behind"
    text = f"this machine is {abs(ahead_s):.0f} s {word} the API server"
    cure = "sessions follow the server's clock and are safe; tokens and certificates may not be"
    return Finding("clock", Verdict.WARNING, text, cure)


async def namespace(api: Api, name: str) -> list[Finding]:
    """Say what a namespace demands of a Pod, and who changes Pods in it."""
    try:
        found = await api.get(paths.path_of("namespace", None, name))
    except ApiError as error:
        if error.status == 404:
            cure = "create it, or name another: -n, cluster.namespace"
            return [Finding("namespace", Verdict.FAILURE, f"there is no namespace {name}", cure)]
        return [_not_examined("namespace", f"namespace {name}", error)]
    return [of_level(found), *of_meshes(found), *await _webhooks(api, found)]


def of_level(found: Mapping[str, Any]) -> Finding:
    """Judge the namespace's Pod Security level: the agent runs under each of them."""
    name = found["metadata"]["name"]
    level = (found["metadata"].get("labels") or {}).get(_LEVEL, "privileged")
    return Finding("namespace", Verdict.OK, f"{name}, Pod Security level {level}")


def of_meshes(found: Mapping[str, Any]) -> list[Finding]:
    """Say which service mesh takes part in the namespace's traffic."""
    metadata = found["metadata"]
    meshes = {
        mesh
        for place, key, value, mesh in _MESHES
        if key in (metadata.get(place) or {}) and value in (None, metadata[place][key])
    }
    return [
        Finding(
            "mesh",
            Verdict.OK,
            f"{mesh} takes the agent's Pod in as it does the original's: what local processes send "
            "goes through it, with the workload's identity",
        )
        for mesh in sorted(meshes)
    ]


async def _webhooks(api: Api, found: Mapping[str, Any]) -> list[Finding]:
    configurations: list[Object] = []
    for kind in _WEBHOOKS:
        try:
            configurations += await api.list(paths.path_of(kind))
        except ApiError as error:
            return [_not_examined("admission", "admission webhooks", error)]
    return of_webhooks(configurations, found)


def of_webhooks(
    configurations: Iterable[Mapping[str, Any]], found: Mapping[str, Any]
) -> list[Finding]:
    """Name the webhooks that see every new Pod of a namespace."""
    named = sorted(
        f"{one['metadata']['name']} ({hook.get('failurePolicy', 'Fail')})"
        for one in configurations
        for hook in one.get("webhooks") or ()
        if _sees_pods(hook) and _selects(hook.get("namespaceSelector"), found)
    )
    if not named:
        return [Finding("admission", Verdict.OK, "no webhook sees the agent's Pod")]
    text = f"webhooks see the agent's Pod, and may change or refuse it: {', '.join(named)}"
    return [Finding("admission", Verdict.OK, text)]


async def network_policies(api: Api, name: str) -> list[Finding]:
    """Say which NetworkPolicies hold for what local processes send and receive."""
    try:
        policies = await api.list(paths.path_of("networkpolicy", name))
    except ApiError as error:
        return [_not_examined("network policies", "NetworkPolicies", error)]
    if not policies:
        return [Finding("network policies", Verdict.OK, "none")]
    named = ", ".join(sorted(one["metadata"]["name"] for one in policies))
    text = f"{named}: they hold for local processes as for the originals whose labels they select"
    return [Finding("network policies", Verdict.OK, text)]


async def quotas(api: Api, name: str) -> list[Finding]:
    """Say whether the namespace's quotas leave room for the agents' Pods."""
    try:
        found = await api.list(paths.path_of("resourcequota", name))
    except ApiError as error:
        return [_not_examined("quota", "ResourceQuotas", error)]
    return of_quotas(found)


def of_quotas(quotas: Sequence[Mapping[str, Any]]) -> list[Finding]:
    """Judge quotas by the number of Pods, of which each swap needs one more for a moment."""
    full = []
    for one in quotas:
        status = one.get("status") or {}
        hard, used = (status.get(key) or {} for key in ("hard", "used"))
        for key in ("pods", "count/pods"):
            if key in hard and int(used.get(key, 0)) >= int(hard[key]):
                full.append(f"{one['metadata']['name']} ({used.get(key, 0)} of {hard[key]})")
    if full:
        text = f"no further Pod fits: {', '.join(full)}"
        return [Finding("quota", Verdict.FAILURE, text, "raise it, or delete Pods")]
    return [Finding("quota", Verdict.OK, f"{len(quotas)} of them, with room" if quotas else "none")]


async def image(api: Api, name: str) -> list[Finding]:
    """Say whether the nodes have the agent's image already."""
    try:
        nodes = await api.list(paths.path_of("node"))
    except ApiError as error:
        return [_not_examined("image", f"{name} on the nodes", error)]
    return [of_image(nodes, name)]


def of_image(nodes: Sequence[Mapping[str, Any]], name: str) -> Finding:
    """Judge by what each node says about its images; the kubelet tells of the fifty largest."""
    have = [node for node in nodes if _has_image(node, name)]
    text = f"{name}: on {len(have)} of {len(nodes)} nodes"
    if len(have) == len(nodes):
        return Finding("image", Verdict.OK, text)
    return Finding("image", Verdict.OK, f"{text}; the others pull it at the first `tp up`")


def _has_image(node: Mapping[str, Any], name: str) -> bool:
    known = {known for one in node["status"].get("images") or () for known in one.get("names", ())}
    return bool(known & {name, f"docker.io/{name}", f"docker.io/library/{name}"})


def _sees_pods(hook: Mapping[str, Any]) -> bool:
    return any(
        {"*", "CREATE"} & set(rule.get("operations") or ())
        and {"*", "pods", "*/*", "pods/*"} & set(rule.get("resources") or ())
        and {"*", ""} & set(rule.get("apiGroups") or ())
        for rule in hook.get("rules") or ()
    )


def _selects(selector: Mapping[str, Any] | None, found: Mapping[str, Any]) -> bool:
    """Tell whether a label selector chooses an object."""
    labels = found["metadata"].get("labels") or {}
    wanted = (selector or {}).get("matchLabels") or {}
    return all(labels.get(key) == value for key, value in wanted.items()) and all(
        _meets(rule, labels) for rule in (selector or {}).get("matchExpressions") or ()
    )


def _meets(rule: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    value = labels.get(rule["key"])
    match rule["operator"]:
        case "In":
            return value in rule["values"]
        case "NotIn":
            return value not in rule["values"]
        case "Exists":
            return value is not None
        case _:
            return value is None


def _not_examined(topic: str, what: str, error: ApiError) -> Finding:
    why = "you may not read it" if error.status == 403 else error.message
    return Finding(topic, Verdict.UNKNOWN, f"{what}: not examined ({why})")
