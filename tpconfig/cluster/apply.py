"""Carries out the plan's cluster actions: the only place that writes to the cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import assert_never

import tpconfig
from tpconfig import names
from tpconfig.cluster import (
    agentcode,
    agentpod,
    endpoints,
    facts,
    janitors,
    lease,
    manifests,
    patches,
    paths,
    podsgone,
    templates,
)
from tpconfig.cluster.api import Api
from tpconfig.cluster.failures import ApiError, ForbiddenError, NotFoundError
from tpconfig.cluster.mirror import Mirror, Mirrors
from tpconfig.errors import ConflictError, TpError
from tpconfig.model import actions as a
from tpconfig.model import kinds
from tpconfig.model.desired import AgentImage
from tpconfig.model.observed import Manifest, Observed, WorkloadFacts
from tpconfig.model.target import Target

JSON_PATCH = "application/json-patch+json"
AGENT_GRACE_S = 2
RESTORE_WAIT_S = 60.0
NODES_NOTICE_S = 1.2
"""kube-proxy programs a node at most once a second (``--iptables-min-sync-period``)."""
ATTEMPTS = 8

Waiting = Callable[[str], None]


class WorldMovedError(TpError):
    """The cluster changed between plan and apply; the cure is to observe and plan again."""


@dataclass(slots=True)
class ClusterApplier:
    """Applies cluster actions for one session, with what the plan was made from."""

    api: Api
    owner: lease.Owner
    image: AgentImage
    observed: Observed
    mirrors: Mirrors
    _lease_uids: dict[str, str] = field(default_factory=dict)
    _secrets: dict[str, asyncio.Task[str]] = field(default_factory=dict)

    async def apply(self, action: a.ClusterAction, waiting: Waiting) -> str:
        """Carry out one action; return a word about what came of it."""
        match action:
            case a.OpenSession(namespace=namespace):
                self._lease_uids[namespace] = await lease.open_lease(
                    self.api, namespace, self.owner
                )
                return ""
            case a.GuardTargets(namespace=namespace):
                await janitors.guard(self.api, self._common(namespace), action)
                return ""
            case a.StartJanitor(namespace=namespace):
                await janitors.start(self.api, self._common(namespace), action, self.image)
                return ""
            case a.ClaimTarget():
                return await self._claim(action)
            case a.CreateAgent():
                return await self._create_agent(action, waiting)
            case a.StopOriginal():
                return await self._stop_original(action, waiting)
            case a.StartOriginal():
                return await self._start_original(action, waiting)
            case a.DeleteAgent():
                return await self._delete_agent(action, waiting)
            case a.ReleaseTarget():
                return await self._release(action)
            case a.CloseSession(namespace=namespace, session=session):
                await lease.close_lease(self.api, namespace, session)
                return ""
            case _:
                assert_never(action)

    async def secret(self, namespace: str) -> str:
        """Return the session's secret in a namespace, asked for once."""
        if namespace not in self._secrets:
            common = self._common(namespace)
            self._secrets[namespace] = asyncio.ensure_future(lease.session_secret(self.api, common))
        return await asyncio.shield(self._secrets[namespace])

    def agents(self, namespace: str) -> Mirror:
        """Return the mirror of the session's agent Pods."""
        selector = f"{names.LABEL_SESSION}={self.owner.session},{names.LABEL_ROLE}=agent"
        return self.mirrors.of("pod", namespace, selector)

    def _common(self, namespace: str) -> manifests.SessionObjects:
        uid = self._lease_uids.get(namespace) or next(
            (
                one.uid
                for one in self.observed.leases
                if (one.namespace, one.session) == (namespace, self.owner.session)
            ),
            "",
        )
        return manifests.SessionObjects(self.owner.session, namespace, uid)

    def _facts(self, target: Target) -> WorkloadFacts:
        return next(one for one in self.observed.workloads if one.target == target)

    async def _claim(self, action: a.ClaimTarget) -> str:
        """Claim the target; who comes second changes nothing."""
        known = self._facts(action.target)
        manifest = known.manifest
        path = paths.path_of(action.target.kind, action.target.namespace, action.target.name)
        since = self.api.server_time().strftime("%Y-%m-%d %H:%M UTC")
        held_by = f"{self.owner.holder} since {since}; ends with: tp down --session "
        held_by += f"{self.owner.session} -n {action.target.namespace}"
        for _ in range(ATTEMPTS):
            patch = patches.claim(
                manifest,
                session=self.owner.session,
                held_by=held_by,
                recorded=action.recorded,
                also=action.also,
                recreate=action.recreate,
            )
            try:
                await self.api.patch(path, patch)
            except ApiError as error:
                if error.status != 409:
                    raise
                manifest = await self.api.get(path)
                self._check_unmoved(known, manifest)
            else:
                return ""
        raise WorldMovedError(f"{action.target} is being changed all the time")

    def _check_unmoved(self, known: WorkloadFacts, manifest: Manifest) -> None:
        """A new status is no reason to plan again; a new spec or somebody's claim is."""
        claimed = facts.claim(manifest)
        if claimed is not None and claimed.session != self.owner.session:
            raise ConflictError(
                f"{known.target} was claimed by session {claimed.session} a moment ago",
                hint="ask them to run `tp down`, or wait until their session has ended",
            )
        kind = known.target.kind
        template = templates.for_agent(kind, manifest)
        same = manifests.template_hash(template) == known.template_hash
        if not same or facts.running(kind, manifest) != known.replicas:
            raise WorldMovedError(f"{known.target} was changed while it was being claimed")

    async def _create_agent(self, action: a.CreateAgent, waiting: Waiting) -> str:
        known = self._facts(action.target)
        namespace = action.target.namespace
        await self.secret(namespace)
        spec = manifests.AgentSpec(
            pod=action.pod,
            workload=action.workload,
            target=str(action.target),
            container=action.container,
            built_from=action.built_from,
            image=self.image,
            version=tpconfig.__version__,
            code=(agentcode.AGENT_BOOTSTRAP, agentcode.packed()),
            low_ports=action.low_ports,
            running_uid=known.running_uid,
            init=action.init,
            beside=action.beside,
            controlled=action.target.kind in kinds.ADOPTING,
        )
        try:
            await self._create_pod(known, spec)
        except ApiError as error:
            if error.status != 409 or not await self._is_ours(namespace, action):
                raise
        place = (namespace, action.pod, action.container)
        await agentpod.wait_until_running(self.api, self.agents(namespace), place, waiting)
        return f"pod/{action.pod}"

    async def _create_pod(self, known: WorkloadFacts, spec: manifests.AgentSpec) -> None:
        """Create an agent's Pod, with the original's resources where it may not have its own.

        A quota may want limits, a LimitRange no less than so much: the original's passed it. That
        Pods may be created at all was asked before.

        Raises:
            TpError: it is refused whatever it asks for.
        """
        common = self._common(known.target.namespace)
        path = paths.path_of("pod", common.namespace)
        for own in (False, True):
            body = manifests.agent_pod(known.template, common, replace(spec, own_resources=own))
            try:
                await self.api.create(path, body)
            except ForbiddenError as error:
                if own:
                    raise TpError(
                        f"a rule of namespace {common.namespace} refuses the agent's Pod",
                        hint="a ResourceQuota without room, a LimitRange, Pod Security, a webhook? "
                        f"tp doctor -n {common.namespace}",
                        details=error.details,
                    ) from error
            else:
                return

    async def _is_ours(self, namespace: str, action: a.CreateAgent) -> bool:
        """The Pod may be the one whose creation was answered to nobody."""
        pod = await self.api.get(paths.path_of("pod", namespace, action.pod))
        found = facts.agent(pod) if facts.role(pod) == "agent" else None
        return found is not None and found.built_from == action.built_from

    async def _patch_ours(self, target: Target, patch: list[dict[str, object]]) -> bool:
        """Send a patch that only applies to what we claimed; False where we did not.

        Raises:
            WorldMovedError: it is ours, and not as it was when it was looked at.
        """
        path = paths.path_of(target.kind, target.namespace, target.name)
        try:
            await self.api.patch(path, patch, content_type=JSON_PATCH)
        except ApiError as error:
            if error.status not in (404, 422):
                raise
            return await self._why_not(target, path) if error.status == 422 else False
        return True

    async def _why_not(self, target: Target, path: str) -> bool:
        try:
            claimed = facts.claim(await self.api.get(path))
        except NotFoundError:
            return False
        if claimed is not None and claimed.session == self.owner.session:
            raise WorldMovedError(f"{target} was changed by somebody else")
        return False

    async def _stop_original(self, action: a.StopOriginal, waiting: Waiting) -> str:
        known = self._facts(action.target)
        patch = patches.stop(known.manifest, self.owner.session, action.changes)
        if await self._patch_ours(action.target, patch) and action.first:
            waiting("its Pods to end")
            await podsgone.wait_for_originals(self.api, known)
        return ""

    async def _start_original(self, action: a.StartOriginal, waiting: Waiting) -> str:
        target, count = action.target, action.pods
        manifest = self._facts(target).manifest
        patch = patches.start(manifest, action.claim.session, action.claim.restore)
        if not await self._patch_ours(target, patch):
            return "already back"
        if not count:
            return ""
        waiting(f"{count} of its Pods to be ready")
        agents = frozenset(agent.name for agent in self.observed.agents)
        try:
            async with asyncio.timeout(RESTORE_WAIT_S):
                if action.services:
                    await endpoints.wait_for_originals(
                        self.mirrors, target.namespace, action.services, count=count, agents=agents
                    )
                else:
                    session = action.claim.session
                    await endpoints.wait_for_replicas(self.mirrors, target, session, count)
        except TimeoutError:
            return f"not ready after {RESTORE_WAIT_S:.0f} s, as it may have been before"
        if action.after and action.services:  # nobody else answers until the nodes have noticed
            await asyncio.sleep(NODES_NOTICE_S)
        return ""

    async def _delete_agent(self, action: a.DeleteAgent, waiting: Waiting) -> str:
        path = paths.path_of("pod", action.namespace, action.pod)
        try:
            await self.api.delete(path, grace_s=AGENT_GRACE_S)
        except NotFoundError:
            return "already gone"
        if action.first:
            waiting("it to be gone")
            await podsgone.wait_for_pod(self.api, path)
        return ""

    async def _release(self, action: a.ReleaseTarget) -> str:
        target = action.target
        path = paths.path_of(target.kind, target.namespace, target.name)
        manifest: Manifest | None = await self._mirrored(target, action.claim.session)
        if manifest is not None and _is_stopped(target, manifest):
            manifest = None  # the watch may be late
        for _ in range(ATTEMPTS):
            try:
                if manifest is None:
                    manifest = await self.api.get(path)
                claimed = facts.claim(manifest)
                if claimed is None or claimed.session != action.claim.session:
                    return "already released"
                if _is_stopped(target, manifest):
                    raise WorldMovedError(f"{target} was stopped again while it was given back")
                await self.api.patch(path, patches.release(manifest))
            except ApiError as error:
                if error.status == 404:
                    return "it was deleted"
                if error.status != 409:
                    raise
                manifest = None
            else:
                return ""
        raise WorldMovedError(f"{target} is being changed all the time")

    async def _mirrored(self, target: Target, session: str) -> Manifest | None:
        """Return a claimed workload as the watch last told; None where it has not."""
        selector = f"{names.LABEL_SESSION}={session}"
        mirror = self.mirrors.of(target.kind, target.namespace, selector)
        return await mirror.until(lambda known: known.get(target.name) or {}) or None


def _is_stopped(target: Target, manifest: Manifest) -> bool:
    """Tell whether a claimed workload is stopped that ran when it was claimed."""
    claimed = facts.claim(manifest)
    return bool(claimed and claimed.replicas and not facts.running(target.kind, manifest))
