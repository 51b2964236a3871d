"""What to say of a target that is not there, or that cannot be stopped and brought back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tpconfig.cluster import facts, paths
from tpconfig.cluster.api import Api
from tpconfig.cluster.failures import ApiError
from tpconfig.model import kinds
from tpconfig.model.observed import Missing
from tpconfig.model.target import Target

_MOST_OWNERS = 3


async def explain(api: Api, target: Target, there: Sequence[Mapping[str, Any]]) -> Missing:
    """Say what there is instead; a namespace that may not be read is taken to exist.

    Args:
        api: the cluster.
        target: what is missing.
        there: what there is of its kind.
    """
    if target.kind not in kinds.SWAPPABLE:
        return await _unfit(api, target)
    others = tuple(sorted(one["metadata"]["name"] for one in there))
    return Missing(target, others) if others else await _without_others(api, target)


async def _unfit(api: Api, target: Target) -> Missing:
    """Look for a Pod or Job, and for the workload at the end of its owners."""
    try:
        found = await api.get(paths.path_of(target.kind, target.namespace, target.name))
        return Missing(target, exists=True, owner=await _owner(api, target, found))
    except ApiError as error:
        if error.status != 404:
            raise
    path = paths.path_of(target.kind, target.namespace)
    others = tuple(sorted(one["metadata"]["name"] for one in await api.list(path)))
    return Missing(target, others) if others else await _without_others(api, target)


async def _owner(api: Api, target: Target, manifest: Mapping[str, Any]) -> str:
    """Follow the controllers upwards as far as they may be read."""
    last = ""
    for _ in range(_MOST_OWNERS):
        owner = facts.controller(manifest)
        if owner is None:
            break
        kind, _, name = owner.partition("/")
        last = f"{kind.lower()}/{name}"
        if kind.lower() not in paths.RESOURCES:
            break
        try:
            manifest = await api.get(paths.path_of(kind, target.namespace, name))
        except ApiError:
            break
    return last


async def _without_others(api: Api, target: Target) -> Missing:
    try:
        await api.get(paths.path_of("namespace", None, target.namespace))
    except ApiError as error:
        if error.status != 404:
            return Missing(target)
        return Missing(target, namespace_exists=False, namespaces=await _namespaces(api))
    return Missing(target)


async def _namespaces(api: Api) -> tuple[str, ...]:
    try:
        found = await api.list(paths.path_of("namespace"))
    except ApiError:
        return ()
    return tuple(one["metadata"]["name"] for one in found)
