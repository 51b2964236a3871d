"""Side by side, or one after the other: whether an agent may be there with its original."""

from __future__ import annotations

from tpconfig.model.desired import Workload
from tpconfig.model.observed import Observed, WorkloadFacts
from tpconfig.model.plan import Notice


def beside(workload: Workload, facts: WorkloadFacts) -> bool:
    """Tell whether an agent stands beside an original that goes on and keeps what is its own."""
    return workload.mode != "swap" and bool(facts.exclusive)


def runs_alone(workload: Workload, facts: WorkloadFacts) -> bool:
    """Tell whether the original has to be gone before its agent may be there."""
    if workload.mode != "swap" or workload.strategy == "overlap":
        return False
    return workload.strategy == "recreate" or bool(facts.exclusive)


def notices(workload: Workload, facts: WorkloadFacts, *, recreate: bool) -> tuple[Notice, ...]:
    """Say that nobody answers for a while, and why; or what speaks against an overlap."""
    if workload.mode != "swap" or facts.replicas == 0 or not (recreate or facts.exclusive):
        return ()
    why = "; ".join(facts.exclusive) or "asked for by `strategy`"
    if recreate:
        text = f"{facts.target} stops before the agent starts, and callers wait meanwhile: {why}"
    else:
        text = f"strategy overlap: the agent may not start beside {facts.target}: {why}"
    return (Notice(text, workload.source),)


def in_the_way(workload: Workload, observed: Observed) -> tuple[str, ...]:
    """Return our agents of the same target, or workload, which hold what a new one needs."""
    return tuple(
        agent.name
        for agent in observed.agents
        if agent.session == observed.session
        and (agent.target == workload.target or agent.workload == workload.name)
    )
