"""``diff(desired, observed)``: the one function that decides.

Building up, taking down and following a changed file are the same question with another wish.
"""

from __future__ import annotations

from tpconfig.model.desired import AgentImage, Desired
from tpconfig.model.observed import Observed
from tpconfig.model.plan import Blocker, Plan
from tpconfig.planner import blockers, build, forwards, janitor, order, undo, wish
from tpconfig.planner.wish import ResolvedWorkload


def diff(desired: Desired, observed: Observed, image: AgentImage | None = None) -> Plan:
    """Compare wish and world.

    Args:
        desired: what the file asks for; ``Desired()`` asks for nothing, which is ``tp down``.
        observed: one moment of the cluster and of this machine.
        image: what the agents run in; left out, the default image.

    Returns:
        The plan; where it has blockers, it has no actions.
    """
    resolved: list[ResolvedWorkload] = []
    stops: list[Blocker] = []
    for workload in desired.workloads:
        outcome = wish.resolve(workload, desired, observed, image or AgentImage())
        if isinstance(outcome, list):
            stops += outcome
        else:
            resolved.append(outcome)
    stops += blockers.of_machine(desired, resolved, observed)
    stops += forwards.blockers(desired, observed)
    guarded = janitor.guard(desired, resolved, observed, image or AgentImage())
    ways = (*undo.undo(resolved, observed), *guarded.actions, *build.build(resolved, observed))
    actions = order.sort((*ways, *forwards.build(desired, resolved)))
    stops += [*guarded.blockers, *blockers.of_permissions(actions, observed)]
    notices = [notice for r in resolved for notice in r.notices] + guarded.notices
    if stops:
        return Plan(notices=tuple(notices), blockers=tuple(stops))
    notices += build.waiting(resolved)
    return Plan(actions, tuple(notices))
