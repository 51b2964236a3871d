"""The way back: everything of the session that is not wished for any more."""

from __future__ import annotations

from tpconfig.model import actions as a
from tpconfig.model.actions import Action, Reason
from tpconfig.model.observed import HostedFacts, Observed, WorkloadFacts
from tpconfig.planner import wish
from tpconfig.planner.wish import ResolvedWorkload


def undo(resolved: list[ResolvedWorkload], observed: Observed) -> list[Action]:
    """Plan the way back of everything of this session that is not wished for any more."""
    swaps = {one.facts.target: one for one in resolved if one.workload.mode == "swap"}
    claimed = [
        facts
        for facts in observed.workloads
        if facts.claim is not None and facts.claim.session == observed.session
    ]
    actions: list[Action] = []
    for facts in claimed:
        if _comes_back(facts, swaps.get(facts.target)):
            actions += _start_original(facts)
    actions += _close_hosted(resolved, observed)
    actions += _delete_agents(resolved, observed)
    for facts in claimed:
        if facts.claim is not None and facts.target not in swaps:
            reason = Reason("nothing of ours stays on it")
            actions.append(a.ReleaseTarget(facts.target, facts.claim, reason))
    needed = {one.facts.target.namespace for one in resolved}
    for lease in observed.leases:
        if lease.session == observed.session and lease.namespace not in needed:
            actions.append(a.CloseSession(lease.namespace, lease.session, Reason("all is back")))
    return actions


def _comes_back(facts: WorkloadFacts, one: ResolvedWorkload | None) -> bool:
    """Tell whether a claimed original has to run (again), at least for a while."""
    if one is None:
        return True
    return facts.replicas == 0 and (one.changes_hands or not one.serves)


def _start_original(facts: WorkloadFacts) -> list[Action]:
    assert facts.claim is not None
    claim = facts.claim
    waiting = facts.ready_replicas < min(claim.replicas, claim.ready)
    if facts.replicas == claim.replicas and not waiting:
        return []
    text = f"replicas {facts.replicas} -> {claim.replicas}, as recorded"
    services = tuple(service.name for service in facts.services)
    return [a.StartOriginal(facts.target, claim, services, Reason(text))]


def _close_hosted(resolved: list[ResolvedWorkload], observed: Observed) -> list[Action]:
    """Plan what stops on this machine, and what stays but serves no longer what it served."""
    wished = {one.workload.name: one for one in resolved}
    actions: list[Action] = []
    for hosted in observed.machine.hosted:
        one = wished.get(hosted.workload)
        stays = one is not None and one.serves and wish.serves_target(hosted, one, observed)
        if hosted.serving and not stays:
            text = "the original answers again"
            actions.append(a.CloseTraffic(hosted.workload, hosted.agent, Reason(text)))
        if one is None:
            actions += _close(hosted)
    return actions


def _close(hosted: HostedFacts) -> list[Action]:
    actions: list[Action] = []
    if hosted.process is not None:
        actions.append(a.StopProcess(hosted.workload, Reason("the session ends")))
    text = "nothing comes here any more"
    actions.append(a.Disconnect(hosted.workload, hosted.agent, Reason(text)))
    return actions


def _delete_agents(resolved: list[ResolvedWorkload], observed: Observed) -> list[Action]:
    kept = {one.agent.name for one in resolved if one.agent}
    wished = {one.workload.name for one in resolved}
    actions: list[Action] = []
    for agent in observed.agents:
        if agent.session == observed.session and not agent.terminating and agent.name not in kept:
            text = "replaced" if agent.workload in wished else "its work is done"
            actions.append(a.DeleteAgent(agent.namespace, agent.name, agent.workload, Reason(text)))
    return actions
