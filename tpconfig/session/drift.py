"""What others do to the targets while a session is up: noticed, said in one line, and treated.

Nobody is fought: who undoes the same thing twice within a minute is left alone, and named.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tpconfig import names
from tpconfig.cluster import changes, paths
from tpconfig.cluster.failures import ApiError
from tpconfig.cluster.watch import watch
from tpconfig.model import kinds
from tpconfig.model.events import Remark
from tpconfig.model.target import Target
from tpconfig.session.lifecycle import Session

AGAIN_S = 60.0
"""Whoever scales the original up again within this is not told a second time."""

SELF_S = 1.0
"""What we have changed ourselves is looked at again after this; it settles by itself mostly."""

Manifest = Mapping[str, Any]


@dataclass(slots=True)
class Drift:
    """Watches the targets of one session; ``converge`` makes the world as wished again."""

    session: Session
    converge: Callable[[], Awaitable[None]]
    lost: Callable[[Target], Awaitable[None]]
    _templates: dict[Target, str] = field(default_factory=dict)
    _scaled: dict[tuple[Target, str], float] = field(default_factory=dict)
    _served: dict[tuple[str, str], bool] = field(default_factory=dict)

    async def targets(self, namespace: str, kind: str) -> None:
        """Follow the objects of one kind that carry our label, in one namespace."""
        api, selector = self.session.api, f"{names.LABEL_SESSION}={self.session.identity.id}"
        path = paths.path_of(kind, namespace)
        seen: set[Target] = set()
        async for event in watch(api, path, label_selector=selector):
            if event.type == "SYNCED":
                for target in self._stopped(namespace, kind) - seen:
                    await self._gone(target)
                continue
            if changes.role(event.object) is not None:
                continue
            target = Target(namespace, kind, event.object["metadata"]["name"])
            seen.add(target)
            if event.type == "DELETED":
                await self._gone(target)
            else:
                await self._changed(target, event.object)

    async def _changed(self, target: Target, manifest: Manifest) -> None:
        if names.ANNOTATION_RESTORE not in changes.notes(manifest):
            await self._claim_again(target, manifest)
            return
        digest = changes.template_digest(target.kind, manifest)
        used = self.session.templates.get(target, digest)
        if digest not in (used, self._templates.get(target)):
            self._templates[target] = digest
            path = tuple(f"f:{key}" for key in kinds.template_path(target.kind))
            who = changes.last_owner(manifest, path)
            text = f"the pod template of {target} was edited by {who}"
            self.session.emit(Remark(f"{text}: a new agent is cloned from it"))
            await self.converge()
        elif not changes.scale(target.kind, manifest):
            self.session.yielded.pop(target, None)
        elif target in self._stopped(target.namespace, target.kind):
            await self._runs_again(target, manifest)

    def _stopped(self, namespace: str, kind: str) -> set[Target]:
        """Return the originals that should be stopped, if nobody of ours is at work on that."""
        if self.session.busy:
            return set()
        hosted = self.session.machine.hosted.values()
        serving = {one.workload.target for one in hosted if one.serving}
        found = {one for one in serving if (one.namespace, one.kind) == (namespace, kind)}
        return found - self.session.yielded.keys()

    async def _runs_again(self, target: Target, manifest: Manifest) -> None:
        who = changes.starter(target.kind, manifest)
        if who == names.FIELD_MANAGER:  # a janitor or a colleague who took us for dead
            await asyncio.sleep(SELF_S)
            if target in self._stopped(target.namespace, target.kind):
                text = f"{target} was given back meanwhile: taking it over again"
                self.session.emit(Remark(text))
                await self.converge()
            return
        now_s = time.monotonic()
        last_s = self._scaled.get((target, who))
        self._scaled[target, who] = now_s
        text = f"{target} was started"
        if target.kind in kinds.COUNTED:
            text = f"{target} was scaled to {changes.scale(target.kind, manifest)}"
        if last_s is None or now_s - last_s > AGAIN_S:
            self.session.emit(Remark(f"{text} by {who}: stopped again"))
            await self.converge()
        else:
            self.session.yielded[target] = who
            more = f"by {who} again: left alone, both answer now"
            self.session.emit(Remark(f"{text} {more} (tell {who}, or `tp down`)"))

    async def _gone(self, target: Target) -> None:
        """Tell a target that was deleted from one that somebody took our label off."""
        path = paths.path_of(target.kind, target.namespace, target.name)
        try:
            manifest = await self.session.api.get(path)
        except ApiError as error:
            if error.status != 404:
                raise
            self._templates.pop(target, None)
            await self.lost(target)
            return
        labels = manifest["metadata"].get("labels") or {}
        if labels.get(names.LABEL_SESSION) is None:
            await self._claim_again(target, manifest)

    async def _claim_again(self, target: Target, manifest: Manifest) -> None:
        """Write the journal again, with what was recorded at first and not with today's 0."""
        if not self.session.busy:
            who = changes.last_owner(manifest, ("f:metadata",))
            self.session.emit(Remark(f"our claim on {target} was taken off by {who}: made again"))
            await self.converge()

    async def services(self, namespace: str) -> None:
        """Follow whether Services still send their traffic to our agents; nothing is created."""
        path = paths.path_of("endpointslice", namespace)
        told: set[tuple[str, str]] = set()
        async for event in watch(self.session.api, path):
            if event.type == "SYNCED":
                for place, service in sorted(self.session.services - told):
                    serves = self._served.get((place, service))
                    if place == namespace and not serves and not self.session.busy:
                        await self._lost_service(namespace, service)
                told |= self.session.services
                continue
            service = (event.object["metadata"].get("labels") or {}).get(
                "kubernetes.io/service-name", ""
            )
            key = (namespace, service)
            ours = event.type != "DELETED" and changes.has_pod(event.object, self._agents())
            if self._served.get(key) and not ours and not self.session.busy:
                await self._lost_service(namespace, service)
            self._served[key] = ours

    def _agents(self) -> frozenset[str]:
        hosted = self.session.machine.hosted.values()
        return frozenset(one.pod.pod for one in hosted if one.pod is not None)

    async def _lost_service(self, namespace: str, service: str) -> None:
        """Say what became of a Service, if it is not only our Pod that is being replaced."""
        listed = await self.session.api.list(paths.path_of("service", namespace))
        found = {one["metadata"]["name"]: one for one in listed}
        if service not in found:
            self.session.emit(Remark(f"service {service} was deleted: it calls nobody any more"))
            return
        pods = await self.session.api.list(paths.path_of("pod", namespace))
        agents = [one for one in pods if one["metadata"]["name"] in self._agents()]
        selector = found[service]["spec"].get("selector") or {}
        if agents and not any(changes.selects(selector, one) for one in agents):
            who = changes.last_owner(found[service], ("f:spec", "f:selector"))
            text = f"the selector of service {service} was changed by {who}"
            self.session.emit(Remark(f"{text}: its callers do not come here any more"))
