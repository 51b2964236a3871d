"""Reads who else acts on a namespace's workloads, as far as the user may and the kinds are there.

What is refused or not served says nothing: it may only make a plan less talkative.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tpconfig.cluster import facts, paths, surroundings, templates
from tpconfig.cluster.api import Api
from tpconfig.cluster.failures import ForbiddenError, NotFoundError
from tpconfig.cluster.surroundings import Items, Surroundings
from tpconfig.model import kinds
from tpconfig.model.target import Target

SCALED_OBJECTS = "/apis/keda.sh/v1alpha1/namespaces/{}/scaledobjects"
APPLICATIONS = "/apis/argoproj.io/v1alpha1/applications"


async def scalers(api: Api, namespace: str, asked: Iterable[str]) -> Surroundings:
    """Read what scales and what guards Pods; nothing where no workload is asked for."""
    if not set(asked):
        return Surroundings()
    async with asyncio.TaskGroup() as group:
        autoscalers = group.create_task(
            _if_allowed(api, paths.path_of("horizontalpodautoscaler", namespace))
        )
        budgets = group.create_task(
            _if_allowed(api, paths.path_of("poddisruptionbudget", namespace))
        )
    return Surroundings(autoscalers=autoscalers.result() or (), budgets=budgets.result() or ())


async def complete(
    api: Api,
    namespace: str,
    workloads: Mapping[str, Sequence[Mapping[str, Any]]],
    around: Surroundings,
) -> Surroundings:
    """Read what the workloads themselves point at: their claims, and who else steers them."""
    manifests = [(kind, one) for kind, items in workloads.items() for one in items]
    mounts = any(templates.claim_names(templates.original(*one)["spec"]) for one in manifests)
    keda = any(surroundings.keda_owner(one) for one in around.autoscalers)
    argo = any(surroundings.argo_application(one) for _, one in manifests)
    async with asyncio.TaskGroup() as group:
        claims = group.create_task(
            _if(mounts, api, paths.path_of("persistentvolumeclaim", namespace))
        )
        scaled = group.create_task(_if(keda, api, SCALED_OBJECTS.format(namespace)))
        applications = group.create_task(_if(argo, api, APPLICATIONS))
    return replace(
        around,
        claims=claims.result(),
        scaled_objects=scaled.result() or (),
        applications=applications.result() or (),
    )


def behind(
    service: Mapping[str, Any], workloads: Mapping[str, Sequence[Mapping[str, Any]]]
) -> list[Target]:
    """Return the workloads whose Pods a Service sends its callers to."""
    namespace = service["metadata"]["namespace"]
    return [
        Target(namespace, kind, one["metadata"]["name"])
        for kind in kinds.SWAPPABLE
        for one in workloads.get(kind, ())
        if facts.selects(service, templates.labels(kind, one)) and facts.controller(one) is None
    ]


async def _if(wanted: bool, api: Api, path: str) -> Items | None:
    return await _if_allowed(api, path) if wanted else ()


async def _if_allowed(api: Api, path: str) -> Items | None:
    """Return a list; None where it may not be read, or where nothing of the kind is served."""
    try:
        return tuple(await api.list(path))
    except (ForbiddenError, NotFoundError):
        return None
