"""One workload of the file held against what the cluster has: container, ports, names.

What comes out is all that ``diff`` needs to decide; what is wrong comes out as blockers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Container
from dataclasses import dataclass, replace

from tpconfig import names, suggest
from tpconfig.errors import Problem
from tpconfig.model import codes
from tpconfig.model.desired import AgentImage, Desired, Run, Workload
from tpconfig.model.observed import (
    AgentFacts,
    ContainerFacts,
    HostedFacts,
    LeaseFacts,
    Missing,
    Observed,
    WorkloadFacts,
)
from tpconfig.model.plan import Blocker, Fault, Notice
from tpconfig.model.target import PodPort, PortPair, Target
from tpconfig.planner import circumstances, ports, queue, strategy, unfit


@dataclass(frozen=True, slots=True)
class ResolvedWorkload:
    """A workload whose target, container and ports exist, and what there is of it already.

    ``serves``: callers come here. ``recreate``: its Pods and the agent may not run side by side.
    ``gone_first``: our agents that would be in the way of a new one. ``changes_hands``: another
    workload of the file that was serves the target until now, so the original has to bridge the
    change.
    """

    workload: Workload
    facts: WorkloadFacts
    container: ContainerFacts
    pairs: tuple[PortPair, ...]
    agent: AgentFacts | None
    hosted: HostedFacts | None
    serves: bool
    changes_hands: bool
    image: str
    built_from: str
    handed_over: str
    process: str | None
    recreate: bool = False
    gone_first: tuple[str, ...] = ()
    notices: tuple[Notice, ...] = ()


def resolve(
    workload: Workload, desired: Desired, observed: Observed, image: AgentImage
) -> ResolvedWorkload | list[Blocker]:
    """Hold one workload against the cluster; everything that is wrong with it at once."""
    facts = next((f for f in observed.workloads if f.target == workload.target), None)
    if facts is None:
        return [_missing(workload, observed)]
    if workload.mode == "swap" and (blocker := _foreign(workload, facts, observed)):
        return [blocker]
    if stops := circumstances.blockers(workload, facts):
        return stops
    container = choose_container(workload, facts)
    if isinstance(container, Problem):
        return [Blocker(Fault.USAGE, container)]
    resolved = ports.resolve(workload, container, facts)
    if resolved.problems:
        return [Blocker(Fault.USAGE, problem) for problem in resolved.problems]
    built_from = _fingerprint_of_agent(workload, facts, container, resolved.pairs, observed, image)
    recreate = strategy.runs_alone(workload, facts)
    agent = _agent(workload, built_from, observed)
    hosted = next((h for h in observed.machine.hosted if h.workload == workload.name), None)
    return ResolvedWorkload(
        workload=workload,
        facts=facts,
        container=container,
        pairs=resolved.pairs,
        agent=agent,
        hosted=hosted,
        serves=_serves(workload, resolved.pairs, hosted, now=desired.now),
        changes_hands=_changes_hands(workload, observed),
        image=image.name,
        built_from=built_from,
        handed_over=_handed_over(workload, container, desired),
        process=fingerprint(_without_places(workload.run), workload.env) if workload.run else None,
        recreate=recreate,
        gone_first=strategy.in_the_way(workload, observed) if recreate and agent is None else (),
        notices=(*resolved.notices, *_notices(workload, facts, observed, recreate=recreate)),
    )


def _fingerprint_of_agent(
    workload: Workload,
    facts: WorkloadFacts,
    container: ContainerFacts,
    pairs: tuple[PortPair, ...],
    observed: Observed,
    image: AgentImage,
) -> str:
    """Return a digest of everything that an agent's Pod is built from."""
    privileged = any(pair.pod.number < 1024 for pair in pairs)
    kept = () if workload.init and not strategy.beside(workload, facts) else (workload.init, True)
    return fingerprint(
        facts.template_hash, container.name, image, privileged, observed.session, *kept
    )


def _notices(
    workload: Workload, facts: WorkloadFacts, observed: Observed, *, recreate: bool
) -> tuple[Notice, ...]:
    return (
        *_service_notices(facts, workload),
        *_export_notices(workload, observed),
        *strategy.notices(workload, facts, recreate=recreate),
        *circumstances.notices(workload, facts),
    )


def choose_container(workload: Workload, facts: WorkloadFacts) -> ContainerFacts | Problem:
    """Choose the named container, the only one, or the only one that a Service points to."""
    by_name = {container.name: container for container in facts.containers}
    if workload.container is not None:
        if workload.container in by_name:
            return by_name[workload.container]
        return Problem(
            codes.NO_SUCH_CONTAINER,
            f"{facts.target} has no container `{workload.container}`",
            workload.target_source,
            hint=suggest.nearest_of(workload.container, by_name),
        )
    if len(by_name) == 1:
        return facts.containers[0]
    if facts.default_container in by_name:
        return by_name[facts.default_container]
    declared = [one for one in facts.containers if _declares_served(one, facts)]
    if len(declared) == 1:
        return declared[0]
    return Problem(
        codes.WHICH_CONTAINER,
        f"{facts.target} has {len(by_name)} containers, and no Service tells which one is meant",
        workload.target_source,
        hint=f"write one of {', '.join(f'{facts.target}:{name}' for name in by_name)}",
    )


def agent_name(session: str, workload: str, taken: Container[str]) -> str:
    """Return the first free name for a workload's agent; the same input gives the same name."""
    stem = f"{names.PREFIX}-{session}-{workload.lower().replace('_', '-').replace('.', '-')}"
    stem = stem[:52].rstrip("-")
    number = 0
    while f"{stem}-{number}" in taken:
        number += 1
    return f"{stem}-{number}"


def fingerprint(*parts: object) -> str:
    """Return a short digest of values whose ``repr`` is their content."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]


def _handed_over(workload: Workload, container: ContainerFacts, desired: Desired) -> str:
    wish = (workload.env, workload.volumes, workload.pod_localhost)
    return fingerprint(*wish, workload.target, container.name, desired.method, desired.outbound)


def _without_places(run: Run) -> str:
    """Describe a process without the lines of the file that it was read from."""
    return repr(replace(run, source=None))


def _declares_served(container: ContainerFacts, facts: WorkloadFacts) -> bool:
    served = ports.served_ports(container, facts)
    return any(PodPort(port.number, port.protocol) in served for port in container.ports)


def _missing(workload: Workload, observed: Observed) -> Blocker:
    target = workload.target
    missing = next((m for m in observed.missing if m.target == target), Missing(target))
    if missing.exists:
        problem = unfit.problem(workload, missing.owner)
    elif not missing.namespace_exists:
        problem = Problem(
            codes.NO_SUCH_NAMESPACE,
            f"there is no namespace `{target.namespace}`",
            workload.target_source,
            hint=suggest.nearest_of(target.namespace, missing.namespaces),
        )
    else:
        problem = Problem(
            codes.NO_SUCH_OBJECT,
            f"there is no {target.kind} `{target.name}` in namespace {target.namespace}",
            workload.target_source,
            hint=suggest.nearest_of(target.name, missing.others),
        )
    return Blocker(Fault.USAGE, problem)


def _foreign(workload: Workload, facts: WorkloadFacts, observed: Observed) -> Blocker | None:
    """Refuse what somebody else holds: another session, or a controller above the workload."""
    if facts.controller is not None:
        problem = Problem(
            codes.MANAGED,
            f"{facts.target} is managed by {facts.controller}, which would undo the swap",
            workload.target_source,
            hint=unfit.instead(facts.controller),
        )
        return Blocker(Fault.USAGE, problem)
    claim = facts.claim
    if claim is None:
        return _queued(workload, facts, observed)
    if claim.session == observed.session:
        return None
    lease = next((lease for lease in observed.leases if lease.session == claim.session), None)
    problem = Problem(
        codes.HELD,
        f"cannot swap {facts.target} in namespace {facts.target.namespace}",
        workload.target_source,
        label=_holder(claim.session, lease),
        hint="wait for it with --on-conflict wait, or take it with --on-conflict takeover",
    )
    return Blocker(Fault.CONFLICT, problem)


def _queued(workload: Workload, facts: WorkloadFacts, observed: Observed) -> Blocker | None:
    """Let those who came before go first, where a target has just become free."""
    ahead = queue.before(facts.target, observed)
    if not ahead:
        return None
    problem = Problem(
        codes.QUEUED,
        f"cannot swap {facts.target} in namespace {facts.target.namespace} yet",
        workload.target_source,
        label=f"{', '.join(one.holder for one in ahead)} waited for it before",
        hint="get into the queue with --on-conflict wait",
    )
    return Blocker(Fault.CONFLICT, problem)


def _holder(session: str, lease: LeaseFacts | None) -> str:
    if lease is None:
        return f"held by session {session}, which left no lease and may not be restored by you"
    renewed = f"renewed {max(0, round(lease.age_s))} s ago"
    return f"held by session {session} of {lease.holder} ({lease.file or 'no file'}), {renewed}"


def _service_notices(facts: WorkloadFacts, workload: Workload) -> tuple[Notice, ...]:
    notices = []
    for service in facts.services:
        if service.publishes_unready:
            notices.append(
                Notice(
                    f"service {service.name} publishes Pods that are not ready: callers may reach "
                    "the agent before your process is",
                    workload.source,
                )
            )
        if service.local_traffic_only:
            notices.append(
                Notice(
                    f"service {service.name} keeps traffic on its node: only callers on the "
                    "agent's node come here",
                    workload.source,
                )
            )
    return tuple(notices)


def _export_notices(workload: Workload, observed: Observed) -> tuple[Notice, ...]:
    return tuple(
        Notice(
            f"git does not ignore {export.path}: its secrets would be committed with the next "
            "`git add`; put it in .gitignore",
            export.source or workload.source,
        )
        for export in workload.env.exports
        if export.path in observed.machine.visible_exports
    )


def serves_target(hosted: HostedFacts, one: ResolvedWorkload, observed: Observed) -> bool:
    """Tell whether what is hosted for a workload serves the target that it is wished for."""
    there = target_of(hosted, observed)
    return hosted.serving and there in (None, one.workload.target)


def _serves(
    workload: Workload, pairs: tuple[PortPair, ...], hosted: HostedFacts | None, *, now: bool
) -> bool:
    """Tell whether callers come here; without ``run``, once somebody listens at a local port."""
    if workload.mode != "swap":
        return False
    if workload.run is not None or now or all(pair.pod.protocol != "tcp" for pair in pairs):
        return True
    return hosted is not None and (hosted.listening or (hosted.serving and hosted.process is None))


def _changes_hands(workload: Workload, observed: Observed) -> bool:
    return any(
        hosted.serving
        and hosted.workload != workload.name
        and target_of(hosted, observed) == workload.target
        for hosted in observed.machine.hosted
    )


def target_of(hosted: HostedFacts, observed: Observed) -> Target | None:
    """Return whose agent a workload is linked to."""
    return next((x.target for x in observed.agents if x.name == hosted.agent), None)


def _agent(workload: Workload, built_from: str, observed: Observed) -> AgentFacts | None:
    """Find the agent that is there already, built of the very same."""
    for agent in observed.agents:
        ours = agent.session == observed.session and agent.workload == workload.name
        same = agent.target == workload.target and agent.built_from == built_from
        if ours and same and not agent.terminating:
            return agent
    return None
