"""Looks at cluster and machine together: what the planner is given."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import replace
from typing import Any

from tpconfig.cluster import observe as cluster
from tpconfig.cluster.api import Api
from tpconfig.model.desired import Desired
from tpconfig.model.observed import MachineFacts, Observed
from tpconfig.planner import permissions

ROLES = ("roles", "rolebindings", "serviceaccounts")
"""Whoever may not create these may still use what an administrator has prepared."""

Machine = Callable[[], Coroutine[Any, Any, MachineFacts]]


async def observe(
    api: Api,
    desired: Desired,
    *,
    session: str,
    namespaces: Iterable[str],
    machine: Machine,
    ask: bool = True,
) -> Observed:
    """Observe everything that ``desired`` is about, and these namespaces.

    ``ask``: also ask the authorizer for every verb that a session needs.
    """
    targets = {workload.target for workload in desired.workloads}
    where = sorted({*namespaces, *(target.namespace for target in targets)})
    kinds = {one: {t.kind for t in targets if t.namespace == one} for one in where}
    verbs = (verb for one in where for verb in permissions.session_verbs(one, kinds[one]))
    wanted = list(verbs) if ask else []
    looking = cluster.observe(api, session=session, targets=targets, namespaces=where)
    if not ask:
        return replace(await looking, machine=await machine())
    try:
        async with asyncio.TaskGroup() as group:
            world = group.create_task(looking)
            here = group.create_task(machine())
            denied = group.create_task(cluster.denied(api, wanted))
    except* Exception as errors:
        raise errors.exceptions[0] from None
    refused = denied.result()
    asked = sorted({one.namespace for one in refused if one.resource in ROLES})
    accounts = tuple([one for one in asked if await cluster.prepared(api, one)])
    return replace(world.result(), machine=here.result(), denied=refused, accounts=accounts)
