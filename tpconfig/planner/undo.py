"""The way back: everything of the session that is not wished for any more."""

from __future__ import annotations

from tpconfig.model import actions as a
from tpconfig.model import kinds
from tpconfig.model.actions import Action, Reason
from tpconfig.model.observed import HostedFacts, Observed, WorkloadFacts
from tpconfig.model.target import Target
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
    kept = {one.agent.name for one in resolved if one.agent}
    actions: list[Action] = []
    alone: set[Target] = set()
    for facts in claimed:
        assert facts.claim is not None
        one = swaps.get(facts.target)
        if one is None and (facts.claim.recreate or facts.exclusive):
            alone.add(facts.target)
        if _comes_back(facts, one):
            leaving = _agents_of(facts.target, observed) - kept if facts.target in alone else ()
            actions += _start_original(facts, tuple(sorted(leaving)), observed.session)
    actions += _close_hosted(resolved, observed, alone)
    actions += _delete_agents(resolved, observed, alone)
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
    if one.recreate:
        return False
    return facts.replicas == 0 and (one.changes_hands or not one.serves)


def _agents_of(target: Target, observed: Observed) -> set[str]:
    """Return the names of our agents of a target."""
    ours = (one for one in observed.agents if one.session == observed.session)
    return {one.name for one in ours if one.target == target}


def _start_original(facts: WorkloadFacts, after: tuple[str, ...], session: str) -> list[Action]:
    """Plan that the original runs again, when the agents ``after`` are gone."""
    assert facts.claim is not None
    claim, kind = facts.claim, facts.target.kind
    pods = min(claim.replicas, claim.ready) if kind in kinds.COUNTED else claim.ready
    if facts.replicas == claim.replicas and facts.ready_replicas >= pods:
        return []
    changes = kinds.starting(
        facts.target,
        facts.replicas,
        claim.replicas,
        session=session,
        deletes_claims=claim.deletes_claims,
    )
    text = "as it was recorded"
    services = tuple(service.name for service in facts.services)
    return [
        a.StartOriginal(
            facts.target, claim, services, Reason(text), changes=changes, pods=pods, after=after
        )
    ]


def _close_hosted(
    resolved: list[ResolvedWorkload], observed: Observed, alone: set[Target]
) -> list[Action]:
    """Plan what stops on this machine, and what stays but serves no longer what it served."""
    wished = {one.workload.name: one for one in resolved}
    in_the_way = {name for one in resolved for name in one.gone_first}
    leaving = {
        one.workload for one in observed.agents if one.target in alone or one.name in in_the_way
    }
    actions: list[Action] = []
    for hosted in observed.machine.hosted:
        one = wished.get(hosted.workload)
        same = one is not None and wish.serves_target(hosted, one, observed)
        if hosted.serving and not (one is not None and one.serves and same):
            # A wish that waits for a listener leaves its agent, and no room for the original.
            first = hosted.workload in leaving or (one is not None and one.recreate and same)
            text = "the original needs its place" if first else "the original answers again"
            actions.append(a.CloseTraffic(hosted.workload, hosted.agent, Reason(text), first=first))
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


def _delete_agents(
    resolved: list[ResolvedWorkload], observed: Observed, alone: set[Target]
) -> list[Action]:
    kept = {one.agent.name for one in resolved if one.agent}
    wished = {one.workload.name for one in resolved}
    in_the_way = {name for one in resolved for name in one.gone_first}
    actions: list[Action] = []
    for agent in observed.agents:
        first = agent.target in alone or agent.name in in_the_way
        leaves = agent.terminating and not first
        if agent.session == observed.session and not leaves and agent.name not in kept:
            text = "replaced" if agent.workload in wished else "its work is done"
            reason = Reason(text)
            actions.append(
                a.DeleteAgent(agent.namespace, agent.name, agent.workload, reason, first=first)
            )
    return actions
