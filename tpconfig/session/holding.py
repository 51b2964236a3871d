"""What a session does while it is up: lives, watches, and follows what happens to it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import partial
from typing import Any

from tpconfig import names
from tpconfig.cluster import janitors, lease, manifests, paths
from tpconfig.cluster.watch import watch
from tpconfig.errors import ExitCode, NoPermissionError, TpError, UnreachableError
from tpconfig.model.events import Remark
from tpconfig.model.target import Target
from tpconfig.session.drift import Drift
from tpconfig.session.lifecycle import Session

RETRY_S = 1.0
POLL_S = 0.1

Watching = Callable[[], Coroutine[Any, Any, None]]


class Why(Enum):
    """Why a session stopped being up."""

    ASKED = "asked"
    ENDED_ELSEWHERE = "ended elsewhere"
    PROCESSES_ENDED = "every process ended"
    NAMED_ENDED = "the named process ended"
    ONE_ENDED = "a process ended"
    LOST = "what it was about is gone"


@dataclass(frozen=True, slots=True)
class End:
    """The end of a session's life and who meant it; ``code`` is what ``tp up`` exits with."""

    why: Why
    by: str = ""
    reason: str = ""
    code: int = 0


@dataclass(slots=True)
class Holding:
    """Keeps a session that is up alive until something ends it."""

    session: Session
    exit_code_from: str | None = None
    stay: bool = False
    abort_on_exit: bool = False
    lost: bool = False
    ended: asyncio.Future[End] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    async def until_end(self) -> End:
        """Renew the leases and watch until something ends the session."""
        drift = Drift(self.session, self.converge, self._lose)
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._renew()),
                group.create_task(self._processes()),
                group.create_task(self._late_listeners()),
                group.create_task(self._forgetful_agents()),
                group.create_task(self._watch_places(drift)),
            ]
            try:
                return await asyncio.shield(self.ended)
            finally:
                for task in tasks:
                    task.cancel()

    async def _watch_places(self, drift: Drift) -> None:
        """Watch each namespace and kind that the session is about, a later file's as well."""
        begun: set[tuple[str, str]] = set()
        async with asyncio.TaskGroup() as group:
            while True:
                for place, watching in self._watches(drift).items():
                    if place not in begun:
                        begun.add(place)
                        group.create_task(watching())
                await asyncio.sleep(RETRY_S)

    def _watches(self, drift: Drift) -> dict[tuple[str, str], Watching]:
        """Return what has to be watched now, by namespace and what of it."""
        kinds = {one.target.kind for one in self.session.desired.workloads}
        found: dict[tuple[str, str], Watching] = {}
        for namespace in self.session.namespaces:
            found[namespace, "ends"] = partial(self._marks, namespace)
            found[namespace, "agents"] = partial(self._agents, namespace)
            found[namespace, "janitor"] = partial(self._janitors, namespace)
            services = partial(drift.services, namespace)
            found[namespace, "services"] = partial(self._watch, services)
            for kind in kinds:
                targets = partial(drift.targets, namespace, kind)
                found[namespace, kind] = partial(self._watch, targets)
        return found

    def end(self, end: End) -> None:
        """End the session; the first reason stands. What was lost on the way shows in the code."""
        if not self.ended.done():
            self.ended.set_result(replace(end, code=end.code or int(self.lost)))

    async def _lose(self, target: Target) -> None:
        """Go on without a target that somebody has deleted; end with the last one."""
        session = self.session
        if self.ended.done():
            return
        left = tuple(one for one in session.desired.workloads if one.target != target)
        if len(left) == len(session.desired.workloads):
            return
        self.lost = True
        gone = [one.name for one in session.desired.workloads if one.target == target]
        session.emit(Remark(f"{target} was deleted: {', '.join(gone)} ends"))
        session.desired = replace(session.desired, workloads=left)
        if left:
            await self.converge()
        else:
            self.end(End(Why.LOST, code=1))

    async def converge(self) -> None:
        """Make the world equal to the wish again; a failure is said and tried again later."""
        try:
            await self.session.converge(self.session.desired)
        except TpError as error:
            self.session.emit(Remark(f"not as wished yet: {error.message}"))

    async def _watch(self, watching: Callable[[], Awaitable[None]]) -> None:
        """Follow what others do, as far as one may; a failure is said, and ends nothing."""
        while True:
            try:
                await watching()
            except NoPermissionError as error:
                text = f"what others do here is not noticed: {error.message}"
                self.session.emit(Remark(text))
                return
            except TpError as error:
                self.session.emit(Remark(f"looking at the cluster failed: {error.message}"))
            await asyncio.sleep(RETRY_S)

    async def _renew(self) -> None:
        """Renew every lease each quarter of its life; one that vanished is written again."""
        session = self.session
        while True:
            await asyncio.sleep(session.wish.ttl_s / 4)
            for namespace in session.namespaces:
                try:
                    await self._renew_one(namespace)
                except UnreachableError as error:
                    session.emit(Remark(f"the lease could not be renewed: {error.message}"))
                except TpError as error:
                    session.emit(Remark(f"the lease was not renewed: {error.message}"))

    async def _renew_one(self, namespace: str) -> None:
        """Renew a lease, and plan again where the cluster did not hear of us for too long."""
        session, api, who = self.session, self.session.api, self.session.identity.id
        found = await lease.renew(api, namespace, who, session.wish.ttl_s)
        if self.ended.done():
            return
        if found is None:
            session.emit(Remark(f"the lease in {namespace} had vanished: written again"))
            await self.converge()
        elif lease.was_given_back(found):
            text = f"not heard of for {session.wish.ttl_s:g} s, so the originals of {namespace} "
            session.emit(Remark(f"{text}had been given back: taking them over again"))
            await lease.take_back(api, namespace, who)
            await self.converge()

    async def _janitors(self, namespace: str) -> None:
        """Say once where the janitor that was started cannot do its work."""
        session = self.session
        if session.desired.janitor != "auto":  # required: waited for before the original stops
            return
        common = manifests.SessionObjects(session.identity.id, namespace)
        try:
            if await janitors.started(session.api, common):
                await janitors.wait_for_report(session.api, common)
        except TpError as error:
            text = "the session goes on as with `janitor: off`"
            session.emit(Remark(f"{error.message}: {text} ({error.hint})"))

    async def _marks(self, namespace: str) -> None:
        """Stop where somebody wrote the session's end on its lease."""
        session = self.session
        async for note in lease.ends(session.api, namespace, session.identity.id):
            if note is None:
                if not self.ended.done():
                    session.emit(Remark(f"the lease in {namespace} had vanished: written again"))
                    await self.converge()
                continue
            by, reason = str(note.get("by", "")), str(note.get("why", ""))
            forced = reason in (lease.FORCED, lease.TAKEN)
            code = ExitCode.CONFLICT if forced else ExitCode.DONE
            self.end(End(Why.ENDED_ELSEWHERE, by, reason, code))

    async def _agents(self, namespace: str) -> None:
        """Replace an agent's Pod that was deleted, evicted or drained away."""
        session = self.session
        selector = f"{names.LABEL_SESSION}={session.identity.id},{names.LABEL_ROLE}=agent"
        path = paths.path_of("pod", namespace)
        async for event in watch(session.api, path, label_selector=selector):
            if event.type == "SYNCED" or self.ended.done():
                continue
            if event.type == "DELETED" or _is_over(event.object):
                name = event.object["metadata"]["name"]
                used = [one for one in session.machine.hosted.values() if one.pod]
                if any(one.pod and one.pod.pod == name for one in used):
                    session.emit(Remark(f"pod {name} is gone: a new agent takes its place"))
                    await self.converge()

    async def _processes(self) -> None:
        """End with the named process, or when every process has ended."""
        while True:
            await asyncio.sleep(POLL_S)
            hosted = self.session.machine.hosted
            named = hosted.get(self.exit_code_from or "")
            if named is not None and named.exit_code is not None:
                self.end(End(Why.NAMED_ENDED, code=named.exit_code))
            running = [one for one in hosted.values() if one.workload.run is not None]
            codes = [one.exit_code for one in running if one.exit_code is not None]
            if codes and self.abort_on_exit:
                self.end(End(Why.ONE_ENDED, code=int(any(code != 0 for code in codes))))
            if codes and len(codes) == len(hosted) and not self.stay:
                failed = any(code != 0 for code in codes)
                self.end(End(Why.PROCESSES_ENDED, code=int(failed)))

    async def _forgetful_agents(self) -> None:
        """Plan again where an agent was started anew; the process here stays as it is."""
        while True:
            await asyncio.sleep(POLL_S)
            renewed = [one.take_renewal() for one in self.session.machine.hosted.values()]
            if any(renewed) and not self.ended.done():
                await self.converge()

    async def _late_listeners(self) -> None:
        """Move the traffic of a workload without ``run`` once somebody listens here.

        And mount a workload's files again once they can be.
        """
        while True:
            await asyncio.sleep(POLL_S * 2)
            waiting = [
                one
                for one in self.session.machine.hosted.values()
                if one.workload.run is None and one.ports and not one.serving and one.link_up
            ]
            lost = any(one.files_lost for one in self.session.machine.hosted.values())
            if lost or any([await one.listening() for one in waiting]):
                await self.converge()
                await asyncio.sleep(RETRY_S)


def _is_over(pod: Mapping[str, Any]) -> bool:
    ended = (pod.get("status") or {}).get("phase") in ("Failed", "Succeeded")
    return ended or "deletionTimestamp" in pod["metadata"]
