"""Waits for an agent's Pod and, where it cannot run, says why in the cluster's own words."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tpconfig.cluster import paths
from tpconfig.cluster.api import Api
from tpconfig.cluster.failures import ApiError
from tpconfig.cluster.mirror import Mirror
from tpconfig.cluster.ready import State, Verdict, verdict
from tpconfig.errors import TpError

START_TIMEOUT_S = 180.0
LOG_LINES = 10


@dataclass(slots=True)
class _Course:
    """What became of a Pod so far."""

    container: str
    waiting: Callable[[str], None]
    now: Verdict = field(default_factory=lambda: Verdict(State.WAITING))
    failing_since: float = 0.0
    seen: bool = False

    def look(self, pod: Mapping[str, Any] | None) -> Verdict | None:
        """Judge the Pod as it is now; return a verdict that cannot get better by waiting."""
        if pod is None and not self.seen:
            return None
        self.seen = True
        current = verdict(pod, self.container)
        if (current.state, current.message) != (self.now.state, self.now.message):
            self.failing_since = asyncio.get_running_loop().time()
            if current.message:
                self.waiting(current.message)
        self.now = current
        final = current.state is not State.WAITING and current.patience_s is None
        return current if final else None

    @property
    def gives_up_at(self) -> float | None:
        """The loop's time at which a failure has lasted for longer than it deserves."""
        if self.now.state is not State.FAILED or self.now.patience_s is None:
            return None
        return self.failing_since + self.now.patience_s


async def wait_until_running(
    api: Api,
    mirror: Mirror,
    place: tuple[str, str, str],
    waiting: Callable[[str], None],
) -> None:
    """Wait until the agent's container runs.

    Args:
        api: the cluster.
        mirror: of the Pods.
        place: namespace, Pod and container.
        waiting: is told what is waited for.

    Raises:
        TpError: it cannot run; with the kubelet's words, the last log lines and the events.
    """
    namespace, pod, container = place
    last = Verdict(State.WAITING, "the Pod to be created")
    try:
        async with asyncio.timeout(START_TIMEOUT_S):
            last = await _final_verdict(mirror, pod, _Course(container, waiting))
    except TimeoutError:
        hint = "kubectl describe pod tells more"
        last = Verdict(State.FAILED, f"the Pod did not start in {START_TIMEOUT_S:.0f} s", hint)
    if last.state is not State.RUNNING:
        details = await _details(api, namespace, pod, last)
        raise TpError(f"pod {pod}: {last.message}", hint=last.hint, details=details)


async def _final_verdict(mirror: Mirror, pod: str, course: _Course) -> Verdict:
    """Follow the Pod until it runs or has failed for longer than the failure deserves."""
    while True:
        before = course.gives_up_at

        def next_step(
            pods: Mapping[str, Mapping[str, Any]], before: float | None = before
        ) -> Verdict | bool | None:
            found = course.look(pods.get(pod))
            return found or (True if course.gives_up_at != before else None)

        try:
            async with asyncio.timeout_at(before):
                found = await mirror.until(next_step)
        except TimeoutError:
            return course.now
        if isinstance(found, Verdict):
            return found


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
