"""Where Services send their traffic, seen through their EndpointSlices."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from tpconfig.cluster import patches, paths, ready
from tpconfig.cluster.api import Api
from tpconfig.cluster.watch import watch
from tpconfig.model.target import Target

Slices = Sequence[Mapping[str, Any]]


async def wait_for_pod(
    api: Api, namespace: str, services: Iterable[str], pod: str, *, serving: bool
) -> None:
    """Wait until every Service sends traffic to the Pod (or none does any more)."""
    async with asyncio.TaskGroup() as group:
        for service in services:
            group.create_task(
                _wait(
                    api,
                    namespace,
                    service,
                    lambda slices: ready.endpoint_ready(slices, pod) is serving,
                )
            )


async def wait_for_originals(
    api: Api, namespace: str, services: Iterable[str], *, count: int, agents: frozenset[str]
) -> None:
    """Wait until every Service sends traffic to at least ``count`` Pods that are not ours."""
    async with asyncio.TaskGroup() as group:
        for service in services:
            group.create_task(
                _wait(
                    api,
                    namespace,
                    service,
                    lambda slices: ready.ready_endpoints(slices, agents) >= count,
                )
            )


async def _wait(
    api: Api, namespace: str, service: str, satisfied: Callable[[Slices], bool]
) -> None:
    known: dict[str, Mapping[str, Any]] = {}
    synced = False
    path = paths.path_of("endpointslice", namespace)
    selector = f"kubernetes.io/service-name={service}"
    async for event in watch(api, path, label_selector=selector):
        if event.type == "SYNCED":
            synced = True
        elif event.type == "DELETED":
            known.pop(event.object["metadata"]["name"], None)
        else:
            known[event.object["metadata"]["name"]] = event.object
        if synced and satisfied(list(known.values())):
            return


async def wait_for_replicas(api: Api, target: Target, count: int) -> None:
    """Wait until a workload that no Service selects reports ``count`` ready Pods."""
    path = paths.path_of(target.kind, target.namespace)
    selector = f"metadata.name={target.name}"
    async for event in watch(api, path, field_selector=selector):
        if event.type == "DELETED":
            return
        if event.type != "SYNCED" and patches.ready_pods(event.object) >= count:
            return
