"""What happens when somebody else holds a target: fail, wait for it, or take it.

Nobody holds one target while waiting for another: a session claims nothing before all that it asks
for is free and its turn has come. So queues cannot block each other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing, suppress

from tpconfig import names
from tpconfig.cluster import lease, paths
from tpconfig.cluster.watch import watch
from tpconfig.errors import ConflictError, TpError
from tpconfig.model.desired import Desired
from tpconfig.model.events import Remark
from tpconfig.model.observed import Observed
from tpconfig.model.plan import Fault, Plan
from tpconfig.model.target import Target
from tpconfig.planner import queue
from tpconfig.session import ending, verdicts
from tpconfig.session.lifecycle import Session

LOOK_S = 5.0
"""A session that died tells nobody; this often it is looked for."""


Apply = Callable[[], Awaitable[Plan]]
"""Makes the world equal to what is desired."""


async def converge(session: Session, desired: Desired, apply: Apply) -> None:
    """Make the world equal to ``desired``, dealing with conflicts as the file says.

    Raises:
        ConflictError: somebody else holds a target, and nobody was asked to wait or to take it.
        TpError: the plan is blocked, or an action failed.
    """
    match session.wish.on_conflict:
        case "wait":
            await _converge_waiting(session, desired, apply)
        case "takeover":
            await take_over(session, desired)
            await apply()
        case _:
            await apply()


async def _converge_waiting(session: Session, desired: Desired, apply: Apply) -> None:
    """Wait for the turn, and again where somebody outside of the queue was quicker."""
    while True:
        waited = await wait_for_turn(session, desired)
        try:
            await apply()
        except ConflictError:
            await session.undo()
            continue
        for namespace in waited:
            await lease.leave_queue(session.api, namespace, session.identity.id)
        return


async def wait_for_turn(session: Session, desired: Desired) -> set[str]:
    """Wait until no other session holds or goes before; return where it queued.

    Raises:
        TpError: something else is in the way.
    """
    queued: set[str] = set()
    said = ""
    while True:
        world, plan = await session.look(desired, ask=not queued)
        if not _conflicts(plan):
            return queued
        if not queued:
            queued = await _queue_up(session, desired, world)
            continue
        text = _place(world, desired)
        if text != said:
            session.emit(Remark(text))
            said = text
        await _something_happens(session, queued)


async def take_over(session: Session, desired: Desired) -> None:
    """End the sessions that hold what is wished for; each one's `tp` says so and exits with 5.

    Raises:
        TpError: one of them is not undone.
    """
    world, plan = await session.look(desired)
    if not _conflicts(plan):
        return
    verdict = ending.Verdict(session.identity.holder, lease.TAKEN)
    for other in sorted(_holders(world, desired)):
        who = next((one.holder for one in world.leases if one.session == other), "nobody")
        session.emit(Remark(f"taking over from session {other} of {who}"))
        await ending.undo(session.api, world, other, session.emit, verdict)


def _conflicts(plan: Plan) -> bool:
    """Tell whether all that is in the way are other sessions.

    Raises:
        TpError: something else is.
    """
    if any(one.fault is not Fault.CONFLICT for one in plan.blockers):
        verdicts.raise_blockers(plan)
    return bool(plan.blockers)


def _holders(world: Observed, desired: Desired) -> set[str]:
    wanted = _targets(desired)
    return {
        one.claim.session
        for one in world.workloads
        if one.claim and one.target in wanted and one.claim.session != world.session
    }


def _targets(desired: Desired) -> set[Target]:
    return {one.target for one in desired.workloads if one.mode == "swap"}


async def _queue_up(session: Session, desired: Desired, world: Observed) -> set[str]:
    targets = _targets(desired)
    turn = queue.next_turn(targets, world.leases)
    where = {target.namespace for target in targets}
    session.touched |= where  # an interrupted wait leaves the queue as it leaves everything
    for namespace in sorted(where):
        named = [str(target) for target in sorted(targets) if target.namespace == namespace]
        await lease.queue_up(session.api, namespace, session.owner, named, turn=turn)
    return where


def _place(world: Observed, desired: Desired) -> str:
    """Say what is waited for, who has it, and how many go before."""
    lines = []
    for facts in sorted(world.workloads, key=lambda one: one.target):
        if facts.target not in _targets(desired):
            continue
        ahead = len(queue.before(facts.target, world))
        holder = facts.claim.session if facts.claim else None
        if holder not in (None, world.session):
            of = next((one.holder for one in world.leases if one.session == holder), "nobody")
            lines.append(f"{facts.target}, held by session {holder} of {of}: place {ahead + 1}")
        elif ahead:
            lines.append(f"{facts.target}: place {ahead + 1}")
    return f"waiting for {'; '.join(lines)} in the queue"


async def _something_happens(session: Session, namespaces: set[str]) -> None:
    """Renew our Leases; return when a session has ended, or after a while."""
    api, who = session.api, session.identity.id
    for namespace in namespaces:
        found = await lease.renew(api, namespace, who, session.wish.ttl_s)
        if found is None or names.ANNOTATION_ENDED in (found["metadata"].get("annotations") or {}):
            raise TpError(
                f"somebody has ended session {who} while it was waiting",
                hint="start it again to wait at the end of the queue",
            )
    limit_s = min(LOOK_S, session.wish.ttl_s / 4)
    with suppress(TimeoutError):
        async with asyncio.timeout(limit_s):
            await _change(session, sorted(namespaces)[0])


async def _change(session: Session, namespace: str) -> None:
    """Return when another session's Lease has gone: that is what frees a target."""
    own = f"{names.PREFIX}-{session.identity.id}"
    path = paths.path_of("lease", namespace)
    synced = False
    async with aclosing(watch(session.api, path, label_selector=names.LABEL_SESSION)) as events:
        async for event in events:
            if event.type == "SYNCED":
                synced = True
            elif synced and event.type == "DELETED" and event.object["metadata"]["name"] != own:
                return
