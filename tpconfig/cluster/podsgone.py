"""Waits for Pods to be gone: those whose place somebody else needs."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from tpconfig import names
from tpconfig.cluster import paths, templates
from tpconfig.cluster.api import Api
from tpconfig.cluster.watch import NotYetError, wait_for, watch
from tpconfig.errors import TpError
from tpconfig.model.observed import WorkloadFacts

AGENT_GONE_S = 60.0
MARGIN_S = 60.0
"""What a node gets beyond the Pod's own grace period, to unmount and to say so."""


async def wait_for_pod(api: Api, path: str) -> None:
    """Wait until one Pod is gone.

    Raises:
        TpError: it does not go.
    """
    try:
        await wait_for(api, path, lambda pod: pod is None, AGENT_GONE_S)
    except NotYetError as error:
        hint = "is its node reachable? kubectl describe pod tells"
        raise TpError(f"{error.message}: the Pod does not end", hint=hint) from None


async def wait_for_originals(api: Api, known: WorkloadFacts) -> None:
    """Wait until no Pod of a stopped workload is left.

    Raises:
        TpError: they do not end within their grace period and a minute.
    """
    grace_s = known.template["spec"].get("terminationGracePeriodSeconds", 30)
    limit_s = grace_s + MARGIN_S
    try:
        async with asyncio.timeout(limit_s):
            await _until_gone(api, known)
    except TimeoutError:
        raise TpError(
            f"{known.target}: its Pods did not end within {limit_s:.0f} s",
            hint="a Pod of it hangs; kubectl describe pod tells why",
        ) from None


async def _until_gone(api: Api, known: WorkloadFacts) -> None:
    left: set[str] = set()
    synced = False
    path = paths.path_of("pod", known.target.namespace)
    async for event in watch(api, path):
        if event.type == "SYNCED":
            synced = True
        elif _is_of(event.object, known):
            name = event.object["metadata"]["name"]
            if event.type == "DELETED" or _has_ended(event.object):
                left.discard(name)
            else:
                left.add(name)
        if synced and not left:
            return


def _is_of(pod: Mapping[str, Any], known: WorkloadFacts) -> bool:
    """Tell whether a Pod is the workload's, by the selector; an agent of anybody's is not."""
    labels = pod["metadata"].get("labels") or {}
    if names.LABEL_SESSION in labels:
        return False
    selector = known.manifest["spec"].get("selector") or {}
    return bool(selector) and templates.selects(selector, labels)


def _has_ended(pod: Mapping[str, Any]) -> bool:
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
