"""Looks at the cluster and says what is there, in the planner's words.

A handful of requests side by side, whatever the number of workloads: lists by namespace, then
facts by name out of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tpconfig import names
from tpconfig.cluster import absent, facts, neighbourhood, paths, rules
from tpconfig.cluster.api import Api
from tpconfig.cluster.failures import ApiError, ForbiddenError
from tpconfig.cluster.surroundings import Surroundings
from tpconfig.model import kinds
from tpconfig.model.observed import (
    AgentFacts,
    JanitorFacts,
    LeaseFacts,
    Missing,
    Observed,
    Permission,
    WorkloadFacts,
)
from tpconfig.model.target import Target

Items = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class NamespaceView:
    """What the lists of one namespace hold; ``workloads`` are by kind.

    Of a kind that was not asked for only those are there that carry a session's label.
    """

    namespace: str
    workloads: Mapping[str, Items] = field(default_factory=dict)
    services: Items = ()
    pods: Items = ()
    leases: Items = ()
    around: Surroundings = field(default_factory=Surroundings)


async def observe(
    api: Api, *, session: str, targets: Iterable[Target], namespaces: Iterable[str]
) -> Observed:
    """Observe the targets, and everything that any session left in their namespaces."""
    wanted = sorted(set(targets))
    where = sorted({*(target.namespace for target in wanted), *namespaces})
    asked = {one: {t.kind for t in wanted if t.namespace == one} for one in where}
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(view_namespace(api, one, asked[one])) for one in where]
    views = {task.result().namespace: task.result() for task in tasks}
    workloads: list[WorkloadFacts] = []
    missing: list[Missing] = []
    for view in views.values():
        workloads += _workloads_of(view, wanted)
    found = {one.target for one in workloads}
    for target in wanted:
        if target not in found:
            there = views[target.namespace].workloads.get(target.kind, ())
            missing.append(await absent.explain(api, target, there))
    return Observed(
        session=session,
        workloads=tuple(workloads),
        missing=tuple(missing),
        agents=tuple(agent for view in views.values() for agent in agents_of(view)),
        leases=tuple(lease for view in views.values() for lease in leases_of(api, view)),
        retired=tuple(one for view in views.values() for one in retired_of(api, view)),
        janitors=tuple(one for view in views.values() for one in janitors_of(view)),
    )


async def view_namespace(
    api: Api, namespace: str, asked: Iterable[str] = ("deployment",)
) -> NamespaceView:
    """Read the lists of one namespace side by side.

    Args:
        api: the cluster.
        namespace: which.
        asked: the kinds to list in full. Of the others only what a session has left is read, and
            nothing where the user may not.

    Raises:
        NoPermissionError: something that is needed may not be read.
    """
    full = set(asked) & set(kinds.SWAPPABLE)
    async with asyncio.TaskGroup() as group:
        lists = {
            kind: group.create_task(_workloads(api, kind, namespace, full=kind in full))
            for kind in kinds.SWAPPABLE
        }
        services = group.create_task(_items(api, "service", namespace))
        pods = group.create_task(_items(api, "pod", namespace))
        leases = group.create_task(_items(api, "lease", namespace, names.LABEL_ROLE))
        around = group.create_task(neighbourhood.scalers(api, namespace, full))
    workloads = {kind: task.result() for kind, task in lists.items()}
    return NamespaceView(
        namespace=namespace,
        workloads=workloads,
        services=services.result(),
        pods=pods.result(),
        leases=leases.result(),
        around=await neighbourhood.complete(api, namespace, workloads, around.result()),
    )


async def _items(
    api: Api, kind: str, namespace: str | None, label_selector: str | None = None
) -> Items:
    path = paths.path_of(kind, namespace)
    return await api.list(path, label_selector=label_selector)


async def _workloads(api: Api, kind: str, namespace: str, *, full: bool) -> Items:
    if full:
        return await _items(api, kind, namespace)
    try:
        return await _items(api, kind, namespace, names.LABEL_SESSION)
    except ForbiddenError:
        return ()


def agents_of(view: NamespaceView) -> list[AgentFacts]:
    """Return the agent Pods of every session; one whose Lease is gone is as good as gone."""
    leases = [one["metadata"]["uid"] for one in view.leases]
    return [
        replace(one, terminating=one.terminating or not facts.owned(pod, leases))
        for pod in view.pods
        if facts.role(pod) == "agent" and (one := facts.agent(pod))
    ]


def janitors_of(view: NamespaceView) -> list[JanitorFacts]:
    """Return the janitors in a namespace; not one whose Lease is gone: it goes as well."""
    leases = [one["metadata"]["uid"] for one in view.leases]
    deployments = view.workloads.get("deployment", ())
    found = [one for one in deployments if facts.role(one) == "janitor"]
    return [facts.janitor(one) for one in found if facts.owned(one, leases)]


async def prepared(api: Api, namespace: str) -> bool:
    """Tell whether an administrator has prepared an account for janitors in a namespace."""
    try:
        await api.get(paths.path_of("serviceaccount", namespace, names.JANITOR_ACCOUNT))
    except ApiError as error:
        if error.status in (403, 404):
            return False
        raise
    return True


def leases_of(api: Api, view: NamespaceView) -> list[LeaseFacts]:
    """Return the Leases of every session, their age by the API server's clock."""
    now = api.server_time()
    return [facts.lease(one, now) for one in view.leases if facts.role(one) == "lease"]


def retired_of(api: Api, view: NamespaceView) -> list[LeaseFacts]:
    """Return the Leases that stay for their owners to see that somebody has ended them."""
    now = api.server_time()
    return [
        facts.lease(one, now)
        for one in view.leases
        if one["metadata"]["labels"].get(names.LABEL_ROLE) == names.ROLE_ENDED
    ]


async def denied(api: Api, permissions: Iterable[Permission]) -> tuple[Permission, ...]:
    """Ask the authorizer; return what it refuses.

    The rules of each namespace first, in one request; then, side by side, for each verb that these
    do not grant.
    """
    wanted = list(permissions)
    async with asyncio.TaskGroup() as group:
        reviews = {
            one: group.create_task(_rules(api, one)) for one in {p.namespace for p in wanted}
        }
    asked = [p for p in wanted if not rules.granted(reviews[p.namespace].result(), p)]
    async with asyncio.TaskGroup() as group:
        answers = [group.create_task(_may(api, permission)) for permission in asked]
    return tuple(p for p, answer in zip(asked, answers, strict=True) if not answer.result())


async def who_am_i(api: Api) -> str:
    """Return the name that the API server knows the user by."""
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    answer = await api.create(paths.path_of("selfsubjectreview", None), body)
    return str(answer["status"]["userInfo"].get("username", ""))


async def _rules(api: Api, namespace: str) -> Items:
    """Return the rules that the authorizer tells of; none where it does not tell."""
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": namespace},
    }
    try:
        answer = await api.create(paths.path_of("selfsubjectrulesreview", None), body)
    except ApiError:
        return ()
    return (answer.get("status") or {}).get("resourceRules") or ()


async def _may(api: Api, permission: Permission) -> bool:
    attributes = {
        "namespace": permission.namespace,
        "verb": permission.verb,
        "group": permission.group,
        "resource": permission.resource,
    }
    if permission.subresource:
        attributes["subresource"] = permission.subresource
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    answer = await api.create(paths.path_of("selfsubjectaccessreview", None), body)
    return bool(answer["status"]["allowed"])


def _workloads_of(view: NamespaceView, wanted: Iterable[Target]) -> list[WorkloadFacts]:
    targets = set(wanted)
    found = []
    for kind in kinds.SWAPPABLE:
        for manifest in view.workloads.get(kind, ()):
            target = Target(view.namespace, kind, manifest["metadata"]["name"])
            if target in targets or facts.claim(manifest):
                found.append(
                    facts.workload(target, manifest, view.services, view.pods, view.around)
                )
    return found
