"""Neighbours heal: what an expired or vanished session left in a namespace is restored.

Whoever looks at a namespace with ``tp`` does it, as far as they may. It is the planner's ordinary
answer to an empty wish, asked in the dead session's name.
"""

from __future__ import annotations

from collections.abc import Container
from contextlib import suppress

from tpconfig.cluster import lease
from tpconfig.cluster.api import Api
from tpconfig.errors import NoPermissionError, TpError
from tpconfig.model.events import Remark
from tpconfig.model.observed import Observed
from tpconfig.model.target import Target
from tpconfig.session import ending
from tpconfig.session.executor import Emit


def dead_sessions(observed: Observed) -> list[str]:
    """Return the sessions, not our own, that left something and do not live any more."""
    alive = {lease.session for lease in observed.leases if not lease.expired}
    seen = {one.claim.session for one in observed.workloads if one.claim}
    seen |= {lease.session for lease in observed.leases}
    seen |= {agent.session for agent in observed.agents if not agent.terminating}
    return sorted(seen - alive - {observed.session})


async def heal(api: Api, observed: Observed, emit: Emit, wanted: Container[Target] = ()) -> bool:
    """Restore what dead sessions left; return whether anything was done.

    Whose traffic the janitor has given back already keeps its agents for as long as it may come
    back, unless somebody wants its targets.
    """
    healed = False
    for session in dead_sessions(observed):
        if _may_come_back(observed, session, wanted):
            continue
        try:
            done = await ending.undo(api, observed, session, lambda _: None)
        except NoPermissionError as error:
            emit(Remark(f"session {session} has expired, and you may not undo it: {error.message}"))
        except TpError as error:
            emit(Remark(f"session {session} has expired and is not undone yet: {error.message}"))
        else:
            if done:
                emit(Remark(f"session {session} had expired: what it had left was put back"))
            healed = healed or done
    for one in observed.retired:
        if one.expired:
            with suppress(TpError):
                await lease.forget(api, one.namespace, one.session)
    return healed


def _may_come_back(observed: Observed, session: str, wanted: Container[Target]) -> bool:
    leases = [one for one in observed.leases if one.session == session]
    held = [f.target for f in observed.workloads if f.claim and f.claim.session == session]
    waits = all(one.given_back and one.age_s < one.reconnect_s for one in leases)
    return bool(leases) and waits and not any(target in wanted for target in held)
