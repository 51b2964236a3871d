"""The way up: what is missing of each wished workload, from where it stands now."""

from __future__ import annotations

from tpconfig.model import actions as a
from tpconfig.model.actions import Action, Reason
from tpconfig.model.desired import Desired
from tpconfig.model.observed import HostedFacts, Observed
from tpconfig.model.plan import Notice
from tpconfig.planner import wish
from tpconfig.planner.wish import ResolvedWorkload


def build(desired: Desired, resolved: list[ResolvedWorkload], observed: Observed) -> list[Action]:
    actions: list[Action] = []
    reason = Reason(
        "the session's lease: once it has run out, anybody's `tp` restores what is left"
    )
    have = {
        lease.namespace
        for lease in observed.leases
        if lease.session == observed.session and lease.ended is None
    }
    for namespace in sorted({r.facts.target.namespace for r in resolved} - have):
        actions.append(a.OpenSession(namespace, reason))
    for one in resolved:
        actions += _workload(one, desired, observed)
    return actions


def _workload(one: ResolvedWorkload, desired: Desired, observed: Observed) -> list[Action]:
    """Plan one workload from where it stands now."""
    actions: list[Action] = []
    workload, facts, source = one.workload, one.facts, one.workload.source
    if workload.mode == "swap" and facts.claim is None:
        text = f"recorded: {facts.replicas} replicas, so that anybody can put them back"
        actions.append(
            a.ClaimTarget(facts.target, workload.name, facts.replicas, Reason(text, source))
        )
    agent = wish.current_agent(one, observed)
    taken = frozenset(one.name for one in observed.agents)
    taken |= {one.agent for one in observed.machine.hosted}  # a link knows its Pod by name
    pod = agent.name if agent else wish.agent_name(observed.session, workload.name, taken)
    if agent is None:
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
    hosted = wish.hosted(workload.name, observed)
    actions += _hosting(one, hosted, pod)
    if workload.mode == "swap" and may_serve(one, hosted, now=desired.now):
        actions += _traffic(one, hosted, pod)
    return actions


def _traffic(one: ResolvedWorkload, hosted: HostedFacts | None, pod: str) -> list[Action]:
    """Plan that callers come here, and that the original then stops."""
    actions: list[Action] = []
    facts, source = one.facts, one.workload.source
    if hosted is None or hosted.agent != pod or not hosted.serving:
        services = tuple(service.name for service in facts.services)
        text = f"callers of {', '.join(services)} come here" if services else "no Service calls it"
        actions.append(
            a.OpenTraffic(facts.target, one.workload.name, pod, services, Reason(text, source))
        )
    if facts.replicas > 0:
        text = f"replicas {facts.replicas} -> 0: the agent answers in their place"
        actions.append(a.StopOriginal(facts.target, facts.replicas, Reason(text, source)))
    return actions


def _hosting(one: ResolvedWorkload, hosted: HostedFacts | None, pod: str) -> list[Action]:
    """Plan what happens on this machine: link and ports, environment, process."""
    actions: list[Action] = []
    workload = one.workload
    fresh = hosted is None or hosted.agent != pod
    if fresh or (hosted is not None and hosted.ports != one.pairs):
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


def may_serve(one: ResolvedWorkload, hosted: HostedFacts | None, *, now: bool) -> bool:
    """Without ``run``, the original serves until somebody listens at the local port."""
    if one.workload.run is not None or now or not one.pairs:
        return True
    return hosted is not None and (hosted.listening or hosted.serving)


def waiting(desired: Desired, resolved: list[ResolvedWorkload], observed: Observed) -> list[Notice]:
    notices = []
    for one in resolved:
        hosted = wish.hosted(one.workload.name, observed)
        if one.workload.mode == "swap" and not may_serve(one, hosted, now=desired.now):
            ports = ", ".join(str(pair.local) for pair in one.pairs)
            notices.append(
                Notice(
                    f"workloads.{one.workload.name}: the original goes on serving until port "
                    f"{ports} accepts a connection here (--now: at once)",
                    one.workload.source,
                )
            )
    return notices
