"""The way up: what is missing of each wished workload, from where it stands now."""

from __future__ import annotations

from tpconfig.model import actions as a
from tpconfig.model.actions import Action, Reason
from tpconfig.model.observed import Observed
from tpconfig.model.plan import Notice
from tpconfig.planner import wish
from tpconfig.planner.wish import ResolvedWorkload


def build(resolved: list[ResolvedWorkload], observed: Observed) -> list[Action]:
    """Plan what is missing of every wished workload."""
    actions = _leases(resolved, observed)
    taken = {agent.name for agent in observed.agents}
    taken |= {one.agent for one in observed.machine.hosted}  # a link knows its Pod by name
    for one in resolved:
        name = one.workload.name
        pod = one.agent.name if one.agent else wish.agent_name(observed.session, name, taken)
        taken.add(pod)
        actions += _workload(one, pod)
    return actions


def _leases(resolved: list[ResolvedWorkload], observed: Observed) -> list[Action]:
    """Plan a Lease where there is none that lives."""
    living = {
        lease.namespace
        for lease in observed.leases
        if lease.session == observed.session and lease.ended is None and not lease.expired
    }
    reason = Reason(
        "the session's lease: once it has run out, anybody's `tp` restores what is left"
    )
    wanted = {one.facts.target.namespace for one in resolved}
    return [a.OpenSession(namespace, reason) for namespace in sorted(wanted - living)]


def _workload(one: ResolvedWorkload, pod: str) -> list[Action]:
    """Plan one workload from where it stands now; ``pod`` is its agent's."""
    actions: list[Action] = []
    workload, facts, source = one.workload, one.facts, one.workload.source
    if workload.mode == "swap" and facts.claim is None:
        text = f"recorded: {facts.replicas} replicas, so that anybody can put them back"
        actions.append(
            a.ClaimTarget(facts.target, workload.name, facts.replicas, Reason(text, source))
        )
    if one.agent is None:
        text = f"the Pod of {facts.target}, with our agent as container {one.container.name}"
        actions.append(
            a.CreateAgent(
                target=facts.target,
                workload=workload.name,
                container=one.container.name,
                pod=pod,
                built_from=one.built_from,
                low_ports=any(pair.pod.number < 1024 for pair in one.pairs),
                reason=Reason(text, source),
            )
        )
    actions += _hosting(one, pod)
    if one.serves:
        actions += _traffic(one, pod)
    return actions


def _traffic(one: ResolvedWorkload, pod: str) -> list[Action]:
    """Plan that callers come here, and that the original then stops."""
    actions: list[Action] = []
    facts, source = one.facts, one.workload.source
    if one.hosted is None or one.hosted.agent != pod or not one.hosted.serving:
        services = tuple(service.name for service in facts.services)
        text = f"callers of {', '.join(services)} come here" if services else "no Service calls it"
        actions.append(
            a.OpenTraffic(facts.target, one.workload.name, pod, services, Reason(text, source))
        )
    running = facts.replicas
    if one.changes_hands and facts.claim is not None:
        running = running or facts.claim.replicas
    if running > 0:
        text = f"replicas {running} -> 0: the agent answers in their place"
        actions.append(a.StopOriginal(facts.target, running, Reason(text, source)))
    return actions


def _hosting(one: ResolvedWorkload, pod: str) -> list[Action]:
    """Plan what happens on this machine: link and ports, environment, process."""
    actions: list[Action] = []
    workload, hosted = one.workload, one.hosted
    if hosted is None or hosted.agent != pod or hosted.ports != one.pairs:
        ports = ", ".join(f"{p.pod} arrives at {p.local}" for p in one.pairs) or "no ports"
        namespace = one.facts.target.namespace
        reason = Reason(ports, workload.source)
        actions.append(
            a.Connect(namespace, workload.name, pod, one.container.name, one.pairs, reason)
        )
    changed = hosted is None or hosted.handed_over != one.handed_over
    if changed:
        exports = tuple(export.path for export in workload.env.exports)
        text = "its names and environment, as the kubelet resolved them"
        actions.append(
            a.HandOver(workload.name, one.handed_over, exports, Reason(text, workload.source))
        )
    running = hosted.process if hosted else None
    if running is not None and (running != one.process or changed):
        actions.append(a.StopProcess(workload.name, Reason("it has changed", workload.source)))
        running = None
    if workload.run is not None and running is None and one.process is not None:
        text = f"in {workload.run.cwd}"
        actions.append(
            a.StartProcess(
                workload=workload.name,
                fingerprint=one.process,
                argv=workload.run.argv,
                after=workload.run.depends_on,
                reason=Reason(text, workload.run.source or workload.source),
            )
        )
    return actions


def waiting(resolved: list[ResolvedWorkload]) -> list[Notice]:
    """Name the workloads whose original serves until somebody listens here."""
    notices = []
    for one in resolved:
        if one.workload.mode == "swap" and not one.serves:
            ports = ", ".join(str(p.local) for p in one.pairs if p.pod.protocol == "tcp")
            notices.append(
                Notice(
                    f"workloads.{one.workload.name}: the original goes on serving until port "
                    f"{ports} accepts a connection here (--now: at once)",
                    one.workload.source,
                )
            )
    return notices
