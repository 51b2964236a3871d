"""Ends other people's sessions, and what the dead have left: the planner's answer to an empty wish.

It is asked in the name of the session that ends; nothing on anybody's machine is part of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from tpconfig.cluster import lease
from tpconfig.cluster.api import Api
from tpconfig.cluster.apply import ClusterApplier
from tpconfig.cluster.lease import Owner
from tpconfig.cluster.mirror import open_mirrors
from tpconfig.model import actions as a
from tpconfig.model.actions import Action, ClusterAction
from tpconfig.model.desired import AgentImage, Desired
from tpconfig.model.observed import MachineFacts, Observed
from tpconfig.planner.diff import diff
from tpconfig.session.executor import Emit, execute


@dataclass(frozen=True, slots=True)
class Verdict:
    """Who ends a session that lives, and why; its owner is told.

    ``asleep``: the owner may be on a machine that sleeps, so the Lease stays for it to see.
    """

    by: str
    why: str
    asleep: bool = True


async def undo(
    api: Api, observed: Observed, session: str, emit: Emit, verdict: Verdict | None = None
) -> bool:
    """Put back what a session has changed; return whether there was anything.

    Args:
        api: the cluster.
        observed: what is there.
        session: which one ends.
        emit: is told of each action.
        verdict: left out for one that is dead; else its owner is told before and afterwards.

    Raises:
        TpError: something is not back yet; the rest was tried.
    """
    theirs = replace(observed, session=session, machine=MachineFacts(), denied=())
    plan = diff(Desired(), theirs)
    if plan.empty:
        return False
    if verdict is not None:
        for one in observed.leases:
            if one.session == session:
                note = {"by": verdict.by, "why": verdict.why}
                await lease.mark_ended(api, one.namespace, session, **note)
    owner = Owner(session, "", "", "", "", 0.0)
    async with open_mirrors(api) as mirrors:
        applier = ClusterApplier(api, owner, AgentImage(), theirs, mirrors)

        async def apply(action: Action, waiting: object) -> str:
            assert isinstance(action, ClusterAction)
            if isinstance(action, a.CloseSession) and verdict is not None and verdict.asleep:
                await lease.retire(api, action.namespace, session, by=verdict.by, why=verdict.why)
                return ""
            return await applier.apply(action, lambda _: None)

        await execute(plan, apply, emit, go_on=True)
    return True
