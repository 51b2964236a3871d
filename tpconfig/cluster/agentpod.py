"""Waits for an agent's Pod and, where it cannot run, says why in the cluster's own words."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tpconfig.cluster import paths
from tpconfig.cluster.api import Api
from tpconfig.cluster.failures import ApiError
from tpconfig.cluster.ready import State, Verdict, verdict
from tpconfig.cluster.watch import watch
from tpconfig.errors import TpError

START_TIMEOUT_S = 180.0
LOG_LINES = 10


async def wait_until_running(
    api: Api, namespace: str, pod: str, container: str, waiting: Callable[[str], None]
) -> None:
    """Wait until the agent's container runs.

    Raises:
        TpError: it cannot run; with the kubelet's words, the last log lines and the events.
    """
    last = Verdict(State.WAITING, "the Pod to be created")
    deadline = asyncio.timeout(START_TIMEOUT_S)
    try:
        async with deadline:
            last = await _final_verdict(api, namespace, pod, container, waiting)
    except TimeoutError:
        hint = "kubectl describe pod tells more"
        last = Verdict(State.FAILED, f"the Pod did not start in {START_TIMEOUT_S:.0f} s", hint)
    if last.state is not State.RUNNING:
        details = await _details(api, namespace, pod, last)
        raise TpError(f"pod {pod}: {last.message}", hint=last.hint, details=details)


async def _final_verdict(
    api: Api, namespace: str, pod: str, container: str, waiting: Callable[[str], None]
) -> Verdict:
    """Follow the Pod until it runs or has failed for longer than the failure deserves."""
    loop = asyncio.get_running_loop()
    path = paths.path_of("pod", namespace)
    events = aiter(watch(api, path, field_selector=f"metadata.name={pod}"))
    now, failing_since, seen = Verdict(State.WAITING), 0.0, False
    pending = asyncio.ensure_future(anext(events))
    try:
        while True:
            patience = now.patience_s if now.state is State.FAILED else None
            left = None if patience is None else failing_since + patience - loop.time()
            done, _ = await asyncio.wait({pending}, timeout=left)
            if not done:
                return now
            event = pending.result()
            pending = asyncio.ensure_future(anext(events))
            if event.type == "SYNCED":
                continue
            gone = event.type == "DELETED"
            current = verdict(None if gone else event.object, container)
            if (current.state, current.message) != (now.state, now.message):
                failing_since = loop.time()
                if current.message:
                    waiting(current.message)
            now, seen = current, True
            if now.state is not State.WAITING and now.patience_s is None and seen:
                return now
    finally:
        pending.cancel()


async def _details(api: Api, namespace: str, pod: str, last: Verdict) -> list[str]:
    """Collect the last log lines or the warnings about a Pod; nothing where that is denied."""
    details: list[str] = []
    try:
        if last.log_of is not None:
            query = {"container": last.log_of, "tailLines": str(LOG_LINES)}
            if last.previous_log:
                query["previous"] = "true"
            path = paths.path_of("pod", namespace, pod, "log")
            text = await api.request_text(path, query=query)
            details += [f"{last.log_of}: {line}" for line in text.splitlines()[-LOG_LINES:]]
        elif "did not start" in last.message:
            path = paths.path_of("event", namespace)
            selector = f"involvedObject.name={pod},type=Warning"
            events = await api.list(path, field_selector=selector)
            details += [f"{one['reason']}: {one.get('message', '')}" for one in events[-3:]]
    except ApiError:
        return details
    return details
