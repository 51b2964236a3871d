"""``tp down``: end a session, from wherever one is.

The end is written on the Lease before it is carried out, so that a ``tp up`` that lives somewhere
else knows that it was meant. Then it is the planner's ordinary answer to an empty wish.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tpconfig.cluster import lease
from tpconfig.cluster import observe as cluster
from tpconfig.errors import ConflictError, UsageError
from tpconfig.model.events import Remark, SessionEnded
from tpconfig.model.observed import LeaseFacts, Observed
from tpconfig.session import control
from tpconfig.session.executor import Emit
from tpconfig.session.identity import Identity
from tpconfig.session.lifecycle import Session
from tpconfig.session.start import open_session
from tpconfig.session.wish import Wish

END_TIMEOUT_S = 180.0
POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class DownOptions:
    """Which session: by id, by the file's name, or the only one of this ``user@host``."""

    session: str | None = None
    named: bool = True
    force: bool = False
    namespaces: tuple[str, ...] = ()


async def down(wish: Wish, options: DownOptions, emit: Emit) -> None:
    """End a session and put back everything that it changed; nothing to end is no error.

    Raises:
        ConflictError: it belongs to somebody else and lives.
        UsageError: it cannot be told which session is meant.
        TpError: something is not back yet.
    """
    async with open_session(wish, emit) as (session, desired):
        where = {workload.target.namespace for workload in desired.workloads}
        where |= set(options.namespaces) or {wish.namespace or session.api.namespace}
        world = await cluster.observe(
            session.api, session=session.identity.id, targets=(), namespaces=where
        )
        meant = _meant(world, session.identity, options)
        if meant is None:
            session.touched |= where
            await session.undo()
            emit(Remark("nothing to do: no such session is up"))
            return
        session.identity = replace(session.identity, id=meant)
        state = session.machine.here.state
        if await _ask_owner(state.folder.parent / meant / state.socket.name):
            emit(SessionEnded("asked"))
            return
        known = {one.namespace for one in world.leases if one.session == meant}
        session.touched |= where | known
        await _mark(session, world, options, emit)
        await session.undo()
        emit(SessionEnded("asked"))


def _meant(world: Observed, who: Identity, options: DownOptions) -> str | None:
    """Tell which session is meant; ``None`` where nothing of it is there."""
    seen = {one.session for one in world.leases} | {one.session for one in world.agents}
    seen |= {one.claim.session for one in world.workloads if one.claim}
    if options.session is not None:
        if options.session in seen:
            return options.session
        if seen:
            raise UsageError(
                f"there is no session {options.session} here", hint=f"there is: {_list(world)}"
            )
        return None
    if who.id in seen:
        return who.id
    own = [one for one in world.leases if one.user == who.user]
    if options.named:
        same = [one.session for one in own if one.file_name == who.name]
    else:
        same = [one.session for one in own if one.holder == who.holder]
    if len(set(same)) > 1:
        raise UsageError(
            "several sessions could be meant", hint=f"name one with --session: {_list(world)}"
        )
    return same[0] if same else None


def _list(world: Observed) -> str:
    return ", ".join(f"{one.session} ({one.file_name} of {one.holder})" for one in world.leases)


async def _ask_owner(socket: Path) -> bool:
    """Have the living ``tp up`` on this machine end itself; wait until it is gone."""
    if await control.ask(socket, {"do": "down"}) is None:
        return False
    async with asyncio.timeout(END_TIMEOUT_S):
        while await control.ask(socket, {"do": "status"}) is not None:
            await asyncio.sleep(POLL_S)
    return True


async def _mark(session: Session, world: Observed, options: DownOptions, emit: Emit) -> None:
    """Write the end on the session's leases, where the user may end it.

    Raises:
        ConflictError: it lives and belongs to another API user.
    """
    who = session.identity
    theirs: Sequence[LeaseFacts] = [one for one in world.leases if one.session == who.id]
    for one in theirs:
        if one.user != who.user and not one.expired and not options.force:
            raise ConflictError(
                f"session {one.session} belongs to {one.user} ({one.holder})",
                hint="ask them to end it; with --force you end it for them",
            )
    for one in theirs:
        why = lease.ASKED if one.user == who.user else lease.FORCED
        await lease.mark_ended(session.api, one.namespace, one.session, by=who.holder, why=why)
