"""Neighbours heal: what an expired or vanished session left in a namespace is restored.

Whoever looks at a namespace with ``tp`` does it, as far as they may. It is the planner's ordinary
answer to an empty wish, asked in the dead session's name.
"""

from __future__ import annotations

from dataclasses import replace

from tpconfig.cluster.api import Api
from tpconfig.cluster.apply import ClusterApplier
from tpconfig.cluster.lease import Owner
from tpconfig.cluster.mirror import open_mirrors
from tpconfig.errors import NoPermissionError, TpError
from tpconfig.model.actions import Action, ClusterAction
from tpconfig.model.desired import AgentImage, Desired
from tpconfig.model.events import Remark
from tpconfig.model.observed import MachineFacts, Observed
from tpconfig.model.plan import Plan
from tpconfig.planner.diff import diff
from tpconfig.session.executor import Emit, execute


def dead_sessions(observed: Observed) -> list[str]:
    """Return the sessions, not our own, that left something and do not live any more."""
    alive = {lease.session for lease in observed.leases if not lease.expired}
    seen = {one.claim.session for one in observed.workloads if one.claim}
    seen |= {lease.session for lease in observed.leases}
    seen |= {agent.session for agent in observed.agents if not agent.terminating}
    return sorted(seen - alive - {observed.session})


async def heal(api: Api, observed: Observed, emit: Emit) -> bool:
    """Restore what dead sessions left; return whether anything was done."""
    healed = False
    for session in dead_sessions(observed):
        theirs = replace(observed, session=session, machine=MachineFacts(), denied=())
        plan = diff(Desired(), theirs)
        if plan.empty:
            continue
        owner = Owner(session, "", "", "", "", 0.0)
        try:
            await _undo(api, owner, theirs, plan)
        except NoPermissionError as error:
            emit(Remark(f"session {session} has expired, and you may not undo it: {error.message}"))
        except TpError as error:
            emit(Remark(f"session {session} has expired and is not undone yet: {error.message}"))
        else:
            emit(Remark(f"session {session} had expired: what it had left was put back"))
            healed = True
    return healed


async def _undo(api: Api, owner: Owner, theirs: Observed, plan: Plan) -> None:
    async with open_mirrors(api) as mirrors:
        applier = ClusterApplier(api, owner, AgentImage(), theirs, mirrors)

        async def apply(action: Action, waiting: object) -> str:
            assert isinstance(action, ClusterAction)
            return await applier.apply(action, lambda _: None)

        await execute(plan, apply, lambda _: None, go_on=True)
