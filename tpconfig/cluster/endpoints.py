"""Where Services send their traffic, seen through their EndpointSlices."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tpconfig import names
from tpconfig.cluster import patches, ready
from tpconfig.cluster.mirror import Mirrors
from tpconfig.model.target import Target

SERVICE = "kubernetes.io/service-name"

Slices = list[Mapping[str, Any]]


async def wait_for_pod(
    mirrors: Mirrors, namespace: str, services: Iterable[str], pod: str, *, serving: bool
) -> None:
    """Wait until every Service sends traffic to the Pod (or none does any more)."""
    await _wait(
        mirrors, namespace, services, lambda slices: ready.endpoint_ready(slices, pod) is serving
    )


async def wait_for_originals(
    mirrors: Mirrors, namespace: str, services: Iterable[str], *, count: int, agents: frozenset[str]
) -> None:
    """Wait until every Service sends traffic to at least ``count`` Pods that are not ours."""
    await _wait(
        mirrors,
        namespace,
        services,
        lambda slices: ready.ready_endpoints(slices, agents) >= count,
    )


async def wait_for_replicas(mirrors: Mirrors, target: Target, session: str, count: int) -> None:
    """Wait until a claimed workload that no Service selects reports ``count`` ready Pods."""

    def enough(known: Mapping[str, Mapping[str, Any]]) -> bool | None:
        found = known.get(target.name)
        return True if found is None or patches.ready_pods(found) >= count else None

    selector = f"{names.LABEL_SESSION}={session}"
    await mirrors.of(target.kind, target.namespace, selector).until(enough)


async def _wait(
    mirrors: Mirrors, namespace: str, services: Iterable[str], satisfied: Callable[[Slices], bool]
) -> None:
    wanted = list(services)
    if not wanted:
        return

    def all_of_them(known: Mapping[str, Mapping[str, Any]]) -> bool | None:
        by_service: dict[str, Slices] = {name: [] for name in wanted}
        for one in known.values():
            name = (one["metadata"].get("labels") or {}).get(SERVICE)
            if name in by_service:
                by_service[name].append(one)
        return True if all(map(satisfied, by_service.values())) else None

    await mirrors.of("endpointslice", namespace).until(all_of_them)
