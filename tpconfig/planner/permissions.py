"""The verbs that a session needs, known before anything is touched.

``needed`` is what a plan's actions use; ``tp plan`` prints it and the API server's authorizer is
asked for each (SelfSubjectAccessReview).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final, assert_never

from tpconfig import names
from tpconfig.model import actions as a
from tpconfig.model.actions import Action
from tpconfig.model.observed import Permission
from tpconfig.model.target import Target

_DEFAULT: Final = ("deployment",)
_RESOURCES: Final = {
    "deployment": ("apps", "deployments"),
    "replicaset": ("apps", "replicasets"),
    "statefulset": ("apps", "statefulsets"),
    "daemonset": ("apps", "daemonsets"),
    "cronjob": ("batch", "cronjobs"),
}

LEASES: Final = "coordination.k8s.io"
RBAC: Final = "rbac.authorization.k8s.io"


def observing(namespace: str, kinds: Iterable[str] = ("deployment",)) -> tuple[Permission, ...]:
    """Return what looking at a namespace takes, with workloads of these kinds in it."""
    return (
        *(one for kind in kinds for one in _workload(namespace, kind, "get", "list")),
        Permission(namespace, "", "services", "list"),
        Permission(namespace, "", "pods", "list"),
        Permission(namespace, "coordination.k8s.io", "leases", "list"),
    )


def needed(actions: Sequence[Action]) -> tuple[Permission, ...]:
    """Return every verb that a plan takes, the looking included, sorted, each once."""
    verbs = {permission for act in actions for permission in _needs(act)}
    kinds: dict[str, set[str]] = {one.namespace: set() for one in verbs}
    for act in actions:
        match act:
            case (
                a.ClaimTarget(target=target)
                | a.CreateAgent(target=target)
                | a.StopOriginal(target=target)
                | a.StartOriginal(target=target)
                | a.OpenTraffic(target=target)
                | a.ReleaseTarget(target=target)
            ):
                kinds[target.namespace].add(target.kind)
    looking = {verb for where, found in kinds.items() for verb in observing(where, found)}
    return tuple(sorted(verbs | looking))


def session_verbs(namespace: str, kinds: Iterable[str] = ("deployment",)) -> tuple[Permission, ...]:
    """Return everything that a whole session in a namespace may ever need, by kind of workload."""
    return tuple(sorted({*bare_session_verbs(namespace, kinds), *janitor(namespace)}))


def bare_session_verbs(namespace: str, kinds: Iterable[str]) -> set[Permission]:
    """Return what a session needs at the least: it may have no janitor of its own."""
    known = sorted({kind for kind in kinds if kind in _RESOURCES}) or list(_DEFAULT)
    return {
        *observing(namespace, known),
        *_lease(namespace),
        *_agent(namespace),
        *(verb for kind in known for verb in _swap(Target(namespace, kind, ""))),
        *_link(namespace),
        *_traffic(namespace),
    }


def _needs(action: Action) -> tuple[Permission, ...]:
    match action:
        case a.OpenSession(namespace=namespace) | a.CloseSession(namespace=namespace):
            return _lease(namespace)
        case a.GuardTargets(namespace=namespace, role=role):
            return _guard(namespace, role=role)
        case a.StartJanitor(namespace=namespace, account=account):
            return _janitor(namespace, account=account)
        case a.ClaimTarget(target=t) | a.StopOriginal(target=t) | a.ReleaseTarget(target=t):
            return _swap(t)
        case a.StartOriginal(target=t):
            return (*_swap(t), *_traffic(t.namespace))
        case a.CreateAgent(target=t):
            return _agent(t.namespace)
        case a.DeleteAgent(namespace=namespace):
            return (Permission(namespace, "", "pods", "delete"),)
        case a.Connect(namespace=namespace):
            return _link(namespace)
        case a.OpenTraffic(target=t):
            return _traffic(t.namespace)
        case a.HandOver() | a.StartProcess() | a.StopProcess() | a.CloseTraffic() | a.Disconnect():
            return ()
        case a.OpenForwards():
            return ()
        case _:
            assert_never(action)


def _verbs(namespace: str, group: str, resource: str, *verbs: str) -> tuple[Permission, ...]:
    name, _, subresource = resource.partition("/")
    return tuple(Permission(namespace, group, name, verb, subresource) for verb in verbs)


def _lease(namespace: str) -> tuple[Permission, ...]:
    lease = ("create", "delete", "get", "list", "patch", "watch")
    return (
        *_verbs(namespace, "coordination.k8s.io", "leases", *lease),
        *_verbs(namespace, "", "secrets", "create", "delete", "get"),
    )


def janitor(namespace: str, *, account: str = "") -> tuple[Permission, ...]:
    """Return what a janitor takes; with an ``account`` that is there already, less."""
    role = account != names.JANITOR_ACCOUNT
    return (*_guard(namespace, role=role), *_janitor(namespace, account=account))


def janitor_verbs(namespace: str) -> tuple[Permission, ...]:
    """Return what a janitor does to the Lease and to whatever a session may have changed."""
    changed = {one for kind in _RESOURCES for one in _workload(namespace, kind, "patch")}
    leases = _verbs(namespace, LEASES, "leases", "get", "watch", "patch", "delete")
    return tuple(sorted({*leases, *changed, *(replace(one, verb="get") for one in changed)}))


def _guard(namespace: str, *, role: bool) -> tuple[Permission, ...]:
    lease = _verbs(namespace, "coordination.k8s.io", "leases", "patch")
    roles = _verbs(namespace, RBAC, "roles", "create", "patch")
    return (*lease, *roles) if role else lease


def _janitor(namespace: str, *, account: str) -> tuple[Permission, ...]:
    deployment = _verbs(namespace, "apps", "deployments", "create", "patch")
    if account == names.JANITOR_ACCOUNT:
        return deployment
    return (
        *deployment,
        *_verbs(namespace, "", "serviceaccounts", "create", "patch"),
        *_verbs(namespace, RBAC, "rolebindings", "create", "patch"),
    )


def _agent(namespace: str) -> tuple[Permission, ...]:
    return _verbs(namespace, "", "pods", "create", "delete", "get", "list", "watch")


def _swap(target: Target) -> tuple[Permission, ...]:
    return _workload(target.namespace, target.kind, "get", "list", "patch", "watch")


def _workload(namespace: str, kind: str, *verbs: str) -> tuple[Permission, ...]:
    group, resource = _RESOURCES[kind]
    return _verbs(namespace, group, resource, *verbs)


def _link(namespace: str) -> tuple[Permission, ...]:
    return _verbs(namespace, "", "pods/portforward", "create", "get")


def _traffic(namespace: str) -> tuple[Permission, ...]:
    return _verbs(namespace, "discovery.k8s.io", "endpointslices", "list", "watch")
