"""Targets as the cluster knows them: a Service stands for the workload behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tpconfig.cluster import neighbourhood, observe, paths
from tpconfig.cluster.api import Api
from tpconfig.cluster.failures import NotFoundError
from tpconfig.errors import Problem
from tpconfig.model import codes, kinds
from tpconfig.model.desired import Desired, Workload
from tpconfig.model.target import Target
from tpconfig.session.verdicts import BlockedError
from tpconfig.suggest import listed, nearest_of


async def resolve(api: Api, desired: Desired) -> Desired:
    """Put the workloads behind them in the place of Services.

    Raises:
        BlockedError: a Service does not exist, or does not lead to one workload.
    """
    problems: list[Problem] = []
    workloads: list[Workload] = []
    for one in desired.workloads:
        target = one.target
        if target.kind == "service":
            found = await _behind(api, target, one)
            if isinstance(found, Problem):
                problems.append(found)
            else:
                target = found
        workloads.append(replace(one, target=target))
    if problems:
        raise BlockedError(problems)
    return replace(desired, workloads=tuple(workloads))


async def _behind(api: Api, target: Target, workload: Workload) -> Target | Problem:
    """Find the one workload whose Pods a Service sends its callers to."""
    view = await observe.view_namespace(api, target.namespace, kinds.SWAPPABLE)
    by_name = {one["metadata"]["name"]: one for one in view.services}
    service = by_name.get(target.name)
    if service is None:
        return await _missing(api, target, workload, by_name)
    found = neighbourhood.behind(service, view.workloads)
    if len(found) == 1:
        return found[0]
    if found:
        names = listed([str(one) for one in found], last="and")
        return Problem(
            codes.SERVICE_WITHOUT_WORKLOAD,
            f"{target} sends its callers to {names}",
            workload.target_source,
            hint="name one of them",
        )
    kind = service["spec"].get("type")
    why = "has no selector" if not service["spec"].get("selector") else "selects no workload's Pods"
    return Problem(
        codes.SERVICE_WITHOUT_WORKLOAD,
        f"{target} {'is an ExternalName' if kind == 'ExternalName' else why}",
        workload.target_source,
        hint="name a workload: deployment/NAME",
    )


async def _missing(
    api: Api, target: Target, workload: Workload, others: Mapping[str, Any]
) -> Problem:
    try:
        await api.get(paths.path_of("namespace", None, target.namespace))
    except NotFoundError:
        message = f"there is no namespace `{target.namespace}`"
        return Problem(codes.NO_SUCH_NAMESPACE, message, workload.target_source)
    return Problem(
        codes.NO_SUCH_OBJECT,
        f"there is no service `{target.name}` in namespace {target.namespace}",
        workload.target_source,
        hint=nearest_of(target.name, others),
    )
