"""The way back: everything of the session that is not wished for any more."""

from __future__ import annotations

from tpconfig.model import actions as a
from tpconfig.model.actions import Action, Reason
from tpconfig.model.observed import HostedFacts, Observed, WorkloadFacts
from tpconfig.planner import wish
from tpconfig.planner.wish import ResolvedWorkload


def undo(resolved: list[ResolvedWorkload], observed: Observed) -> list[Action]:
    """Plan the way back of everything of this session that is not wished for any more."""
    wanted = {r.facts.target for r in resolved if r.workload.mode == "swap"}
    kept = {agent.name for r in resolved if (agent := wish.current_agent(r, observed))}
    hosted_wanted = {r.workload.name for r in resolved}
    actions: list[Action] = []
    claimed = [
        facts
        for facts in observed.workloads
        if facts.claim and facts.claim.session == observed.session and facts.target not in wanted
    ]
    for facts in claimed:
        actions += _start_original(facts)
    for hosted in observed.machine.hosted:
        if hosted.workload not in hosted_wanted:
            actions += _close(hosted)
    for agent in observed.agents:
        if agent.session == observed.session and not agent.terminating and agent.name not in kept:
            text = "its work is done" if agent.workload not in hosted_wanted else "replaced"
            actions.append(a.DeleteAgent(agent.namespace, agent.name, agent.workload, Reason(text)))
    for facts in claimed:
        assert facts.claim is not None
        actions.append(
            a.ReleaseTarget(facts.target, facts.claim, Reason("nothing of ours stays on it"))
        )
    needed = {r.facts.target.namespace for r in resolved}
    for lease in observed.leases:
        if lease.session == observed.session and lease.namespace not in needed:
            actions.append(a.CloseSession(lease.namespace, lease.session, Reason("all is back")))
    return actions


def _start_original(facts: WorkloadFacts) -> list[Action]:
    assert facts.claim is not None
    claim = facts.claim
    waiting = facts.ready_replicas < min(claim.replicas, claim.ready)
    if facts.replicas == claim.replicas and not waiting:
        return []
    text = f"replicas {facts.replicas} -> {claim.replicas}, as recorded"
    services = tuple(service.name for service in facts.services)
    return [a.StartOriginal(facts.target, claim, services, Reason(text))]


def _close(hosted: HostedFacts) -> list[Action]:
    actions: list[Action] = []
    if hosted.serving:
        text = "the original answers again"
        actions.append(a.CloseTraffic(hosted.workload, hosted.agent, Reason(text)))
    if hosted.process is not None:
        actions.append(a.StopProcess(hosted.workload, Reason("the session ends")))
    text = "nothing comes here any more"
    actions.append(a.Disconnect(hosted.workload, hosted.agent, Reason(text)))
    return actions
